"""The tests of an arrow that the simulations compare, each as a study applies it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from taskaffinity.analysis.statistics.arms import Arms
from taskaffinity.analysis.statistics.gain_error import GainError
from taskaffinity.analysis.statistics.sequential import Covariance
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents, standard_error
from taskaffinity.runs.rule import Rule

OLD = "satterthwaite"
NEW = "behrens-fisher"
TESTS = (NEW, OLD)


def rule_of(test: str, **settings: Any) -> Rule:
    """Return the rule of a test."""
    return Rule(**settings, test=test)


def evidence_of(arms: Arms, rule: Rule) -> VarianceComponents:
    """Return the evidence of every arrow; each test has its own prior."""
    return _by(arms, rule).evidence


def error_of(evidence: VarianceComponents, rule: Rule) -> GainError:
    return standard_error(evidence, rule.estimand, rule.test)


def covariance_of(arms: Arms, rule: Rule) -> Covariance:
    return _by(arms, rule).covariance


def _by(arms: Arms, rule: Rule) -> Arms:
    return dataclasses.replace(arms, test=rule.test, estimand=rule.estimand)


def stack(evidence: list[VarianceComponents]) -> VarianceComponents:
    """Return the evidence of several studies along a new first axis."""
    names = [field.name for field in dataclasses.fields(VarianceComponents)]
    return VarianceComponents(**{name: np.stack([getattr(one, name) for one in evidence]) for name in names})
