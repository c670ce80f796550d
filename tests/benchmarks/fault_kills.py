"""Kill every command, repeat it, and compare everything it wrote with what an undisturbed command writes."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from fault_commands import FINISHED, Ran, alike, differences, run, tree
from fault_server import served
from fault_tally import Tally
from fault_world import SENTINEL, World, pins_of

_TRAIN = (
    *("--encoder", "encoder", "--executor", "local", "--quiet", "--set", "precision=none", "--set", "batch_size=8"),
    *("--set", "num_train_epochs=3", "--set", "learning_rate=0.03"),
)
_PAIRS = ("pairwise", "--suite", "data/two.yaml", "--results", "study", "--seeds", "2", "--keep-models", *_TRAIN)
MAY_HOLD_TEXT = re.compile(r"(^|/)(cache|made|fetched|prepared|predicted\.jsonl)")
"""The cache of tokens, and what the user asked to be written with text in it."""


@dataclass(frozen=True)
class Command:
    """A command line, and the folders of a finished study that it needs."""

    arguments: Sequence[str]
    needs: Sequence[str] = ()
    kills: int = 4
    """Kills in the whole campaign."""
    before: Callable[[World, int], Callable[[], None]] | None = None
    """Makes what is called in the process of the command first, from the world and the mirror's port."""


def _pin(world: World, port: int) -> Callable[[], None]:
    def pin() -> None:
        import taskaffinity.corpora.fetch as fetch

        pins: Any = pins_of(world)
        fetch.pinned = lambda corpus: pins  # type: ignore[assignment]

    return pin


COMMANDS: Mapping[str, Command] = {
    "pairwise": Command(_PAIRS, kills=30),
    "full": Command(("full", "--suite", "data/two.yaml", "--results", "full", "--seeds", "1", *_TRAIN), kills=14),
    "tune": Command(
        (
            *("tune", "--suite", "data/two.yaml", "--results", "tuned", "--n-trials", "2", "--finalists", "1"),
            *("--confirm-seeds", "1", *_TRAIN[:7]),
        ),
        kills=12,
    ),
    "graph": Command(("graph", "study", "--figures", "graph,curves", "--format", "png"), ("study",), 7),
    "report": Command(("report", "study"), ("study",), 5),
    "export": Command(("export", "study", "--task", "names", "--out", "model"), ("study",), 10),
    "predict": Command(("predict", "model", "data/text.txt", "--out", "predicted.jsonl"), ("study", "model"), 6),
    "pretrain": Command(
        (
            *("pretrain", "--text", "data/text.txt", "--encoder", "encoder", "--out", "pre"),
            *("--batch-size", "8", "--max-length", "16"),
        ),
        kills=10,
    ),
    "init": Command(("init", "made"), kills=7),
    "data prepare": Command(("data", "prepare", "rqe", "--raw", "raw/rqe", "--out", "prepared"), kills=7),
    "data prepare blue": Command(
        ("data", "prepare", "mednli", "--raw", "raw/mednli", "--out", "prepared", "--format", "blue"), kills=5
    ),
    "data fetch": Command(
        ("data", "fetch", "rqe", "--raw", "fetched", "--out", "prepared", "--mirror", "http://127.0.0.1:{port}"),
        kills=9,
        before=_pin,
    ),
    "data inspect": Command(("data", "inspect", "data/suite.yaml"), kills=2),
    "compare": Command(("compare", "study", "other"), ("study", "other"), 2),
    "table": Command(("table", "departures", "study"), ("study",), 2),
    "status": Command(("status", "study"), ("study",), 2),
}


@dataclass
class Bench:
    """The undisturbed studies, and a place for each trial."""

    world: World
    root: Path
    port: int = 0
    done: dict[str, Path] = field(default_factory=dict)
    """Folders of finished commands, by name."""
    seen: dict[str, list[tuple[Ran, dict[str, bytes]]]] = field(default_factory=dict)
    """Undisturbed commands: how they ended, and what they left."""

    def place(self, needs: Sequence[str] = ()) -> Path:
        """A new folder with the world and the finished folders that a command needs."""
        self.root.mkdir(exist_ok=True)
        place = Path(mkdtemp(prefix="place-", dir=self.root))
        for name in ("data", "encoder", "raw"):
            (place / name).symlink_to(self.world.root / name)
        for name in needs:
            shutil.copytree(self.done[name], place / name)
        return place

    def run(self, command: Command, place: Path, **options: Any) -> Ran:
        arguments = [part.format(port=self.port) for part in command.arguments]
        if command.before and "before" not in options:
            options["before"] = command.before(self.world, self.port)
        return run(arguments, place, **options)

    def undisturbed(self, name: str) -> tuple[list[Ran], list[dict[str, bytes]]]:
        """Run a command undisturbed until it was seen twice."""
        seen = self.seen.setdefault(name, [])
        while len(seen) < 2:
            self.drop(self.see(name))
        return [ran for ran, _ in seen], [left for _, left in seen]

    def see(self, name: str) -> Path:
        """Run a command undisturbed, and return its place."""
        place = self.place(COMMANDS[name].needs)
        ran = self.run(COMMANDS[name], place, kill_at=0)
        assert ran.code == 0, f"{name}: {ran.err.decode()}"
        self.seen.setdefault(name, []).append((ran, tree(place)))
        return place

    def drop(self, place: Path) -> None:
        shutil.rmtree(place)


@contextmanager
def mirror(world: World) -> Any:
    """A server of the original files on the loopback; yields its port."""

    class Quiet(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return str(world.raw / "rqe" / path.rpartition("/")[2])

        def log_message(self, *_: Any) -> None: ...

    with served(Quiet) as port:
        yield port


def finished(bench: Bench, few: bool = False) -> None:
    """Train the studies that later commands read; a few are a study of pairs and an exported model."""
    made = [("pairwise", "study"), ("export", "model"), ("full", "full"), ("tune", "tuned")]
    for name, folder in made[: 2 if few else 4]:
        bench.done[folder] = bench.see(name) / folder
    if not few:
        place = bench.place()
        ran = bench.run(Command((*_PAIRS[:4], "other", "--seeds", "1", *_TRAIN)), place)
        assert ran.code == 0, ran.err.decode()
        bench.done["other"] = place / "other"


def kill_campaign(bench: Bench, rng: random.Random, share: float, names: Sequence[str]) -> list[Tally]:
    """Kill commands at file-system events (two of three) and at random moments, and repeat them."""
    n = {name: max(1, round(share * COMMANDS[name].kills)) for name in names}
    return [_kill(bench, name, COMMANDS[name], rng, n[name]) for name in names]


def _kill(bench: Bench, name: str, command: Command, rng: random.Random, n: int) -> Tally:
    tally = Tally(f"killed: {name}")
    undisturbed, trees = bench.undisturbed(name)
    expected, same = trees[0], alike(*trees)
    for number in range(n):
        at_event = undisturbed[0].events > 0 and number % 3 != 2
        seconds = undisturbed[0].seconds
        when: dict[str, Any] = (
            {"kill_at": rng.randint(1, undisturbed[0].events)}
            if at_event
            else {"kill_after": rng.uniform(0.02, seconds)}
        )
        place = bench.place(command.needs)
        killed = bench.run(command, place, **when)
        while killed.code == 0 and "kill_after" in when:  # it had ended before
            bench.drop(place)
            place, when = bench.place(command.needs), {"kill_after": 0.5 * when["kill_after"]}
            killed = bench.run(command, place, **when)
        before = tree(place)
        again = bench.run(command, place)
        after = tree(place)
        tally.tried += 1
        case = f"{name} {when}"
        lost, litter = differences(expected, same, after)
        changed = [key for key in before if FINISHED.search(key) and after.get(key) != before[key]]
        text = [key for key, content in after.items() if not MAY_HOLD_TEXT.search(key) and SENTINEL.search(content)]
        is_whole = again.code == 2 and not differences(expected, same, before)[0]  # refused: it was killed at its end
        tally.count(
            "failed_again", again.code != 0 and not is_whole, f"{case}: {again.code} {again.err[-300:].decode()!r}"
        )
        tally.count("trained_again", len(changed), f"{case}: {changed[:3]}")
        tally.count("byte_differences", len(lost), f"{case}: {lost[:3]}")
        tally.count("litter", len(litter), f"{case}: {litter[:3]}")
        tally.count("tracebacks", killed.has_traceback + again.has_traceback, f"{case}: {again.err[-300:].decode()!r}")
        tally.count("network", again.network, case)
        tally.count("corpus_text", len(text) + killed.has_text + again.has_text, f"{case}: {text[:3]}")
        if command.needs or "--out" not in command.arguments:
            differs = again.out != undisturbed[0].out and name in ("compare", "table", "data inspect")
            tally.count("byte_differences", differs, f"{case}: its output")
        bench.drop(place)
    return tally
