"""One file over HTTP, whole or not at all: resumed, tried again, verified before it gets its name.

What has come so far lies beside the file as ``.NAME.part``, and a later attempt asks for the rest. Proxies
(``HTTPS_PROXY``, ``NO_PROXY``) and certificates (``REQUESTS_CA_BUNDLE``) are as ``requests`` has them.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from taskaffinity.tasks.lines import bad

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further attempt."""
LONGEST_WAIT = 60.0
"""A server that asks for more patience (``Retry-After``) is given up on."""

_TIMEOUT = (10.0, 30.0)
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_CHUNK = 1 << 16


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


def part_of(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(f".{path.name}.part")


def download(
    session: requests.Session, address: str, path: Path, content: Content, came: Callable[[int], None]
) -> None:
    """Fetch a file; ``path`` has it when this returns.

    Parameters
    ----------
    came
        Told of bytes: those of an earlier part, those that come, and, negative, those that are thrown away.

    Raises
    ------
    BadInput
        No way to it after some attempts, an answer that is not the file, other bytes than ``content``, or a disk that
        does not take it. No other bytes are kept; the part of a file that was not finished is.
    """
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        came(_size(part))
        waits = iter(WAITS)
        while True:
            try:
                return _attempt(session, address, path, content, came)
            except _Again as again:
                wait = next(waits, None)
                if wait is None or again.seconds > LONGEST_WAIT:
                    expected = "an answer; the same command goes on later, HTTPS_PROXY and --mirror are other ways"
                    raise bad(_public(address), str(again), expected) from None
                time.sleep(max(wait, again.seconds))
    except OSError as error:
        raise bad(
            part, f"no way to write it ({error.strerror})", "a disk with room, a folder that can be written"
        ) from None


def _attempt(
    session: requests.Session, address: str, path: Path, content: Content, came: Callable[[int], None]
) -> None:
    part = part_of(path)
    before = _size(part)
    if before < content.size:
        try:
            before = _receive(session, address, part, content, came)
        except requests.RequestException as error:
            raise _fault(address, error) from None
    if content.lies_at(part):
        os.replace(part, path)
        return
    size = _size(part)
    found = (
        f"{size:,} bytes with sha256 {_sha256(part)}" if size <= content.size else f"more than {content.size:,} bytes"
    )
    part.unlink()
    came(-size)
    if before:
        raise _Again(f"{found}, part of them from an earlier attempt")
    raise bad(_public(address), found, f"{content.size:,} bytes with sha256 {content.sha256}; nothing of it was kept")


def _receive(session: requests.Session, address: str, part: Path, content: Content, came: Callable[[int], None]) -> int:
    """Write what comes behind what is there, and return how much that was; 0 where the server starts anew."""
    before = _size(part)
    headers = {"Range": f"bytes={before}-"} if before else {}
    with session.get(address, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
        _check_status(address, answer)
        resumes = before > 0 and answer.status_code == HTTPStatus.PARTIAL_CONTENT
        if not resumes:
            came(-before)
            before = 0
        with part.open("ab" if resumes else "wb") as file:
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
                came(len(chunk))
                if file.tell() > content.size:
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
    raise bad(_public(address), found, "the file; was it moved, or is it not in the mirror?")


def _fault(address: str, error: requests.RequestException) -> Exception:
    """What to raise instead: whether another attempt may help, in words without the addresses of proxies."""
    match error:
        case requests.exceptions.SSLError():
            expected = "one that is trusted: REQUESTS_CA_BUNDLE names a file with your own authorities"
            return bad(_public(address), "a certificate that is not trusted", expected)
        case requests.exceptions.ProxyError():
            return _Again("no way through the proxy that HTTPS_PROXY or HTTP_PROXY names")
        case requests.Timeout():
            return _Again("no answer in time")
        case requests.ConnectionError():
            return _Again("no connection")
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return _Again("an answer that broke off")
    return bad(_public(address), f"an address that cannot be asked ({type(error).__name__})", "the address of a mirror")


def _public(address: str) -> str:
    """An address without a name and password."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
