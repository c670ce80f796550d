"""Groups chosen from a study: the same bounds as its arrows, what is left out, and one row per model and task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, write_estimates

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.estimates.of_matrix import with_estimates
from taskaffinity.analysis.figures.groups import describe_figure, draw_groups
from taskaffinity.analysis.groups.chosen import chosen_groups, group_gains, model_hours
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.tables.groups import (
    GROUPS_COLUMNS,
    describe_evidence,
    describe_groups,
    describe_unknown,
    groups_frame,
    groups_table,
)
from taskaffinity.errors import InputError
from taskaffinity.grouping.budget import Price
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

NAMES = ["b", "a", "c"]


def in_words(gain: float) -> str:
    """A gain with its sign, a true minus and one digit."""
    return f"{gain:+z.1f}".replace("-", "−")


@pytest.fixture
def matrix(toy: tuple[Study, RunStore]) -> AffinityMatrix:
    return measure(*toy)


def test_the_bound_is_the_lower_end_of_the_arrows_interval(matrix: AffinityMatrix) -> None:
    gains = group_gains(matrix, matrix.rule.alpha / 2)
    assert np.allclose(gains.bound, matrix.low, equal_nan=True)
    assert np.allclose(group_gains(matrix, 0.5).bound, matrix.gain, atol=1e-5, equal_nan=True)
    assert np.array_equal(group_gains(matrix, None).bound, matrix.gain, equal_nan=True)


def test_two_models_take_the_helper_to_its_target(matrix: AffinityMatrix) -> None:
    chosen = chosen_groups(matrix, None, models=2, draws=20, compare=["single-task", "pairs"])
    b, a, _ = range(3)
    assert (b, a) in chosen.grouping.groups
    assert chosen.gain[b] == pytest.approx(matrix.gain[a, b])
    frame = groups_frame(chosen)
    assert tuple(frame.columns) == GROUPS_COLUMNS
    assert sorted(frame[frame["served"]]["task"]) == sorted(NAMES)
    assert frame["hours"].isna().all()
    columns = {str(one.header): [str(cell) for cell in one.cells] for one in groups_table(chosen).columns}
    shown = dict(zip(columns["task"], zip(columns["gain"], columns["lower bound"], strict=True), strict=True))
    served = {name.upper(): (chosen.gain[task], chosen.bound[task]) for task, name in enumerate(NAMES)}
    assert {name: shown[name] for name in served} == {
        name: (f"{gain:+z.1f}", f"{bound:+z.1f}") for name, (gain, bound) in served.items()
    }
    assert {shown[name] for name in shown.keys() - served} <= {("", "")}  # helpers
    assert list(chosen.alternatives) == ["single-task", "pairs"]
    assert "single-task: 3 models, +0.0 points per task" in "\n".join(describe_groups(chosen))


def test_hours_are_kept_and_a_budget_too_small_says_what_is_needed(matrix: AffinityMatrix) -> None:
    price = Price(1.0, np.ones(3))
    chosen = chosen_groups(matrix, price, hours=6.0, draws=0)
    assert chosen.hours(chosen.grouping).sum() <= 6
    assert chosen.shares is None
    with pytest.raises(InputError, match="budget 3: one model of all tasks takes about 4 hours"):
        chosen_groups(matrix, price, hours=3.0)
    with pytest.raises(InputError, match="do not record how long"):
        chosen_groups(matrix, None, hours=3.0)


def test_arrows_of_one_seed_have_no_bound_and_estimates_replace_it(tmp_path: Path) -> None:
    study = make_study(NAMES)
    store = fill(study, tmp_path, latent_counts({}), skip=lambda spec: spec.task_names == ("a", "b") and spec.seed > 0)
    matrix = measure(study, store)
    assert model_hours(matrix, store) is None
    with pytest.raises(
        InputError, match=r"groups 1: no group serves all 3 tasks; 2 of 6 gains have no bound.*: train more seeds, or"
    ):
        chosen_groups(matrix, None, models=1)
    [line] = describe_unknown(matrix, group_gains(matrix, 0.05), 0.05)
    assert line.startswith("2 of 6 gains without a lower bound (2 without a test: one pair run): no task")
    assert describe_unknown(matrix, group_gains(matrix, None), None) == []
    assert chosen_groups(matrix, None, models=1, risk=None).shares is None
    write_estimates(tmp_path, {(s, t): {} for s in NAMES for t in NAMES if s != t}, study)
    chosen = chosen_groups(with_estimates(matrix, tmp_path), None, models=3, draws=20)
    assert chosen.gain[:2].tolist() == [5.0, 5.0]
    assert chosen.estimated == (True, True, False)
    assert groups_frame(chosen).query("estimated")["task"].tolist() == ["b", "a"]
    assert "≈+5.0" in {text.get_text() for ax in draw_groups(chosen).axes for text in ax.texts}


def test_the_figure_shows_each_model_and_says_it_in_words(matrix: AffinityMatrix) -> None:
    chosen = chosen_groups(matrix, None, models=2, draws=0)
    backdrop, *graphs = draw_groups(chosen).axes
    assert len(graphs) == len(chosen.grouping.groups)
    for number, (group, ax) in enumerate(zip(chosen.grouping.groups, graphs, strict=True)):
        served = [task for task in group if chosen.grouping.serves[task] == number]
        values = {task: in_words(chosen.gain[task]) if task in served else "helps" for task in group}
        nodes = [text.get_text().splitlines() for text in ax.texts if text.get_gid() == "node"]
        alone = len(group) == 1
        assert nodes == [[NAMES[task].upper(), "single-task" if alone else values[task]] for task in group]
        found = {str(artist.get_gid()): artist for artist in (*ax.texts, *ax.patches)}
        places = ax.transData.transform([circle.get_offsets()[0] for circle in ax.collections])
        pairs = [(s, t) for t in served for s in group if s != t]
        assert sum(gid.startswith("head") for gid in found) == len(pairs)
        for s, t in pairs:
            name = f"{NAMES[s]} {NAMES[t]}"
            is_open = matrix.verdict[s, t] == "inconclusive"
            assert found[f"label {name}"].get_text() == in_words(matrix.gain[s, t]) + "?" * is_open  # type: ignore[attr-defined]
            head = found[f"head {name}"].get_window_extent().get_points().mean(axis=0)
            assert group[int(np.linalg.norm(places - head, axis=1).argmin())] == t
    words = describe_figure(chosen)
    assert f"Model {chosen.grouping.serves[0] + 1} serves B" in words
    assert max(map(len, chosen.grouping.groups)) == 2
    assert "The study did not train" not in words  # a pair is trained
    assert any("Each task is served by one model" in text.get_text().replace("\n", " ") for text in backdrop.texts)


def test_the_verdicts_behind_a_choice_are_counted(matrix: AffinityMatrix) -> None:
    chosen = chosen_groups(matrix, None, models=2, draws=0)
    by_hand: dict[str, int] = {}
    for task, group in enumerate(chosen.grouping.serves):
        for source in set(chosen.grouping.groups[group]) - {task}:
            verdict = str(matrix.verdict[source, task])
            by_hand[verdict] = by_hand.get(verdict, 0) + 1
    [line] = describe_evidence(chosen)
    head, _, counts = line.partition(": ")
    assert head == f"Verdicts of the {sum(by_hand.values())} gains behind this choice"
    assert {part.rpartition(" ")[0]: int(part.rpartition(" ")[2]) for part in counts[:-1].split(", ")} == by_hand
    assert describe_evidence(chosen_groups(matrix, None, models=3, draws=0, risk=1e-4)) == []


def test_without_a_gain_that_is_shown_single_task_training_is_offered(tmp_path: Path) -> None:
    study = make_study(NAMES)
    chosen = chosen_groups(measure(study, fill(study, tmp_path, latent_counts({}))), None, models=1, draws=0)
    verdicts, offer = describe_evidence(chosen)
    assert "improves" not in verdicts
    assert "train each task by itself" in offer
