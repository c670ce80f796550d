"""Find the data file of each split in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
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
from taskaffinity.tasks.user.missing_splits import common_ending, either, joined, lacking, path_line, share_lines

STEMS: dict[MainSplit, tuple[str, ...]] = {
    "train": ("train",),
    "dev": ("dev", "devel", "validation", "valid", "val"),
    "test": ("test",),
}
"""Split -> accepted names, of files and in data sets of the hub."""
_BRAT = "the folders train, dev and test; or NAME.txt with NAME.ann, and dev: 10% and test: 20%"
OF_FOLDERS = "one file per split, with a text and its label in each row; one folder per class is not read"
"""What a message expects instead of a folder."""
_LISTED = 6
_SAVED = ("dataset_dict.json", "state.json")
"""Files in a folder that the package ``datasets`` wrote with ``save_to_disk``."""


def find_files(
    folder: Path, form: Format | None, kind: Kind, *, may_lack: Collection[MainSplit] = (), said: str = ""
) -> dict[Split, Path]:
    """Find the data file of each split in a folder by its name, such as ``train.csv``.

    The splits in ``may_lack`` are optional. If ``form`` is given and no file has an ending of that format, files with
    any ending are accepted. A packed file (``.gz``) is used if there is no other, and then one with a number, such as
    ``train-00000-of-00001.parquet`` (data sets of the hub are stored so).

    Parameters
    ----------
    said
        The folder as the suite file names it, for the error.

    Raises
    ------
    InputError
        If the folder or a file does not exist, or there are two files for one split.
    """
    if not os.path.isdir(folder):
        expected = "a folder of train, dev and test files, or path: {train: FILE, dev: FILE, test: FILE}"
        raise input_error(folder, "no folder", expected)
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
    if lack := [split for split in STEMS if split not in files and split not in may_lack]:
        within = said or folder.name
        given = {split: f"{within}/{path.name}" for split, path in files.items()}
        paths = path_line(_data_files(folder), [split for split in STEMS if split in {*files, *lack}], given, within)
        train = path_line(_data_files(folder), ["train"], {}, within) if "train" in lack else ""
        raise _no_file(folder, lack, form, kind, either(paths, share_lines(lack, "the train file", train)))
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


def _no_file(folder: Path, lack: Sequence[MainSplit], form: Format | None, kind: Kind, ways: str) -> InputError:
    """Return the error for splits without a file; it names the files of the folder, and the ways that would do."""
    names = sorted(os.listdir(folder))
    if any((folder / name).is_file() for name in _SAVED):
        expected = 'parquet files: data["train"].to_parquet("train.parquet"), ...; or, in Python, Suite.from_datasets'
        raise input_error(folder, "a folder that save_to_disk of datasets wrote", expected)
    found = "an empty folder"
    if names:
        found = f"{lacking(lack, 'file')} among {', '.join(map(_as_name, names[:_LISTED]))}"
        found += ", ..." * (len(names) > _LISTED)
    if form == "brat":
        return input_error(folder, f"no folder{'s' * (len(lack) > 1)} {joined(lack)}, and no NAME.txt", _BRAT)
    if form is None and "brat" in formats_of(kind) and text_files(folder):
        return input_error(folder, f"{lacking(lack, 'file')}, but files .txt and .ann", f"format: brat, and {_BRAT}")
    read = list(ENDINGS[form]) if form else [end for end, of in GUESSED.items() if of in formats_of(kind)]
    how = next((said for name in names if (said := CONVERTED.get(ending(Path(name))))), "")
    more = f"; of a file that is not read: {how}" if how else ""
    stems = [stem for split in lack for stem in STEMS[split]]
    files = [name for name in _data_files(folder) if ending(Path(name)) not in CONVERTED]
    other = next((name for name in files if Path(name).stem in stems), "")
    if other and not form and looks_like_fasttext(folder / other):
        return input_error(folder, f"{_as_name(other)}, which looks like fastText", f"{HINT}{more}")
    if other and not form:
        more += f"; or format: csv, tsv or another, if {_as_name(other)} is of this format"
    if not _data_files(folder) and names:
        more += f"; of folders: {OF_FOLDERS}"
    end = common_ending(names, read)
    endings = f" ({', '.join(read)} are read)" * all(ending(Path(name)) not in read for name in names)
    usual = f"{joined([f'{split}{end}' for split in lack])}{endings}"
    return input_error(folder, found, f"{usual}, or {ways}{more}")


def _data_files(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if (folder / name).is_file())


def _as_name(name: str) -> str:
    return name if len(name) <= 80 else shown(name)
