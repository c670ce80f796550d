"""Event files read back by their format alone: length, checksum, a protocol buffer, checksum."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorboardX.proto.event_pb2 import Event


def events(folder: Path) -> Iterator[Any]:
    [path] = folder.glob("events.out.tfevents.*")
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        yield Event.FromString(content[at + 12 : at + 12 + length])
        at += 12 + length + 4


def values(folder: Path) -> list[tuple[int, Any]]:
    """``(step, value)`` of everything that was written."""
    return [(event.step, value) for event in events(folder) for value in event.summary.value]


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """By name and step."""
    found: dict[str, dict[int, float]] = {}
    for step, value in values(folder):
        if value.HasField("simple_value"):
            found.setdefault(value.tag, {})[step] = value.simple_value
    return found
