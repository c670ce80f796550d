"""The runs of groups of three or more tasks that a study of pairs can count."""

from __future__ import annotations

from taskaffinity.runs.plan import Plan, multitask_runs, without_unused_settings
from taskaffinity.runs.study import Study

_MEASURED_WITH = {"baseline": "single", "evaluate_after": "joint", "init_from": "encoder"}


def can_measure(study: Study) -> bool:
    """Return whether the gain of a group can be compared with the gains of the study's pairs."""
    return not study.is_external and setting_without_groups(study) is None


def setting_without_groups(study: Study) -> tuple[str, str, str] | None:
    """Return a setting with which no gain of a group compares with those of pairs, or None.

    It has its name, its value, and the value with which they compare.
    """
    settings = ((name, getattr(study, name), usual) for name, usual in _MEASURED_WITH.items())
    return next((one for one in settings if one[1] != one[2]), None)


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
