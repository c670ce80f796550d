"""The distributions that simulated studies are drawn from, and their true scores.

A latent score of run r on example i: ``ease_i + own_i(arm) + luck_r + noise_ri``. The example's ease is normal (SD 2)
about the target's level, ``own`` is what an arm does to an example whatever the seed (SD 0.4; what makes the choice of
test examples matter), luck is the seed's (Gaussian, or Student's t with 3 degrees of freedom scaled to one SD; its SD
is 0.15 times a log-normal factor of the target), noise has SD 0.7. A gain is planted as a shift of the pair's latent
score. From the latent score

* ``accuracy``: an example is right if it is above zero;
* ``span_f1``: an example has 0 to 4 gold mentions (Poisson 1.5, cut); each is found if latent + fresh noise is above
  zero, and one mention is invented if latent + fresh noise is below -1.5;
* ``pearson``: gold x is standard normal, the prediction is ``(1 + luck) x + 0.8 ease' + own + noise`` with the ease
  standardised; a shift adds to the slope;
* ``macro_f1``: three classes, the rarer the harder; an example is right if it is above zero, else it gets one of the
  other classes.

A ``World`` can also have documents (examples of one share a part of their ease and most of ``own``), arms of unequal
SD over seeds, and runs that collapse: they predict the majority class, no mention, or a constant.

True gains are the population's, over examples in closed form and over luck by quadrature.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.special import ndtr

from taskaffinity.runs.plan import default_single_seeds

Array = np.ndarray
EASE, OWN, NOISE, LUCK = 2.0, 0.4, 0.7, 0.15
INVENTED = -1.5
SHARED_EASE, SHARED_OWN = 0.3, 0.9
"""Share of the variance of ``ease`` and of ``own`` that examples of one document have in common."""
MAJORITY = 0.4
"""Share of the majority class, which a collapsed run predicts everywhere (accuracy)."""
CLASSES, CLASS_LEVELS = np.array([0.6, 0.25, 0.15]), np.array([0.5, 0.0, -0.5])
"""Shares of the classes of macro-F1, and what they add to the target's level."""
NOISES = ("gaussian", "student_t3")
SIMULATED_METRICS = ("accuracy", "span_f1", "pearson")
_MENTIONS = np.minimum(np.arange(30), 4)
MEAN_MENTIONS = float((stats.poisson.pmf(np.arange(30), 1.5) * _MENTIONS).sum())


@dataclass(frozen=True)
class World:
    """The distribution that studies are drawn from."""

    metric: str = "accuracy"
    tasks: int = 4
    n_test: int = 500
    seeds_pair: int = 3
    seeds_single: int = 0
    """0: ``sqrt(N - 1)`` times the seeds of a pair, as in a study."""
    noise: str = "gaussian"
    own: float = OWN
    """0: gains on any test set are those of the population."""
    luck: float = LUCK
    documents: int = 0
    """0: every example is independent."""
    sizes: str = "equal"
    """Sizes of documents: ``equal``; ``dirichlet`` (shares from a Dirichlet distribution of .5); ``large`` (equal, and
    two more documents of one example); ``geometric`` (each smaller than the one before by a factor, with ``documents``
    effective ones)."""
    sd_pair: float = 1.0
    """SD over seeds in the arms of pairs, in SDs of the target; of single-task arms below."""
    sd_single: float = 1.0
    collapse_pair: float = 0.0
    """Chance that a run of a pair collapses."""
    collapse_single: float = 0.0
    others: int = 0
    """Above 0: only the first target is as above, the others have accuracy on so many independent examples."""
    sd_last: float = field(default=1.0, repr=False)
    """SD over seeds in all arms of the last target, in SDs of the others. Worlds that differ in it alone have the same
    draws: ``repr`` seeds them."""

    def of_target(self, place: int) -> World:
        """Return the world of one target."""
        if place == self.tasks - 1 and self.sd_last != 1:
            return replace(self, sd_pair=self.sd_pair * self.sd_last, sd_single=self.sd_single * self.sd_last)
        return replace(self, metric="accuracy", n_test=self.others, documents=0) if self.others and place else self

    @property
    def single_runs(self) -> int:
        return self.seeds_single or default_single_seeds(self.tasks, self.seeds_pair)


@dataclass(frozen=True)
class Target:
    """One target's level and how much seeds move it."""

    level: float
    luck: float


@dataclass(frozen=True)
class Condition:
    """One arm: what it adds to the latent score, and how its runs vary."""

    n_runs: int
    shift: float = 0.0
    sd: float = 1.0
    collapse: float = 0.0


@lru_cache(maxsize=2)
def _luck_nodes(noise: str) -> Array:
    grid = (np.arange(1000) + 0.5) / 1000
    return stats.norm.ppf(grid) if noise == "gaussian" else stats.t.ppf(grid, 3) / np.sqrt(3)


def true_score(world: World, target: Target, condition: Condition) -> float:
    """The population's score, mean over seeds that do not collapse."""
    luck = condition.sd * target.luck * _luck_nodes(world.noise)
    if world.metric == "pearson":
        slope = 1 + condition.shift + luck
        return float((slope / np.sqrt(slope**2 + 0.8**2 + world.own**2 + NOISE**2)).mean())
    spread = np.sqrt(EASE**2 + world.own**2 + NOISE**2)
    latent = target.level + condition.shift + luck
    if world.metric == "macro_f1":
        right = CLASSES[:, None] * ndtr((latent + CLASS_LEVELS[:, None]) / spread)
        missed = CLASSES[:, None] - right
        invented = (missed.sum(axis=0) - missed) / (len(CLASSES) - 1)
        return float((2 * right / (2 * right + missed + invented)).mean())
    right = ndtr(latent / spread)
    if world.metric == "accuracy":
        return float(right.mean())
    found = MEAN_MENTIONS * right
    return float((2 * found / (found + ndtr((INVENTED - latent) / spread) + MEAN_MENTIONS)).mean())


def collapsed_score(metric: str) -> float:
    """The population's score of a run that collapsed."""
    share = float(CLASSES[0])
    return {"accuracy": MAJORITY, "macro_f1": 2 * share / (1 + share) / len(CLASSES)}.get(metric, 0.0)


def null_shift(world: World, target: Target, pair: Condition, single: Condition) -> float:
    """The pair's latent shift that makes the gain zero: arms of unequal SD have unequal scores without it."""
    if pair.sd == single.sd:
        return 0.0
    single_score = true_score(world, target, single)
    return float(brentq(lambda shift: true_score(world, target, Condition(1, shift, pair.sd)) - single_score, -20, 20))
