"""Alone, together, fine-tuned: scores and gains counted a second way, and the paper's numbers where they belong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, right
from scipy import stats

from taskaffinity.analysis.cautions.collapsed_runs import find_collapsed_runs
from taskaffinity.analysis.paper.captions import describe_stages
from taskaffinity.analysis.paper.stages import (
    PAPER_TABLES,
    STAGES,
    STAGES_COLUMNS,
    StageScore,
    failures,
    paper_table,
    stage_scores,
    stages_frame,
    stages_table,
    uneven,
)
from taskaffinity.analysis.publish import publish_stages
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import arms_of
from taskaffinity.analysis.tables.formats import as_latex, as_markdown
from taskaffinity.runs.paper_recipes import paper_single
from taskaffinity.runs.recipe import FINETUNE, PAPER_REFINE
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

NAMES = ("a", "b", "c")
EFFECTS = {("b", "a"): 0.6, ("~finetune", "b"): 0.6}
"""Training with b helps a by some fifteen points; fine-tuning helps b as much."""


def staged(names: Sequence[str], **options: Any) -> Study:
    return make_study(names, design="full", finetune=dict.fromkeys(names, FINETUNE), **options)


@pytest.fixture(scope="module")
def study() -> Study:
    return staged(NAMES, seeds=(0, 1, 2, 3))


@pytest.fixture(scope="module")
def store(study: Study, tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    return fill(study, tmp_path_factory.mktemp("full"), latent_counts(EFFECTS))


def test_every_mean_spread_and_gain_is_that_of_the_stored_counts(study: Study, store: RunStore) -> None:
    scores_in_points: dict[tuple[str, str], list[float]] = {}
    for spec in study.plan:
        for target in spec.task_names:
            right, all_of_them = store.read(spec).counts[f"{target}/test"].sum(axis=0)
            scores_in_points.setdefault((target, spec.stage), []).append(100 * right / all_of_them)
    scores = stage_scores(study, store)
    assert [(score.task, score.stage) for score in scores] == [(name, stage) for name in NAMES for stage in STAGES]
    for score in scores:
        by_hand = scores_in_points[score.task, score.stage]
        assert len(score.scores) == 4
        assert score.mean == pytest.approx(sum(by_hand) / 4)
        assert score.sd == pytest.approx(math.sqrt(sum((x - sum(by_hand) / 4) ** 2 for x in by_hand) / 3))
        if score.stage == "single":
            assert math.isnan(score.gain)
        else:
            assert score.gain == pytest.approx(score.mean - sum(scores_in_points[score.task, "single"]) / 4)
            assert score.low < score.gain < score.high


def test_what_was_planted_is_found_and_nothing_else(study: Study, store: RunStore) -> None:
    found = {(score.task, score.stage) for score in stage_scores(study, store) if score.p < 0.01}
    assert found == {("a", "refine"), ("b", "finetune")}  # a low single run of b counts as collapsed: p is above 0.001


def test_a_stage_that_is_not_trained_is_said_so_and_never_a_nan(study: Study, tmp_path: Path) -> None:
    store = fill(study, tmp_path, latent_counts({}), skip=lambda spec: spec.stage == "finetune" or spec.seed > 0)
    scores = {(score.task, score.stage): score for score in stage_scores(study, store)}
    assert scores["a", "finetune"].scores == ()
    assert scores["a", "refine"].untested_reason == "one seed"
    table = stages_table(study, tuple(scores.values()))
    assert list(table.loc["fine-tuned"]) == ["not trained"] * 3 + [""]
    assert "one seed" in table.loc["  multi-task, gain", "A"]
    assert "nan" not in table.to_csv().lower()
    publish_stages(study, store, tmp_path)
    assert "nan" not in (tmp_path / "stages.csv").read_text().lower()


def test_a_trained_stage_without_single_task_runs_is_not_called_untrained(study: Study, tmp_path: Path) -> None:
    store = fill(study, tmp_path, latent_counts(EFFECTS), skip=lambda spec: spec.stage == "single")
    scores = stage_scores(study, store)
    table = stages_table(study, scores)
    assert list(table.loc["single-task"]) == ["not trained"] * 3 + [""]
    assert list(table.loc["  multi-task, gain"]) == ["no single-task run"] * 3 + [""]
    frame = stages_frame(study, scores).set_index(["stage", "task"])
    for stage in STAGES[1:]:
        assert set(frame.loc[stage].seeds) == {4}
        assert set(frame.loc[stage].untested_reason) == {"no single-task run"}


def test_a_seed_that_failed_is_named_where_the_mean_lacks_it(study: Study, tmp_path: Path) -> None:
    store = fill(study, tmp_path, latent_counts({}), skip=lambda spec: spec.stage == "refine" and spec.seed == 2)
    [lost] = [spec for spec in study.plan if spec.stage == "refine" and spec.seed == 2]
    store.fail(lost, "diverged: for the test")
    scores = stage_scores(study, store)
    assert uneven(study, scores) == [f"{name} multi-task: 3 seeds" for name in NAMES]
    words = describe_stages(study, uneven(study, scores), failures(study, store))
    assert f"Failed and left out: {lost.run_id}: diverged: for the test." in words


def test_the_files_hold_a_row_a_stage_and_a_row_a_score(study: Study, store: RunStore) -> None:
    publish_stages(study, store, store.root)
    head, *rows = (store.root / "stages.csv").read_text().splitlines()
    assert tuple(head.split(",")) == STAGES_COLUMNS
    assert len(rows) == 3 * len(NAMES)
    head, *rows = (store.root / "stages_scores.csv").read_text().splitlines()
    assert len(rows) == 2 * 4 * 3 * len(NAMES)  # dev and test, seeds, stages
    assert {row.split(",")[4] for row in rows} == {"single", "full", "finetune"}
    assert {row.split(",")[0] for row in rows if ",finetune," in row} == {"b+c", "a+c", "a+b"}


PRINTED = {
    (2, "BlueBERT_clinical", "clinicalsts"): 84.8,
    (2, "MT-BlueBERT-Refinement_clinical", "mednli"): 83.5,
    (2, "MT-BlueBERT-Fine-Tune_clinical", "avg"): 81.9,
    (3, "MT-BlueBERT-Fine-Tune_biomedical", "ddi2013-type"): 82.0,
    (3, "MT-BlueBERT-Refinement_biomedical", "bc5cdr-disease"): 82.4,
    (4, "MT-BioBERT-Fine-Tune", "shareclefe"): 81.8,
    (5, "MT-BlueBERT-Fine-Tune_biomedical", "chemprot"): 72.9,
    (6, "BlueBERT_biomedical", "shareclefe"): 75.4,
    (6, "MT-BlueBERT-Fine-Tune_biomedical", "shareclefe"): 81.4,
}
"""Read off the paper's pages."""


@pytest.mark.parametrize(("number", "model", "task"), PRINTED)
def test_the_papers_numbers(number: int, model: str, task: str) -> None:
    assert paper_table(number).at[model, task] == pytest.approx(PRINTED[number, model, task])


def test_the_papers_averages_are_those_of_its_rows() -> None:
    for number in (2, 3, 4, 5, 6):
        table = paper_table(number)
        np.testing.assert_allclose(
            table.drop(columns="avg").mean(axis=1), table.avg, atol=0.051 if number < 6 else 0.06
        )


def test_the_papers_rows_are_shown_only_beside_real_scores_of_its_suites(store: RunStore) -> None:
    tasks = ("clinicalsts", "i2b2-2010-re", "shareclefe", "mednli")
    clinical = replace(staged(tasks), suite="clinical")
    scores = stage_scores(clinical, RunStore(store.root / "nothing"))
    table = stages_table(clinical, scores)
    assert list(table.loc["paper: MT-BlueBERT-Refinement_clinical"]) == ["82.2", "74.5", "82.6", "83.5", "80.7"]
    assert [row for row in table.index if "another code base" in row] == ["paper: BlueBERT_clinical, another code base"]
    for other in (replace(clinical, synthetic=True), replace(clinical, suite="open-clinical")):
        assert not [row for row in stages_table(other, scores).index if "paper" in row]
    assert set(PAPER_TABLES) == {"clinical", "biomedical", "blue"}


def test_words_of_a_picture_do_not_describe_what_only_the_table_has() -> None:
    clinical = replace(staged(("clinicalsts", "i2b2-2010-re", "shareclefe", "mednli")), suite="clinical")
    for word in ("(SD)", "The paper's rows"):
        assert word in describe_stages(clinical)
        assert word not in describe_stages(clinical, of_table=False)


def test_the_caption_says_that_the_papers_single_task_row_is_of_another_code_base() -> None:
    clinical = replace(
        staged(("clinicalsts", "i2b2-2010-re", "shareclefe", "mednli")),
        suite="clinical",
        recipe=PAPER_REFINE,
        protocol="paper",
    )
    words = describe_stages(clinical)
    for said in ("another code base", "30 epochs", "trained on dev", "summed over padding", "--baseline paper-single"):
        assert said in words
    assert "100 epochs at learning rate 5e-05, single-task and multi-task" in words
    kinds = ("similarity", "relation", "ner", "inference")
    recipes = {card.name: paper_single(PAPER_REFINE, kind) for card, kind in zip(clinical.tasks, kinds, strict=True)}
    by_recipes = describe_stages(replace(clinical, baseline="paper-single", single_recipes=recipes))
    assert "single-task by the recipes of the paper's single-task models, 10 or 30 epochs" in by_recipes
    assert "multi-task 100 epochs" in by_recipes
    assert "--baseline" not in by_recipes


def test_one_epoch_of_the_single_recipes_is_one_epoch() -> None:
    one = replace(PAPER_REFINE, num_train_epochs=1)
    study = replace(staged("ab"), recipe=one, protocol="paper", baseline="paper-single")
    words = describe_stages(replace(study, single_recipes=dict.fromkeys("ab", one)))
    assert "single-task models, 1 epoch at learning rate" in words


def test_the_sentence_on_ddi_stands_in_the_tables_that_have_it() -> None:
    clinical = replace(staged(("clinicalsts", "mednli")), suite="clinical")
    biomedical = replace(staged(("ddi2013-type", "chemprot")), suite="biomedical")
    assert "DDI" not in describe_stages(clinical)
    assert "DDI is probably macro-F1." in describe_stages(biomedical)


def test_a_wide_table_is_turned(store: RunStore) -> None:
    many = staged([f"t{i}" for i in range(8)])
    table = stages_table(many, stage_scores(many, RunStore(store.root / "nothing")))
    lines = as_markdown(table, "words").splitlines()
    assert lines[0].startswith("|  | single-task | multi-task |")
    assert lines[2].startswith("| T0 | not trained |")


def test_latex_escapes_what_it_must(study: Study, store: RunStore) -> None:
    named = replace(study, encoder=replace(study.encoder, name="an_encoder & 50%"))
    text = as_latex(stages_table(named, stage_scores(named, store)), describe_stages(named))
    assert r"an\_encoder \& 50\%" in text
    assert "−" not in text
    assert text.count(r"\\") == 1 + 5


def test_the_frame_is_in_points(study: Study, store: RunStore) -> None:
    frame = stages_frame(study, stage_scores(study, store))
    assert frame["mean"].between(50, 100).all()
    assert np.isfinite(frame.loc[frame.stage != "single", "gain"]).all()


def test_the_printed_gains_are_those_of_the_scores(study: Study, store: RunStore) -> None:
    scores = stage_scores(study, store)
    table = stages_table(study, scores)
    for stage, row in (("refine", "multi-task"), ("finetune", "fine-tuned")):
        of_stage = [score for score in scores if score.stage == stage]
        numbers = [[f"{x:+z.1f}".replace("-", "−") for x in (one.gain, one.low, one.high)] for one in of_stage]
        assert list(table.loc[f"  {row}, gain"]) == [f"{gain} [{low}, {high}]" for gain, low, high in numbers] + [""]
        assert list(table.loc[row])[:3] == [f"{one.mean:.1f} ({one.sd:.1f})" for one in of_stage]


def test_the_interval_at_the_level_of_its_p_value_ends_at_zero(study: Study, store: RunStore) -> None:
    tested = [score for score in stage_scores(study, store) if 1e-4 <= score.p <= 0.5]
    assert len(tested) >= 2
    for score in tested:
        of_rule = stage_scores(replace(study, rule=Rule(alpha=score.p)), store)
        [found] = [one for one in of_rule if (one.task, one.stage) == (score.task, score.stage)]
        assert min(abs(found.low), abs(found.high)) == pytest.approx(0, abs=1e-3 * (found.high - found.low))


def test_a_collapsed_run_has_no_part_in_the_variance_of_other_arms(study: Study, tmp_path: Path) -> None:
    usual = latent_counts(EFFECTS)

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        collapsed = (target, partners, seed) == ("a", "~finetune", 1)
        return right(np.arange(1000) % 3 == 0) if collapsed else usual(target, partners, seed)

    def found(store: RunStore) -> dict[tuple[str, str], StageScore]:
        return {(score.task, score.stage): score for score in stage_scores(study, store)}

    [of_it] = [spec for spec in study.plan if (spec.stage, spec.task_names, spec.seed) == ("finetune", ("a",), 1)]
    scores = found(fill(study, tmp_path / "with", counts))
    without = found(fill(study, tmp_path / "without", counts, skip=lambda spec: spec == of_it))
    itself = scores.pop(("a", "finetune"))
    for place, score in scores.items():
        assert (score.gain, score.low, score.high) == pytest.approx(
            (without[place].gain, without[place].low, without[place].high), nan_ok=True
        )
    assert itself.high - itself.low > 2 * stats.t.isf(0.025, 3) * itself.sd / 2  # four runs, no moderation


def test_the_runs_that_lose_the_moderation_of_their_stage_are_the_named_ones(study: Study, tmp_path: Path) -> None:
    """Two stages show a small spread, beside which one of three runs of the other stage is far below the others."""
    accuracy = {"single": (0.80, 0.802, 0.798), "refine": (0.70, 0.60, 0.81), "finetune": (0.81, 0.812, 0.806)}
    of_three = replace(study, seeds=(0, 1, 2))

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        stage = "single" if not partners else "finetune" if partners == "~finetune" else "refine"
        return right(np.arange(1000) < 1000 * accuracy[stage][seed])

    store = fill(of_three, tmp_path, counts)
    named = {(run.target, run.arm, run.seed) for run in find_collapsed_runs(of_three, store)}
    assert named == {(name, "full", 1) for name in NAMES}
    for score in stage_scores(of_three, store):
        if score.stage == "refine":  # no moderation: Welch's error with the degrees of freedom of three runs
            se_seeds = 100 * math.sqrt(sum(np.var(accuracy[one], ddof=1) / 3 for one in ("single", "refine")))
            assert score.high - score.low > 0.9 * 2 * stats.t.isf(0.025, 2) * se_seeds


def test_runs_of_another_encoder_do_not_decide_which_runs_are_collapsed() -> None:
    rng = np.random.default_rng(0)

    def arm(scores: Sequence[float]) -> Arm:
        return Arm.from_counts(
            np.stack([right(rng.permutation(1000) < 1000 * one) for one in scores]), METRICS["accuracy"]
        )

    noisy = {("t", "pair", stage): arm((0.9, 0.5, 0.7)) for stage in STAGES}
    calm = {
        ("t", "single", stage): arm(found)
        for stage, found in zip(STAGES, [(0.8, 0.802, 0.798)] * 2 + [(0.7, 0.8, 0.81)], strict=True)
    }
    studies = {key: key[1] for key in (*noisy, *calm)}
    together = arms_of(noisy | calm, Rule(), studies).collapsed
    by_study = arms_of(noisy, Rule()).collapsed | arms_of(calm, Rule()).collapsed
    assert {key: flags.tolist() for key, flags in together.items()} == {
        key: flags.tolist() for key, flags in by_study.items()
    }
    assert together["t", "single", "finetune"].tolist() == [True, False, False]
    assert not arms_of(noisy | calm, Rule()).collapsed["t", "single", "finetune"].any()


def test_the_papers_average_is_over_the_tasks_of_the_study(tmp_path: Path) -> None:
    """Table 2 prints 84.0 and 84.8 for single-task training of two of its four tasks, and 80.6 for the four."""
    names = ["mednli", "clinicalsts"]
    study = replace(make_study(names, design="full", finetune=dict.fromkeys(names, FINETUNE)), suite="clinical")
    table = stages_table(study, stage_scores(study, RunStore(tmp_path)))
    [single] = [row for row in table.index if row.startswith("paper: BlueBERT")]
    assert list(table.loc[single]) == ["84.0", "84.8", "84.4"]
    assert "Its multi-task models have all 4 tasks of the table." in describe_stages(study)


def test_tasks_that_the_paper_does_not_have_get_no_rows_of_it(tmp_path: Path) -> None:
    """A suite made in Python may have the name of one of the paper's."""
    study = replace(
        make_study(["own", "mine"], design="full", finetune={"own": FINETUNE, "mine": FINETUNE}), suite="clinical"
    )
    table = stages_table(study, stage_scores(study, RunStore(tmp_path)))
    assert not [row for row in table.index if row.startswith("paper")]
    assert "paper's rows" not in describe_stages(study)
