"""Choose the results folder of a study, and copy its suite file there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from taskaffinity.analysis.encoder_folders import compared_encoders
from taskaffinity.atomic import write_atomic
from taskaffinity.errors import InputError
from taskaffinity.output_file import RECIPE, check_output, check_results_folder
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.study import Study, has_study
from taskaffinity.studies.options import TuneOptions
from taskaffinity.tasks.lines import read_bytes
from taskaffinity.tasks.suite import Suite


def results_folder(given: str | Path | None, suite: Suite, suite_file: Path | None) -> Path:
    """Return the results folder of a study: the given one, else ``results/SUITE``.

    Raises
    ------
    InputError
        If it is a file, if it is the folder of the suite file, which a copy could overwrite, or if it holds files of
        the user's that the study would replace.
    """
    folder = named_folder(given, suite.name)
    if suite_file is not None and folder.resolve() == suite_file.resolve().parent:
        raise InputError(f"--results {folder}: the folder of the suite file; expected a separate folder")
    check_results_folder(folder)
    return folder


def named_folder(given: str | Path | None, name: str) -> Path:
    """Return the given results folder, else ``results/NAME``.

    Raises
    ------
    InputError
        If its name is empty, or if it is a file.
    """
    if given is not None and not str(given).strip():  # Path("") is the current folder
        raise InputError("--results: an empty name; expected a folder")
    folder = Path(given) if given is not None else Path("results") / name
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--results {folder}: a file; expected a folder, or a name that does not exist")
    return folder


@contextmanager
def keep_suite_file(file: Path | None, folder: Path, study: Study) -> Iterator[None]:
    """Copy the suite file into the results folder at the end, except after an InputError.

    Nothing is copied if another command has put another study in its place meanwhile.

    ``study.json`` identifies the data. The copy of the suite file tells how files were read and split, so it has the
    content of the beginning: the file may be changed or removed while the study trains.
    """
    content = read_bytes(file) if file is not None else None
    try:
        yield
    except InputError:
        raise
    except BaseException:
        _copy(content, folder, study)
        raise
    _copy(content, folder, study)


def _copy(content: bytes | None, folder: Path, study: Study) -> None:
    if content is None or not has_study(folder, study.design):
        return
    with suppress(ValueError):  # a study file that is broken belongs to nobody
        if Study.load(folder, study.design) == study:
            write_atomic(folder / "suite.yaml", content)


def encoder_folders(root: Path, encoders: Sequence[EncoderRef]) -> list[Path]:
    """Return a folder for each encoder, with its name and fingerprint.

    An example is ``root/biobert-1a2b3c4d``.

    An encoder that already has a folder in ``root`` under another name keeps it.

    Raises
    ------
    InputError
        If two of them are the same encoder.
    """
    folders = []
    for number, encoder in enumerate(encoders):
        if encoder in encoders[:number]:
            raise InputError(f"--encoders: {encoder.name} is the same encoder as one before it")
        mark = encoder.fingerprint[:8]
        words = re.sub(r"[^a-z0-9._]+", "-", encoder.name.lower()).strip("-.")
        folders.append(next(iter(sorted(root.glob(f"*-{mark}"))), root / f"{words or 'encoder'}-{mark}"))
    return folders


def check_compared(root: Path, encoders: Sequence[EncoderRef]) -> None:
    """Check that a comparison of these encoders keeps those of the one that ``root`` holds.

    A broken ``encoders.csv`` is replaced.

    Raises
    ------
    InputError
        If the comparison leaves out an encoder.
    """
    path = root / "encoders.csv"
    if not path.is_file():
        return
    compared: dict[str, str] = {}
    with suppress(InputError):
        compared = compared_encoders(path)
    kept = {encoder.fingerprint[:8] for encoder in encoders}
    if gone := [name for mark, name in compared.items() if mark not in kept]:
        names, it = ", ".join(gone), "it" if len(gone) == 1 else "them"
        raise InputError(
            f"{path}: also compares {names}, and this command leaves {it} out; "
            "give all in --encoders, or another --results, or --overwrite to compare only these (no run is lost)"
        )


def recipe_path(options: TuneOptions, folder: Path) -> Path:
    """Return the path of the recipe file that a search writes.

    Raises
    ------
    InputError
        If it is a folder, the recipe file that is read, or a file that no search wrote; if a results folder is given
        beside it.
    """
    if options.out is not None and options.output_dir is not None:
        raise InputError(
            f"--results {options.output_dir}: not with --out, whose folder also keeps the trials; give one"
        )
    out = Path(options.out) if options.out is not None else folder / "recipe.yaml"
    if options.recipe is not None and out.resolve() == Path(options.recipe).resolve():
        raise InputError(f"--recipe {options.recipe}: the search would overwrite it; give another --out")
    check_output(out, RECIPE, "recipe of `tune`")
    return out
