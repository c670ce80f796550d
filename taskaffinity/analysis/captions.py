"""What the pictures say in words: the caption under a figure and the sentences that stand in for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.statistics.controls import false_positives
from taskaffinity.analysis.statistics.verdicts import CORRECTIONS
from taskaffinity.analysis.style import plural, signed
from taskaffinity.runs.paper_protocol import describe_protocol
from taskaffinity.runs.study import Baseline, Study
from taskaffinity.tasks.metrics import METRICS, title_of

OF_A_RACE = "at the level of the look that decided the arrow (a race)"
"""What a race's intervals are, for no one percentage is that of all."""

AGAINST: dict[Baseline, str] = {
    "single": "alone and paired a target has equally many updates",
    "compute-matched": "alone a target has as many updates as both tasks of the pair",
}
"""What a study's ``match`` makes fair."""

SYNTHETIC = "synthetic stand-in"

NAMED = 8
"""Up to this many tasks of one metric are named in a caption."""


def caption(matrix: AffinityMatrix) -> str:
    """How to read an arrow, in which unit, from how many seeds, with which encoder, and how sure."""
    tested = sum(not math.isnan(matrix.p[arrow]) for arrow in matrix.arrows)
    sentences = [
        f"Edge s→t: training with s changes t by that many points (100 × the metric): {describe_metrics(matrix)}.",
        f"{describe_seeds(matrix)}; encoder {encoder_name(matrix)}{describe_precision(matrix.study)}; "
        f"suite {matrix.study.suite}; "
        f"{describe_protocol(matrix.study.protocol)}; {AGAINST[matrix.study.baseline]}.",
        *describe_stage(matrix),
    ]
    if tested:
        holds = {
            "population": "new seeds and new test examples (two-way t, seed variances moderated",
            "test-set": "new seeds on this very test set (t, variances moderated",
        }[matrix.rule.estimand]
        sentences.append(
            f"{_intervals(matrix)} and verdicts hold for {holds}; "
            f"{CORRECTIONS[matrix.rule.correction]} over {plural(tested, 'arrow')} at {matrix.rule.alpha:g}"
            f"{', shared among the looks' if matrix.sequential else ''}; "
            f"no effect: surely within {describe_margin(matrix)}; inconclusive: could be either)."
        )
        sentences += describe_documents(matrix)
    if matrix.failed:
        sentences.append(f"{plural(len(matrix.failed), 'run')} failed and {_is(matrix.failed)} left out.")
    reasons = sorted({str(matrix.untested_reason[arrow]) for arrow in matrix.arrows} - {""})
    if reasons:
        untested = plural(len(matrix.arrows) - tested, "arrow")
        sentences.append(f"{untested} without a test: {', '.join(reasons)}.")
    if matrix.study.synthetic:
        sentences.append(f"A {SYNTHETIC}: the text was made for this demonstration.")
    return " ".join(sentences)


def describe(matrix: AffinityMatrix) -> str:
    """The graph as text: a sentence for every decided arrow, and what is left open."""
    stamp = f" ({SYNTHETIC})" if matrix.study.synthetic else ""
    lines = [f"Task affinity of {matrix.study.suite}{stamp}: which tasks help which, in points."]
    for verdict in ("improves", "degrades", "no effect"):
        lines += [_sentence(matrix, arrow) for arrow in matrix.select(verdict)]
    open_arrows = matrix.select("inconclusive")
    if open_arrows:
        pairs = ", ".join(f"{matrix.titles[s]} → {matrix.titles[t]}" for s, t in open_arrows)
        lines.append(f"Inconclusive, {len(open_arrows)} of {len(matrix.arrows)} arrows: {pairs}.")
        lines += describe_needs(matrix)
    return "\n".join([*lines, *describe_controls(matrix), *describe_sequential(matrix), caption(matrix), ""])


def describe_seeds(matrix: AffinityMatrix) -> str:
    """``3 seeds per pair and 6 alone``; asked for, with a word on what is missing."""
    study = matrix.study
    if study.interim_seeds:
        return f"A race of up to {len(study.seeds)} seeds per pair and {len(study.single_seeds)} alone"
    asked = f"{plural(len(study.seeds), 'seed')} per pair and {len(study.single_seeds)} alone"
    if len(study.single_seeds) == len(study.seeds):
        asked = f"{plural(len(study.seeds), 'seed')} per arm"
    against = study.single_seeds if study.baseline == "single" else study.seeds
    missing = any(
        matrix.seeds_single[arrow] < len(against) or matrix.seeds_pair[arrow] < len(study.seeds)
        for arrow in matrix.arrows
    )
    return f"{asked}, fewer where runs are missing" if missing else asked


def describe_stage(matrix: AffinityMatrix) -> list[str]:
    """A sentence where gains are read after fine-tuning, and one where training did not start from the encoder."""
    sentences = []
    if matrix.study.evaluate_after == "finetune":
        sentences.append("Gains are read after both arms were fine-tuned on the target alone.")
    if matrix.study.init_from == "multitask":
        sentences.append(
            "Both arms start from the whole set's refinement, not from the encoder; those of a seed share it, which "
            "makes intervals rather too wide than too narrow."
        )
    return sentences


def describe_metrics(matrix: AffinityMatrix) -> str:
    """``accuracy (all tasks)``; where metrics differ, each with its tasks, which are only counted in a long list."""
    by_metric: dict[str, list[str]] = {}
    for card in matrix.study.tasks:
        by_metric.setdefault(title_of(card.metric, card.kind), []).append(card.title)
    if len(by_metric) == 1 and len(matrix.tasks) > 1:
        return f"{next(iter(by_metric))} (all tasks)"
    return "; ".join(
        f"{metric} ({', '.join(titles) if len(titles) <= NAMED else plural(len(titles), 'task')})"
        for metric, titles in by_metric.items()
    )


def describe_documents(matrix: AffinityMatrix) -> list[str]:
    """A sentence where test examples are of fewer documents, which are then what a new test set draws."""
    if matrix.rule.estimand != "population":
        return []
    drawn = [
        f"{title} ({n_test:,} in {n_documents:,})"
        for title, n_test, n_documents in zip(matrix.titles, matrix.n_test, matrix.n_documents, strict=True)
        if n_documents < n_test
    ]
    return [f"Test examples of one document are drawn together: {', '.join(drawn)}."] if drawn else []


def describe_margin(matrix: AffinityMatrix) -> str:
    """``1 point of 0``, or each metric's own."""
    if len(set(matrix.margins)) == 1:
        return f"{plural(matrix.margins[0], 'point')} of 0"
    by_metric = dict(zip(matrix.metrics, matrix.margins, strict=True))
    return (
        ", ".join(f"{plural(margin, 'point')} ({METRICS[name].title})" for name, margin in by_metric.items()) + " of 0"
    )


def describe_controls(matrix: AffinityMatrix) -> list[str]:
    """What the study's controls say, a line a kind; none without controls."""
    if not matrix.controls:
        return []
    found = false_positives(matrix.controls, matrix.rule.alpha)
    positive = [control for control in matrix.controls if control.kind == "positive" and not control.untested_reason]
    if not found.tested:
        return [f"Controls: none can be tested ({matrix.controls[0].untested_reason})."]
    seen = sum(control.p <= matrix.rule.alpha and control.gain > 0 for control in positive)
    return [
        f"Placebos: {found.significant} of {found.tested} called at p <= {matrix.rule.alpha:g} (expected "
        f"{found.expected:.2g}); the study's rate of false positives lies between {100 * found.low:.0f} and "
        f"{100 * found.high:.0f} % (95 % interval).",
        f"Positive controls: {seen} of {len(positive)} targets gain from the other half of their own data.",
    ]


def describe_sequential(matrix: AffinityMatrix) -> list[str]:
    """Return what a sequential design trained and saved, with its error rates; nothing for a fixed design."""
    state, simulated = matrix.sequential, matrix.simulated
    if state is None:
        return []
    size, most = len(matrix.tasks), state.interim_seeds[-1]
    fixed = size * (size - 1) // 2 * most
    saved = f": {100 * (1 - state.pair_runs / fixed):.0f} % of the pair runs saved." if state.finished else ", so far."
    lines = [
        f"Sequential design: {state.n_done} of {len(state.interim_seeds)} interim analyses done; {state.pair_runs} "
        f"pair runs and {state.single_runs} single-task runs, where the fixed design of {most} seeds takes {fixed} and "
        f"{len(matrix.study.single_seeds) * size}{saved}"
    ]
    if simulated:
        lines.append(
            f"Of {simulated.simulations} simulations of this design with gains of zero, "
            f"{100 * simulated.false_significance:.1f} % had a significant arrow. With the gains of this study, "
            f"{100 * simulated.decided:.0f} % of the arrows were decided with {100 * simulated.pair_runs:.0f} % of the "
            f'pair runs, and {100 * simulated.false_equivalence:.1f} % of the "no effect" verdicts were wrong.'
        )
    return lines


def describe_needs(matrix: AffinityMatrix) -> list[str]:
    """A line for each thing that open arrows need, with the arrows that need it."""
    by_need: dict[str, list[str]] = {}
    for s, t in matrix.arrows:
        if matrix.recommendation[s, t]:
            by_need.setdefault(matrix.recommendation[s, t], []).append(f"{matrix.titles[s]} → {matrix.titles[t]}")
    return [f"To decide {', '.join(arrows)}: {need}." for need, arrows in by_need.items()]


def encoder_name(matrix: AffinityMatrix) -> str:
    """The encoder's name; of a path its last part, for where a folder lies is nobody else's business."""
    name = matrix.study.encoder.name
    path = PurePath(name)
    return path.name if path.is_absolute() or name.startswith((".", "~")) else name


def describe_precision(study: Study) -> str:
    """What follows an encoder's name where runs were trained in 16 bits."""
    before, after = study.recipe.precision, {recipe.precision for recipe in study.finetune.values()}
    if after <= {before}:
        return ", trained in 16 bits" if before else ""
    return ", trained in 16 bits until fine-tuning" if before else ", fine-tuned in 16 bits"


def _sentence(matrix: AffinityMatrix, arrow: tuple[int, int]) -> str:
    source, target = matrix.titles[arrow[0]], matrix.titles[arrow[1]]
    verb = "has no effect on" if matrix.verdict[arrow] == "no effect" else matrix.verdict[arrow]
    interval = "interval at the level of its look" if matrix.sequential else f"{describe_level(matrix)} interval"
    return (
        f"Training with {source} {verb} {target}: {signed(matrix.gain[arrow])} points "
        f"({interval} {signed(matrix.low[arrow])} to {signed(matrix.high[arrow])})."
    )


def _is(many: Sequence[object]) -> str:
    return "is" if len(many) == 1 else "are"


def _intervals(matrix: AffinityMatrix) -> str:
    return f"Intervals {OF_A_RACE}" if matrix.sequential else f"{describe_level(matrix)} intervals"


def describe_level(matrix: AffinityMatrix) -> str:
    """``95%``: of the intervals of a fixed design."""
    return f"{100 * (1 - matrix.rule.alpha):g}%"
