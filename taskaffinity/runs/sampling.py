"""How often a run draws each of its tasks: the setting ``sampling`` of a recipe.

An epoch has a fixed number of mini-batches of each task, so counts follow from sizes and are not random.

* ``cap=K``: at most K examples of a task in an epoch, rounded up to mini-batches. The count depends on the task alone,
  so a target has as many updates in a pair as in single-task training.
* ``temperature=T``: of the mini-batches of an epoch, each task gets a share in proportion to ``n ** (1 / T)``, with
  ``n`` mini-batches in one pass over its examples. ``uniform`` gives equal shares. The total stays that of one pass
  over every task. The count depends on the partner, so only the total can be matched (``is_of_the_company``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field

from taskaffinity.tasks.numbers import finite_number

LEGAL = "proportional, uniform, temperature=T with T of at least 1, or cap=K with K examples"


class Sampling(NamedTuple):
    """A parsed setting."""

    temperature: float = 1.0
    """Infinite for ``uniform``."""
    cap: int | None = None
    """Most examples of a task in an epoch."""


def sampling_of(text: str | None) -> Sampling:
    """Parse the setting; None is ``proportional``.

    Raises
    ------
    ValueError
        If the text is none of ``LEGAL``.

    Examples
    --------
    >>> sampling_of("temperature=2"), sampling_of("uniform").temperature, sampling_of("cap=500").cap
    (Sampling(temperature=2.0, cap=None), inf, 500)
    """
    if text is None or text == "proportional":
        return Sampling()
    if text == "uniform":
        return Sampling(math.inf)
    name, _, given = text.partition("=")
    value = finite_number(given)
    if name == "temperature" and value is not None and value >= 1:
        return Sampling(value)
    if name == "cap" and value is not None and value >= 1 and value == int(value):
        return Sampling(cap=int(value))
    raise ValueError(f"sampling is {text[:40]!r}; it must be {LEGAL}")


def _canonical(value: object) -> object:
    """One text for each sampling; None for the default, so that it leaves the identity of a run as it is."""
    if not isinstance(value, str):
        return value
    found = sampling_of(value)
    if found == Sampling():
        return None
    if found.cap is not None:
        return f"cap={found.cap}"
    return "uniform" if math.isinf(found.temperature) else f"temperature={found.temperature!r}".removesuffix(".0")


SamplingText = Annotated[
    str | None,
    BeforeValidator(_canonical),
    Field(
        description="How often an epoch draws each task. none is proportional: every example once. cap=K draws at most "
        "K examples of a task, and the next K in the next epoch. temperature=T gives a task the share n^(1/T) of the "
        "mini-batches, uniform an equal share; both need --baseline compute-matched, because only the total of a "
        "pair's updates can then be matched."
    ),
]


def is_of_the_company(text: str | None) -> bool:
    """Return whether the updates of a task depend on the tasks beside it."""
    return sampling_of(text).temperature != 1


def examples_in_an_epoch(n: int, text: str | None) -> int:
    """Return how many of ``n`` examples a single-task run sees in an epoch."""
    return min(n, sampling_of(text).cap or n)


def draws(sizes: Mapping[str, int], batch_size: int, text: str | None) -> dict[str, int]:
    """Return the number of mini-batches of each task in an epoch.

    Shares are rounded by largest remainders; every task has one mini-batch at least.

    Parameters
    ----------
    sizes : mapping of int
        Examples of each task; of tagging, the parts that long sentences are split into.

    Examples
    --------
    >>> draws({"a": 900, "b": 100}, 10, None), draws({"a": 900, "b": 100}, 10, "cap=200")
    ({'a': 90, 'b': 10}, {'a': 20, 'b': 10})
    >>> draws({"a": 900, "b": 100}, 10, "temperature=2"), draws({"a": 900, "b": 100}, 10, "uniform")
    ({'a': 75, 'b': 25}, {'a': 50, 'b': 50})
    """
    sampling = sampling_of(text)
    passes = {name: math.ceil(min(n, sampling.cap or n) / batch_size) for name, n in sizes.items()}
    if sampling.temperature == 1 or len(sizes) < 2:
        return passes
    weights = {name: n ** (1 / sampling.temperature) for name, n in passes.items() if n}
    total, of_weights = sum(passes.values()), sum(weights.values())
    spare = total - len(weights)  # after one mini-batch of each
    shares = {name: max(0.0, total * weight / of_weights - 1) for name, weight in weights.items()}
    scale = spare / sum(shares.values()) if spare else 0.0
    exact = {name: share * scale for name, share in shares.items()}
    counts = {name: math.floor(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in by_remainder[: spare - sum(counts.values())]:
        counts[name] += 1
    return {name: counts[name] + 1 if name in counts else 0 for name in passes}
