"""The runs that a question needs: an ordered set of specs, parents before children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from taskaffinity.runs.spec import EncoderRef, Recipe, RunSpec, TaskRef


@dataclass(frozen=True)
class Plan:
    """Specs without repeats, in the order given, every parent before its children."""

    specs: tuple[RunSpec, ...]

    @classmethod
    def of(cls, specs: Iterable[RunSpec]) -> Plan:
        return cls(tuple(dict.fromkeys(one for spec in specs for one in (*spec.lineage, spec))))

    def __iter__(self) -> Iterator[RunSpec]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def __contains__(self, spec: object) -> bool:
        return spec in self.specs

    def __or__(self, other: Plan) -> Plan:
        """Both questions; what they share is trained once."""
        return Plan.of((*self.specs, *other.specs))


def pairwise(
    tasks: Sequence[TaskRef], encoder: EncoderRef, recipe: Recipe, seeds: Sequence[int], *, full: bool = False
) -> Plan:
    """Every task alone and every unordered pair, for each seed; with ``full`` also the whole set.

    A pair's one run gives both of its arrows, so N tasks and S seeds are ``S (N + N (N - 1) / 2)`` runs.
    """
    tasks = sorted(tasks)
    sizes = [1, 2] + ([len(tasks)] if full and len(tasks) > 2 else [])
    subsets = [subset for size in sizes for subset in combinations(tasks, size)]
    return Plan.of(RunSpec(subset, encoder, seed, recipe) for seed in seeds for subset in subsets)
