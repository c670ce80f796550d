"""The tests of an arrow that the simulations compare, each as a study applies it."""

from __future__ import annotations

import dataclasses
import inspect
from functools import partial
from typing import Any

import numpy as np

from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.analysis.statistics.sequential import Covariance
from taskaffinity.analysis.statistics.standard_errors import GainError, VarianceComponents, standard_error
from taskaffinity.runs.rule import Rule

OLD = "satterthwaite"
NEW = "behrens-fisher"
_SELECTABLE = "test" in inspect.signature(Rule).parameters
TESTS = (NEW, OLD) if _SELECTABLE else (OLD,)


def rule_of(test: str, **settings: Any) -> Rule:
    """Return the rule of a test."""
    return Rule(**settings, **({"test": test} if _SELECTABLE else {}))


def evidence_of(arms: Arms, rule: Rule) -> VarianceComponents:
    """Return the evidence of every arrow; each test has its own prior."""
    return _by(arms, rule).evidence


def error_of(evidence: VarianceComponents, rule: Rule) -> GainError:
    return standard_error(evidence, rule.estimand, *([rule.test] if _SELECTABLE else []))


def covariance_of(arms: Arms, rule: Rule) -> Covariance:
    return partial(_by(arms, rule).covariance, estimand=rule.estimand)


def _by(arms: Arms, rule: Rule) -> Arms:
    return dataclasses.replace(arms, test=rule.test) if _SELECTABLE else arms


def flagged_runs(arms: Arms) -> dict[Key, np.ndarray] | None:
    """Return the runs of each arm, (n_runs,), that the toolkit takes as collapsed; None if it has no opinion."""
    return getattr(arms, "collapsed", None)


def stack(evidence: list[VarianceComponents]) -> VarianceComponents:
    """Return the evidence of several studies along a new first axis."""
    names = [field.name for field in dataclasses.fields(VarianceComponents)]
    return VarianceComponents(**{name: np.stack([getattr(one, name) for one in evidence]) for name in names})
