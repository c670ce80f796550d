"""The share of a GPU that ``--gpus-per-run auto`` gives a run: tried once, kept with the study, and said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.spec import RunSpec
from taskaffinity.schedule.gpu_sharing import Sharing
from taskaffinity.schedule.resources import Resources
from taskaffinity.studies import forecast, gpu_share, planned
from taskaffinity.studies.gpu_share import FILE, settle_share, stored_share
from taskaffinity.studies.listener import LogListener
from taskaffinity.studies.options import PairwiseOptions, make_options
from taskaffinity.studies.steps import plan_pairwise
from taskaffinity.training.encoders.load import Encoder

COST = CostModel({}, {}, {}, 1.0, 6, {}, 1, 5_000.0, "packed", "cuda", gpu_share=1 / 8, gpu="H100")
AUTO = Resources(gpus_per_run=1.0, is_measured=True)
FOUND = Sharing({1: 5_000.0, 2: 9_000.0, 4: 12_000.0, 8: 12_100.0}, mps=True)


class Trials:
    """Trials with a given result; they note what they were asked for."""

    def __init__(self, tiny: Any, root: Path) -> None:
        self.found: Sharing | None = FOUND
        self.asked: list[tuple[RunSpec, int]] = []
        self.said: list[str] = []
        self._study, self._encoder = tiny.study, Encoder(tiny.encoder_folder, tiny.study.encoder)
        self.root = root

    def __call__(self, spec: RunSpec, most: int, resources: Resources, **places: Path) -> Sharing | None:
        self.asked.append((spec, most))
        return self.found

    def settle(self, resources: Resources = AUTO, **cost: Any) -> Resources:
        return settle_share(self._study, self._encoder, self.root, resources, replace(COST, **cost), self.said.append)

    def stored(self, resources: Resources = AUTO, **cost: Any) -> Resources | None:
        return stored_share(self._study, self.root, resources, replace(COST, **cost))


@pytest.fixture
def trials(tiny_study: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trials:
    """Sixteen CPUs and one GPU."""
    found = Trials(tiny_study(tasks=("clinicalsts", "mednli", "shareclefe")), tmp_path / "results")
    monkeypatch.setattr(gpu_share, "measured_sharing", found)
    monkeypatch.setattr(gpu_share, "usable_cpus", lambda: 16)
    monkeypatch.setattr(gpu_share.execute, "gpus", lambda: 1)
    return found


def test_the_choice_is_said_and_kept_with_the_study(trials: Trials) -> None:
    assert trials.stored() is None
    chosen = trials.settle()
    assert (chosen.gpus_per_run, chosen.share_from) == (0.25, "speed of 1/2/4/8 runs at once")
    [(spec, most)] = trials.asked
    assert (len(spec.tasks), most) == (2, 8)
    first, second = trials.said
    assert first == "gpus per run: 1, 2, 4 and 8 runs at once are tried on this GPU"
    assert second == (
        "gpus per run: 0.25, 4 at once (as fast as more; examples/s by runs at once: 1: 5,000, 2: 9,000, 4: 12,000, "
        "8: 12,100; through MPS)"
    )
    trials.found = None
    assert trials.settle() == chosen == trials.stored()
    assert len(trials.asked) == 1
    assert f"4 at once (from the trial in {trials.root};" in trials.said[-1]


def test_another_gpu_or_other_resources_are_tried_again(trials: Trials) -> None:
    trials.settle()
    trials.found = Sharing({1: 1.0, 2: 1.0}, mps=False)
    for resources, cost in ((AUTO, {"gpu": "A100"}), (replace(AUTO, cpus_per_run=4), {}), (AUTO, {"gpu_share": 0.5})):
        assert trials.stored(resources, **cost) is None
        assert trials.settle(resources, **cost).gpus_per_run == 1
    assert [most for _, most in trials.asked] == [8, 8, 4, 2]
    assert trials.said[-1].endswith("in turns, without MPS)")


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"gpu": "H100", "trial": "x", "sharing": {"rates": {"3": 1}}}', *("NaN", "Infinity", "0", "-1")],
)
def test_a_damaged_file_is_tried_again(content: str, trials: Trials) -> None:
    trials.settle()
    stored = json.loads((trials.root / FILE).read_text())
    if content[0] not in "{[":  # a rate of the right file
        stored["sharing"]["rates"] = dict.fromkeys(stored["sharing"]["rates"], float(content))
        content = json.dumps(stored)
    (trials.root / FILE).write_text(content)
    assert trials.settle().gpus_per_run == 0.25
    assert len(trials.asked) == 2


def test_where_nothing_is_measured_memory_decides_and_a_line_says_so(trials: Trials) -> None:
    trials.found = None
    chosen = trials.settle()
    assert (chosen.gpus_per_run, chosen.share_from) == (1 / 8, "memory")
    assert trials.said[-1].startswith("gpus per run: 0.125, by memory alone; the speed of several runs at once could")
    assert not (trials.root / FILE).exists()


@pytest.mark.parametrize(
    ("resources", "cost"),
    [(replace(AUTO, executor="local"), {}), (AUTO, {"gpu_share": 1.0}), (replace(AUTO, cpus_per_run=16), {})],
)
def test_nothing_is_tried_where_one_run_trains_at_a_time(
    resources: Resources, cost: dict[str, float], trials: Trials
) -> None:
    chosen = trials.settle(resources, **cost)
    assert chosen.gpus_per_run == cost.get("gpu_share", 1 / 8)
    assert (trials.asked, trials.said) == ([], [])


def test_on_a_cluster_the_cpus_of_this_machine_do_not_count(trials: Trials) -> None:
    trials.settle(replace(AUTO, cpus_per_run=16, address="auto"))
    assert [most for _, most in trials.asked] == [8]


@pytest.mark.parametrize("cost", [COST, None])
def test_a_study_trains_with_the_share_of_the_trial(
    cost: CostModel | None, trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = make_options(PairwiseOptions, {"seeds": 1, "executor": "local", "output_dir": tmp_path / "study"})
    study = replace(plan_pairwise("clinical", options, LogListener()), resources=AUTO)
    monkeypatch.setattr(planned, "measured_cost", lambda *asked: cost)
    lines: list[str] = []
    monkeypatch.setattr(LogListener, "notice", lambda self, line: lines.append(line))
    found, resources = study.measured(LogListener())
    assert found is cost
    assert resources.gpus_per_run == (0.25 if cost else 1.0)
    assert lines[-1].startswith("gpus per run: 0.25, 4 at once" if cost else "gpus per run: 1; no run could be")
    if cost:
        seen: list[Resources] = []
        monkeypatch.setattr(planned, "describe_forecast", lambda pending, cost, resources, **_: seen.append(resources))
        study.forecast()
        assert seen == [resources]
        assert forecast.workers_here(replace(resources, address="auto")) == 1
