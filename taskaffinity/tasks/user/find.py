"""Find the data file of each split in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.tasks.kinds import Kind
from taskaffinity.tasks.splits import MainSplit, Split
from taskaffinity.tasks.standoff.brat import text_files
from taskaffinity.tasks.user.fasttext import HINT, looks_like_fasttext
from taskaffinity.tasks.user.layout import (
    CONVERTED,
    ENDINGS,
    GUESSED,
    GUESSED_TAGGED,
    PACKED,
    Format,
    ending,
    formats_of,
)

STEMS: dict[MainSplit, tuple[str, ...]] = {
    "train": ("train",),
    "dev": ("dev", "devel", "validation", "valid", "val"),
    "test": ("test",),
}
"""Split -> accepted names, of files and in data sets of the hub."""
_BRAT = "the folders train, dev and test; or NAME.txt with NAME.ann, and dev: 10% and test: 20%"
_LISTED = 6


def find_files(
    folder: Path, form: Format | None, kind: Kind, *, may_lack: Collection[MainSplit] = ()
) -> dict[Split, Path]:
    """Find the data file of each split in a folder by its name, such as ``train.csv``.

    The dev file is optional, and so are the splits in ``may_lack``. If ``form`` is given and no file has an ending of
    that format, files with any ending are accepted. A packed file (``.gz``) is used if there is no other, and then one
    with a number, such as ``train-00000-of-00001.parquet`` (data sets of the hub are stored so).

    Raises
    ------
    InputError
        If the folder or a file does not exist, or there are two files for one split.
    """
    if not os.path.isdir(folder):
        found = "a file" if os.path.lexists(folder) else "no such folder"
        one = "; of one file, shares as dev: 10% and test: 20%, or columns: {split: NAME}" * (found == "a file")
        expected = f"a folder of train, dev and test files, or path: {{train: FILE, dev: FILE, test: FILE}}{one}"
        raise input_error(folder, found, expected)
    endings = ENDINGS[form] if form else tuple(GUESSED)
    others = (*dict.fromkeys((*ENDINGS["conll"], *GUESSED)), "") if form else ()
    if not form and kind == "ner":
        others = tuple(GUESSED_TAGGED)
    files: dict[Split, Path] = {}
    for split, stems in STEMS.items():
        present: list[Path] = []
        for some in (endings, _packed(endings), others, _packed(others)):
            present = present or [
                path for stem in stems for end in some if os.path.lexists(path := folder / f"{stem}{end}")
            ]
        present = present or _numbered(folder, split, endings)
        if len(present) > 1:
            raise input_error(folder, _several(split, present), "one of them, or path: {train: FILE, ...}")
        if present:
            files[split] = present[0]
        elif split != "dev" and split not in may_lack:
            raise _no_file(folder, split, form, kind, endings)
    return files


def _packed(endings: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{end}{PACKED}" for end in endings)


def _numbered(folder: Path, split: MainSplit, endings: Collection[str]) -> list[Path]:
    """Return the file such as ``train-00000-of-00001.parquet`` of a split, if there is one.

    Raises
    ------
    InputError
        If the split has several parts, or one part of several.
    """
    shape = re.compile(rf"(?:{'|'.join(STEMS[split])})-\d+-of-0*(\d+)")
    parts = {path: match[1] for path in folder.iterdir() if (match := shape.fullmatch(path.stem))}
    parts = {path: total for path, total in parts.items() if path.suffix in endings}
    if parts and set(parts.values()) != {"1"}:
        found = f"{len(parts)} part{'s' * (len(parts) != 1)} of {split}, such as {min(parts).name}"
        raise input_error(folder, found, f"one file; join all parts, or path: {{{split}: FILE}}")
    return sorted(parts)


def _several(split: Split, present: list[Path]) -> str:
    names = [path.name for path in present]
    return f"{', '.join(names[:_LISTED])}{', ...' * (len(names) > _LISTED)} for {split}"


def _no_file(folder: Path, split: MainSplit, form: Format | None, kind: Kind, endings: Collection[str]) -> InputError:
    """Return the error for a split without a file; it names the files of the folder."""
    share = "; or test: 20% to take a share of the train file" if split == "test" else ""
    names = sorted(os.listdir(folder))
    there = "an empty folder"
    if names:
        listed = ", ".join(map(_as_name, names[:_LISTED]))
        there = f"no {split} file among {listed}{', ...' * (len(names) > _LISTED)}"
    if form == "brat":
        return input_error(folder, f"no folder {split}, and no NAME.txt", f"{_BRAT}{share}")
    if form is None and "brat" in formats_of(kind) and text_files(folder):
        return input_error(folder, f"no {split} file, but files .txt and .ann", f"format: brat, and {_BRAT}")
    fitting = formats_of(kind)
    read = endings if form else [end for end, of in GUESSED.items() if of in fitting]
    how = next((said for name in names if (said := CONVERTED.get(ending(Path(name))))), "")
    share += f"; of a file that is not read: {how}" if how else ""
    other = next(
        (name for name in names if Path(name).stem in STEMS[split] and ending(Path(name)) not in CONVERTED), ""
    )
    if other and not form and looks_like_fasttext(folder / other):
        return input_error(folder, f"{_as_name(other)}, which looks like fastText", f"{HINT}{share}")
    if other and not form:
        share += f"; or format: csv, tsv or another, if {_as_name(other)} is of this format"
    example = f"{split}{ENDINGS[form or fitting[0]][0]} ({', '.join(read)} are read)"
    return input_error(folder, there, f"{example}, or path: {{{split}: FILE}}{share}")


def _as_name(name: str) -> str:
    return name if len(name) <= 80 else shown(name)
