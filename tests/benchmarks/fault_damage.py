"""Seeded damages of a file: of its bytes, its lines, its numbers, and of what its format holds."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_JUNK = (
    *(b"\x00", b"\xff\xfe", b"\r", b"\x0b", b"\x1b[31m", b"\x1b]0;title\x07", "\u202e".encode(), "\u00a0".encode()),
    *(b'"', b"'", b"\t", b",", b"\n\n", b"|", b"{" * 3000, b"[" * 3000, b"9" * 5000, b"&a [*a, *a]", b"!!python/none"),
    *(b"<!DOCTYPE x>", b"&lol;", b"\xed\xa0\x80", b"../../x", b"a" * 200_000),
)
_NUMBERS = (
    *(b"NaN", b"Infinity", b"-Infinity", b"-1", b"0", b"1e999", b"1_000", b"0x1f", b"true", b"null", b'""'),
    *(b"9" * 400, b"1" * 5000, b"0.5", b"-0.0", "\u0663".encode(), b"[]", b"{}", b"2147483648", b"1e300"),
)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**30, -0.5, 1e300, float("nan"), float("inf"), "", "0", "nothing", "../../x"),
    *("a" * 300_000, "\x1b[31m", "\u202eabc", [], {}, [0], [[]], {"": 0}, ["a", 1], "\ud800", "NaN"),
)

Damage = Callable[[bytes, random.Random], bytes]


def damaged(content: bytes, suffix: str, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """A file's bytes after one damage.

    Parameters
    ----------
    suffix
        Of the file; it decides what its format holds.
    others
        Other files of the same kind, which may take its place or lend a part.
    """
    inside = _INSIDE.get(suffix)
    if inside is not None and rng.random() < 0.5:
        return inside(content, rng)
    if others and rng.random() < 0.1:
        other = rng.choice(others)
        cut = rng.randint(0, min(len(content), len(other)))
        return other if rng.random() < 0.5 else content[:cut] + other[cut:]
    return rng.choice(_ON_BYTES)(content, rng)


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(content))
    return start, min(len(content), start + rng.choice((1, 2, 7, 30, 200)))


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randint(0, len(content))]


def _flip(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 5))):
        if found:
            found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _remove(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + content[end:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:end] + content[start:end] * rng.choice((1, 1, 100)) + content[end:]


def _insert(content: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(content))
    return content[:start] + rng.choice(_JUNK) + content[start:]


def _zeros(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + bytes(end - start) + content[end:]


def _number(content: bytes, rng: random.Random) -> bytes:
    places = list(_NUMBER.finditer(content[:20_000]))
    if not places:
        return _flip(content, rng)
    place = rng.choice(places)
    return content[: place.start()] + rng.choice(_NUMBERS) + content[place.end() :]


def _lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return _cut(content, rng)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            del lines[one]
        case 2:
            lines.insert(other, lines[one])
        case 3:
            lines[one] = lines[one].rstrip(b"\r\n") + b"\r"
        case _:
            lines[one] = lines[one].rstrip(b"\r\n")
    return b"".join(lines)


def _other_encoding(content: bytes, rng: random.Random) -> bytes:
    text = content.decode("utf-8", errors="replace")
    return text.encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp037")), errors="replace")


def _empty(content: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"", b"\n", b"\x00" * 10, b"null", b"[]", b"{}"))


_ON_BYTES: tuple[Damage, ...] = (
    *(_cut, _flip, _flip, _remove, _repeat, _insert, _insert, _zeros),
    *(_number, _number, _number, _lines, _lines, _other_encoding, _empty),
)


def _json(content: bytes, rng: random.Random) -> bytes:
    """A key or an entry removed, renamed, added, or with another value."""
    try:
        whole = json.loads(content)
    except ValueError:
        return _flip(content, rng)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    walk(whole)
    if not places:
        return _empty(content, rng)
    node, key = rng.choice(places)
    choice = rng.randrange(6)
    if choice == 0:
        del node[key]
    elif choice == 1 and isinstance(node, dict):
        node[rng.choice(("unknown", "../../x", "", "a" * 200_000, f"{key}2"))] = node.pop(key)
    elif choice == 2 and isinstance(node[key], int | float) and not isinstance(node[key], bool):
        node[key] = node[key] + rng.choice((1, -1, 0.1, 1e-6))
    elif choice == 3:
        alike = [place for place in places if place[1] == key and place[0] is not node]  # such as another task's metric
        other_node, other_key = rng.choice(alike if alike and rng.random() < 0.5 else places)
        node[key] = json.loads(json.dumps(other_node[other_key])) if _has(other_node, other_key) else None
    else:
        node[key] = rng.choice(_VALUES)
    return json.dumps(whole).encode("utf-8", errors="surrogatepass")


def _has(node: Any, key: Any) -> bool:
    return key in node if isinstance(node, dict) else key < len(node)


def _json_lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if not lines:
        return _insert(content, rng)
    number = rng.randrange(len(lines))
    lines[number] = _json(lines[number], rng) + b"\n"
    return b"".join(lines)


def _arrays(content: bytes, rng: random.Random) -> bytes:
    """An archive of arrays with a key, a shape, a type or a value changed."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = {key: stored[key] for key in stored.files}
    key = rng.choice(sorted(arrays))
    array = arrays[key].astype(float)
    place = tuple(rng.randrange(size) for size in array.shape)
    match rng.randrange(9):
        case 0:
            del arrays[key]
        case 1:
            arrays[rng.choice(("unknown", "../../x/test", f"{key}/span_f1"))] = arrays.pop(key)
        case 2:
            other = rng.choice(sorted(arrays))
            arrays[key], arrays[other] = arrays[other], arrays[key]
        case 3:
            arrays[key] = array[: rng.randint(0, len(array))]
        case 4:
            arrays[key] = array[::-1] if rng.random() < 0.5 else array.ravel()
        case 5:
            arrays[key] = array.astype(rng.choice(("float16", "complex128", "bool", "S8", "int8")))
        case 6:
            arrays[key] = np.delete(array, 0, axis=-1) if array.ndim > 1 and array.shape[-1] else array[:1]
        case _:
            array[place] = rng.choice((float("nan"), float("inf"), -1.0, 1e30, 0.5, array[place] + 1))
            arrays[key] = array
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def _table(content: bytes, rng: random.Random) -> bytes:
    """A parquet table with a column or a value changed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    at = rng.randrange(table.num_columns)
    name = table.column_names[at]
    match rng.randrange(4):
        case 0:
            table = table.remove_column(at)
        case 1:
            table = table.rename_columns(["unknown" if one == name else one for one in table.column_names])
        case 2:
            table = table.slice(0, table.num_rows // 2)
        case _:
            table = table.set_column(at, name, pa.array([rng.choice(("yes", "names", "test", ""))] * table.num_rows))
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _tensors(content: bytes, rng: random.Random) -> bytes:
    """Weights with another header, or another number."""
    size = int.from_bytes(content[:8], "little")
    if rng.random() < 0.5:
        head = _json(content[8 : 8 + size], rng)
        return len(head).to_bytes(8, "little") + head + content[8 + size :]
    start = rng.randrange(8 + size, max(9 + size, len(content) - 4))
    return content[:start] + np.float32(rng.choice((np.nan, np.inf, 3.0))).tobytes() + content[start + 4 :]


_INSIDE: dict[str, Damage] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".npz": _arrays,
    ".parquet": _table,
    ".safetensors": _tensors,
}
