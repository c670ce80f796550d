"""Openly available corpora to a raw folder: ``fetch("ddi2013", raw)``; ``prepare`` then reads it.

``fetch_manifest.csv`` pins every file of them: repository, commit, path, bytes, sha256. A file that is there with its
sha256 is not fetched again; the others come a few at a time, each whole or not at all (``download.py``).
"""

from __future__ import annotations

import csv
import os
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from multiprocessing.pool import ThreadPool
from pathlib import Path, PurePosixPath
from threading import Lock
from urllib.parse import quote
from zipfile import ZipFile

from filelock import FileLock

from taskaffinity.corpora.download import Content, Download, new_session
from taskaffinity.errors import input_error

GITHUB = "https://raw.githubusercontent.com"
"""What a mirror takes the place of: repository, commit and path follow."""
AT_ONCE = 8
"""Files; two corpora are thousands of small ones, and a connection serves many."""


@dataclass(frozen=True)
class OpenCorpus:
    """An original distribution that anyone may download."""

    licence: str
    """As stated."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Folder in a repository -> folder below the raw one; others keep their names."""
    archive: str = ""
    """The zip file that it comes in."""


OPEN: dict[str, OpenCorpus] = {
    "bc5cdr": OpenCorpus("public domain (US Government work)", {"BC5-CDR/original-data": ""}),
    "chemprot": OpenCorpus("public domain mark, as its BigBIO card says; none stated in the distribution"),
    "ddi2013": OpenCorpus("CC BY-NC 4.0: not for commercial use", archive="DDICorpus-2013.zip"),
    "ehr-rel": OpenCorpus("Apache-2.0"),
    "lct": OpenCorpus(
        "CC BY 4.0 (doi 10.6084/m9.figshare.17209610.v2); none stated in the repository", {"ner/nic": "brat"}
    ),
    "rqe": OpenCorpus("CC BY 4.0", {"MEDIQA_Task2_RQE": ""}),
}


@dataclass(frozen=True)
class PinnedFile:
    """One file of a corpus."""

    repository: str
    commit: str
    path: str
    """In the repository."""
    place: str
    """Below the raw folder."""
    content: Content

    def address(self, mirror: str = GITHUB) -> str:
        """Where it is downloaded from."""
        return f"{mirror.rstrip('/')}/{self.repository}/{self.commit}/{quote(self.path)}"


def pinned(corpus: str) -> list[PinnedFile]:
    """The files of an open corpus, as the manifest has them."""
    text = (files("taskaffinity.corpora") / "fetch_manifest.csv").read_text(encoding="utf-8")
    return [
        PinnedFile(
            row["github_repository"],
            row["commit"],
            row["path"],
            _place(PurePosixPath(row["path"]), OPEN[corpus].folders),
            Content(int(row["bytes"]), row["sha256"]),
        )
        for row in csv.DictReader(text.splitlines())
        if row["corpus"] == corpus
    ]


def fetch(corpus: str, raw: Path, mirror: str = GITHUB, show: Callable[[int, int], None] = lambda *_: None) -> int:
    """Download what ``raw`` lacks of an open corpus, and unpack it.

    Parameters
    ----------
    corpus
        A key of ``OPEN``.
    raw
        Folder for the original distribution.
    mirror
        Address that takes the place of ``GITHUB``.
    show
        Told of bytes, from several threads: those that are there, those of the whole corpus.

    Returns
    -------
    int
        How many files were downloaded.

    Raises
    ------
    InputError
        As ``Download.run``, or an address that is none. What was fetched before stays.
    """
    n_fetched = fetch_files(pinned(corpus), raw, mirror, show)
    if OPEN[corpus].archive:
        unpack(raw / OPEN[corpus].archive, raw)
    return n_fetched


def fetch_files(
    pins: Sequence[PinnedFile], raw: Path, mirror: str = GITHUB, show: Callable[[int, int], None] = lambda *_: None
) -> int:
    """``fetch`` for any pinned files."""
    if not re.match(r"https?://[^/\s]", mirror):
        raise input_error("--mirror", "no address of the web", f"https://HOST/PATH, in the place of {GITHUB}")
    if not _lacking(pins, raw):
        return 0
    raw.mkdir(parents=True, exist_ok=True)
    with FileLock(raw / ".lock"):  # two fetches into one folder would write the same parts
        lacking = _lacking(pins, raw)
        total = sum(pin.content.size for pin in pins)
        there = total - sum(pin.content.size for pin in lacking)
        counting = Lock()

        def came(n_bytes: int) -> None:
            nonlocal there
            with counting:
                there += n_bytes
                show(there, total)

        with new_session(AT_ONCE) as session, ThreadPool(AT_ONCE) as pool:

            def get(pin: PinnedFile) -> None:
                Download(session, pin.address(mirror), raw / pin.place, pin.content, came).run()

            for _ in pool.imap_unordered(get, lacking):
                pass
    return len(lacking)


def unpack(archive: Path, folder: Path) -> None:
    """Write the members of a zip file that are not there as it has them."""
    with ZipFile(archive) as packed:
        for member in packed.infolist():
            path = folder / member.filename
            if member.is_dir() or path.name == ".DS_Store":
                continue
            if not (path.is_file() and zlib.crc32(path.read_bytes()) == member.CRC):
                path.parent.mkdir(parents=True, exist_ok=True)
                beside = path.with_name(f".{path.name}.{os.getpid()}")
                beside.write_bytes(packed.read(member))
                os.replace(beside, path)


def _lacking(pins: Sequence[PinnedFile], raw: Path) -> list[PinnedFile]:
    return [pin for pin in pins if not pin.content.lies_at(raw / pin.place)]


def _place(path: PurePosixPath, folders: Mapping[str, str]) -> str:
    for folder, ours in folders.items():
        if path.is_relative_to(folder):
            return str(ours / path.relative_to(folder))
    return str(path)
