"""Download one file over HTTP: resume, retry, verify, then rename.

The bytes received so far are in ``.NAME.part`` next to the file. A later attempt requests only the rest. ``requests``
reads the proxies (``HTTPS_PROXY``, ``NO_PROXY``) and the certificates (``REQUESTS_CA_BUNDLE``).
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as TooSlow

from taskaffinity.errors import input_error
from taskaffinity.regular_file import open_regular

RETRY_WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each retry."""
LONGEST_WAIT = 60.0
"""Longest wait in seconds. If a server requests a longer one (``Retry-After``), it is not tried again."""

SLOWEST = 256.0
"""Bytes per second. A response that is slower over ``WINDOW`` seconds is aborted and resumed."""
WINDOW = 30.0
"""Seconds in which the headers must arrive, and over which the rate of a response is measured."""

_TIMEOUT = (10.0, 30.0)
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_CHUNK = 1 << 16
"""The largest number of bytes that are read at once."""


@dataclass(frozen=True)
class Content:
    """The expected size and hash of a file."""

    size: int
    """Bytes."""
    sha256: str

    def matches(self, path: Path) -> bool:
        """Return whether the file exists and has this size and hash."""
        return path.is_file() and path.stat().st_size == self.size and _sha256(path) == self.sha256


class _Retry(Exception):
    """Raised for a failure that a retry may solve, with the wait that the server requests."""

    def __init__(self, found: str, seconds: float = 0.0) -> None:
        super().__init__(found)
        self.seconds = seconds


def new_session(connections: int) -> requests.Session:
    """Create a session that keeps this many connections open.

    It requests uncompressed responses, because the rest of a compressed response cannot be requested.
    """
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    session.mount("http://", HTTPAdapter(pool_maxsize=connections))
    session.mount("https://", HTTPAdapter(pool_maxsize=connections))
    return session


@dataclass(frozen=True)
class Download:
    """A file to download; it is at ``path`` when ``run`` returns."""

    session: requests.Session
    address: str
    path: Path
    content: Content
    on_bytes: Callable[[int], None]
    """Called with a number of bytes: already present, received, or (negative) discarded."""

    @property
    def part(self) -> Path:
        """Path of the unfinished file."""
        return self.path.with_name(f".{self.path.name}.part")

    def run(self) -> None:
        """Download the file.

        Raises
        ------
        InputError
            If the server does not answer after several attempts, the response is not the file, its bytes do not match
            ``content``, or the disk cannot be written. An unfinished part stays on disk; wrong bytes are deleted.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.part.is_fifo():
                self.part.unlink()  # opening a pipe would block
            self.on_bytes(_size(self.part))
            self._attempts()
        except OSError as error:
            found = f"no way to write it ({error.strerror})"
            raise input_error(self.part, found, "a disk with room, a folder that can be written") from None

    def _attempts(self) -> None:
        waits = iter(RETRY_WAITS)
        while True:
            try:
                return self._attempt()
            except _Retry as retry:
                wait = next(waits, None)
                if wait is None or retry.seconds > LONGEST_WAIT:
                    expected = "an answer; run the same command later to resume, or set HTTPS_PROXY or --mirror"
                    raise input_error(_without_credentials(self.address), str(retry), expected) from None
                time.sleep(max(wait, retry.seconds))

    def _attempt(self) -> None:
        before = _size(self.part)
        if before < self.content.size:
            try:
                before = self._receive()
            except (requests.RequestException, HTTPError) as error:  # requests lets some faults of an address through
                raise _as_error(self.address, error) from None
        if self.content.matches(self.part):
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
        self.on_bytes(-size)
        if before:
            raise _Retry(f"{found}, some of them from an earlier attempt")
        expected = f"{self.content.size:,} bytes with sha256 {self.content.sha256}; the download was deleted"
        raise input_error(_without_credentials(self.address), found, expected)

    def _receive(self) -> int:
        """Append the response to the part, and return the part's earlier size.

        The size is 0 if the server sent the whole file.
        """
        before = _size(self.part)
        headers = {"Range": f"bytes={before}-"} if before else {}
        with _answer_in_time(self.session, self.address, headers) as answer:
            _check_status(self.address, answer)
            resumes = before > 0 and answer.status_code == HTTPStatus.PARTIAL_CONTENT
            if not resumes:
                self.on_bytes(-before)
                before = 0
            with self.part.open("ab" if resumes else "wb") as file:
                for chunk in _chunks(answer):
                    file.write(chunk)
                    self.on_bytes(len(chunk))
                    if file.tell() > self.content.size:
                        break
        return before


def _answer_in_time(session: requests.Session, address: str, headers: Mapping[str, str]) -> requests.Response:
    """Return the response when its headers have arrived.

    A thread waits for the headers, because they may arrive byte by byte.

    Raises
    ------
    requests.Timeout
        If they have not arrived after ``WINDOW`` seconds and the time to connect.
    """
    got: list[requests.Response | Exception] = []

    def get() -> None:
        try:
            got.append(session.get(address, headers=headers, stream=True, timeout=_TIMEOUT))
        except Exception as error:
            got.append(error)

    thread = threading.Thread(target=get, daemon=True)  # a daemon thread, because the headers may never arrive
    thread.start()
    thread.join(_TIMEOUT[0] + WINDOW)
    if not got:
        raise requests.Timeout
    if isinstance(got[0], Exception):
        raise got[0]
    return got[0]


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    """Yield the body of a response as it arrives.

    Raises
    ------
    _Retry
        If it is slower than ``SLOWEST``, or breaks off.
    """
    began, received = time.monotonic(), 0
    try:
        while chunk := answer.raw.read1(_CHUNK, decode_content=True):
            yield chunk
            received += len(chunk)
            if (seconds := time.monotonic() - began) >= WINDOW:
                if received < SLOWEST * seconds:
                    raise _Retry(f"fewer than {SLOWEST:.0f} bytes per second over {seconds:.0f} s")
                began, received = time.monotonic(), 0
    except HTTPError as error:
        raise _Retry("no answer in time" if isinstance(error, TooSlow) else "an answer that broke off") from None


def _check_status(address: str, answer: requests.Response) -> None:
    status = answer.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""  # the server's words are not repeated
    found = f"HTTP {status} {reason}".rstrip()
    if status in _TRANSIENT:
        asked = answer.headers.get("Retry-After", "")
        seconds = float(asked[:9]) if asked.isdecimal() else 0.0
        raise _Retry(f"{found}, wait {seconds:.0f} s" if seconds else found, seconds)
    raise input_error(_without_credentials(address), found, "the file; was it moved, or is it not in the mirror?")


def _as_error(address: str, error: Exception) -> Exception:
    """Return the error to raise instead: a ``_Retry`` if another attempt may help.

    It does not show the addresses of proxies.
    """
    match error:
        case requests.exceptions.SSLError():
            expected = "a trusted one; set REQUESTS_CA_BUNDLE to a file with your certificate authorities"
            return input_error(_without_credentials(address), "a certificate that is not trusted", expected)
        case requests.exceptions.ProxyError():
            return _Retry("no way through the proxy that HTTPS_PROXY or HTTP_PROXY names")
        case requests.Timeout():
            return _Retry("no answer in time")
        case requests.ConnectionError():
            return _Retry("no connection")
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return _Retry("an answer that broke off")
    return input_error(
        _without_credentials(address),
        f"an unusable address ({type(error).__name__})",
        "the address of a mirror",
    )


def _without_credentials(address: str) -> str:
    """Return the address without user name and password."""
    return re.sub(r"//[^/@]*@", "//", address)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
