"""Write the caption under a figure, and the text that replaces a figure."""

from __future__ import annotations

import math
from collections import Counter

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.cautions.gpu_models import describe_gpu_models
from taskaffinity.analysis.cautions.notes import notes_in_caption
from taskaffinity.analysis.cautions.of_study import (
    collapse_in_caption,
    describe_collapsed_arrows,
    describe_few_documents,
    describe_given_scores,
    describe_no_effect,
    describe_rare_classes,
    describe_winners_curse,
)
from taskaffinity.analysis.decisions import MOST_ARROWS, cheapest_decisions, decided_first
from taskaffinity.analysis.estimates.admission import describe_admission
from taskaffinity.analysis.estimates.of_matrix import estimated_arrows
from taskaffinity.analysis.estimates.words import describe_estimates
from taskaffinity.analysis.statistics.controls import false_positives
from taskaffinity.analysis.statistics.sequential import DEFERRED
from taskaffinity.analysis.statistics.verdicts import CORRECTIONS, NOT_MEASURED, TESTS, Verdict
from taskaffinity.analysis.style import percent, plural, signed
from taskaffinity.analysis.training_conditions import describe_training
from taskaffinity.tasks.metrics import METRICS

SEQUENTIAL_LEVEL = "at the level of the interim analysis that decided or last tested the arrow"
"""Level of the intervals of a sequential design; it differs between arrows."""

SYNTHETIC = "synthetic text"

DECIDED: tuple[Verdict, ...] = ("improves", "degrades", "no effect")

NAMED = 8
"""Most tasks of one metric that a caption names; more are counted."""


def caption(matrix: AffinityMatrix) -> str:
    """Return how to read an arrow: unit, seeds, encoder, and tests behind its verdict."""
    tested = sum(not math.isnan(matrix.p[arrow]) for arrow in matrix.arrows)
    sentences = [
        "The number on s→t is the change of t's score after training with s, in points (100 × the metric): "
        f"{describe_metrics(matrix)}.",
        f"{describe_seeds(matrix)}; {describe_training(matrix)}.",
        *describe_given_scores(matrix),
        *describe_stage(matrix),
    ]
    if tested:
        holds = {
            "population": "new seeds and new test examples",
            "test-set": "new seeds on exactly this test set",
        }[matrix.rule.estimand]
        sentences += [
            f"{_intervals(matrix)} and verdicts hold for {holds}.",
            f"They use {TESTS[matrix.rule.test]} tests"
            f"{', with the variance between seeds pooled over all arrows,' * matrix.pools_seeds}"
            f" and correct for {plural(tested + matrix.beside.tested, 'arrow')}"
            f"{' on all test sets' * bool(matrix.beside.tested)} ({CORRECTIONS[matrix.rule.correction]}) at "
            f"{matrix.rule.alpha:g}"
            f"{', spent over the interim analyses' if matrix.sequential else ''}.",
            f"No effect: shown to be within {describe_margin(matrix)}; inconclusive: neither shown.",
            *describe_no_effect(matrix),
            *describe_documents(matrix),
            *describe_few_documents(matrix),
            *describe_rare_classes(matrix, official=True),
        ]
    sentences += [*collapse_in_caption(matrix), *notes_in_caption(matrix), *describe_gpu_models(matrix.gpu_models)]
    if matrix.failed:
        sentences.append(
            f"{plural(len(matrix.failed), 'run')} failed and {'is' if len(matrix.failed) == 1 else 'are'} left out."
        )
    deferred = matrix.select(NOT_MEASURED)
    reasons = sorted({str(matrix.untested_reason[arrow]) for arrow in {*matrix.arrows} - {*deferred}} - {""})
    if reasons:
        untested = plural(len(matrix.arrows) - tested - len(deferred), "arrow")
        sentences.append(f"{untested} without a test: {', '.join(reasons)}.")
    if deferred:
        sentences.append(f"{plural(len(deferred), 'arrow')} not measured: {DEFERRED}.")
    if matrix.study.synthetic:
        sentences.append("The text is synthetic, generated for this demonstration.")
    return " ".join(sentences)


def describe(matrix: AffinityMatrix) -> str:
    """Return the graph as text, with one sentence per decided arrow.

    The inconclusive arrows and the caption follow.

    Of more than ``MOST_ARROWS`` decided arrows, the first of ``decided_first`` have a sentence and the others are
    counted by verdict. Many inconclusive arrows are only counted.
    """
    stamp = f" ({SYNTHETIC})" if matrix.study.synthetic else ""
    on = f" on test set {matrix.test_set}" * bool(matrix.test_set)
    lines = [f"Task affinity of {matrix.study.suite}{stamp}{on}: which tasks help which, in points."]
    decided = [arrow for verdict in DECIDED for arrow in matrix.select(verdict)]
    named = decided if len(decided) <= MOST_ARROWS else decided_first(matrix)
    lines += [_sentence(matrix, arrow) for arrow in named]
    counts = Counter(matrix.verdict[arrow] for arrow in set(decided) - set(named))
    if counts:
        words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in DECIDED if counts[verdict])
        lines.append(f"And {plural(len(decided) - MOST_ARROWS, 'more arrow')}, all in {matrix.table}: {words}.")
    estimated = estimated_arrows(matrix)  # they have lines of their own
    open_arrows = [arrow for arrow in matrix.select("inconclusive") if arrow not in estimated]
    if open_arrows:
        pairs = ", ".join(f"{matrix.titles[s]} → {matrix.titles[t]}" for s, t in open_arrows)
        names = f": {pairs}" if len(open_arrows) <= MOST_ARROWS else ""
        lines.append(f"Inconclusive, {len(open_arrows)} of {len(matrix.arrows)} arrows{names}.")
        lines += cheapest_decisions(matrix)
    lines += [f"Not measured, {len(matrix.select(NOT_MEASURED))} of {len(matrix.arrows)} arrows: {DEFERRED}."] * bool(
        matrix.select(NOT_MEASURED)
    )
    lines += describe_estimates(matrix)
    lines += [f"{line}." for line in describe_collapsed_arrows(matrix)]
    lines += describe_winners_curse(matrix)
    return "\n".join([*lines, *describe_controls(matrix), *describe_sequential(matrix), caption(matrix), ""])


def describe_seeds(matrix: AffinityMatrix) -> str:
    """Return the requested seeds, as ``3 seeds per pair, 6 per single task``.

    The text also says whether runs are missing.
    """
    study = matrix.study
    is_matched = study.baseline == "compute-matched"
    asked = f"{plural(len(study.seeds), 'seed')} per pair{' and per compute-matched baseline' * is_matched}"
    single = f"{len(study.single_seeds)} per single task"
    if study.interim_seeds:
        return f"Up to {asked}, {single} (sequential design)"
    if len(study.single_seeds) == len(study.seeds) and not is_matched:
        asked += " and per single task"
    else:
        asked += f", {single}"
    against = study.seeds if is_matched else study.single_seeds
    missing = any(
        matrix.seeds_single[arrow] < len(against) or matrix.seeds_pair[arrow] < len(study.seeds)
        for arrow in matrix.arrows
    )
    return f"{asked}, fewer where runs are missing" if missing else asked


def describe_stage(matrix: AffinityMatrix) -> list[str]:
    """Return sentences on fine-tuned gains and a multi-task start, if the design has them."""
    sentences = []
    study = matrix.study
    if study.stated.get("evaluated_after", study.evaluate_after) == "finetune":
        sentences.append("Gains are measured after both models are fine-tuned on the target.")
    if study.stated.get("init_from", study.init_from) == "multitask":
        sentences.append(
            "Both models start from the multi-task model of the whole set. Models of one seed share it, so intervals "
            "are too wide rather than too narrow."
        )
    return sentences


def describe_metrics(matrix: AffinityMatrix) -> str:
    """Return the metrics, as ``accuracy (all tasks)``.

    If the tasks have several metrics, each metric is named with its tasks.
    """
    by_metric: dict[str, list[str]] = {}
    for card in matrix.study.tasks:
        by_metric.setdefault(card.metric_title, []).append(card.title)
    if len(by_metric) == 1 and len(matrix.tasks) > 1:
        return f"{next(iter(by_metric))} (all tasks)"
    return "; ".join(
        f"{metric} ({', '.join(titles) if len(titles) <= NAMED else plural(len(titles), 'task')})"
        for metric, titles in by_metric.items()
    )


def describe_documents(matrix: AffinityMatrix) -> list[str]:
    """Return a sentence that names tasks with several test examples per document.

    For these tasks, a new test set draws whole documents.
    """
    if matrix.rule.estimand != "population":
        return []
    drawn = [
        f"{title} ({n_test:,} in {n_documents:,})"
        for title, n_test, n_documents in zip(matrix.titles, matrix.n_test, matrix.n_documents, strict=True)
        if n_documents < n_test
    ]
    return [f"Test examples of one document are drawn together: {', '.join(drawn)}."] if drawn else []


def describe_margin(matrix: AffinityMatrix) -> str:
    """The margin, as ``1 point of 0``, or one margin for each metric."""
    if len(set(matrix.margins)) == 1:
        return f"{plural(matrix.margins[0], 'point')} of 0"
    by_metric = dict(zip(matrix.metrics, matrix.margins, strict=True))
    return (
        ", ".join(f"{plural(margin, 'point')} ({METRICS[name].title})" for name, margin in by_metric.items()) + " of 0"
    )


def describe_controls(matrix: AffinityMatrix) -> list[str]:
    """One line for each kind of control; none without controls."""
    if not matrix.controls:
        return []
    found = false_positives(matrix.controls, matrix.rule.alpha)
    positive = [control for control in matrix.controls if control.kind == "positive" and not control.untested_reason]
    if not found.tested and not positive:
        return [f"Controls: none can be tested ({matrix.controls[0].untested_reason})."]
    lines = []
    if found.tested:
        lines.append(
            f"Placebos: {found.significant} of {found.tested} are significant at p <= {matrix.rule.alpha:g} (expected "
            f"{found.expected:.2g}); the study's rate of false positives lies between {100 * found.low:.0f} and "
            f"{100 * found.high:.0f}% (95% interval). So few placebos leave an interval of "
            f"{100 * (found.high - found.low):.0f} points; placebos of several studies can be pooled."
        )
    if positive:
        seen = sum(control.p <= matrix.rule.alpha and control.gain > 0 for control in positive)
        lines.append(
            f"Positive controls: the gain from the other half of the data is significant at p <= {matrix.rule.alpha:g} "
            f"for {seen} of {plural(len(positive), 'target')}."
        )
    return lines


def describe_sequential(matrix: AffinityMatrix) -> list[str]:
    """Return what a sequential design trained and saved, with its error rates.

    The text is empty for a fixed design.
    """
    state, simulated = matrix.sequential, matrix.simulated
    if state is None:
        return []
    size, most = len(matrix.tasks), state.interim_seeds[-1]
    fixed = size * (size - 1) // 2 * most
    saved = f": {percent(1 - state.pair_runs / fixed)} of the pair runs saved." if fixed else "."  # 0 for one task
    saved = saved if state.finished else ", so far."
    is_matched = matrix.study.baseline == "compute-matched"  # one such run per arrow and seed of its pair
    matched = f", {2 * state.pair_runs} compute-matched runs" if is_matched else ""
    lines = [
        f"Sequential design: {state.n_done} of {len(state.interim_seeds)} interim analyses done; {state.pair_runs} "
        f"pair runs{matched} and {state.single_runs} single-task runs, where the fixed design of {most} seeds takes "
        f"{fixed}{f', {2 * fixed}' * is_matched} and {len(matrix.study.single_seeds) * size}{saved}",
        *describe_admission(matrix.study),
    ]
    if simulated:
        wrong = (
            'no arrow had the verdict "no effect"'
            if math.isnan(simulated.false_equivalence)
            else f'{100 * simulated.false_equivalence:.1f}% of the "no effect" verdicts were wrong'
        )
        lines.append(
            f"Of {simulated.simulations} simulations of this design with gains of zero, "
            f"{100 * simulated.false_significance:.1f}% had a significant arrow. With the gains of this study, "
            f"{percent(simulated.decided)} of the {'measured ' * bool(matrix.study.admission)}arrows were decided "
            f"with {percent(simulated.pair_runs)} of the pair runs, and {wrong}."
        )
    return lines


def _sentence(matrix: AffinityMatrix, arrow: tuple[int, int]) -> str:
    source, target = matrix.titles[arrow[0]], matrix.titles[arrow[1]]
    verb = "has no effect on" if matrix.verdict[arrow] == "no effect" else matrix.verdict[arrow]
    interval = (
        "interval at the level of its interim analysis" if matrix.sequential else f"{describe_level(matrix)} interval"
    )
    return (
        f"Training with {source} {verb} {target}: {signed(matrix.gain[arrow])} points "
        f"({interval} {signed(matrix.low[arrow])} to {signed(matrix.high[arrow])})."
    )


def _intervals(matrix: AffinityMatrix) -> str:
    return f"Intervals {SEQUENTIAL_LEVEL}" if matrix.sequential else f"{describe_level(matrix)} intervals"


def describe_level(matrix: AffinityMatrix) -> str:
    """Level of the intervals of a fixed design, as ``95%``."""
    return f"{100 * (1 - matrix.rule.alpha):g}%"
