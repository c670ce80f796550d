"""Print the estimates of a study."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from taskaffinity.analysis.estimates.design_file import ESTIMATES
from taskaffinity.analysis.estimates.probes import RATIO, Estimate
from taskaffinity.analysis.estimates.results import EstimateResults
from taskaffinity.analysis.estimates.validation import Agreement
from taskaffinity.analysis.style import signed_plainly

_MOST = 20
"""The largest number of printed rows with a sign. The file has all rows."""


def print_estimates(result: EstimateResults) -> None:
    """Print the arrows with a sign, count the others, and print the cost of the probes."""
    titles = {task.name: task.title for task in result.study.tasks}
    signed = sorted((row for row in result.rows if row.sign != "unclear" and not row.reason), key=_certainty)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if signed:
        console.print(_table(signed[:_MOST], titles))
    kinds = Counter(_without_sign(row) for row in result.rows if row.sign == "unclear" or row.reason)
    lines = [f"{len(signed) - _MOST} more with a sign"] * (len(signed) > _MOST)
    lines += [f"arrows without a sign: {n} of {len(result.rows)}, {why}" for why, n in sorted(kinds.items())]
    lines.append(
        f"An estimate has the sign of a gain, and not its size: a gain is about 1 to {RATIO:g} times its probe. It is "
        "no verdict; `taskaffinity pairwise` measures gains."
    )
    lines += result.cautions
    lines.append(f"cost: {_cost(result.share)}")
    lines.append(f"{result.root / ESTIMATES}, affinity.png, heatmap.png and forest.png beside it")
    for line in lines:
        console.print(line)


def _without_sign(row: Estimate) -> str:
    """Return why an arrow has no sign."""
    if row.reason:
        return f"not estimated: {row.reason}"
    if not row.source_learned:
        return "their source was not learned in the probe"
    if math.isnan(row.se):
        return "the probes give the same predictions, so their error is unknown"
    return "their interval holds 0"


def _certainty(row: Estimate) -> float:
    return -abs(row.probe) / row.se if row.se > 0 else -math.inf


def _table(rows: list[Estimate], titles: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("source", "target"):
        table.add_column(name)
    for name in ("probe", "90% interval of the gain"):
        table.add_column(name, justify="right")
    table.add_column("sign")
    for row in rows:
        low, high = row.interval
        table.add_row(
            titles[row.source],
            titles[row.target],
            signed_plainly(row.probe),
            f"[{signed_plainly(low)}, {signed_plainly(high)}]",
            row.sign,
        )
    return table


def _cost(share: float) -> str:
    return f"{100 * share:.2g}% of the training of all pairs, besides single-task training"


def print_agreement(found: Sequence[Agreement], ceiling: float, share: float) -> None:
    """Print how well each estimator agrees with the measured gains, and what the probes cost.

    Parameters
    ----------
    ceiling : float
        Correlation within targets to which noise limits every estimator; NaN if unknown.
    share : float
        Cost of the probes, as a share of the training of all pairs.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("estimator")
    for name in ("AUROC improves", "AUROC degrades", "right signs", "base rate", "within target", "in interval"):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(
            one.estimator,
            _with_interval(one.auroc_positive, one.positive_low, one.positive_high),
            _with_interval(one.auroc_negative, one.negative_low, one.negative_high),
            *(_number(x) for x in (one.sign_accuracy, one.sign_base, one.within_target, one.coverage)),
        )
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(table)
    limit = "" if math.isnan(ceiling) else f"; the noise of the measured gains limits it to {_number(ceiling)}"
    console.print(
        f"{found[0].arrows} arrows. AUROC: probability that an arrow with this verdict ranks before one without it. "
        "Right signs and base rate are of decided arrows. Within target: mean rank correlation over the sources of a "
        f"target{limit}. Cost of the probes: {_cost(share)}."
    )


def _with_interval(value: float, low: float, high: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
