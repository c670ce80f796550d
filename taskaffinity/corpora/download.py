"""One file over HTTP, whole or not at all: resumed, tried again, verified before it gets its name.

What has come so far lies beside the file as ``.NAME.part``, and a later attempt asks for the rest. Proxies
(``HTTPS_PROXY``, ``NO_PROXY``) and certificates (``REQUESTS_CA_BUNDLE``) are as ``requests`` has them.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from taskaffinity.errors import input_error

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further attempt."""
LONGEST_WAIT = 60.0
"""A server that asks for more patience (``Retry-After``) is given up on."""

_TIMEOUT = (10.0, 30.0)
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_CHUNK = 1 << 12
"""Bytes; of an answer that breaks off, the last chunk is lost."""


@dataclass(frozen=True)
class Content:
    """What a file must hold."""

    size: int
    """Bytes."""
    sha256: str

    def lies_at(self, path: Path) -> bool:
        """Whether the file is there, with these bytes."""
        return path.is_file() and path.stat().st_size == self.size and _sha256(path) == self.sha256


class _Again(Exception):
    """Worth another attempt: what was found, and how many seconds the server asks to wait."""

    def __init__(self, found: str, seconds: float = 0.0) -> None:
        super().__init__(found)
        self.seconds = seconds


def new_session(connections: int) -> requests.Session:
    """A session that keeps so many connections open.

    It asks for bytes as they are stored: of a compressed answer, no rest can be asked for.
    """
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    session.mount("http://", HTTPAdapter(pool_maxsize=connections))
    session.mount("https://", HTTPAdapter(pool_maxsize=connections))
    return session


@dataclass(frozen=True)
class Download:
    """A file to fetch; ``path`` has it when ``run`` returns."""

    session: requests.Session
    address: str
    path: Path
    content: Content
    came: Callable[[int], None]
    """Told of bytes: those of an earlier part, those that come, and, negative, those that are thrown away."""

    @property
    def part(self) -> Path:
        """Where the file lies until it is whole."""
        return self.path.with_name(f".{self.path.name}.part")

    def run(self) -> None:
        """Fetch it.

        Raises
        ------
        InputError
            No way to it after some attempts, an answer that is not the file, other bytes than ``content``, or a disk
            that does not take it. Wrong bytes are not kept; the part of a file that was not finished is.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.came(_size(self.part))
            self._attempts()
        except OSError as error:
            found = f"no way to write it ({error.strerror})"
            raise input_error(self.part, found, "a disk with room, a folder that can be written") from None

    def _attempts(self) -> None:
        waits = iter(WAITS)
        while True:
            try:
                return self._attempt()
            except _Again as again:
                wait = next(waits, None)
                if wait is None or again.seconds > LONGEST_WAIT:
                    expected = "an answer; the same command goes on later, HTTPS_PROXY and --mirror are other ways"
                    raise input_error(_public(self.address), str(again), expected) from None
                time.sleep(max(wait, again.seconds))

    def _attempt(self) -> None:
        before = _size(self.part)
        if before < self.content.size:
            try:
                before = self._receive()
            except requests.RequestException as error:
                raise _fault(self.address, error) from None
        if self.content.lies_at(self.part):
            os.replace(self.part, self.path)
            return
        size = _size(self.part)
        is_longer = size > self.content.size
        found = (
            f"more than {self.content.size:,} bytes"
            if is_longer
            else f"{size:,} bytes with sha256 {_sha256(self.part)}"
        )
        self.part.unlink()
        self.came(-size)
        if before:
            raise _Again(f"{found}, some of them from an earlier attempt")
        expected = f"{self.content.size:,} bytes with sha256 {self.content.sha256}; nothing of it was kept"
        raise input_error(_public(self.address), found, expected)

    def _receive(self) -> int:
        """Write what comes behind what is there, and return how much that was; 0 where the server starts anew."""
        before = _size(self.part)
        headers = {"Range": f"bytes={before}-"} if before else {}
        with self.session.get(self.address, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            _check_status(self.address, answer)
            resumes = before > 0 and answer.status_code == HTTPStatus.PARTIAL_CONTENT
            if not resumes:
                self.came(-before)
                before = 0
            with self.part.open("ab" if resumes else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk)
                    self.came(len(chunk))
                    if file.tell() > self.content.size:
                        break
        return before


def _check_status(address: str, answer: requests.Response) -> None:
    status = answer.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    found = f"HTTP {status} {answer.reason or ''}".rstrip()
    if status in _TRANSIENT:
        asked = answer.headers.get("Retry-After", "")
        seconds = float(asked) if asked.isdecimal() else 0.0
        raise _Again(f"{found}, wait {seconds:.0f} s" if seconds else found, seconds)
    raise input_error(_public(address), found, "the file; was it moved, or is it not in the mirror?")


def _fault(address: str, error: requests.RequestException) -> Exception:
    """What to raise instead: whether another attempt may help, in words without the addresses of proxies."""
    match error:
        case requests.exceptions.SSLError():
            expected = "one that is trusted: REQUESTS_CA_BUNDLE names a file with your own authorities"
            return input_error(_public(address), "a certificate that is not trusted", expected)
        case requests.exceptions.ProxyError():
            return _Again("no way through the proxy that HTTPS_PROXY or HTTP_PROXY names")
        case requests.Timeout():
            return _Again("no answer in time")
        case requests.ConnectionError():
            return _Again("no connection")
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return _Again("an answer that broke off")
    return input_error(
        _public(address), f"an address that cannot be asked ({type(error).__name__})", "the address of a mirror"
    )


def _public(address: str) -> str:
    """An address without a name and password."""
    return re.sub(r"//[^/@]*@", "//", address)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
