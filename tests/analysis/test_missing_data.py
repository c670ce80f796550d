"""What is missing, broken or without any spread costs its own arrows, says so, and is no crash under any rule."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_studies import fill, latent_counts, make_study, right

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import caption, describe
from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.figures.curves import curves_frame
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.paper.captions import describe_stages
from taskaffinity.analysis.publish import publish, publish_stages
from taskaffinity.analysis.report import write_report
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.seed_variance import RAW
from taskaffinity.analysis.statistics.verdicts import CORRECTIONS
from taskaffinity.analysis.tables.frames import edges_frame, write_csv
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, Study

World = Callable[[Path], tuple[Study, RunStore]]

RULES = [Rule(correction=name, estimand=of) for name, of in itertools.product(CORRECTIONS, ("population", "test-set"))]


def named(*names: str, from_seed: int = 0) -> Callable[[RunSpec], bool]:
    """The runs of just these tasks, of this seed and later ones."""
    return lambda spec: spec.task_names == names and spec.seed >= from_seed


def one_seed(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"], seeds=[7])
    return study, fill(study, root, latent_counts({("a", "b"): 1.0}, n=100))


def two_seeds(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"], seeds=[0, 1])
    return study, fill(study, root, latent_counts({("a", "b"): 1.0}, n=300))


def failed_run(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"])
    broken = named("a", "b", from_seed=2)
    store = fill(study, root, latent_counts({}, n=100), skip=broken)
    for spec in filter(broken, study.plan):
        store.fail(spec, "the loss is not a number", "Traceback ...")
    return study, store


def missing_pair(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"])
    return study, fill(study, root, latent_counts({}, n=100), skip=named("a", "b"))


def missing_single(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"])
    return study, fill(study, root, latent_counts({}, n=100), skip=named("c"))


def same_score(root: Path) -> tuple[Study, RunStore]:
    """Every run has the same examples right."""
    study = make_study(["a", "b", "c"])
    return study, fill(study, root, lambda target, partners, seed: right(np.arange(100) < 80))


def same_score_other_examples(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"])

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        return right(np.roll(np.arange(100) < 80, 7 * seed + len(partners)))

    return study, fill(study, root, counts)


def perfect(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"])
    return study, fill(study, root, lambda target, partners, seed: right(np.ones(100)))


def nothing_learned(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"], metrics={"c": "span_f1"})
    accuracy = latent_counts({}, n=100)

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        return np.tile([0.0, 0.0, 1.0], (100, 1)) if target == "c" else accuracy(target, partners, seed)

    return study, fill(study, root, counts)


def one_task(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a"])
    return study, fill(study, root, latent_counts({}, n=100))


def two_tasks(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b"], seeds=[0, 1])
    return study, fill(study, root, latent_counts({}, n=100))


def matched_holes(root: Path) -> tuple[Study, RunStore]:
    study = make_study(["a", "b", "c"], baseline="compute-matched", controls=True)
    return study, fill(
        study,
        root,
        latent_counts({}, n=100),
        skip=lambda spec: spec.arm == "matched" and spec.partner[0] == "b" and spec.seed > 0,
    )


def empty(root: Path) -> tuple[Study, RunStore]:
    return make_study(["a", "b", "c"]), RunStore(root)


WORLDS = (
    *(one_seed, two_seeds, failed_run, missing_pair, missing_single, same_score, same_score_other_examples),
    *(perfect, nothing_learned, one_task, two_tasks, matched_holes, empty),
)


def open_arrows(matrix: AffinityMatrix) -> dict[str, set[str]]:
    """Reasons, and the arrows that have them, as ``source>target``."""
    found: dict[str, set[str]] = {}
    for s, t in matrix.arrows:
        if matrix.untested_reason[s, t]:
            found.setdefault(matrix.untested_reason[s, t], set()).add(f"{matrix.tasks[s]}>{matrix.tasks[t]}")
    return found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_an_arrow_is_tested_in_full_or_has_a_reason(world: World, tmp_path: Path) -> None:
    study, store = world(tmp_path)
    for rule in RULES:
        matrix = measure(study, store, rule)
        numbers = ("low", "high", "p", "q", "p_tost", "q_tost", "df", "se_seeds", "mde")
        for arrow in matrix.arrows:
            values = [getattr(matrix, name)[arrow] for name in numbers]
            assert np.isnan(values).all() if matrix.untested_reason[arrow] else np.isfinite(values).all()
            if matrix.untested_reason[arrow]:
                assert (matrix.verdict[arrow], matrix.recommendation[arrow]) == ("inconclusive", "")
            else:
                assert matrix.low[arrow] < matrix.gain[arrow] < matrix.high[arrow]
                assert 0 <= matrix.p[arrow] <= matrix.q[arrow] <= 1
                assert 0 <= matrix.p_tost[arrow] <= matrix.q_tost[arrow] <= 1
                assert bool(matrix.recommendation[arrow]) == (matrix.verdict[arrow] == "inconclusive")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_what_is_not_known_is_an_empty_cell_and_never_a_word(world: World, tmp_path: Path) -> None:
    matrix = measure(*world(tmp_path / "store"))
    frame = edges_frame(matrix)
    for cell in frame.to_numpy(dtype=object).ravel():
        assert not (isinstance(cell, str) and cell.lower() in ("nan", "inf", "none"))
    write_csv(frame, tmp_path / "edges.csv")
    plain = (tmp_path / "edges.csv").read_text().lower()
    assert not {"nan", "inf", "none", "<na>"} & {cell for line in plain.splitlines() for cell in line.split(",")}
    assert len(pd.read_csv(tmp_path / "edges.csv")) == len(matrix.arrows)
    for words in (caption(matrix), describe(matrix)):
        assert not {"nan", "inf", "none"} & set(words.lower().replace(",", " ").replace(".", " ").split())


def test_with_one_seed_there_are_gains_and_no_tests(tmp_path: Path) -> None:
    study, store = one_seed(tmp_path)
    matrix = measure(study, store)
    assert set(open_arrows(matrix)) == {"one seed"}
    assert matrix.gain[0, 1] > 5
    assert np.isfinite([matrix.gain[arrow] for arrow in matrix.arrows]).all()
    assert np.isfinite([matrix.se_examples[arrow] for arrow in matrix.arrows]).all()
    assert "6 arrows without a test: one seed." in caption(matrix)
    assert read_arms(study, store).prior.common == RAW


def test_two_seeds_can_colour_a_large_gain(tmp_path: Path) -> None:
    matrix = measure(*two_seeds(tmp_path))
    assert not open_arrows(matrix)
    assert matrix.verdict[0, 1] == "improves"
    assert "without a test" not in caption(matrix)


def test_a_failed_run_is_left_out_and_named(tmp_path: Path) -> None:
    study, store = failed_run(tmp_path)
    matrix = measure(study, store)
    failed = next(spec for spec in study.plan if spec not in store)
    assert matrix.failed == (f"{failed.run_id}: the loss is not a number",)
    assert "1 run failed and is left out." in caption(matrix)
    assert "fewer where runs are missing" in caption(matrix)
    assert matrix.seeds_pair.tolist() == [[0, 2, 3], [2, 0, 3], [3, 3, 0]]
    assert not open_arrows(matrix)
    fill(study, tmp_path, latent_counts({}, n=100), skip=lambda spec: spec != failed)
    assert measure(study, store).failed == ()


def test_a_missing_arm_costs_the_arrows_that_need_it(tmp_path: Path) -> None:
    assert open_arrows(measure(*missing_pair(tmp_path / "1"))) == {"no pair run": {"a>b", "b>a"}}
    assert open_arrows(measure(*missing_single(tmp_path / "2"))) == {"no single run": {"a>c", "b>c"}}
    assert open_arrows(measure(*matched_holes(tmp_path / "3"))) == {"one single run": {"b>a", "b>c"}}


@pytest.mark.parametrize("world", [same_score, same_score_other_examples, perfect], ids=lambda world: world.__name__)
def test_scores_that_never_move_are_no_proof_of_anything(world: World, tmp_path: Path) -> None:
    matrix = measure(*world(tmp_path))
    for arrow in matrix.arrows:
        assert matrix.gain[arrow] == pytest.approx(0, abs=1e-12)
        assert matrix.p[arrow] == pytest.approx(1)
        assert 1 <= matrix.se_seeds[arrow] / np.sqrt(2 / 3) < 1.25  # an example of a hundred is a point
    assert not matrix.select("improves", "degrades", "no effect")


def test_a_target_that_no_run_learned_is_not_called(tmp_path: Path) -> None:
    matrix = measure(*nothing_learned(tmp_path))
    assert open_arrows(matrix) == {"nothing learned": {"a>c", "b>c"}}
    assert matrix.gain[0, 2] == 0


def test_one_seed_hides_no_target_that_no_run_learned(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=(0,))
    usual = latent_counts({}, n=100)

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        return usual(target, partners, seed) * [target == "a", 1]

    assert open_arrows(measure(study, fill(study, tmp_path, counts_of))) == {
        "nothing learned": {"a>b"},
        "one seed": {"b>a"},
    }


class Seen(RunStore):
    """A store whose every run was there a moment ago."""

    def __contains__(self, spec: RunSpec) -> bool:
        return True


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_a_run_that_goes_while_the_folder_is_read_is_one_that_is_not_done(design: Design, tmp_path: Path) -> None:
    finetune = dict.fromkeys("abc", FINETUNE) if design == "full" else {}
    study = make_study(["a", "b", "c"], design=design, finetune=finetune)
    gone = study.plan.specs[-1]
    fill(study, tmp_path, latent_counts({}, n=100))
    (tmp_path / "runs" / gone.run_id / "result.json").unlink()
    outputs = []
    for store in (RunStore(tmp_path), Seen(tmp_path)):
        out = tmp_path / type(store).__name__
        out.mkdir()
        if design == "full":
            publish_stages(study, store, out)
        else:
            publish(study, store, out, figure_options=FigureOptions(("graph", "seeds"), ("svg",)))
            curves_frame(study, store).to_csv(out / "curves.csv")
            write_report(study, store, out / "report.html")
        outputs.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert outputs[0] == outputs[1]


def test_the_caption_says_which_test_examples_are_drawn_together(tmp_path: Path) -> None:
    study = make_study(("a", "b"))
    store = fill(study, tmp_path, latent_counts({}, n=60))
    assert "document" not in caption(measure(study, store))
    for spec in study.plan:
        run = store.read(spec)
        if "b/test" in run.counts:
            store.write(replace(run, documents={"b/test": np.arange(60) // 3}))
    matrix = measure(study, store)
    assert (matrix.n_test.tolist(), matrix.n_documents.tolist()) == ([60, 60], [60, 20])
    assert "Test examples of one document are drawn together: B (60 in 20)." in caption(matrix)
    assert "document" not in caption(measure(study, store, Rule(estimand="test-set")))


def test_captions_say_what_was_trained_in_sixteen_bits(tmp_path: Path) -> None:
    study = make_study(("a", "b"))
    short = replace(study.recipe, precision="bf16")
    for number, (before, after, said) in enumerate(
        (
            (study.recipe, {}, ""),
            (short, {}, ", trained in bf16"),
            (study.recipe, {"a": study.recipe}, ""),
            (short, {"a": short}, ", trained in bf16"),
            (study.recipe, {"a": short}, ", fine-tuned in bf16"),
            (short, {"a": study.recipe}, ", trained in bf16 until fine-tuning"),
        )
    ):
        asked = replace(study, recipe=before, finetune=after)
        matrix = measure(asked, fill(asked, tmp_path / str(number), latent_counts({}, n=60)))
        for words in (caption(matrix), describe(matrix), describe_stages(asked)):
            assert f"; encoder {study.encoder.name}{said}; " in words
