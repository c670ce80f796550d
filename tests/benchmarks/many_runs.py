"""Time and memory of reading a large study: how long do `measure`, `graph` and `report` take?

    python tests/benchmarks/many_runs.py FOLDER [TASKS SEEDS EXAMPLES]     default: 100 3 900

The study's runs are invented once per FOLDER (accuracy around planted gains, 12 epochs of history); nothing is trained.
Each step runs in a process of its own. Times are wall and CPU seconds; memory is the peak of the process.
``results/many_runs.csv`` has measurements beside the goals, and those of the version before in turn with them. Other
work ran on the machine, so the ratios say more than the times.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis"))
from fake_studies import make_study, partners_of, right, seeded

from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.report import write_report
from taskaffinity.runs.plan import default_single_seeds
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

EPOCHS = 12
N_DEV = 300


def invent(root: Path, n_tasks: int, n_seeds: int, n_examples: int) -> None:
    """Write a study and all of its runs; runs that are there stay."""
    names = [f"t{place:03d}" for place in range(n_tasks)]
    singles = tuple(range(default_single_seeds(n_tasks, n_seeds)))
    study = make_study(names, seeds=range(n_seeds), synthetic=True, seeds_single=singles)
    ease = {name: seeded("items", name).normal(0.8, 1.0, n_examples + N_DEV) for name in names}
    group = {name: place % max(1, n_tasks // 4) for place, name in enumerate(names)}
    store = RunStore(root)
    for spec in study.plan:
        if spec in store:
            continue
        outcomes, counts = {}, {}
        for target in spec.task_names:
            source = partners_of(spec, target)
            rng = seeded("run", target, source, spec.seed)
            gain = 0.4 * (bool(source) and group[source] == group[target])
            latent = ease[target] + gain + rng.normal(0, 0.05) + rng.normal(0, 0.5, n_examples + N_DEV) > 0
            counts[f"{target}/test"], counts[f"{target}/dev"] = right(latent[:n_examples]), right(latent[n_examples:])
            scores = (float(counts[f"{target}/{split}"][:, 0].mean()) for split in ("dev", "test"))
            outcomes[target] = Outcome("accuracy", EPOCHS, *scores)
        history = [_epoch(1 + place, outcomes) for place in range(EPOCHS)]
        work = {"train_seconds": 8.0, "total_seconds": 9.0, "steps": 948, "pieces": 437196, "peak_memory_mib": 579.4}
        store.write(RunResult(spec, outcomes, counts, history, work, {"torch": "2.13.0+cpu"}))
    study.write(root)


def _epoch(number: int, outcomes: dict[str, Outcome]) -> dict[str, object]:
    share = number / EPOCHS
    return {
        "epoch": number,
        "loss": dict.fromkeys(outcomes, 2.1417460441589355 - share),
        "dev": {name: outcome.dev * share for name, outcome in outcomes.items()},
        "train_seconds": 0.686,
        "evaluate_seconds": 0.047,
    }


def _measure(root: Path) -> None:
    measure(Study.load(root), RunStore(root))


def _graph(root: Path) -> None:
    publish(Study.load(root), RunStore(root), root)


def _report(root: Path) -> None:
    write_report(Study.load(root), RunStore(root), root / "report.html")


STEPS: dict[str, Callable[[Path], None]] = {"measure": _measure, "graph": _graph, "report": _report}


def run_step(name: str, root: Path) -> None:
    began = time.perf_counter()
    STEPS[name](root)
    used = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter() - began, used.ru_utime + used.ru_stime
    print(f"{name}: {wall:.1f} s wall, {cpu:.1f} s CPU with imports, {used.ru_maxrss / 2**10:.0f} MiB", flush=True)


def main(root: Path, sizes: list[int]) -> None:
    n_tasks, n_seeds, n_examples = sizes or (100, 3, 900)
    os.fsync = lambda descriptor: None  # type: ignore[assignment]  # an invented folder need not survive a power cut
    invent(root, n_tasks, n_seeds, n_examples)
    study = Study.load(root)
    print(f"{n_tasks} tasks, {len(study.plan)} runs, {n_examples} test examples", flush=True)
    for name in STEPS:
        subprocess.run([sys.executable, __file__, "--step", name, str(root)], check=True)


if __name__ == "__main__":
    if sys.argv[1] == "--step":
        run_step(sys.argv[2], Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]])
