"""The results folders of a study with several encoders, found by its ``encoders.csv``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict

from taskaffinity.errors import InputError, shown
from taskaffinity.runs.stored.csv_files import read_csv_rows
from taskaffinity.runs.stored.json_files import Words
from taskaffinity.runs.study import FILES


def encoder_study_folders(folder: Path) -> list[Path]:
    """Return the results folder of each encoder, in the order of ``encoders.csv``.

    Without that file, it is the folder itself.

    Raises
    ------
    InputError
        If the file does not match the folders beside it.
    """
    path = folder / "encoders.csv"
    if not path.exists():
        return [folder]
    folders = []
    for mark in compared_encoders(path):
        found = sorted(folder.glob(f"*-{mark}/{FILES['full']}")) if re.fullmatch("[0-9a-f]{1,8}", mark) else []
        if len(found) != 1:
            fault = f"{len(found)} folders of encoder {shown(mark)} beside it; expected one"
            raise InputError(f"{path}: {fault}; {_REPEAT}")
        folders.append(found[0].parent)
    return folders or [folder]


def compared_encoders(path: Path) -> dict[str, str]:
    """Return the encoders of an ``encoders.csv``: the first 8 digits of each fingerprint, and its name.

    Raises
    ------
    InputError
        If the file is broken.
    """
    words = dict.fromkeys(row.encoder for row in read_csv_rows(path, _EncoderRow, _REPEAT))
    return {mark[:8]: name for name, _, mark in (encoder.rpartition(" ") for encoder in words)}


_REPEAT = "run `taskaffinity full --encoders` again"


@dataclass(frozen=True)
class _EncoderRow:
    """What is read back of a row of ``encoders.csv``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    encoder: Words
    """Its name, and the beginning of its fingerprint in hexadecimal digits."""
