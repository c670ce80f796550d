"""Hostile surroundings: two containers on one folder, a full disk, mirrors, caches and encoders of somebody else."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from fault_commands import Ran, alike, differences, tree
from fault_inputs import LONGEST_MESSAGE
from fault_kills import COMMANDS, FINISHED, MAY_HOLD_TEXT, Bench, Command
from fault_server import served
from fault_tally import Tally
from fault_world import SENTINEL

_NEW_PID_NAMESPACE = getattr(os, "CLONE_NEWPID", 0x20000000)
_NEW_MOUNT_NAMESPACE = getattr(os, "CLONE_NEWNS", 0x00020000)
_HOSTILE_MODES = (0o777, 0o770, 0o772, 0o1777)
_ANOTHER_USER = 12_345
_ROOMS = (4, 24, 80, 200, 400)
"""KiB; with the most, a study ends among its runs."""
_WRITERS = ("pairwise", "graph", "report", "export", "predict", "pretrain", "data prepare", "init", "tune")


def unshare(what: int) -> bool:
    """Leave a namespace of the kernel; False if this user may not."""
    import ctypes

    return ctypes.CDLL(None, use_errno=True).unshare(what) == 0


def in_a_child(work: Callable[[], None]) -> int:
    """Do something in a forked process; return its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def judge(tally: Tally, case: str, ran: Ran, place: Path, *, refused: bool | None = None) -> None:
    """Count what no command may do; ``refused`` says whether it must end with code 2, or with 0."""
    tally.tried += 1
    tally.count("tracebacks", ran.has_traceback, f"{case}: {ran.err[-400:].decode(errors='replace')!r}")
    text = [key for key, content in tree(place).items() if not MAY_HOLD_TEXT.search(key) and SENTINEL.search(content)]
    tally.count("corpus_text", ran.has_text + len(text), f"{case}: {text[:3]}")
    tally.count("hung", ran.seconds > 100, case)
    if refused is not None:
        wrong = (ran.code not in (1, 2)) if refused else ran.code != 0
        tally.count("failed_again", wrong, f"{case}: exit {ran.code} {ran.err[-300:].decode(errors='replace')!r}")
    lines = ran.err.decode(errors="replace").strip().splitlines()
    if refused and lines:
        is_odd = len(lines[-1]) > LONGEST_MESSAGE or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in lines[-1])
        tally.count("unclear_refusals", is_odd, f"{case}: {lines[-1][:200]!r}")


def compare(tally: Tally, case: str, expected: Mapping[str, bytes], same: set[str], place: Path) -> None:
    """Compare a place with what an undisturbed command leaves."""
    lost, litter = differences(expected, same, tree(place))
    tally.count("byte_differences", len(lost), f"{case}: {lost[:3]}")
    tally.count("litter", len(litter), f"{case}: {litter[:3]}")


def two_containers(bench: Bench) -> Tally:
    """The same command in two pid namespaces, in both of which its process has number 1, on one folder."""
    tally = Tally("two pid namespaces")
    if in_a_child(lambda: None if unshare(_NEW_PID_NAMESPACE) else sys.exit(1)):
        return tally
    for name in ("pairwise", "data prepare", "export", "pretrain", "predict", "graph", "data fetch") * 2:
        command = COMMANDS[name]
        trees = bench.undisturbed(name)[1]
        expected, same = trees[0], alike(*trees)
        place = bench.place(command.needs)
        ends = [place.parent / f"{place.name}.{number}" for number in range(2)]
        children = [_start_container(bench, command, place, end) for end in ends]
        for child in children:
            os.waitpid(child, 0)
        rans = [pickle.loads(end.read_bytes()) for end in ends]
        for ran in rans:
            may_be_second = ran.code == 2 and min(one.code for one in rans) == 0
            judge(tally, f"{name} twice", ran, place, refused=None if may_be_second else False)
        compare(tally, f"{name} twice", expected, same, place)
        bench.drop(place)
    return tally


def _start_container(bench: Bench, command: Command, place: Path, end: Path) -> int:
    child = os.fork()
    if child == 0:
        try:
            unshare(_NEW_PID_NAMESPACE)
            inner = bench.run(command, place)
            end.write_bytes(pickle.dumps(inner))
        finally:
            os._exit(0)
    return child


def full_disk(bench: Bench) -> list[Tally]:
    """Files that may not grow, and a small file system; then room, and the same command again."""
    limited, small = Tally("file size limited"), Tally("disk full")
    for name in _WRITERS:
        command = COMMANDS[name]
        trees = bench.undisturbed(name)[1]
        expected, same = trees[0], alike(*trees)
        for limit in (0, 300, 3_000, 20_000):
            place = bench.place(command.needs)
            before = command.before(bench.world, bench.port) if command.before else lambda: None

            def shrink(limit: int = limit, before: Callable[[], None] = before) -> None:
                before()
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

            ran = bench.run(Command(command.arguments), place, before=shrink)
            _again(limited, f"{name} with files of {limit} bytes", bench, command, ran, place, expected, same)
        _on_a_small_disk(small, name, bench, expected, same)
    return [limited, small]


def _again(
    tally: Tally, case: str, bench: Bench, command: Command, ran: Ran, place: Path, expected: Any, same: set[str]
) -> None:
    judge(tally, case, ran, place)
    before = {key: content for key, content in tree(place).items() if FINISHED.search(key)}
    again = bench.run(command, place) if ran.code else ran
    tally.count("failed_again", again.code != 0, f"{case}: then {again.err[-300:].decode(errors='replace')!r}")
    after = tree(place)
    changed = [key for key in before if after.get(key) != before[key]]
    tally.count("trained_again", len(changed), f"{case}: {changed[:3]}")
    compare(tally, case, expected, same, place)
    bench.drop(place)


def _on_a_small_disk(tally: Tally, name: str, bench: Bench, expected: Any, same: set[str]) -> None:
    """The place is a file system of its own, with little room; needs a mount namespace."""
    command = COMMANDS[name]
    result = bench.root / "small.pickle"
    result.unlink(missing_ok=True)

    def work() -> None:
        if not unshare(_NEW_MOUNT_NAMESPACE):
            return
        inner = Tally("")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        for room in _ROOMS:
            place = bench.place(command.needs)
            held = place.parent / f"{place.name}.held"
            place.rename(held)
            place.mkdir()
            used = sum(-(-len(content) // 4096) * 4 for content in tree(held).values())
            disk = ["mount", "-t", "tmpfs", "-o", f"size={used + room}k", "tmpfs", str(place)]
            if subprocess.run(disk, capture_output=True).returncode:
                return
            shutil.copytree(held, place, symlinks=True, dirs_exist_ok=True)
            ran = bench.run(command, place)
            subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
            judge(inner, f"{name} with {room} KiB", ran, place)
            again = bench.run(command, place) if ran.code else ran
            inner.count("failed_again", again.code != 0, f"{name} with {room} KiB: {again.err[-300:].decode()!r}")
            compare(inner, f"{name} with {room} KiB", expected, same, place)
            subprocess.run(["umount", str(place)], check=True)
        result.write_bytes(pickle.dumps(inner))

    in_a_child(work)
    if result.exists():
        inner = pickle.loads(result.read_bytes())
        tally.tried += inner.tried
        for fault, n in inner.counts.items():
            tally.counts[fault] += n
        tally.cases += inner.cases


def _answering(how: Callable[[BaseHTTPRequestHandler], None]) -> type[BaseHTTPRequestHandler]:
    """What answers every request as ``how`` does."""

    class Hostile(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                how(self)

        def log_message(self, *_: Any) -> None: ...

    return Hostile


def _answer(
    handler: BaseHTTPRequestHandler, code: int, body: bytes, headers: Mapping[str, str], reason: str = ""
) -> None:
    handler.wfile.write(f"HTTP/1.1 {code} {reason}\r\n".encode())
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.wfile.write(f"{name}: {value}\r\n".encode())
    handler.wfile.write(b"\r\n" + body)


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(20_000):
        handler.wfile.write(b"x" * 4096)


def _slow(handler: BaseHTTPRequestHandler) -> None:
    """One byte a second, for a minute at most."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
    for _ in range(60):
        handler.wfile.write(b"x")
        time.sleep(1)


_MIRRORS: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    "other bytes": lambda h: _answer(h, 200, b"<root/>", {}),
    "as many other bytes": lambda h: _answer(h, 206, b"x" * 9999, {"Content-Range": "bytes 0-9998/9999"}),
    "endless": _endless,
    "a byte a second": _slow,
    "cut off": lambda h: _answer(h, 200, b"<root>", {"Content-Length": "999999"}),
    "nothing": lambda h: None,
    "not HTTP": lambda h: h.wfile.write(b"\x1b[31mSSH-2.0\r\n"),
    "not found": lambda h: _answer(h, 404, b"", {}, "Not \x1b[31mFound\x07"),
    "no server": lambda h: _answer(h, 503, b"", {"Retry-After": "9" * 300}, "Busy"),
    "retry never": lambda h: _answer(h, 429, b"", {"Retry-After": "-1"}, "x" * 5000),
    "to a file": lambda h: _answer(h, 302, b"", {"Location": "file:///etc/passwd"}),
    "to itself": lambda h: _answer(h, 302, b"", {"Location": h.path}),
    "a bomb": lambda h: _answer(h, 200, b"\x1f\x8b" + b"0" * 100, {"Content-Encoding": "gzip"}),
    "headers": lambda h: _answer(h, 200, b"", {f"X-{n}": "y" * 500 for n in range(300)}),
}


def hostile_mirrors(bench: Bench) -> Tally:
    """Mirrors that lie, then the true one."""
    tally, command = Tally("hostile mirror"), COMMANDS["data fetch"]
    trees = bench.undisturbed("data fetch")[1]
    expected, same = trees[0], alike(*trees)
    for name, how in _MIRRORS.items():
        place = bench.place()
        before = command.before(bench.world, bench.port) if command.before else lambda: None

        def hurry(before: Callable[[], None] = before) -> None:
            import taskaffinity.corpora.download as download

            before()
            download.RETRY_WAITS = (0.01, 0.01)  # type: ignore[assignment]
            download.WINDOW = 2.5

        with served(_answering(how)) as port:
            arguments = [*command.arguments[:-1], f"http://user:secret@127.0.0.1:{port}"]
            ran = bench.run(Command(arguments), place, before=hurry)
        judge(tally, name, ran, place, refused=True)
        tally.count("corpus_text", b"secret" in ran.err + ran.out, f"{name}: the password of the address")
        again = bench.run(command, place)
        tally.count("failed_again", again.code != 0, f"{name}: then {again.err[-300:].decode()!r}")
        compare(tally, name, expected, same, place)
        bench.drop(place)
    return tally


def hostile_caches(bench: Bench) -> Tally:
    """Caches that others may write or own: refused before anything is trained."""
    tally, command = Tally("hostile cache"), COMMANDS["pairwise"]
    cases: list[tuple[str, Callable[[Path], None]]] = [
        (f"mode {mode:o}", lambda cache, mode=mode: cache.chmod(mode)) for mode in _HOSTILE_MODES
    ]
    if os.geteuid() == 0:
        cases.append(("of another user", lambda cache: os.chown(cache, _ANOTHER_USER, _ANOTHER_USER)))
    cases.append(("a file", lambda cache: (shutil.rmtree(cache), cache.write_text("x"))))  # type: ignore[func-returns-value]
    for name, spoil in cases:
        place = bench.place()
        ran = bench.run(command, place, before=lambda spoil=spoil: spoil(Path("cache").resolve()))
        judge(tally, name, ran, place, refused=True)
        trained = [key for key in tree(place) if FINISHED.search(key)]
        tally.count("wrong_numbers", len(trained), f"{name}: trained from that cache")
        bench.drop(place)
    return tally


class _Runs:
    """Its pickle runs a program."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch ran",))


def _auto_map(folder: Path, file: str, what: Mapping[str, Any]) -> None:
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**content, **what}))
    (folder / "hostile.py").write_text("open('ran', 'w')\nclass X:\n    pass\n")


def _pickled(folder: Path) -> None:
    import torch

    (folder / "model.safetensors").unlink()
    torch.save({"x": _Runs()}, folder / "pytorch_model.bin")


_CODE = {"auto_map": {"AutoConfig": "hostile.X", "AutoModel": "hostile.X", "AutoModelForMaskedLM": "hostile.X"}}
_TOKENIZER_CODE = {"auto_map": {"AutoTokenizer": ["hostile.X", "hostile.X"]}, "tokenizer_class": "Hostile"}
_ENCODERS: dict[str, Callable[[Path], None]] = {
    "auto_map": lambda f: _auto_map(f, "config.json", _CODE),
    "auto_map of an unknown type": lambda f: _auto_map(f, "config.json", {**_CODE, "model_type": "hostile"}),
    "auto_map of the tokenizer": lambda f: _auto_map(f, "tokenizer_config.json", _TOKENIZER_CODE),
    "a pickle": _pickled,
    "a huge vocabulary": lambda f: _auto_map(f, "config.json", {"vocab_size": 10**12}),
    "no layers": lambda f: _auto_map(f, "config.json", {"num_hidden_layers": 0, "hidden_size": 0}),
}


def hostile_encoders(bench: Bench) -> Tally:
    """Encoder folders that bring code, or sizes that no machine has."""
    tally = Tally("hostile encoder")
    for name, spoil in _ENCODERS.items():
        for command in ("pairwise", "pretrain"):
            place = bench.place()
            (place / "encoder").unlink()
            shutil.copytree(bench.world.encoder, place / "encoder")
            spoil(place / "encoder")
            ran = bench.run(COMMANDS[command], place)
            harmless = ran.code == 0 and name.startswith("auto_map")  # its code is not needed
            judge(tally, f"{command}, {name}", ran, place, refused=None if harmless else True)
            has_run = list(place.rglob("ran"))
            tally.count("wrong_numbers", len(has_run), f"{command}, {name}: its code has run")
            bench.drop(place)
    return tally
