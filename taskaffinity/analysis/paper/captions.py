"""Sentences that explain the tables of stages and of encoders, with what is missing from them."""

from __future__ import annotations

from collections.abc import Sequence

from taskaffinity.analysis.captions import SYNTHETIC
from taskaffinity.analysis.paper.encoders import ENCODER_TABLES, EncoderScores
from taskaffinity.analysis.paper.stages import PAPER_TABLES, lacks_tasks, paper_number, paper_table, uneven
from taskaffinity.analysis.style import plural
from taskaffinity.analysis.training_conditions import describe_precision
from taskaffinity.runs.paper_protocol import describe_protocol
from taskaffinity.runs.study import Study

_PAPERS_ROWS = (
    " The paper's rows have one seed, with the epoch selected on test. Its single-task row comes from another code"
    " base. That code trains 30 epochs for tagging and similarity, and 10 for relations and inference. Only its taggers"
    " are trained on dev too; their losses are summed over padding."
)
_DDI = " Its DDI is probably macro-F1."
_ALL_TASKS = " Its multi-task models have all {} tasks of the table."
_OFFER = " --baseline paper-single trains single tasks by these recipes."


def describe_stages(
    study: Study, uneven: Sequence[str] = (), failures: Sequence[str] = (), *, of_table: bool = True
) -> str:
    """Return how to read the table of a study in stages, with what is missing from it.

    Parameters
    ----------
    uneven : sequence of str
        Means over fewer seeds than planned.
    failures : sequence of str
        Failed runs.
    of_table : bool
        False for a figure, which has neither standard deviations nor the paper's rows.
    """
    lengths = sorted({recipe.num_train_epochs for recipe in study.finetune.values()})
    rates = sorted({recipe.learning_rate for recipe in study.finetune.values()})
    after = (
        f", then {'1 epoch' if lengths == [1] else f'{_range(lengths)} epochs'} of fine-tuning at learning rate "
        f"{_range(rates)}"
        if rates
        else ""
    )
    mean = "mean (SD)" if of_table else "mean"
    level = f"{100 * (1 - study.rule.alpha):g}%"
    interval = f"with its {level} interval, not adjusted" if len(study.seeds) > 1 else "without an interval (one seed)"
    stamp = f" {SYNTHETIC.capitalize()}: not real data." if study.synthetic else ""
    number = paper_number(study, PAPER_TABLES)
    return (
        f"Test scores in points, {mean} over {plural(len(study.seeds), 'seed')}; gain over single-task training "
        f"{interval}. Suite {study.suite}; encoder {study.encoder.name}"
        f"{describe_precision(study)}; {_epochs(study)}{after}; "
        f"{describe_protocol(study)}.{stamp}"
        + (_papers_rows(study, number) if of_table and number else "")
        + (f" Fewer seeds: {', '.join(uneven)}." if uneven else "")
        + (f" Failed and left out: {'; '.join(failures)}." if failures else "")
    )


def _epochs(study: Study) -> str:
    """Return the epochs of joint training, and those of single-task training if they differ."""
    joint = f"{plural(study.recipe.num_train_epochs, 'epoch')} at learning rate {study.recipe.learning_rate:g}"
    if not study.single_recipes:
        return f"{joint}, single-task and multi-task"
    lengths = sorted({recipe.num_train_epochs for recipe in study.single_recipes.values()})
    rates = sorted({recipe.learning_rate for recipe in study.single_recipes.values()})
    epochs = "1 epoch" if lengths == [1] else f"{' or '.join(map(str, lengths))} epochs"
    alone = f"{epochs} at learning rate {_range(rates)}"
    return f"single-task by the recipes of the paper's single-task models, {alone}; multi-task {joint}"


def _papers_rows(study: Study, number: int) -> str:
    more = _ALL_TASKS.format(len(paper_table(number).columns) - 1) if lacks_tasks(study, number) else ""
    ddi = _DDI if any(card.name == "ddi2013-type" for card in study.tasks) else ""
    return _PAPERS_ROWS + ddi + more + ("" if study.baseline == "paper-single" else _OFFER)


def _range(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


def describe_encoders(encoders: Sequence[EncoderScores]) -> str:
    """Return how to read the table of several encoders, with what is missing from it."""
    studies = [encoder.study for encoder in encoders]
    few = [f"{e.study.encoder.name}, {problem}" for e in encoders for problem in uneven(e.study, e.fine_tuned)]
    failed = [f"{e.study.encoder.name}, {problem}" for e in encoders for problem in e.failed]
    first = studies[0]
    seeds = sorted({len(study.seeds) for study in studies})
    differ = len({study.recipes for study in studies}) > 1
    paper = paper_number(first, ENCODER_TABLES) == 5
    stamp = f" {SYNTHETIC.capitalize()}: not real data." if first.synthetic else ""
    return (
        f"Test scores in points after fine-tuning, mean (SD) over {' or '.join(map(str, seeds))} "
        f"{'seed' if seeds == [1] else 'seeds'}. Suite {first.suite}; {describe_protocol(first)}"
        f"{describe_precision(first)}.{stamp}"
        + (" The rows differ in more settings than the encoder." if differ else "")
        + (" The last row of the paper's Table 5 repeats its Table 3's refinement: a copy error." if paper else "")
        + (f" Fewer seeds: {', '.join(few)}." if few else "")
        + (f" Failed and left out: {'; '.join(failed)}." if failed else "")
    )
