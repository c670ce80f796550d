"""A fixed design whose verdicts were read does not become a sequential one in the same folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_studies import fill, latent_counts, make_study

from taskaffinity.analysis.publish import publish
from taskaffinity.errors import InputError
from taskaffinity.studies.compatibility import check_compatible

NAMES = ("a", "b", "c")


def test_a_sequential_design_after_read_verdicts_is_refused_with_the_way_out(tmp_path: Path) -> None:
    fixed = make_study(NAMES, seeds=(0, 1))
    later = make_study(NAMES, seeds=range(4), interim_seeds=(2, 4))
    fixed.write(tmp_path)
    store = fill(fixed, tmp_path, latent_counts({}, n=40), skip=lambda spec: len(spec.tasks) > 1)
    publish(fixed, store, tmp_path)  # as `taskaffinity estimate` does: single tasks only
    check_compatible(later, tmp_path)
    fill(fixed, tmp_path, latent_counts({}, n=40))
    check_compatible(later, tmp_path)  # stopped before its tables were written: nobody has read a verdict
    publish(fixed, store, tmp_path)
    with pytest.raises(InputError, match=r"fixed design whose verdicts were read.*another --results, or --overwrite"):
        check_compatible(later, tmp_path)
    check_compatible(later, tmp_path, replaces=True)
    check_compatible(replace(fixed, seeds=range(4)), tmp_path)  # type: ignore[arg-type]
