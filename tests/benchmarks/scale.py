"""A study of 100 tasks on 1 to 512 GPUs, simulated: how near is the makespan to its bound?

    python tests/benchmarks/scale.py [OUT.csv]     default: results/scale.csv; about two minutes

The runs enter in the order and the window of the package (``taskaffinity.schedule.window``). The run times are those
of its cost model, with invented tasks: 500 to 20,000 training examples, 6,000 examples a second on one GPU, 10 s to
load. Nothing is trained, no GPU was used, and the speed is an assumption: read ratios and shares, not hours. A start
costs ``DISPATCH`` idle seconds. With failures, every GPU is lost once in ``LOST_EVERY`` hours on average; its run
starts again from its beginning, after the others that are submitted, and another GPU is there ``REPLACED`` seconds
later. A share of runs, ``SHORT_OF_MEMORY``, breaks off once at a random moment and starts again.

``bound_hours`` is the larger of all run times divided by the GPUs, and the longest chain of runs that start from each
other; no order of runs is faster, and failures are not in it.

``results/scale_steps.csv`` has what it took to plan such a study (``plan_time.py``), to look at its status and to
publish it; its 17,850 runs (``many_runs.py`` invents them) are 71,409 files and 377 MB.
"""

from __future__ import annotations

import csv
import heapq
import random
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis"))
from fake_studies import REFINE, make_study

from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.plan import default_single_seeds
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study
from taskaffinity.schedule.window import Window, submission_order, window_size

N_TASKS, N_SEEDS = 100, 3
GPUS = (1, 8, 64, 512)
SPEED = 6000
"""Assumed training examples a second of one run on one GPU; it scores three times as many."""
LOAD, DISPATCH, REPLACED = 10.0, 0.5, 60.0
"""Seconds."""
LOST_EVERY, SHORT_OF_MEMORY = 24.0, 0.02
"""Mean hours from one loss of a GPU to the next, and the share of runs that are out of memory once."""


@dataclass(frozen=True)
class Failures:
    """What goes wrong."""

    lost_every: float
    """Mean seconds from one loss of a GPU to the next."""
    short_of_memory: float
    """Share of runs that break off once."""


@dataclass(frozen=True)
class Outcome:
    """One simulated study."""

    runs: int
    starts: int
    """Starts of runs, those after a failure included."""
    work_hours: float
    """Sum of the run times, without failures."""
    makespan_hours: float
    bound_hours: float
    makespan_to_bound: float
    idle_share: float
    """Share of the GPUs' time in which no run was under way."""
    repeated_share: float
    """Share of the GPUs' time that went into attempts that failed."""
    most_submitted: int


def invented(design: Mapping[str, Any]) -> tuple[Study, CostModel]:
    """A study of 100 tasks and the cost of its runs."""
    names = [f"t{place:03d}" for place in range(N_TASKS)]
    draw = random.Random(0)
    rows = {name: round(500 * 40 ** draw.random()) for name in names}
    singles = tuple(range(default_single_seeds(N_TASKS, N_SEEDS)))
    if design.get("evaluate_after") == "finetune":
        design = {**design, "finetune": dict.fromkeys(names, REFINE)}
    study = make_study(names, seeds=range(N_SEEDS), seeds_single=singles, **design)
    scored = {name: round(0.3 * rows[name]) for name in names}
    part = {name: scored[name] / 2 / (3 * SPEED) for name in names}
    epoch = {name: rows[name] / SPEED for name in names}
    model = CostModel(epoch, part, part, LOAD, 0, scored, 110_000_000, 5000.0, "packed", "cuda")
    return study, model


def longest_chain(runs: Sequence[RunSpec], seconds: Callable[[RunSpec], float]) -> float:
    return max(sum(map(seconds, (*spec.lineage, spec))) for spec in runs)


def simulate(
    runs: Sequence[RunSpec],
    seconds: Callable[[RunSpec], float],
    n_gpus: int,
    failures: Failures | None = None,
    dispatch: float = DISPATCH,
) -> Outcome:
    """Schedule all runs, one per GPU at a time, and return what became of them."""
    draw = random.Random(n_gpus)
    order = submission_order(runs, seconds)
    window = Window(order, window_size(n_gpus))
    queue: deque[RunSpec] = deque()
    events: list[tuple[float, int, RunSpec | None, bool]] = []  # time, number, run or a new GPU, whether it is done
    short = {spec for spec in order if failures and draw.random() < failures.short_of_memory}
    now = busy = repeated = 0.0
    free, under_way, n_starts, most, n_done = n_gpus, 0, 0, 0, 0
    while n_done < len(order):
        queue.extend(window.fill())
        most = max(most, len(queue) + under_way)
        while free and queue:
            spec = queue.popleft()
            spent, is_done, loses_gpu = seconds(spec), True, False
            if spec in short:
                short.remove(spec)
                spent, is_done = spent * draw.random(), False
            if failures and (lost_after := draw.expovariate(1 / failures.lost_every)) < spent:
                spent, is_done, loses_gpu = lost_after, False, True
            free, under_way, n_starts = free - 1, under_way + 1, n_starts + 1
            busy += spent
            repeated += 0.0 if is_done else spent
            end = now + dispatch + spent
            heapq.heappush(events, (end, 2 * n_starts, spec, is_done))
            heapq.heappush(events, (end + REPLACED * loses_gpu, 2 * n_starts + 1, None, False))
        now, _, ended, is_done = heapq.heappop(events)
        if ended is None:
            free += 1
            continue
        under_way -= 1
        if is_done:
            n_done += 1
            window.end(ended)
        else:
            queue.append(ended)
    work = sum(map(seconds, order))
    bound = max(work / n_gpus, longest_chain(order, seconds))
    total = n_gpus * now
    hours = (work / 3600, now / 3600, bound / 3600)
    return Outcome(len(order), n_starts, *hours, now / bound, 1 - busy / total, repeated / total, most)


DESIGNS: dict[str, dict[str, Any]] = {"pairs": {}, "pairs, then fine-tuned": {"evaluate_after": "finetune"}}
"""The plans: gains after joint training, and after a fine-tuning of each task of each run."""


def main(out: Path) -> None:
    rows = []
    for name, design in DESIGNS.items():
        study, model = invented(design)
        runs = list(study.plan)
        seconds = {spec: model.seconds(spec) for spec in runs}.__getitem__
        for n_gpus in GPUS:
            for failures in (None, Failures(3600 * LOST_EVERY, SHORT_OF_MEMORY)):
                outcome = simulate(runs, seconds, n_gpus, failures)
                figures = {key: round(value, 4) for key, value in asdict(outcome).items()}
                rows.append({"plan": name, "gpus": n_gpus, "failures": "yes" if failures else "no", **figures})
                print(rows[-1], flush=True)
    with out.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results" / "scale.csv")
