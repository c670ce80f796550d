"""Studies drawn from a distribution whose true gains are known: what the tests of an arrow are judged on.

``simulated_worlds`` describes the distributions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtr
from simulated_worlds import (
    CLASS_LEVELS,
    CLASSES,
    EASE,
    INVENTED,
    LUCK,
    MAJORITY,
    NOISE,
    SHARED_EASE,
    SHARED_OWN,
    Array,
    Condition,
    Target,
    World,
    collapsed_score,
    null_shift,
    true_score,
)

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.tasks.metrics import METRICS


@dataclass(frozen=True)
class Examples:
    """A target's test set."""

    ease: Array  # (n,)
    gold: (
        Array  # (n,) number of mentions, gold score, class (macro-F1), or whether it is the majority's class (accuracy)
    )
    documents: Array | None  # (n,) number of the document, from 0 without gaps


@dataclass(frozen=True)
class SimulatedStudy:
    """A study and its truth; arrays ``[source, target]``, diagonal NaN."""

    arms: Arms
    gains: Array
    """True gains, over all runs."""
    trained_gains: Array
    """True gains among runs that do not collapse."""
    collapsed: dict[Key, Array]
    """Of each arm, which runs collapsed."""


def draw_target(rng: np.random.Generator, luck: float = LUCK) -> Target:
    return Target(float(rng.normal(1.5, 0.5)), luck * float(np.exp(rng.normal(0, 0.5))))


def draw_luck(rng: np.random.Generator, noise: str, size: int) -> Array:
    return rng.standard_normal(size) if noise == "gaussian" else rng.standard_t(3, size) / np.sqrt(3)


def draw_documents(rng: np.random.Generator, world: World) -> Array | None:
    """Documents of the examples; by chance fewer than the world has, but two at least."""
    if not world.documents:
        return None
    if world.sizes == "equal":
        return np.arange(world.n_test) % world.documents
    if world.sizes == "large":
        return np.append(np.arange(world.n_test - 2) % world.documents, world.documents + np.arange(2))
    if world.sizes == "geometric":
        factor = np.sqrt((world.documents - 1) / (world.documents + 1))  # (1 + f²) / (1 - f²) effective documents
        places = np.floor(np.log1p(-(np.arange(world.n_test) + 0.5) / world.n_test) / np.log(factor))
        return np.unique(places, return_inverse=True)[1]
    while True:
        shares = rng.dirichlet(np.full(world.documents, 0.5))
        documents = np.unique(rng.choice(world.documents, world.n_test, p=shares), return_inverse=True)[1]
        if documents.max() > 0:
            return documents


def draw_effects(rng: np.random.Generator, sd: float, n: int, documents: Array | None, shared: float) -> Array:
    """Effects on examples, of one SD; those of one document have a share of the variance in common."""
    own_part = rng.standard_normal(n)
    if documents is None:
        return sd * own_part
    together = rng.standard_normal(documents.max() + 1)[documents]
    return sd * (np.sqrt(shared) * together + np.sqrt(1 - shared) * own_part)


def draw_examples(rng: np.random.Generator, world: World) -> Examples:
    n, documents = world.n_test, draw_documents(rng, world)
    gold = {
        "accuracy": lambda: rng.random(n) < MAJORITY,
        "span_f1": lambda: np.minimum(rng.poisson(1.5, n), 4),
        "pearson": lambda: rng.standard_normal(n),
        "macro_f1": lambda: rng.choice(len(CLASSES), n, p=CLASSES),
    }[world.metric]()
    return Examples(draw_effects(rng, EASE, n, documents, SHARED_EASE), gold, documents)


def draw_arm(
    rng: np.random.Generator, world: World, target: Target, examples: Examples, condition: Condition
) -> tuple[Arm, Array]:
    """Runs of one arm on these examples, and which of them collapsed."""
    n, n_runs, gold = world.n_test, condition.n_runs, examples.gold
    own = draw_effects(rng, world.own, n, examples.documents, SHARED_OWN)
    luck = (condition.sd * target.luck * draw_luck(rng, world.noise, n_runs))[:, None].astype(np.float32)
    fresh = rng.standard_normal((n_runs, n), dtype=np.float32) * np.float32(NOISE)
    if world.metric == "pearson":
        planes = _pearson_planes(gold, (1 + condition.shift + luck) * gold + 0.8 * examples.ease / EASE + own + fresh)
    else:
        latent = luck + (target.level + condition.shift + examples.ease + own).astype(np.float32)
        planes = {"accuracy": _accuracy_planes, "span_f1": _mention_planes, "macro_f1": _macro_planes}[world.metric](
            rng, gold, latent, fresh
        )
    collapsed = rng.random(n_runs) < condition.collapse
    if collapsed.any():
        planes[:, collapsed] = _collapsed_planes(world.metric, gold)[:, None]
    return Arm.from_counts(np.moveaxis(planes, 0, -1), METRICS[world.metric], examples.documents), collapsed


def _accuracy_planes(rng: np.random.Generator, gold: Array, latent: Array, fresh: Array) -> Array:
    """(2, n_runs, n), the counts of ``METRICS``; below, too."""
    planes = np.ones((2, *latent.shape))
    planes[0] = latent + fresh > 0
    return planes


def _mention_planes(rng: np.random.Generator, gold: Array, latent: Array, fresh: Array) -> Array:
    chance = ndtr(latent / np.float32(NOISE))
    found = np.zeros(latent.shape, dtype=np.float32)
    for mention in range(int(gold.max())):
        found += (rng.random(latent.shape, dtype=np.float32) < chance) & (gold > mention)
    return np.stack([found, latent + fresh < INVENTED, gold - found])


def _macro_planes(rng: np.random.Generator, gold: Array, latent: Array, fresh: Array) -> Array:
    levels = CLASS_LEVELS.astype(np.float32)[gold]
    other = (gold + rng.integers(1, len(CLASSES), latent.shape)) % len(CLASSES)
    return _class_planes(gold, np.where(latent + levels + fresh > 0, gold, other))


def _class_planes(gold: Array, predicted: Array) -> Array:
    """``tp, fp, fn`` of every class in turn."""
    planes = []
    for label in range(len(CLASSES)):
        is_gold, is_predicted = gold == label, predicted == label
        planes += [is_gold & is_predicted, ~is_gold & is_predicted, is_gold & ~is_predicted]
    return np.stack(planes).astype(np.float64)


def _pearson_planes(gold: Array, predicted: Array) -> Array:
    x = np.broadcast_to(gold, predicted.shape)
    return np.stack([np.ones_like(predicted), x, predicted, x * x, predicted**2, x * predicted])


def _collapsed_planes(metric: str, gold: Array) -> Array:
    """(n_counts, n), the counts of a run that predicts the majority class, no mention, or a constant."""
    if metric == "accuracy":
        return np.stack([gold, np.ones_like(gold)]).astype(np.float64)
    if metric == "macro_f1":
        return _class_planes(gold, np.zeros_like(gold))
    if metric == "pearson":
        return _pearson_planes(gold, np.zeros(len(gold)))
    return np.stack([np.zeros(len(gold)), np.zeros(len(gold)), gold])


def draw_study(rng: np.random.Generator, world: World, shifts: Array | None = None) -> SimulatedStudy:
    """Draw a study.

    Parameters
    ----------
    shifts : (n_tasks, n_tasks), optional
        Latent shift of every arrow; 0 (the default) for a null among runs that train.
    """
    size, study_world = world.tasks, world
    shifts = np.zeros((size, size)) if shifts is None else shifts
    names = tuple(f"t{place}" for place in range(size))
    found: dict[Key, Arm] = {}
    collapsed: dict[Key, Array] = {}
    gains, trained = np.full((2, size, size), np.nan)
    for t, name in enumerate(names):
        world = study_world.of_target(t)
        target, examples = draw_target(rng, world.luck), draw_examples(rng, world)
        draw = partial(draw_arm, rng, world, target, examples)
        single = Condition(world.single_runs, 0.0, world.sd_single, world.collapse_single)
        pair = Condition(world.seeds_pair, 0.0, world.sd_pair, world.collapse_pair)
        level = null_shift(world, target, pair, single)
        found[name, "single", ""], collapsed[name, "single", ""] = draw(single)
        single_score = true_score(world, target, single)
        lost = (world.collapse_single - world.collapse_pair) * (single_score - collapsed_score(world.metric))
        for s, source in enumerate(names):
            if s == t:
                continue
            shifted = Condition(pair.n_runs, level + float(shifts[s, t]), pair.sd, pair.collapse)
            found[name, "pair", source], collapsed[name, "pair", source] = draw(shifted)
            trained[s, t] = true_score(world, target, shifted) - single_score if shifts[s, t] else 0.0
            gains[s, t] = (1 - world.collapse_pair) * trained[s, t] + lost
    seeds = {key: tuple(range(arm.n_runs)) for key, arm in found.items()}
    return SimulatedStudy(Arms(names, found, seeds), gains, trained, collapsed)
