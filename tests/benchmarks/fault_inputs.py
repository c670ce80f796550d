"""Damage every file that is read, thousands of times, and judge what its reader does."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import random
import resource
import shutil
import signal
import traceback
import unicodedata
from pathlib import Path
from types import FrameType
from typing import Any

from fault_damage import damaged
from fault_readers import Reader, files_of, fill
from fault_tally import Tally
from fault_world import SENTINEL, World

LONGEST = 20
"""Seconds after which a reading hangs."""
LONGEST_MESSAGE = 1000
"""Characters; a list of all legal keys may be long."""
_MEMORY = 8 << 30
"""Bytes that a reader may take; a damaged size must not take all of the machine's."""


class Hung(BaseException):
    """Raised in a reading that takes too long."""


def damage_campaign(world: World, done: dict[str, Path], root: Path, seed: int, share: float = 1.0) -> list[Tally]:
    """Damage the files of every reader; each reader is tried in a process of its own."""
    from fault_readers import readers

    intact = root / "intact"
    fill(intact, world, done)
    found = []
    for number, reader in enumerate(readers()):
        if not (intact / reader.folder).is_dir():  # a study that was not trained
            continue
        place = root / f"reader-{number}"
        shutil.copytree(intact, place)
        found.append(_in_a_process(reader, place, intact, random.Random(f"{seed} {reader.name}"), share))
        shutil.rmtree(place)
    return found


def _in_a_process(reader: Reader, place: Path, intact: Path, rng: random.Random, share: float) -> Tally:
    path = place / "tally"
    child = os.fork()
    if child == 0:
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
            path.write_bytes(pickle.dumps(_try_reader(reader, place, rng, share)))
        except BaseException:
            path.write_bytes(pickle.dumps(traceback.format_exc()))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    if not path.exists():  # the process died
        tally = Tally(f"damaged: {reader.name}", 1)
        tally.count("tracebacks", 1, "the process died")
        return tally
    found = pickle.loads(path.read_bytes())
    if isinstance(found, str):
        raise RuntimeError(found)
    return found


def _try_reader(reader: Reader, place: Path, rng: random.Random, share: float) -> Tally:
    tally = Tally(f"damaged: {reader.name}")
    files = list(files_of(reader, place))
    assert files, reader.name
    contents = {path: path.read_bytes() for path in files}
    expected = {path: reader.read(place, path) for path in files}
    for number in range(max(1, round(share * reader.n))):
        path = rng.choice(files)
        others = [content for other, content in contents.items() if other.name == path.name and other != path]
        content = damaged(contents[path], path.suffix, rng, others)
        if not path.parent.is_dir():  # a cache entry that was given up
            path.parent.mkdir(parents=True)
        _replace(path, content)
        tally.tried += 1
        case = f"{path.relative_to(place)} number {number}"
        _judge(reader, place, path, expected[path], content == contents[path], tally, case)
        for other, was in contents.items():
            if other == path or reader.folder == "cache":
                _replace(other, was) if other.is_file() and other.read_bytes() != was else None
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[path])
    return tally


def _replace(path: Path, content: bytes) -> None:
    """Another file in the place of ``path``, as tools that edit leave it."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(content)
    os.replace(beside, path)


def _judge(reader: Reader, place: Path, path: Path, expected: Any, is_intact: bool, tally: Tally, case: str) -> None:
    from taskaffinity.errors import InputError

    def too_long(number: int, frame: FrameType | None) -> None:
        raise Hung

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            found = reader.read(place, path)
    except (InputError, OSError) as error:
        _judge_message(error, tally, case)
    except Hung:
        tally.count("hung", 1, case)
    except BaseException as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        tally.count(
            "tracebacks", 1, f"{case}: {type(error).__name__} {str(error)[:120]!r} at {at.filename}:{at.lineno}"
        )
    else:
        if reader.is_exact and found != expected and not is_intact:
            tally.count("wrong_numbers", 1, case)
    finally:
        signal.alarm(0)
    tally.count("corpus_text", bool(SENTINEL.search(said.getvalue().encode(errors="replace"))), f"{case}: printed")


def _judge_message(error: Exception, tally: Tally, case: str) -> None:
    """What the command line would print, judged."""
    from taskaffinity.cli import _refuse

    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        if isinstance(error, OSError):
            _refuse(f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}")
        else:
            _refuse(str(error))
    line = said.getvalue().removesuffix("\n").removeprefix("taskaffinity: ")
    tally.count("corpus_text", bool(SENTINEL.search(line.encode(errors="replace"))), f"{case}: {line[:300]}")
    is_odd = any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in line)
    is_clear = len(line) <= LONGEST_MESSAGE and not is_odd
    tally.count("unclear_refusals", not is_clear, f"{case}: {len(line)} characters, {line[:200]!r}")
