"""Downloads from a local mirror: invented files, and the real files in ``TASKAFFINITY_RAW``."""

from __future__ import annotations

import hashlib
import re
import signal
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from taskaffinity.cli import main
from taskaffinity.corpora import archive as archives
from taskaffinity.corpora import download
from taskaffinity.corpora.access import AGREEMENTS
from taskaffinity.corpora.archive import unpack
from taskaffinity.corpora.download import Content
from taskaffinity.corpora.fetch import OPEN, PinnedFile, fetch_files, pinned
from taskaffinity.corpora.prepare import CORPORA
from taskaffinity.errors import InputError
from taskaffinity.tasks.formats import read_card

A, B = b"Zorbifex and quuxitis.\n", b"The snarkol met Blorptase.\n"
COMMIT = "c" * 40
LOCAL = {"ehr-rel": ["ehr_rel"], "lct": ["leaf_clinical_trials"], "rqe": ["rqe", "mediqa2019_task2"]}
"""Folders of the real files if their names differ from the corpus."""


class Mirror:
    """A server of ``files`` by path; ``faults`` come before the file, and ``asked`` records the requests.

    A fault is a status, other bytes, ``"cut"`` (half of the file, then the connection ends), ``"stall"`` (half of it,
    then nothing until ``close``), ``"drip"`` (a byte every hundredth of a second), ``"drip headers"`` or something to
    call before the answer.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[int | bytes | str | Callable[[], object]]] = {}
        self.headers: dict[str, str] = {}
        self.reason: str | None = None
        self.takes_ranges = True
        self.asked: list[tuple[str, str | None]] = []
        self.closing = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Ignore the connections of an interrupted client, so that stderr stays empty."""

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append((request.path, asked))
        faults = self.faults.get(request.path, [])
        fault = faults.pop(0) if faults else 200
        if callable(fault):
            fault()
        body = fault if isinstance(fault, bytes) else self.files.get(request.path)
        status = fault if isinstance(fault, int) else 200
        if body is None or status >= 400:
            body, status = b"", status if status >= 400 else 404
        elif asked and self.takes_ranges:
            body, status = body[int(asked.removeprefix("bytes=").removesuffix("-")) :], 206
        if fault == "drip headers":
            self.drip(request, b"HTTP/1.1 200 OK\r\nX-Filler: " + 1000 * b"x")
            return
        request.send_response(status, self.reason)
        request.send_header("Content-Length", str(len(body)))
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()
        if fault == "drip":
            self.drip(request, body)
        elif fault in ("cut", "stall"):
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            request.close_connection = True
            if fault == "stall":
                self.closing.wait(30)
        else:
            request.wfile.write(body)

    def drip(self, request: BaseHTTPRequestHandler, content: bytes) -> None:
        """Send a byte every hundredth of a second until the client goes, or ``close``."""
        request.close_connection = True
        with suppress(OSError):
            for byte in content:
                if self.closing.wait(0.01):
                    break
                request.wfile.write(bytes([byte]))

    def pin(self, path: str, body: bytes) -> PinnedFile:
        """Serve a file and return its manifest entry."""
        content = Content(len(body), hashlib.sha256(body).hexdigest())
        pin = PinnedFile("someone/corpus", COMMIT, path, path, content)
        self.files[self.path(pin)] = body
        return pin

    def path(self, pin: PinnedFile) -> str:
        return pin.address("")


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A mirror without a proxy, and short waits between attempts."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(download, "RETRY_WAITS", (0.0, 0.0, 0.0))
    server = Mirror()
    yield server
    server.close()


def files_in(folder: Path) -> set[str]:
    """Names of the files in a folder, without the lock."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {".lock"}


def error_message(pins: list[PinnedFile], raw: Path, mirror: str) -> str:
    with pytest.raises(InputError) as caught:
        fetch_files(pins, raw, mirror)
    message = str(caught.value)
    assert "\n" not in message
    assert "Zorbifex" not in message
    return message


def test_files_are_downloaded_once(mirror: Mirror, tmp_path: Path) -> None:
    pins = [mirror.pin("a.txt", A), mirror.pin("deep/er/b c.txt", B)]
    reports: list[tuple[int, int]] = []
    assert fetch_files(pins, tmp_path / "raw", mirror.address, lambda *bytes_: reports.append(bytes_)) == 2
    assert (tmp_path / "raw/a.txt").read_bytes() == A
    assert (tmp_path / "raw/deep/er/b c.txt").read_bytes() == B
    assert files_in(tmp_path / "raw") == {"a.txt", "deep/er/b c.txt"}
    assert sorted(mirror.asked) == [
        (f"/someone/corpus/{COMMIT}/a.txt", None),
        (f"/someone/corpus/{COMMIT}/deep/er/b%20c.txt", None),
    ]
    assert reports[-1] == (50, 50)
    assert fetch_files(pins, tmp_path / "raw", mirror.address) == 0
    assert len(mirror.asked) == 2


def test_of_two_commands_that_fetch_at_once_one_downloads(mirror: Mirror, tmp_path: Path) -> None:
    """The parts of a file have one name, so two writers would mix their bytes."""
    pins = [mirror.pin(f"{n}.txt", A * (n + 1)) for n in range(8)]
    threads = [threading.Thread(target=fetch_files, args=(pins, tmp_path, mirror.address)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path for path, _ in mirror.asked) == sorted(mirror.path(pin) for pin in pins)
    assert files_in(tmp_path) == {f"{n}.txt" for n in range(8)}


def test_missing_or_changed_files_are_downloaded_again(mirror: Mirror, tmp_path: Path) -> None:
    pins = [mirror.pin("a.txt", A), mirror.pin("b.txt", B), mirror.pin("c.txt", A + B)]
    fetch_files(pins, tmp_path, mirror.address)
    (tmp_path / "a.txt").write_bytes(A.replace(b"and", b"AND"))
    (tmp_path / "b.txt").unlink()
    mirror.asked.clear()
    assert fetch_files(pins, tmp_path, mirror.address) == 2
    assert (tmp_path / "a.txt").read_bytes() == A
    assert {path for path, _ in mirror.asked} == {mirror.path(pins[0]), mirror.path(pins[1])}


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_partial_download_is_resumed(mirror: Mirror, tmp_path: Path, takes_ranges: bool) -> None:
    pin = mirror.pin("a.txt", A)
    (tmp_path / ".a.txt.part").write_bytes(A[:9])
    mirror.takes_ranges = takes_ranges
    reports: list[tuple[int, int]] = []
    fetch_files([pin], tmp_path, mirror.address, lambda *bytes_: reports.append(bytes_))
    assert (tmp_path / "a.txt").read_bytes() == A
    assert mirror.asked == [(mirror.path(pin), "bytes=9-")]
    assert files_in(tmp_path) == {"a.txt"}
    assert (reports[0], reports[-1]) == ((9, 23), (23, 23))


def test_complete_part_is_not_requested(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / ".a.txt.part").write_bytes(A)
    fetch_files([mirror.pin("a.txt", A)], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == A
    assert not mirror.asked


@pytest.mark.parametrize("part", [b"another th", A + b"and more"])
def test_part_of_another_file_is_discarded(mirror: Mirror, tmp_path: Path, part: bytes) -> None:
    (tmp_path / ".a.txt.part").write_bytes(part)
    fetch_files([mirror.pin("a.txt", A)], tmp_path, mirror.address)
    assert files_in(tmp_path) == {"a.txt"}
    assert (tmp_path / "a.txt").read_bytes() == A


def test_broken_response_is_resumed(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", 1000 * A)
    mirror.faults[mirror.path(pin)] = ["cut"]
    fetch_files([pin], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == 1000 * A
    assert [asked for _, asked in mirror.asked] == [None, "bytes=11500-"]


def test_part_stays_after_a_failed_download(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", 1000 * A)
    mirror.faults[mirror.path(pin)] = ["cut", 503, 503, 503]
    assert "found HTTP 503 Service Unavailable; expected an answer" in error_message([pin], tmp_path, mirror.address)
    assert files_in(tmp_path) == {".a.txt.part"}
    fetch_files([pin], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == 1000 * A


def test_a_mirror_that_drips_is_given_up_and_resumed(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "WINDOW", 0.1)
    pin = mirror.pin("a.txt", 1000 * A)
    mirror.faults[mirror.path(pin)] = ["drip"] * 4
    assert "found fewer than 256 bytes per second over 0 s" in error_message([pin], tmp_path, mirror.address)
    received = (tmp_path / ".a.txt.part").stat().st_size
    assert 0 < received < 256
    monkeypatch.undo()
    fetch_files([pin], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == 1000 * A
    begun = [int(asked.removeprefix("bytes=").removesuffix("-")) for _, asked in mirror.asked if asked]
    assert begun == sorted(begun)  # every attempt goes on where the last one ended
    assert begun[-1] == received


def test_headers_that_drip_are_given_up(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "WINDOW", 0.1)
    monkeypatch.setattr(download, "_TIMEOUT", (0.1, 30.0))
    pin = mirror.pin("a.txt", A)
    mirror.faults[mirror.path(pin)] = ["drip headers"] * 4
    assert "found no answer in time" in error_message([pin], tmp_path, mirror.address)


@pytest.mark.parametrize("status", [404, 503, 599])
def test_the_words_of_a_server_are_not_repeated(mirror: Mirror, tmp_path: Path, status: int) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.faults[mirror.path(pin)] = [status] * 9
    mirror.reason = "\x1b[31mgone\x07"
    message = error_message([pin], tmp_path, mirror.address)
    assert f"found HTTP {status}" in message
    assert message.isprintable()
    assert "gone" not in message


@pytest.mark.parametrize("wrong", [A.replace(b"and", b"AND"), b"Zorbifex", A + B])
def test_wrong_bytes_are_rejected_and_deleted(mirror: Mirror, tmp_path: Path, wrong: bytes) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.faults[mirror.path(pin)] = [wrong]
    message = error_message([pin], tmp_path, mirror.address)
    found = "more than 23 bytes" if len(wrong) > 23 else f"{len(wrong)} bytes with sha256 {sha256(wrong)}"
    assert f"/a.txt: found {found}; expected 23 bytes with sha256 {sha256(A)}" in message
    assert files_in(tmp_path) == set()
    assert len(mirror.asked) == 1


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_error_is_retried(mirror: Mirror, tmp_path: Path, status: int) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.faults[mirror.path(pin)] = [status, status, status]
    fetch_files([pin], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == A
    assert len(mirror.asked) == 4


def test_lasting_server_error_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    good, ill = mirror.pin("a.txt", A), mirror.pin("b.txt", B)
    fetch_files([good], tmp_path, mirror.address)
    mirror.faults[mirror.path(ill)] = [503] * 9
    assert f"{mirror.path(ill)}: found HTTP 503" in error_message([good, ill], tmp_path, mirror.address)
    assert len(mirror.asked) == 1 + 4
    assert files_in(tmp_path) == {"a.txt"}


def test_long_retry_after_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.faults[mirror.path(pin)] = [429]
    mirror.headers["Retry-After"] = "3600"
    assert "found HTTP 429 Too Many Requests, wait 3600 s" in error_message([pin], tmp_path, mirror.address)
    assert len(mirror.asked) == 1


def test_missing_file_on_the_server_is_reported_without_retry(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.files.clear()
    assert "/a.txt: found HTTP 404 Not Found; expected the file" in error_message([pin], tmp_path, mirror.address)
    assert len(mirror.asked) == 1


def test_failed_connection_is_reported_without_credentials(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.server.server_close()
    message = error_message([pin], tmp_path, mirror.address.replace("//", "//ann:hush@"))
    assert "found no connection; expected an answer" in message
    assert "hush" not in message


@pytest.mark.parametrize("address", ["", "mirror.example", "file:///mirror", "https://"])
def test_mirror_must_be_a_url(mirror: Mirror, tmp_path: Path, address: str) -> None:
    message = error_message([mirror.pin("a.txt", A)], tmp_path / "raw", address)
    assert message.startswith("--mirror: found no URL; expected https://HOST/PATH")
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("host", ["a..b", "[bad", f"{'a' * 70}.example"])
def test_a_host_that_no_address_has_is_one_line(mirror: Mirror, tmp_path: Path, host: str) -> None:
    message = error_message([mirror.pin("a.txt", A)], tmp_path, f"http://ann:hush@{host}")
    assert "an unusable address" in message
    assert "hush" not in message


def test_proxy_is_used(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.files = {f"http://corpora.invalid{path}": body for path, body in mirror.files.items()}
    monkeypatch.setenv("HTTP_PROXY", mirror.address)
    fetch_files([pin], tmp_path, "http://corpora.invalid")
    assert (tmp_path / "a.txt").read_bytes() == A
    assert mirror.asked == [(f"http://corpora.invalid{mirror.path(pin)}", None)]


def test_unreachable_proxy_is_reported(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://ann:hush@127.0.0.1:1")
    message = error_message([mirror.pin("a.txt", A)], tmp_path, mirror.address)
    assert "found no way through the proxy" in message
    assert "hush" not in message


def test_several_files_are_downloaded_in_parallel(mirror: Mirror, tmp_path: Path) -> None:
    pins = [mirror.pin(f"{n}.txt", A) for n in range(4)]
    both = threading.Barrier(4, timeout=10)
    mirror.faults = {mirror.path(pin): [both.wait] for pin in pins}
    assert fetch_files(pins, tmp_path, mirror.address) == 4
    assert not both.broken


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / ".a.txt.part").symlink_to("/dev/full")
    message = error_message([mirror.pin("a.txt", A)], tmp_path, mirror.address)
    assert ".a.txt.part: found no way to write it (No space left on device); expected a disk with room" in message


def test_an_archive_is_unpacked_and_repaired(tmp_path: Path) -> None:
    archive = tmp_path / "corpus.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("Corpus/Train/a.xml", A)
        packed.writestr("Corpus/Test/b.xml", B)
        packed.writestr("Corpus/.DS_Store", b"")
    unpack(archive, tmp_path)
    assert files_in(tmp_path) == {"corpus.zip", "Corpus/Train/a.xml", "Corpus/Test/b.xml"}
    one, other = tmp_path / "Corpus/Train/a.xml", tmp_path / "Corpus/Test/b.xml"
    before = other.stat().st_mtime_ns
    one.write_bytes(A[:5])
    unpack(archive, tmp_path)
    assert (one.read_bytes(), other.read_bytes()) == (A, B)
    assert other.stat().st_mtime_ns == before


def zipped(tmp_path: Path, name: str, content: bytes = A, mode: int = stat.S_IFREG | 0o644, **how: int) -> Path:
    """An archive with one good member and then this one."""
    member = zipfile.ZipInfo(name)
    member.filename = name  # as it is
    member.external_attr = mode << 16
    (tmp_path / "raw").mkdir()
    with zipfile.ZipFile(tmp_path / "raw" / "corpus.zip", "w", **how) as packed:
        packed.writestr("good.xml", A)
        packed.writestr(member, content, how.get("compression"))
    return tmp_path / "raw" / "corpus.zip"


def unpack_error(archive: Path) -> str:
    with pytest.raises(InputError) as caught:
        unpack(archive, archive.parent)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["../out.xml", "Corpus/../../out.xml", "/out.xml", "C:/out.xml", "..\\out.xml", "..", "\\\\host\\out.xml"]
)
def test_a_member_outside_the_folder_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    archive = zipped(tmp_path, name)
    assert "outside the folder; expected names below the folder" in unpack_error(archive)
    assert {path.name for path in tmp_path.rglob("*")} == {"raw", "corpus.zip"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_link_or_a_device_is_refused(tmp_path: Path, kind: int) -> None:
    archive = zipped(tmp_path, "one.xml", b"/etc/hosts", kind | 0o777)
    assert "'one.xml' that is a link or a device" in unpack_error(archive)
    assert files_in(tmp_path) == {"raw/corpus.zip"}


def test_a_link_on_disk_leads_no_member_out_of_the_folder(tmp_path: Path) -> None:
    archive = zipped(tmp_path, "Corpus/one.xml")
    (tmp_path / "else").mkdir()
    (archive.parent / "Corpus").symlink_to(tmp_path / "else")
    assert "a link in" in unpack_error(archive)
    assert list((tmp_path / "else").iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "value", "found"), [("MOST_MEMBERS", 1, "2 members"), ("MOST_BYTES", 40, "46 bytes")]
)
def test_an_archive_over_a_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, found: str
) -> None:
    monkeypatch.setattr(archives, limit, value)
    assert f"found {found}" in unpack_error(zipped(tmp_path, "one.xml"))
    assert files_in(tmp_path) == {"raw/corpus.zip"}


def test_a_member_that_is_longer_than_the_archive_says_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path, "one.xml", 100_000 * b"z", compression=zipfile.ZIP_DEFLATED)
    size = (100_000).to_bytes(4, "little")
    content = archive.read_bytes()
    assert content.count(size) == 2  # before the member, and in the directory
    archive.write_bytes(content.replace(size, (50_000).to_bytes(4, "little")))
    assert "cannot be unpacked" in unpack_error(archive)
    assert files_in(tmp_path) == {"raw/corpus.zip", "raw/good.xml"}


def test_a_large_member_is_never_whole_in_memory(tmp_path: Path) -> None:
    archive = zipped(tmp_path, "one.xml", 30_000_000 * b"z", compression=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    unpack(archive, archive.parent)
    unpack(archive, archive.parent)  # nor when it is compared
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert (archive.parent / "one.xml").stat().st_size == 30_000_000


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_cannot_be_read_in_parts_is_refused(tmp_path: Path, compression: int) -> None:
    assert f"compression type {compression}" in unpack_error(zipped(tmp_path, "one.xml", compression=compression))


@pytest.mark.parametrize("cut", [0, 10, 60, 150])
def test_a_broken_archive_is_one_line(tmp_path: Path, cut: int) -> None:
    archive = zipped(tmp_path, "one.xml")
    archive.write_bytes(archive.read_bytes()[:cut])
    assert "an archive that cannot be unpacked (BadZipFile)" in unpack_error(archive)


def test_every_corpus_is_open_or_under_an_agreement() -> None:
    assert not OPEN.keys() & AGREEMENTS.keys()
    assert CORPORA.keys() <= OPEN.keys() | AGREEMENTS.keys()


@pytest.mark.parametrize("corpus", OPEN)
def test_the_manifest_pins_a_corpus(corpus: str) -> None:
    pins = pinned(corpus)
    places = [pin.place for pin in pins]
    assert places
    assert len(set(places)) == len(places)
    assert not any(Path(place).is_absolute() or ".." in Path(place).parts for place in places)
    assert all(re.fullmatch(r"[0-9a-f]{40}", pin.commit) for pin in pins)
    assert all(re.fullmatch(r"[0-9a-f]{64}", pin.content.sha256) and pin.content.size > 0 for pin in pins)
    assert not OPEN[corpus].archive or OPEN[corpus].archive in places


def test_downloaded_files_are_where_converters_read_them() -> None:
    assert {pin.place for pin in pinned("bc5cdr")} == {
        f"CDR_{part}Set.PubTator.txt" for part in ("Training", "Development", "Test")
    }
    assert {pin.place for pin in pinned("rqe")} == {
        "RQE_Train_8588_AMIA2016.xml",
        "RQE_Test_302_pairs_AMIA2016.xml",
        "MEDIQA2019-Task2-RQE-ValidationSet-AMIA2016.xml",
        "MEDIQA2019-Task2-RQE-TestSet-wLabels.xml",
    }
    assert "brat/batch1/NCT03860038.ann" in {pin.place for pin in pinned("lct")}


def real_file(real_raw: Path, corpus: str, pin: PinnedFile) -> Path:
    candidates = [real_raw / folder / pin.place for folder in LOCAL.get(corpus, [corpus])]
    return next(path for path in candidates if path.exists())


@pytest.mark.parametrize("corpus", OPEN)
def test_manifest_matches_the_real_files(real_raw: Path, corpus: str) -> None:
    if not any((real_raw / folder).is_dir() for folder in LOCAL.get(corpus, [corpus])):
        pytest.skip(f"{real_raw} has no {corpus}: its files were NOT checked")
    wrong = [pin.path for pin in pinned(corpus) if not pin.content.matches(real_file(real_raw, corpus, pin))]
    assert not wrong


Fetch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fetch:
    """Run the command in ``tmp_path``; return its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["taskaffinity", "data", "fetch", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.mark.parametrize("corpus", AGREEMENTS)
def test_a_corpus_under_an_agreement_is_not_downloaded(corpus: str, data_fetch: Fetch, tmp_path: Path) -> None:
    code, said, fault = data_fetch(corpus, "--mirror=http://127.0.0.1:1")
    assert code == 2
    assert fault == f"taskaffinity: {corpus} is under a data use agreement: nothing was downloaded\n"
    for part in (AGREEMENTS[corpus].ask, f"so that raw/{corpus}", f"data prepare {corpus} --raw"):
        assert part in said
    assert not list(tmp_path.iterdir())


def test_failed_fetch_is_a_one_line_error(data_fetch: Fetch, tmp_path: Path) -> None:
    code, said, fault = data_fetch("chemprott")
    assert (code, said) == (2, "")
    assert fault.startswith("taskaffinity: no corpus 'chemprott': did you mean chemprot?")
    (tmp_path / "raw").write_text("a file")
    code, _, fault = data_fetch("chemprot", "--mirror=http://127.0.0.1:1")
    assert (code, fault) == (2, "taskaffinity: raw/chemprot: Not a directory\n")


@pytest.mark.slow
def test_real_corpus_is_fetched_and_prepared_after_an_interruption(
    mirror: Mirror, real_raw: Path, data_fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pins = pinned("chemprot")
    mirror.files = {mirror.path(pin): real_file(real_raw, "chemprot", pin).read_bytes() for pin in pins}
    slow = next(pin for pin in pins if pin.place == "chemprot_training/chemprot_training_abstracts.tsv")
    mirror.faults[mirror.path(slow)] = ["stall"]
    given = [sys.executable, "-m", "taskaffinity", "data", "fetch", "chemprot", f"--mirror={mirror.address}"]
    first = subprocess.Popen(
        given,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job ignores SIGINT, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    part = tmp_path / "raw/chemprot/chemprot_training/.chemprot_training_abstracts.tsv.part"
    half = slow.content.size // 2
    deadline = time.monotonic() + 120
    while not (len(mirror.asked) == len(pins) and part.exists() and part.stat().st_size >= half - (1 << 14)):
        assert time.monotonic() < deadline, first.communicate()
        time.sleep(0.1)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 130
    assert said == f"interrupted; this continues: taskaffinity data fetch chemprot --mirror={mirror.address}\n"
    there = part.stat().st_size
    assert not part.with_name("chemprot_training_abstracts.tsv").exists()

    mirror.asked.clear()
    monkeypatch.setenv("TASKAFFINITY_MIRROR", mirror.address)
    code, said, fault = data_fetch("chemprot")
    assert (code, fault) == (0, "")
    assert (mirror.path(slow), f"bytes={there}-") in mirror.asked
    assert said.startswith("chemprot: public domain mark")
    assert read_card(tmp_path / "data/chemprot").counts["test"].counted == 3458

    monkeypatch.setenv("TASKAFFINITY_MIRROR", "http://127.0.0.1:1")
    code, said, fault = data_fetch("chemprot")
    assert (code, fault) == (0, "")
    assert "raw/chemprot: 0 of 12 files downloaded, 12 existed" in said
    assert "chemprot exist already; to convert again: taskaffinity data prepare chemprot --raw raw" in said
