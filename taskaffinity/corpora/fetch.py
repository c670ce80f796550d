"""Download open corpora to a raw folder: ``fetch("ddi2013", raw)``.

``prepare`` then reads that folder.

``fetch_manifest.csv`` lists every file with its repository, commit, path, size in bytes and sha256. A file that is
present with its sha256 is not downloaded again. The others are downloaded a few at a time; each appears only when it is
complete and verified (``download.py``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from multiprocessing.pool import ThreadPool
from pathlib import Path, PurePosixPath
from threading import Lock
from urllib.parse import quote

from filelock import FileLock

from taskaffinity.corpora.archive import unpack
from taskaffinity.corpora.download import Content, Download, new_session
from taskaffinity.errors import input_error

GITHUB = "https://raw.githubusercontent.com"
"""Default host; a mirror replaces it. Repository, commit and path follow."""
MAX_CONNECTIONS = 8
"""Files downloaded at the same time. A connection serves many of them."""


@dataclass(frozen=True)
class OpenCorpus:
    """An original distribution that anyone may download."""

    licence: str
    """As stated by the source."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Folder in the repository -> folder below the raw folder. Other folders keep their names."""
    archive: str = ""
    """Name of the zip file that holds the corpus; empty if the files are not zipped."""


OPEN: dict[str, OpenCorpus] = {
    "bc5cdr": OpenCorpus("public domain (US Government work)", {"BC5-CDR/original-data": ""}),
    "chemprot": OpenCorpus("public domain mark, as its BigBIO card says; none stated in the distribution"),
    "ddi2013": OpenCorpus("CC BY-NC 4.0: not for commercial use", archive="DDICorpus-2013.zip"),
    "ehr-rel": OpenCorpus("Apache-2.0"),
    "hoc": OpenCorpus("GPL-3.0, the licence of the repository; none stated for the corpus"),
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
    """Path in the repository."""
    place: str
    """Path below the raw folder."""
    content: Content

    def address(self, mirror: str = GITHUB) -> str:
        """The URL of the file."""
        return f"{mirror.rstrip('/')}/{self.repository}/{self.commit}/{quote(self.path)}"


def pinned(corpus: str) -> list[PinnedFile]:
    """Return the files of an open corpus, as listed in the manifest."""
    text = (files("taskaffinity.corpora") / "fetch_manifest.csv").read_text(encoding="utf-8")
    return [
        PinnedFile(
            row["github_repository"],
            row["commit"],
            row["path"],
            _raw_path(PurePosixPath(row["path"]), OPEN[corpus].folders),
            Content(int(row["bytes"]), row["sha256"]),
        )
        for row in csv.DictReader(text.splitlines())
        if row["corpus"] == corpus
    ]


def fetch(corpus: str, raw: Path, mirror: str = GITHUB, show: Callable[[int, int], None] = lambda *_: None) -> int:
    """Download the files of an open corpus that ``raw`` lacks, and unpack them.

    Parameters
    ----------
    corpus
        A key of ``OPEN``.
    raw
        Folder for the original distribution.
    mirror
        Address that replaces ``GITHUB``.
    show
        Called from several threads with the bytes present and the bytes of the whole corpus.

    Returns
    -------
    int
        Number of downloaded files.

    Raises
    ------
    InputError
        As ``Download.run``, or if ``mirror`` is no URL. Files that were downloaded before stay.
    """
    n_fetched = fetch_files(pinned(corpus), raw, mirror, show)
    if OPEN[corpus].archive:
        unpack(raw / OPEN[corpus].archive, raw)
    return n_fetched


def fetch_files(
    pins: Sequence[PinnedFile], raw: Path, mirror: str = GITHUB, show: Callable[[int, int], None] = lambda *_: None
) -> int:
    """Download any pinned files; parameters and errors as in ``fetch``."""
    if not re.match(r"https?://[^/\s]", mirror):
        raise input_error("--mirror", "no URL", f"https://HOST/PATH, which replaces {GITHUB}")
    if not _missing_files(pins, raw):
        return 0
    raw.mkdir(parents=True, exist_ok=True)
    with FileLock(raw / ".lock"):  # otherwise two processes could write the same parts
        missing = _missing_files(pins, raw)
        total = sum(pin.content.size for pin in pins)
        present = total - sum(pin.content.size for pin in missing)
        counting = Lock()

        def on_bytes(n_bytes: int) -> None:
            nonlocal present
            with counting:
                present += n_bytes
                show(present, total)

        with new_session(MAX_CONNECTIONS) as session, ThreadPool(MAX_CONNECTIONS) as pool:

            def download(pin: PinnedFile) -> None:
                Download(session, pin.address(mirror), raw / pin.place, pin.content, on_bytes).run()

            for _ in pool.imap_unordered(download, missing):
                pass
    return len(missing)


def _missing_files(pins: Sequence[PinnedFile], raw: Path) -> list[PinnedFile]:
    return [pin for pin in pins if not pin.content.matches(raw / pin.place)]


def _raw_path(path: PurePosixPath, folders: Mapping[str, str]) -> str:
    for folder, below_raw in folders.items():
        if path.is_relative_to(folder):
            return str(below_raw / path.relative_to(folder))
    return str(path)
