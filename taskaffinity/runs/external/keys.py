"""The rows of a table name runs: a target and its test set, the source that was trained with it, and a seed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from taskaffinity.errors import InputError, input_error, named
from taskaffinity.runs.limits import MOST_SEED, MOST_SEEDS
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.task import A_NAME, is_name

Key = tuple[str, str, int]
"""Target, source (empty for a single-task run) and seed. On a further test set the target is such as ``rte@notes``."""

_AT = "@"


def target_of(name: str) -> str:
    """Return the task of a target on a test set: ``rte`` of ``rte@notes``."""
    return name.partition(_AT)[0]


def test_set_of(name: str) -> str:
    """Return the test set of a target: ``notes`` of ``rte@notes``; empty for the first one."""
    return name.partition(_AT)[2]


def first_test_sets(names: Iterable[str]) -> dict[str, str]:
    """Return the first test set of each target, such as ``rte@notes``: the one without a name, else the first named."""
    first: dict[str, str] = {}
    for name in names:
        target = target_of(name)
        if name == target or target not in first:
            first[target] = name
    return first


def renamed(key: Key, first: Mapping[str, str]) -> Key:
    """Return a key whose target has no test set if it is the first one."""
    name, source, seed = key
    target = target_of(name)
    return (target if first.get(target) == name else name), source, seed


def key_of(where: str, target: str, source: str, seed: str, test_set: str = "") -> Key:
    """Return the target, source and seed of a row.

    Raises
    ------
    InputError
        If a name is no name of a task or test set, the source is the target, or the seed is no whole number.
    """
    if "+" in source:
        raise input_error(f"{where}: source", "several tasks", "one task: only pairs give arrows")
    for column, name in (("target", target), ("source", source)):
        if not is_name(name) and (name or column == "target"):
            raise input_error(f"{where}: {column}", named(name, ()), A_NAME)
    if test_set and not is_name(test_set):
        raise input_error(f"{where}: test_set", named(test_set, ()), A_NAME)
    if source == target:
        raise input_error(where, "a source that is the target", "another task, or nothing for a single-task run")
    number = whole_number(seed.removesuffix(".0"))  # a column with missing cells is of floats in pandas
    if number is None or number > MOST_SEED:
        raise input_error(f"{where}: seed", named(seed, ()), f"a whole number from 0 to {MOST_SEED}")
    return f"{target}{_AT}{test_set}" if test_set else target, source, number


def describe_key(key: Key) -> str:
    """Return ``rte with mnli, seed 0``."""
    target, source, seed = key
    return f"{target}{f' with {source}' if source else ' alone'}, seed {seed}"


def tasks_of(keys: Iterable[Key]) -> tuple[str, ...]:
    """Return the targets in the order of the rows, then the sources that are no target."""
    keys = list(keys)
    return tuple(dict.fromkeys([*(target_of(key[0]) for key in keys), *(key[1] for key in keys if key[1])]))


def seeds_of(keys: Iterable[Key], *, single: bool) -> tuple[int, ...]:
    """Return the sorted seeds of the single-task runs, or of the runs with a source."""
    return tuple(sorted({seed for _, source, seed in keys if bool(source) != single}))


def check_keys(keys: Collection[Key]) -> None:
    """Check that the runs make a study of pairs.

    Raises
    ------
    InputError
        If there are fewer than two tasks, a target has no single-task run, no run has a source, there are too many
        seeds, or a run is scored on a further test set only.
    """
    tasks = tasks_of(keys)
    if not keys:
        raise InputError("scores: found no row; expected a row per target, source and seed")
    if len(tasks) < 2:
        raise InputError(f"scores: found one task ({tasks[0]}); expected two or more, and rows with a source")
    singles = {target for target, source, _ in keys if not source}
    for target in dict.fromkeys(key[0] for key in keys):
        if target not in singles:
            raise InputError(f"scores: found no single-task row of {target}; expected some, with an empty source")
    if all(not source for _, source, _ in keys):
        raise InputError("scores: found no row with a source; expected pairs to compare with the single-task rows")
    known = set(keys)
    for key in keys:
        first = (target_of(key[0]), *key[1:])
        if first not in known:
            raise InputError(
                f"scores: found {describe_key(key)}; expected the same run on the first test set of {first[0]}, too"
            )
    for single in (True, False):
        if (n_seeds := len(seeds_of(keys, single=single))) > MOST_SEEDS:
            what = "of single-task rows" if single else "of rows with a source"
            raise InputError(f"scores: found {n_seeds} seeds {what}; expected at most {MOST_SEEDS}")
