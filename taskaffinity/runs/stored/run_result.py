"""Read ``result.json`` of a run, and report faults of the files beside it.

Keys, types and ranges are checked. Every file with a checksum in ``result.json`` is compared with it, and so is
``result.json`` itself. Folders of older versions have no checksums.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import ConfigDict

from taskaffinity.atomic import atomic_write
from taskaffinity.errors import STRICT, InputError, shown
from taskaffinity.regular_file import IrregularFile, open_regular, read_regular
from taskaffinity.runs.result import Outcome
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.stored.json_files import Amount, Words, parse_model
from taskaffinity.tasks.metrics import METRICS

RESULT, SPEC = "result.json", "spec.json"
_WAY_OUT = "delete its folder, and the same command trains it again"
_BLANK = "0" * 64
_ANOTHER = f"not the file that was written: its checksum is not that in {RESULT}"


class DamagedRun(InputError):
    """Raised for a missing, broken or wrong file of a run.

    The message is one line with the file and the way out.
    """

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f"{path}: {fault}; {_WAY_OUT}")


@dataclass(frozen=True)
class StoredResult:
    """The content of ``result.json``."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    run_id: str
    outcomes: dict[str, Outcome]
    work: dict[str, Amount]
    versions: dict[str, Words]
    sha256: dict[str, str] = field(default_factory=dict)
    """Checksum of each file of the run, by its path in the folder; empty in older folders."""


class _Result(Protocol):
    @property
    def run_id(self) -> str: ...
    @property
    def sha256(self) -> Mapping[str, str]: ...


ResultT = TypeVar("ResultT", bound=_Result)


def read_result(folder: Path, spec: RunSpec) -> StoredResult:
    """Read ``result.json`` only.

    Raises
    ------
    FileNotFoundError
        If the run is not done.
    DamagedRun
        If the file is broken, of another version or of another run.
    """
    stored = read_result_as(StoredResult, folder, spec)
    if set(stored.outcomes) != set(spec.task_names):
        raise DamagedRun(folder / RESULT, "its tasks are not those of the run")
    for outcome in stored.outcomes.values():
        check_metric(folder, outcome.metric)
        if outcome.dev is None or outcome.epoch == 0:  # as runs that were trained elsewhere have
            raise DamagedRun(folder / RESULT, "no dev score or epoch")
    return stored


def read_result_as(model: type[ResultT], folder: Path, spec: RunSpec) -> ResultT:
    """Read ``result.json`` of any kind of run through its model; raises as ``read_result``."""
    with damage(folder, RESULT):
        content = read_regular(f"{folder}/{RESULT}")
        stored: ResultT = parse_model(content, model)
    if stored.run_id != spec.run_id:
        raise DamagedRun(folder / RESULT, f"the result of run {shown(stored.run_id)}")
    own = stored.sha256.get(RESULT)
    if own is not None and hashlib.sha256(content.replace(_entry(own), _entry(_BLANK))).hexdigest() != own:
        raise DamagedRun(folder / RESULT, "not the file that was written: its own checksum differs")
    return stored


def write_result(folder: Path, summary: Mapping[str, Any], sha256: Mapping[str, str]) -> None:
    """Write ``result.json`` with the checksums of the other files and its own.

    Its own is computed with zeros in the place of the checksum. It detects changes that other files do not
    contradict, such as another epoch with the same score.
    """
    blank = {**summary, "sha256": {**sha256, RESULT: _BLANK}}
    content = (json.dumps(blank, indent=1, ensure_ascii=False) + "\n").encode()
    own = hashlib.sha256(content).hexdigest()
    with atomic_write(folder / RESULT) as file:
        file.write(content.replace(_entry(_BLANK), _entry(own)))


def _entry(own: str) -> bytes:
    return f'"{RESULT}": "{own}"'.encode()


def check_metric(folder: Path, metric: str) -> None:
    """Raise ``DamagedRun`` unless a metric of ``result.json`` is a key of ``METRICS``."""
    if metric not in METRICS:
        raise DamagedRun(folder / RESULT, f"metric {shown(metric)}, which is none of {', '.join(METRICS)}")


def check_spec(folder: Path, spec: RunSpec) -> None:
    """Raise ``DamagedRun`` unless ``spec.json`` holds the spec."""
    with damage(folder, SPEC):
        if parse_model(read_regular(f"{folder}/{SPEC}"), RunSpec) != spec:
            raise DamagedRun(folder / SPEC, "not the spec of this run")


@contextmanager
def damage(folder: Path, name: str) -> Iterator[None]:
    """Turn every fault of a run's file into ``DamagedRun``, except a missing ``result.json``.

    Raises
    ------
    InputError
        If the file cannot be read, and deleting it would not help.
    """
    fault = ""
    try:
        yield
    except IrregularFile as error:
        fault = f"not a file of a run ({error.found})"
    except InputError:
        raise
    except FileNotFoundError:
        if name == RESULT:
            raise
        fault = "missing"
    except NotADirectoryError:
        fault = "not a file"
    except OSError as error:
        raise InputError(f"{folder / name}: cannot be read ({error.strerror or type(error).__name__})") from error
    except (ValueError, LookupError, TypeError, EOFError, RecursionError, zipfile.BadZipFile, zlib.error) as error:
        said = str(error) if type(error) is ValueError else type(error).__name__
        fault = f"damaged, half copied, or of another version of taskaffinity ({said})"
    if fault:
        raise DamagedRun(folder / name, fault)


def checked_bytes(folder: Path, name: str, sha256: Mapping[str, str]) -> bytes:
    """Read a file of a run, and compare it with its checksum in ``result.json``.

    Call it inside ``damage``.

    Parameters
    ----------
    sha256 : mapping
        The checksums in ``result.json``.

    Raises
    ------
    DamagedRun
        If the file has changed since it was written.
    """
    content = read_regular(f"{folder}/{name}")
    if name in sha256 and hashlib.sha256(content).hexdigest() != sha256[name]:
        raise DamagedRun(folder / name, _ANOTHER)
    return content


def check_file(folder: Path, name: str, stored: StoredResult) -> None:
    """Compare a file of a run with its checksum, if ``result.json`` has one.

    The file is not loaded, so it may have any size.

    Raises
    ------
    DamagedRun
        If the file is missing or has changed since it was written.
    """
    if name not in stored.sha256:
        return
    with damage(folder, name), open_regular(folder / name) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != stored.sha256[name]:
        raise DamagedRun(folder / name, _ANOTHER)
