"""Gather the probes of a study from its results folder, and estimate gains from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

from taskaffinity.analysis.cautions.collapsed_runs import is_constant
from taskaffinity.analysis.cautions.undertrained import MIN_LOSS_DROP, loss_drop
from taskaffinity.analysis.estimates.probes import Estimate, Probed, estimates
from taskaffinity.runs.probe_result import ProbeResult, read_probe
from taskaffinity.runs.probes import Costs, ProbeDesign, probes_of, singles_to_probe, target_only, updates_of
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

NOT_LEARNED = "the {} has not learned its task in single-task training: a run predicts the same for every example"
HARDLY = (
    f"the {{}} hardly learned its task in single-task training: its training loss fell by less than {MIN_LOSS_DROP:.0%}"
)
NO_SINGLE = "a single-task run of the {} is missing or failed"
NO_PROBE = "a probe is missing or failed"


@dataclass(frozen=True)
class Gathered:
    """The probes of a study by what its results folder holds now."""

    study: Study
    store: RunStore
    design: ProbeDesign

    @cached_property
    def singles(self) -> dict[tuple[str, int], RunSpec]:
        """The single-task runs that probes continue, by task and seed."""
        return singles_to_probe(self.study, self.design.repeats)

    @cached_property
    def faults(self) -> dict[str, str]:
        """The reason why a task takes part in no probe.

        The text has a placeholder for the role of the task.
        """
        faults = {}
        runs: dict[str, list[RunResult]] = {}
        for (name, _), spec in self.singles.items():
            result = self.store.get(spec)
            runs.setdefault(name, []).extend([result] if result else [])
            if result is None:
                faults[name] = NO_SINGLE
            elif is_constant(result, name, result.outcomes[name].metric):
                faults[name] = NOT_LEARNED
        hardly = {name: HARDLY for name, of_task in runs.items() if loss_drop(name, of_task) < MIN_LOSS_DROP}
        return hardly | faults

    @cached_property
    def probes(self) -> list[RunSpec]:
        """The probe of every arrow and seed; the single-task runs are done."""
        dev = {
            (name, seed): self.store.read(spec).outcomes[name].dev_score
            for (name, seed), spec in self.singles.items()
            if name not in self.faults
        }
        return list(probes_of(self.study, self.design, self.singles, dev))

    @cached_property
    def found(self) -> dict[RunSpec, ProbeResult]:
        """The finished probes with a source."""
        return {spec: result for spec in self.probes if (result := read_probe(self.store, spec))}

    @cached_property
    def baselines(self) -> dict[RunSpec, RunSpec]:
        """Finished probe -> the probe without its source."""
        return {spec: target_only(spec, result.scores.rounds) for spec, result in self.found.items()}

    def rows(self) -> list[Estimate]:
        """An estimate of every arrow."""
        beside = {spec: read_probe(self.store, spec) for spec in self.baselines.values()}
        probed = [
            Probed(spec.partner[0], spec.task_names[0], result, other)
            for spec, result in self.found.items()
            if spec.partner and (other := beside[self.baselines[spec]])
        ]
        return estimates(probed, self._missing([(one.source, one.target) for one in probed]))

    def _missing(self, done: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Why arrows have no estimate."""
        reasons = {}
        for source, target in permutations([task.name for task in self.study.tasks], 2):
            fault = self.faults.get(target, "").format("target") or self.faults.get(source, "").format("source")
            if (source, target) not in done:
                reasons[source, target] = fault or NO_PROBE
        return reasons

    def share(self) -> float:
        """Cost of the finished probes in updates, as a share of the training of all pairs."""
        costs, total = Costs(self.study), 0.0
        for spec, result in self.found.items():
            if spec.probe and spec.partner:
                rounds = result.scores.rounds
                n = updates_of(spec.probe, rounds)
                total += costs.of_probe(spec.task_names[0], spec.partner[0], n, rounds)
        for spec in set(self.baselines.values()):
            if spec.probe:
                total += costs.of_probe(spec.task_names[0], None, updates_of(spec.probe, spec.probe.most_rounds))
        return total / costs.of_pairs()


def cost_of(spec: RunSpec, costs: Costs) -> float:
    """Expected cost of a single-task run, or of one round of a probe, in updates."""
    if spec.probe is None:
        return costs.updates(spec.task_names)
    source = spec.partner[0] if spec.partner else None
    return costs.of_probe(spec.task_names[0], source, updates_of(spec.probe, 1))
