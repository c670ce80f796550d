"""Studies drawn from a distribution whose true gains are known: what the tests of an arrow are judged on.

A latent score of run r on example i: ``ease_i + own_i(arm) + luck_r + noise_ri``. The example's ease is normal (SD 2)
about the target's level, ``own`` is what an arm does to an example whatever the seed (SD 0.4; what makes the choice of
test examples matter), luck is the seed's (Gaussian, or Student's t with 3 degrees of freedom scaled to one SD; its SD
is 0.15 times a log-normal factor of the target), noise has SD 0.7. A gain is planted as a shift of the pair's latent
score. From the latent score

* ``accuracy``: an example is right if it is above zero;
* ``span_f1``: an example has 0 to 4 gold spans (Poisson 1.5, cut); each is found if latent + fresh noise is above zero,
  and one span is invented if latent + fresh noise is below -1.5;
* ``pearson``: gold x is standard normal, the prediction is ``(1 + luck) x + 0.8 ease' + own + noise`` with the ease
  standardised; a shift adds to the slope.

True gains are the population's, over examples in closed form and over luck by quadrature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from taskaffinity.analysis.statistics.arms import Arms
from taskaffinity.analysis.statistics.standard_errors import Arm
from taskaffinity.tasks.metrics import METRICS

Array = np.ndarray
EASE, OWN, NOISE, LUCK = 2.0, 0.4, 0.7, 0.15
INVENTED = -1.5
NOISES = ("gaussian", "student_t3")
SIMULATED_METRICS = ("accuracy", "span_f1", "pearson")
_SPANS = np.minimum(np.arange(30), 4)
MEAN_SPANS = float((stats.poisson.pmf(np.arange(30), 1.5) * _SPANS).sum())


@dataclass(frozen=True)
class Target:
    """One target's level and how much seeds move it."""

    level: float
    luck: float


def draw_target(rng: np.random.Generator) -> Target:
    return Target(float(rng.normal(1.5, 0.5)), LUCK * float(np.exp(rng.normal(0, 0.5))))


def draw_luck(rng: np.random.Generator, noise: str, size: int) -> Array:
    return rng.standard_normal(size) if noise == "gaussian" else rng.standard_t(3, size) / np.sqrt(3)


@dataclass(frozen=True)
class Examples:
    """A target's test set."""

    ease: Array  # (n,)
    gold: Array  # (n,) spans, or gold scores


def draw_examples(rng: np.random.Generator, metric: str, n: int) -> Examples:
    gold = np.minimum(rng.poisson(1.5, n), 4) if metric == "span_f1" else rng.standard_normal(n)
    return Examples(EASE * rng.standard_normal(n), gold)


def draw_arm(
    rng: np.random.Generator, metric: str, target: Target, examples: Examples, n_runs: int, noise: str, shift: float
) -> Arm:
    """Runs of one arm on these examples."""
    n = len(examples.ease)
    own = OWN * rng.standard_normal(n)
    luck = target.luck * draw_luck(rng, noise, n_runs)[:, None]
    fresh = rng.standard_normal((n_runs, n), dtype=np.float32) * NOISE
    if metric == "pearson":
        predicted = (1 + shift + luck) * examples.gold + 0.8 * examples.ease / EASE + own + fresh
        counts = np.stack([METRICS["pearson"].tally(examples.gold, run, ()) for run in predicted])
        return Arm.from_counts(counts, METRICS["pearson"])
    latent = target.level + shift + examples.ease + own + luck
    if metric == "accuracy":
        right = (latent + fresh > 0).astype(np.float64)
        return Arm.from_counts(np.stack([right, np.ones_like(right)], axis=-1), METRICS["accuracy"])
    found = rng.binomial(examples.gold.astype(int), stats.norm.cdf(latent / NOISE)).astype(np.float64)
    invented = (latent + fresh < INVENTED).astype(np.float64)
    return Arm.from_counts(np.stack([found, invented, examples.gold - found], axis=-1), METRICS["span_f1"])


def true_score(metric: str, target: Target, shift: float, noise: str) -> float:
    """The population's score, mean over seeds."""
    grid = (np.arange(4000) + 0.5) / 4000
    luck = target.luck * (stats.norm.ppf(grid) if noise == "gaussian" else stats.t.ppf(grid, 3) / np.sqrt(3))
    if metric == "pearson":
        slope = 1 + shift + luck
        return float((slope / np.sqrt(slope**2 + 0.8**2 + OWN**2 + NOISE**2)).mean())
    spread = np.sqrt(EASE**2 + OWN**2 + NOISE**2)
    right = stats.norm.cdf((target.level + shift + luck) / spread)
    if metric == "accuracy":
        return float(right.mean())
    found = MEAN_SPANS * right
    invented = stats.norm.cdf((INVENTED - target.level - shift - luck) / spread)
    return float((2 * found / (found + invented + MEAN_SPANS)).mean())


def draw_study(
    rng: np.random.Generator,
    metric: str,
    *,
    shifts: Array,
    n_test: int,
    seeds_pair: int,
    seeds_single: int,
    noise: str = "gaussian",
) -> tuple[Arms, Array]:
    """A study and its true gains, ``[source, target]``, diagonal NaN.

    Parameters
    ----------
    shifts : (n_tasks, n_tasks)
        Latent shift of every arrow, 0 for a null.
    """
    names = tuple(f"t{place}" for place in range(len(shifts)))
    found, gains = {}, np.full(shifts.shape, np.nan)
    for t, name in enumerate(names):
        target, examples = draw_target(rng), draw_examples(rng, metric, n_test)
        found[name, "single", ""] = draw_arm(rng, metric, target, examples, seeds_single, noise, 0.0)
        alone = true_score(metric, target, 0.0, noise) if shifts[:, t].any() else 0.0
        for s, source in enumerate(names):
            if s == t:
                continue
            shift = float(shifts[s, t])
            found[name, "pair", source] = draw_arm(rng, metric, target, examples, seeds_pair, noise, shift)
            gains[s, t] = true_score(metric, target, shift, noise) - alone if shift else 0.0
    return Arms(names, found, {key: tuple(range(arm.n_runs)) for key, arm in found.items()}), gains
