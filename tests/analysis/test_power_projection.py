"""What more seeds and more test examples would do to every error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study
from test_power import one_arrow

from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.standard_errors import standard_error, variance_components
from taskaffinity.analysis.tables.frames import edges_frame
from taskaffinity.analysis.tables.power_projection import PROJECTION_COLUMNS, projection_frame, with_more_examples
from taskaffinity.runs.rule import Rule
from taskaffinity.tasks.metrics import METRICS


@pytest.mark.parametrize("estimand", ["population", "test-set"])
def test_no_more_of_anything_is_what_the_study_has(estimand: str, tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], seeds_single=(0, 1, 2, 3, 4), rule=Rule(estimand=estimand))
    skipped = ("a", "c")
    store = fill(study, tmp_path, latent_counts({("a", "b"): 0.6}), skip=lambda spec: spec.task_names == skipped)
    matrix = measure(study, store)
    found, edges = projection_frame(matrix, store), edges_frame(matrix)
    edges = edges[edges.untested_reason == ""].reset_index(drop=True)
    assert tuple(found.columns) == PROJECTION_COLUMNS
    assert len(found) == 4
    for name in PROJECTION_COLUMNS:
        if name == "se":
            assert found.se.tolist() == pytest.approx(
                [matrix.se[s, t] for s, t in matrix.arrows if matrix.seeds_pair[s, t]]
            )
        elif found[name].dtype == float:
            assert found[name].tolist() == pytest.approx(edges[name].tolist())
        else:
            assert found[name].tolist() == edges[name].tolist()


def test_a_row_for_every_arrow_number_of_seeds_and_size_of_test_set(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    store = fill(study, tmp_path, latent_counts({}, n=400))
    found = projection_frame(measure(study, store), store, seeds=(2, 3, 12), times_examples=(1, 4))
    assert len(found) == 2 * 3 * 2
    assert sorted(set(found.seeds_pair)) == [2, 3, 12]
    assert sorted(set(found.n_test)) == [400, 1600]
    for _, arrow in found.groupby(["source", "target"]):
        grid = arrow.pivot(index="seeds_pair", columns="n_test", values="se").to_numpy()
        assert (np.diff(grid, axis=0) < 0).all()
        assert (np.diff(grid, axis=1) < 0).all()
    with pytest.raises(ValueError, match="2 seeds or more"):
        projection_frame(measure(study, store), store, seeds=(1, 3))


def test_seeds_leave_the_test_sets_part_and_examples_leave_the_seeds() -> None:
    arrow = replace(one_arrow(seed_sd=0.02, v_examples=1e-4), i_pair=0.0, i_single=0.0, v_examples=1e-4)
    four = standard_error(with_more_examples(arrow, 4.0))
    assert four.se_examples == pytest.approx(0.01 / 2)
    assert four.se_seeds == pytest.approx(standard_error(arrow).se_seeds)
    everything = replace(arrow, i_pair=arrow.s2_pair, i_single=arrow.s2_single)  # seeds move examples one by one
    assert standard_error(with_more_examples(everything, 4.0)).se_seeds == pytest.approx(
        standard_error(everything).se_seeds / 2
    )


def test_the_projection_to_a_larger_test_set_is_what_a_larger_test_set_has() -> None:
    small, large = (latent_counts({("s", "t"): 0.3}, n=n, seed_noise=0.1) for n in (2000, 32000))
    metric, seeds = METRICS["accuracy"], range(40)

    def of(counts_of: object) -> object:
        arms = [Arm.from_counts(np.stack([counts_of("t", who, seed) for seed in seeds]), metric) for who in ("s", "")]  # type: ignore[operator]
        return variance_components(*arms)

    projected, found = standard_error(with_more_examples(of(small), 16.0)), standard_error(of(large))  # type: ignore[arg-type]
    assert projected.se_examples == pytest.approx(found.se_examples, rel=0.15)
    assert projected.se == pytest.approx(found.se, rel=0.15)
