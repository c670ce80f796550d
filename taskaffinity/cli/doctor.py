"""``taskaffinity doctor``: print what this machine has and lacks, and how to fix it."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from packaging.requirements import Requirement
from rich.console import Console

from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.options.run import Json
from taskaffinity.errors import InputError, printable
from taskaffinity.schedule.resources import usable_cpus
from taskaffinity.studies.defaults import DEFAULT_ENCODERS
from taskaffinity.tasks.catalog import LISTED, data_folder
from taskaffinity.tasks.formats import missing_files

INSTALL = "pip install -c constraints.txt -e ."
NAMED = ("torch", "transformers", "ray", "numpy", "scipy", "pandas", "matplotlib", "huggingface-hub")
"""Libraries whose versions are printed. All required libraries are checked."""


@dataclass(frozen=True)
class Finding:
    """One line of the report, one sentence on what is missing, or both."""

    what: str
    found: str
    lack: str = ""
    """What is missing and how to fix it; empty if nothing is missing."""
    breaks: bool = False
    """Whether it prevents `taskaffinity pairwise --domain clinical`."""


def command(
    data: Annotated[
        Path | None, typer.Option(help="Folder of task files (default: TASKAFFINITY_DATA, else ./data).")
    ] = None,
    json: Json = False,
) -> None:
    """Check libraries, GPUs, encoders, data and folders, and print how to fix what is missing.

    Nothing is started, downloaded or trained. Exit code 1: this machine cannot train the synthetic clinical suite.
    """
    findings = [*_versions(), *_machine(), *_torch(), *_folders(), *_data(data)]
    lacks = [finding for finding in findings if finding.lack]
    broken = sum(finding.breaks for finding in lacks)
    if json:
        print_json({"ready": not broken, "findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings, lacks, broken)
    if broken:
        raise typer.Exit(1)


def _print(findings: Sequence[Finding], lacks: Sequence[Finding], broken: int) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for finding in findings:
        if finding.what:
            console.print(f"{finding.what:16} {finding.found}")
    for finding in lacks:
        console.print(f"{'BROKEN' if finding.breaks else 'missing'}: {finding.lack}")
    if broken:
        console.print(f"{broken} of these must be fixed before training")
    else:
        console.print("ready: taskaffinity pairwise --domain clinical")


def _versions() -> Iterator[Finding]:
    yield Finding("python", platform.python_version())
    yield Finding("taskaffinity", metadata.version("taskaffinity"))
    required = [Requirement(line) for line in metadata.requires("taskaffinity") or ()]
    required = [one for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]
    installed = {one.name: _version(one.name) for one in required}
    for name in NAMED:
        version = installed.get(name) or _version(name)
        note = " (not started)" if name == "ray" and version else ""
        yield Finding(name, f"{version or 'not installed'}{note}")
    for one in required:
        version = installed[one.name]
        if version is None or not one.specifier.contains(version, prereleases=True):
            lack = f"{one.name} is {version or 'not installed'}, expected {one.specifier or 'any version'}: {INSTALL}"
            yield Finding(one.name, version or "not installed", lack, breaks=True)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _machine() -> Iterator[Finding]:
    yield Finding("CPU cores", f"{usable_cpus()}, each trains one run; --cpus-per-run changes that")
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        yield Finding("memory", f"{size:.1f} GiB")
    except (AttributeError, ValueError, OSError):
        yield Finding("memory", "not known")


def _torch() -> Iterator[Finding]:
    """Yield the findings that need torch and transformers: GPUs and the paper's encoders."""
    try:
        from taskaffinity.training.profile.hardware import gpu_names, in_hub_cache
    except (ImportError, OSError) as error:  # OSError: a shared library does not load
        reason = printable(str(error).partition("\n")[0])
        yield Finding(
            "torch", "does not load", f"torch or transformers does not load ({reason}): {INSTALL}", breaks=True
        )
        return
    names = gpu_names()
    no_gpu = "a GPU that torch can use: synthetic suites need none; an encoder as large as BERT is slow without one"
    yield Finding("GPUs", "; ".join(names) or "none", "" if names else no_gpu)
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    yield Finding(
        "model hub",
        "offline (HF_HUB_OFFLINE is set)" if offline else "online; it provides encoders that are not on this machine",
    )
    for name in dict.fromkeys(DEFAULT_ENCODERS.values()):
        folder = in_hub_cache(name)
        suites = ", ".join(suite for suite, encoder in DEFAULT_ENCODERS.items() if encoder == name)
        lack = ""
        if folder is None:
            how = "unset HF_HUB_OFFLINE to download it" if offline else "it is downloaded on first use"
            lack = f"encoder {name}, the default of {suites} on real text: {how}, or give --encoder FOLDER"
        yield Finding(name, str(folder or "not in the model hub's cache"), lack)


def _folders() -> Iterator[Finding]:
    try:
        from taskaffinity.runs.files import cache_folder  # torch
    except (ImportError, OSError):
        return
    try:
        cache = cache_folder()
    except InputError as error:
        yield Finding("cache", "not private", str(error), breaks=True)
        return
    size = _size(cache)
    for what, folder, mend in (
        ("cache", cache, "export TASKAFFINITY_CACHE=FOLDER"),
        ("results", Path("results"), "run in another folder, or give --results FOLDER"),
    ):
        existing = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
        free = f"{shutil.disk_usage(existing).free / 2**30:.1f} GiB free"
        found = f"{folder}, {size / 2**20:.1f} MiB, {free}" if what == "cache" else f"{folder}, {free}"
        if _can_write(existing):
            yield Finding(what, found)
        else:
            lack = f"nothing can be written to {existing}, the place of the {what} folder: {mend}"
            yield Finding(what, f"{found}, cannot be written", lack, breaks=True)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # a file may disappear, because a running study renames temporary files
            total += path.stat().st_size if path.is_file() else 0
    return total


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _data(given: Path | None) -> Iterator[Finding]:
    """Yield which suites have their task files, and the commands for missing ones."""
    from taskaffinity.corpora.fetch import OPEN

    suites_of: dict[tuple[str, Path], list[str]] = {}
    tasks_of: dict[tuple[str, Path], list[str]] = {}
    for suite, tasks in LISTED.items():
        folder = given or data_folder(suite)
        out = folder or Path("data")
        lacking = [task for task in tasks if folder is None or missing_files(folder / task.name)]
        for task in lacking:
            names, suites = tasks_of.setdefault((task.corpus, out), []), suites_of.setdefault((task.corpus, out), [])
            names += [task.name] * (task.name not in names)
            suites += [suite] * (suite not in suites)
        if folder is None:
            without = "it cannot be trained" if suite == "open-clinical" else "synthetic text replaces it"
            yield Finding(suite, f"no data folder: {without}")
        else:
            without = ": it cannot be trained" if lacking else ""
            yield Finding(suite, f"{len(tasks) - len(lacking)} of {len(tasks)} tasks in {folder}{without}")
    for (corpus, out), suites in suites_of.items():
        place = shlex.quote(str(out))
        mend = f"taskaffinity data fetch {corpus} --out {place}"
        if corpus not in OPEN:
            mend = (
                f"under an agreement, `taskaffinity data fetch {corpus}` says how to get access; "
                f"then taskaffinity data prepare {corpus} --raw DIR --out {place}"
            )
        yield Finding("", "", f"{', '.join(tasks_of[corpus, out])}, of {' and '.join(suites)}: {mend}")
