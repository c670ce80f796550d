"""Whether tasks had learned what they could alone: more seeds cannot mend a baseline that was not trained.

What is said is advice, not a verdict, and rests on what every run keeps: its training loss and dev score by epoch.
"""

from __future__ import annotations

from statistics import fmean

from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

HARDLY = 0.1
"""A task hardly learned if its training loss fell by less than this share from the first epoch to the last."""
CLIMB = 2.0
"""Points of dev score from the middle epoch to the last from which on a task had not come to its end."""


def describe_undertrained(study: Study, store: RunStore) -> list[str]:
    """Lines on tasks whose runs alone hardly learned, or still climbed; means over seeds.

    Of gains that are read as they were trained, from the encoder: elsewhere training had two parts.
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
        if fell and fmean(fell) < HARDLY:
            hardly.append(f"{card.title} ({100 * fmean(fell):.0f} %)")
        elif climbs and fmean(climbs) >= CLIMB:
            climbing.append(f"{card.title} (+{fmean(climbs):.1f})")
    first = "more epochs, a higher learning_rate or a smaller batch_size (--set) come before more seeds"
    lines = []
    if hardly:
        lines.append(f"Hardly learned alone, by how far the training loss fell: {', '.join(hardly)}; {first}.")
    if climbing:
        more = "" if hardly else f"; {first}"
        lines.append(
            f"Still climbing alone, in points of dev over the last half of the epochs: {', '.join(climbing)}{more}."
        )
    return lines
