"""Advice on undertrained baselines, from the training loss and dev score of every epoch.

More seeds cannot repair a baseline that is not trained to its end.
"""

from __future__ import annotations

from statistics import fmean

from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

MIN_LOSS_DROP = 0.1
"""A task hardly learns if its training loss falls by less than this share from the first to the last epoch."""
MIN_CLIMB = 2.0
"""A task is undertrained if its dev score rises by so many points from the middle to the last epoch."""


def describe_undertrained(study: Study, store: RunStore) -> list[str]:
    """Return lines on tasks whose single-task runs hardly learned, or still improved; means over seeds.

    Studies that evaluate after fine-tuning or start from multi-task weights give none: they train in two parts.
    """
    if study.evaluate_after == "finetune" or study.init_from != "encoder":
        return []
    hardly, climbing = [], []
    for card in study.tasks:
        histories = [
            run.history
            for spec in study.plan
            if spec.arm == "single" and spec.task_names == (card.name,) and (run := store.get(spec))
        ]
        losses, scores = (
            [[epoch[what][card.name] for epoch in history if card.name in epoch.get(what, {})] for history in histories]
            for what in ("loss", "dev")
        )
        fell = [1 - of_run[-1] / of_run[0] for of_run in losses if len(of_run) > 1 and of_run[0] > 0]
        climbs = [100 * (of_run[-1] - of_run[(len(of_run) - 1) // 2]) for of_run in scores if len(of_run) > 1]
        if fell and fmean(fell) < MIN_LOSS_DROP:
            hardly.append(f"{card.title} ({100 * fmean(fell):.0f} %)")
        elif climbs and fmean(climbs) >= MIN_CLIMB:
            climbing.append(f"{card.title} (+{fmean(climbs):.1f})")
    advice = "more epochs, a higher learning_rate or a smaller batch_size (--set) help more than more seeds"
    lines = []
    if hardly:
        lines.append(
            "These tasks hardly learned in single-task training (fall of the training loss): "
            f"{', '.join(hardly)}; {advice}."
        )
    if climbing:
        more = "" if hardly else f"; {advice}"
        lines.append(
            "These tasks were still improving at the end of single-task training (dev points over the last half): "
            f"{', '.join(climbing)}{more}."
        )
    return lines
