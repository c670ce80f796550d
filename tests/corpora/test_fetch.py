"""Fetching through a mirror on this machine: invented files, and the real ones where ``TASKAFFINITY_RAW`` has them."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from taskaffinity.cli import main
from taskaffinity.corpora import download
from taskaffinity.corpora.access import AGREEMENTS
from taskaffinity.corpora.download import Content
from taskaffinity.corpora.fetch import OPEN, PinnedFile, fetch_files, pinned, unpack
from taskaffinity.corpora.prepare import CORPORA
from taskaffinity.errors import InputError
from taskaffinity.tasks.formats import read_card

A, B = b"Zorbifex and quuxitis.\n", b"The snarkol met Blorptase.\n"
COMMIT = "c" * 40
LOCAL = {"ehr-rel": ["ehr_rel"], "lct": ["leaf_clinical_trials"], "rqe": ["rqe", "mediqa2019_task2"]}
"""Where the real files of a corpus lie, where that is not a folder of its name."""


class Mirror:
    """A server of ``files`` by path, which does what ``faults`` says first; ``asked`` are the requests it got.

    A fault is a status, other bytes, ``"cut"`` (half of the file, then the connection ends), ``"stall"`` (half of it,
    then nothing until ``close``) or something to call before the answer.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[int | bytes | str | Callable[[], object]]] = {}
        self.headers: dict[str, str] = {}
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
                """A client that was interrupted leaves its connections: nothing of that belongs on its stderr."""

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
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()
        if fault in ("cut", "stall"):
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            request.close_connection = True
            if fault == "stall":
                self.closing.wait(30)
        else:
            request.wfile.write(body)

    def pin(self, path: str, body: bytes) -> PinnedFile:
        """Serve a file, and what the manifest would say of it."""
        content = Content(len(body), hashlib.sha256(body).hexdigest())
        pin = PinnedFile("someone/corpus", COMMIT, path, path, content)
        self.files[self.path(pin)] = body
        return pin

    def path(self, pin: PinnedFile) -> str:
        return pin.address("")


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A mirror that is reached directly, and no long waits."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(download, "RETRY_WAITS", (0.0, 0.0, 0.0))
    server = Mirror()
    yield server
    server.close()


def left_in(folder: Path) -> set[str]:
    """Names of the files that are there, but for the lock."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {".lock"}


def refusal(pins: list[PinnedFile], raw: Path, mirror: str) -> str:
    with pytest.raises(InputError) as caught:
        fetch_files(pins, raw, mirror)
    message = str(caught.value)
    assert "\n" not in message
    assert "Zorbifex" not in message
    return message


def test_files_come_once(mirror: Mirror, tmp_path: Path) -> None:
    pins = [mirror.pin("a.txt", A), mirror.pin("deep/er/b c.txt", B)]
    told: list[tuple[int, int]] = []
    assert fetch_files(pins, tmp_path / "raw", mirror.address, lambda *bytes_: told.append(bytes_)) == 2
    assert (tmp_path / "raw/a.txt").read_bytes() == A
    assert (tmp_path / "raw/deep/er/b c.txt").read_bytes() == B
    assert left_in(tmp_path / "raw") == {"a.txt", "deep/er/b c.txt"}
    assert sorted(mirror.asked) == [
        (f"/someone/corpus/{COMMIT}/a.txt", None),
        (f"/someone/corpus/{COMMIT}/deep/er/b%20c.txt", None),
    ]
    assert told[-1] == (50, 50)
    assert fetch_files(pins, tmp_path / "raw", mirror.address) == 0
    assert len(mirror.asked) == 2


def test_what_is_missing_or_changed_comes_again(mirror: Mirror, tmp_path: Path) -> None:
    pins = [mirror.pin("a.txt", A), mirror.pin("b.txt", B), mirror.pin("c.txt", A + B)]
    fetch_files(pins, tmp_path, mirror.address)
    (tmp_path / "a.txt").write_bytes(A.replace(b"and", b"AND"))
    (tmp_path / "b.txt").unlink()
    mirror.asked.clear()
    assert fetch_files(pins, tmp_path, mirror.address) == 2
    assert (tmp_path / "a.txt").read_bytes() == A
    assert {path for path, _ in mirror.asked} == {mirror.path(pins[0]), mirror.path(pins[1])}


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_a_part_is_continued(mirror: Mirror, tmp_path: Path, takes_ranges: bool) -> None:
    pin = mirror.pin("a.txt", A)
    (tmp_path / ".a.txt.part").write_bytes(A[:9])
    mirror.takes_ranges = takes_ranges
    told: list[tuple[int, int]] = []
    fetch_files([pin], tmp_path, mirror.address, lambda *bytes_: told.append(bytes_))
    assert (tmp_path / "a.txt").read_bytes() == A
    assert mirror.asked == [(mirror.path(pin), "bytes=9-")]
    assert left_in(tmp_path) == {"a.txt"}
    assert (told[0], told[-1]) == ((9, 23), (23, 23))


def test_a_part_that_is_whole_is_not_asked_for(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / ".a.txt.part").write_bytes(A)
    fetch_files([mirror.pin("a.txt", A)], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == A
    assert not mirror.asked


@pytest.mark.parametrize("part", [b"another th", A + b"and more"])
def test_a_part_of_something_else_is_thrown_away(mirror: Mirror, tmp_path: Path, part: bytes) -> None:
    (tmp_path / ".a.txt.part").write_bytes(part)
    fetch_files([mirror.pin("a.txt", A)], tmp_path, mirror.address)
    assert left_in(tmp_path) == {"a.txt"}
    assert (tmp_path / "a.txt").read_bytes() == A


def test_an_answer_that_breaks_off_is_continued(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", 1000 * A)
    mirror.faults[mirror.path(pin)] = ["cut"]
    fetch_files([pin], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == 1000 * A
    assert [asked for _, asked in mirror.asked] == [None, "bytes=8192-"]  # of 11,500, whole chunks of 4,096


def test_a_part_outlives_a_fetch_that_fails(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", 1000 * A)
    mirror.faults[mirror.path(pin)] = ["cut", 503, 503, 503]
    assert "found HTTP 503 Service Unavailable; expected an answer" in refusal([pin], tmp_path, mirror.address)
    assert left_in(tmp_path) == {".a.txt.part"}
    fetch_files([pin], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == 1000 * A


@pytest.mark.parametrize("wrong", [A.replace(b"and", b"AND"), b"Zorbifex", A + B])
def test_other_bytes_are_refused_and_not_kept(mirror: Mirror, tmp_path: Path, wrong: bytes) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.faults[mirror.path(pin)] = [wrong]
    message = refusal([pin], tmp_path, mirror.address)
    found = "more than 23 bytes" if len(wrong) > 23 else f"{len(wrong)} bytes with sha256 {sha256(wrong)}"
    assert f"/a.txt: found {found}; expected 23 bytes with sha256 {sha256(A)}" in message
    assert left_in(tmp_path) == set()
    assert len(mirror.asked) == 1


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(mirror: Mirror, tmp_path: Path, status: int) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.faults[mirror.path(pin)] = [status, status, status]
    fetch_files([pin], tmp_path, mirror.address)
    assert (tmp_path / "a.txt").read_bytes() == A
    assert len(mirror.asked) == 4


def test_a_server_that_stays_in_trouble_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    good, ill = mirror.pin("a.txt", A), mirror.pin("b.txt", B)
    fetch_files([good], tmp_path, mirror.address)
    mirror.faults[mirror.path(ill)] = [503] * 9
    assert f"{mirror.path(ill)}: found HTTP 503" in refusal([good, ill], tmp_path, mirror.address)
    assert len(mirror.asked) == 1 + 4
    assert left_in(tmp_path) == {"a.txt"}


def test_a_server_that_asks_for_much_patience_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.faults[mirror.path(pin)] = [429]
    mirror.headers["Retry-After"] = "3600"
    assert "found HTTP 429 Too Many Requests, wait 3600 s" in refusal([pin], tmp_path, mirror.address)
    assert len(mirror.asked) == 1


def test_a_file_that_is_not_there_is_reported_at_once(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.files.clear()
    assert "/a.txt: found HTTP 404 Not Found; expected the file" in refusal([pin], tmp_path, mirror.address)
    assert len(mirror.asked) == 1


def test_no_connection_is_reported_without_the_name_and_password_of_the_mirror(mirror: Mirror, tmp_path: Path) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.server.server_close()
    message = refusal([pin], tmp_path, mirror.address.replace("//", "//ann:hush@"))
    assert "found no connection; expected an answer" in message
    assert "hush" not in message


@pytest.mark.parametrize("address", ["", "mirror.example", "file:///mirror", "https://"])
def test_a_mirror_is_an_address(mirror: Mirror, tmp_path: Path, address: str) -> None:
    message = refusal([mirror.pin("a.txt", A)], tmp_path / "raw", address)
    assert message.startswith("--mirror: found no URL; expected https://HOST/PATH")
    assert not (tmp_path / "raw").exists()


def test_a_proxy_is_honoured(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = mirror.pin("a.txt", A)
    mirror.files = {f"http://corpora.invalid{path}": body for path, body in mirror.files.items()}
    monkeypatch.setenv("HTTP_PROXY", mirror.address)
    fetch_files([pin], tmp_path, "http://corpora.invalid")
    assert (tmp_path / "a.txt").read_bytes() == A
    assert mirror.asked == [(f"http://corpora.invalid{mirror.path(pin)}", None)]


def test_a_proxy_that_is_down_is_reported(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://ann:hush@127.0.0.1:1")
    message = refusal([mirror.pin("a.txt", A)], tmp_path, mirror.address)
    assert "found no way through the proxy" in message
    assert "hush" not in message


def test_a_few_files_come_at_once(mirror: Mirror, tmp_path: Path) -> None:
    pins = [mirror.pin(f"{n}.txt", A) for n in range(4)]
    both = threading.Barrier(4, timeout=10)
    mirror.faults = {mirror.path(pin): [both.wait] for pin in pins}
    assert fetch_files(pins, tmp_path, mirror.address) == 4
    assert not both.broken


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / ".a.txt.part").symlink_to("/dev/full")
    message = refusal([mirror.pin("a.txt", A)], tmp_path, mirror.address)
    assert ".a.txt.part: found no way to write it (No space left on device); expected a disk with room" in message


def test_an_archive_is_unpacked_and_repaired(tmp_path: Path) -> None:
    archive = tmp_path / "corpus.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("Corpus/Train/a.xml", A)
        packed.writestr("Corpus/Test/b.xml", B)
        packed.writestr("Corpus/.DS_Store", b"")
    unpack(archive, tmp_path)
    assert left_in(tmp_path) == {"corpus.zip", "Corpus/Train/a.xml", "Corpus/Test/b.xml"}
    one, other = tmp_path / "Corpus/Train/a.xml", tmp_path / "Corpus/Test/b.xml"
    before = other.stat().st_mtime_ns
    one.write_bytes(A[:5])
    unpack(archive, tmp_path)
    assert (one.read_bytes(), other.read_bytes()) == (A, B)
    assert other.stat().st_mtime_ns == before


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


def test_files_lie_where_converters_look() -> None:
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
def test_the_manifest_is_true_of_the_real_files(real_raw: Path, corpus: str) -> None:
    wrong = [pin.path for pin in pinned(corpus) if not pin.content.matches(real_file(real_raw, corpus, pin))]
    assert not wrong


Fetch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fetch:
    """The command, run in ``tmp_path``: its exit code, stdout and stderr."""

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
    assert fault == f"taskaffinity: {corpus} stands under an agreement: nothing was fetched\n"
    for part in (AGREEMENTS[corpus].ask, f"so that these lie in raw/{corpus}", f"data prepare {corpus} --raw"):
        assert part in said
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_fetched_is_one_line(data_fetch: Fetch, tmp_path: Path) -> None:
    code, said, fault = data_fetch("chemprott")
    assert (code, said) == (2, "")
    assert fault.startswith("taskaffinity: no corpus 'chemprott': did you mean chemprot?")
    (tmp_path / "raw").write_text("a file")
    code, _, fault = data_fetch("chemprot", "--mirror=http://127.0.0.1:1")
    assert (code, fault) == (2, "taskaffinity: raw/chemprot: Not a directory\n")


def test_a_real_corpus_is_fetched_and_prepared_though_interrupted(
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
    assert "raw/chemprot: 0 of 12 files fetched, 12 were there" in said
    assert "chemprot there already; anew: taskaffinity data prepare chemprot --raw raw/chemprot --out data" in said
