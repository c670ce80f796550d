"""What limits the evidence for each arrow, in short notes for tables and captions.

``advice`` says the same in whole sentences, with what helps.
"""

from __future__ import annotations

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.cautions.of_data import (
    describe_long_rows,
    describe_repeated,
    describe_unknown_tokens,
    describe_used_sizes,
    long_rows_of,
    repeated_of,
    unknown_tokens_of,
    used_of,
)
from taskaffinity.analysis.cautions.of_study import has_ceiling, is_error
from taskaffinity.analysis.cautions.rare_classes import FEWEST_EXAMPLES
from taskaffinity.analysis.statistics.documents import FEWEST_DOCUMENTS, unit_of
from taskaffinity.analysis.style import plural

_MOST_NAMED = 4


def arrow_notes(matrix: AffinityMatrix, arrow: tuple[int, int]) -> list[str]:
    """Return the notes on an arrow.

    They concern its runs, the training and the data of both tasks, and the target's test set.
    """
    s, t = arrow
    target = matrix.tasks[t]
    notes = [
        f"{collapsed} of {runs} {arm} runs collapsed"
        for collapsed, runs, arm in (
            (matrix.collapsed_pair[arrow], matrix.seeds_pair[arrow], "pair"),
            (matrix.collapsed_single[arrow], matrix.seeds_single[arrow], "baseline"),
        )
        if collapsed
    ]
    notes += [f"{target} {one.words}" for one in matrix.equal_runs if one.task == target]
    for place in (t, s):
        card = matrix.study.tasks[place]
        notes += [f"{card.name} {fault.words}" for fault in matrix.undertrained if fault.task == card.name]
        if words := long_rows_of(card):
            notes.append(f"{card.name} has long rows ({words})")
        if words := unknown_tokens_of(card):
            notes.append(f"{card.name} has unknown tokens ({words})")
        if words := used_of(card):
            notes.append(f"{card.name} is sampled ({words})")
    notes += [
        leak.line for leak in matrix.study.leaks if leak.task == target and leak.other in (target, matrix.tasks[s])
    ]
    if has_ceiling(matrix, t):
        best = "error of 0" if is_error(matrix, t) else "score of 100"
        notes.append(f"{target} has a single-task {best}, so no task can improve it")
    if matrix.rule.estimand == "population" and 0 < matrix.effective_documents[t] < FEWEST_DOCUMENTS:
        unit = unit_of(matrix.n_documents[t], matrix.n_test[t])
        notes.append(f"{target} has {matrix.effective_documents[t]:.3g} effective test {unit}s")
    if matrix.rule.estimand == "population" and (words := repeated_of(matrix.study.tasks[t])):
        notes.append(f"{target} has repeated test texts (standard error over examples too small by a factor: {words})")
    rare = [one for one in matrix.rare_classes if one.task == target and one.is_official]
    if rare:
        notes.append(
            f"{target} has {len(rare)} {'class' if len(rare) == 1 else 'classes'} of fewer than {FEWEST_EXAMPLES} test "
            "examples"
        )
    return notes


def notes_in_caption(matrix: AffinityMatrix) -> list[str]:
    """Return sentences on undertrained tasks, leaks and the data.

    Undertrained tasks are named and leaks are counted. The list is empty without a note.

    Other sentences of the caption describe collapsed runs, documents and rare classes.
    """
    titles = dict(zip(matrix.tasks, matrix.titles, strict=True))
    parts = []
    for fault, words in (
        ("zero", "scored 0 in single-task training"),
        ("hardly", "hardly learned in single-task training"),
        ("majority", "scored no better on test than the largest class"),
        ("climbing", "still improved when single-task training ended"),
    ):
        named = [titles[one.task] for one in matrix.undertrained if one.fault == fault]
        if named:
            parts.append(f"{', '.join(named) if len(named) <= _MOST_NAMED else plural(len(named), 'task')} {words}")
    if matrix.equal_runs:
        named = [titles[one.task] for one in matrix.equal_runs]
        parts.append(
            f"{', '.join(named) if len(named) <= _MOST_NAMED else plural(len(named), 'task')} "
            f"{'has' if len(named) == 1 else 'have'} runs that repeat another run"
        )
    from_dev = sum(leak.is_from_dev for leak in matrix.study.leaks)
    if from_training := len(matrix.study.leaks) - from_dev:
        parts.append(f"{plural(from_training, 'leak')} from training to evaluation examples")
    if from_dev:
        parts.append(f"{plural(from_dev, 'leak')} from dev to test examples")
    sentences = [f"Caution: {'; '.join(parts)}."] if parts else []
    study = matrix.study
    of_sizes = [*describe_long_rows(study), *describe_unknown_tokens(study), *describe_used_sizes(study)]
    return [*sentences, *of_sizes, *describe_repeated(study, matrix.rule)]
