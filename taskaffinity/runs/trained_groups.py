"""The runs of groups of three or more tasks that a study of pairs can count."""

from __future__ import annotations

from taskaffinity.runs.plan import Plan, multitask_runs, without_unused_settings
from taskaffinity.runs.study import Study


def can_measure(study: Study) -> bool:
    """Return whether the gain of a group can be compared with the gains of the study's pairs."""
    design = (study.baseline, study.evaluate_after, study.init_from)
    return not study.is_external and design == ("single", "joint", "encoder")


def trained_groups(study: Study) -> Plan:
    """Return the runs of groups whose gains compare with those of the study's pairs; none if ``can_measure`` is false.

    They are all tasks together, with the seeds of the study, and the groups of its plan.
    """
    if not can_measure(study):
        return Plan(())
    whole = without_unused_settings(
        multitask_runs(study.refs, study.encoder, study.recipe, study.seeds),
        {card.name: card.kind for card in study.tasks},
    )
    runs = [spec for spec in study.plan if spec.variant == "plain" and spec.stage == "refine"]
    return Plan.of(spec for spec in (*runs, *whole) if len(spec.tasks) > 2)
