"""The figures that the documentation quotes from the files of ``results/``.

    python tests/benchmarks/quoted_figures.py

prints the rows of the tables in docs/explanation/standard-errors.md and estimates.md; ``tests/test_quoted_figures.py``
compares them with the pages. A row's function computes its last cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from admitted_designs import DESIGNS, admitted_of_planted_eight
from compared_tests import NEW, OLD

RESULTS = Path(__file__).parent / "results"

Figure = Callable[[], str]


class NotMeasuredError(Exception):
    """The committed file has no such rows yet."""


def rows(name: str, **wanted: object) -> pd.DataFrame:
    """Return the rows of a file for the default test that have these values."""
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        raise NotMeasuredError(name)
    found = pd.read_csv(path)
    if "test" in found and NEW in set(found.test) and "test" not in wanted:
        wanted = {"test": NEW, **wanted}
    for column, value in wanted.items():
        if column not in found:
            if column == "cell" and value in ("base", "half null"):
                continue  # an older file has these rows alone
            raise NotMeasuredError(f"{name}: {column}")
        found = found[found[column].isin(value if isinstance(value, (list, tuple)) else [value])]
    if found.empty:
        raise NotMeasuredError(f"{name}: {wanted}")
    return found


def percents(values: Iterable[float], decimals: int = 1) -> str:
    """Return ``3.5% to 5.9%``, or one figure if both ends are equal."""
    values = list(values)
    low, high = (f"{100 * value:.{decimals}f}%" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def rate(column: str, cell: str, decimals: int = 1, **wanted: object) -> str:
    """Return the range of a column of error_rates.csv within a cell."""
    return percents(rows("error_rates", cell=cell, **wanted)[column].dropna(), decimals)


def both_rates(found: pd.DataFrame) -> str:
    """Return how often null arrows of these rows have p < .05, and p < .001 in parentheses."""
    return f"{percents(found.type1.dropna())} ({percents(found.type1_001.dropna(), 2)})"


def errors(cell: str, **wanted: object) -> str:
    """Return both type I errors within a cell of error_rates.csv."""
    return both_rates(rows("error_rates", cell=cell, **wanted))


def without_limit(documents: int) -> str:
    """Return both type I errors if arrows with few effective documents are tested, too."""
    return errors("few documents", documents=documents)


def of_kind(kind: str, metric: str) -> str:
    """Return both type I errors of a kind of task; the second from studies of eight tasks, if there are some."""
    found = rows("error_rates_kinds", kind=kind, metric=metric)
    tail = found[found.tasks == 8].type1_001
    return percents(found.type1) + (f" ({percents(tail, 2)})" if len(tail) else "")


def outside(n_test: int, **wanted: str) -> str:
    """Return how often an interval over examples does not hold the true gain, and the ratio of the variances."""
    [found] = rows("fresh_test_sets", n_test=n_test, **wanted).itertuples()
    return f"{percents([found.outside])} ({found.variance_ratio:.2f})"


def normal_flagged(times: float) -> str:
    return percents(rows("normal_runs", times=times).flagged, 2)


def unequal(ratio: float) -> str:
    """Return type I errors where one arm's SD over seeds is ``ratio`` times the other's."""
    found = rows("error_rates", cell="heteroscedastic")
    larger, smaller = (getattr(found[["sd_pair", "sd_single"]], name)(axis=1) for name in ("max", "min"))
    return both_rates(found[(larger / smaller - ratio).abs() < 0.01])


def family(design: str, cell: str, arrows: int) -> str:
    """Return the share of all-null studies with any significant arrow."""
    return percents(rows("false_discoveries", design=design, cell=cell, arrows=arrows).false_colours)


def false_of_half_null() -> str:
    return percents(rows("false_discoveries", cell="half null", correction="bh").false_colours, 0)


def detected(test: str) -> str:
    """Return the power in studies of four and eight tasks together."""
    older = {NEW: "moderated"}.get(test, test)
    found = rows("power", test=[test, older])
    return percents([found[found.test == (test if test in set(found.test) else older)].power.mean()], 0)


def collapsed(column: str, arms: str, rate: float) -> str:
    return percents(rows("collapsed_runs", arms=arms, collapse=rate)[column])


def of_all(part: str, whole: str) -> str:
    """Return ``10 of 10`` or ``22 to 25 of 56`` over the three studies of planted8.csv."""
    found = rows("planted8")
    [total] = set(found[whole])
    low, high = found[part].min(), found[part].max()
    return f"{low} of {total}" if low == high else f"{low} to {high} of {total}"


def exaggeration(size: str) -> str:
    """Return estimate over true gain of significant arrows with 3, 5 and 40 seeds per pair, for both metrics."""
    found = rows("false_discoveries", cell="half null", correction="bh")
    column = f"exaggeration_{size}"
    ranges = []
    for seeds in (3, 5, 40):
        of_seeds = found[found.seeds_pair == seeds][column]
        low, high = f"{of_seeds.min():.2f}", f"{of_seeds.max():.2f}"
        ranges.append(low if low == high else f"{low} to {high}")
    return " / ".join(ranges)


def large_arrows() -> str:
    wrong = rows("planted8").sign_errors.sum()
    return f"{of_all('large_found', 'large')} in all three studies, {wrong or 'none'} with the wrong sign"


def by_estimates(column: str, cell: str) -> str:
    """Return a rate of every design of admitted_designs.py, in its order."""
    return " / ".join(percents(rows("by_estimates", cell=cell, design=design)[column]) for design in DESIGNS)


def admitted_pairs(at: float) -> str:
    """Return how many pairs of planted-8 its estimates admit."""
    admitted, _, of = zip(*(admitted_of_planted_eight(seed, at) for seed in (0, 100)), strict=True)
    return f"{' and '.join(map(str, admitted))} of {of[0]}"


def large_admitted() -> str:
    found = [[admitted_of_planted_eight(seed, at)[1] for seed in (0, 100)] for at in (1.0, 1.5)]
    return "; ".join(" and ".join(map(str, of_seeds)) for of_seeds in found) + " of 10"


def designs_by_estimates(column: str) -> str:
    """Return a column of the trained designs: of all pairs, and of those admitted at 1, 1.5 and 2 standard errors."""
    found = rows("racing_by_estimates", base_seed=0)
    of_all = found[found.budget.isna()][column].item()
    admitted = found[found.budget == "10%"].set_index("admit")[column]
    return f"{of_all}; " + " / ".join(str(admitted[at]) for at in (1.0, 1.5, 2.0))


def estimated(
    column: str, suites: str, estimator: str = "probes", *, percent: bool = False, budget: str = "10%"
) -> str:
    """Return the range of a column of estimates.csv over these suites, divided by spaces, and their base seeds."""
    values = rows("estimates", suite=suites.split(), estimator=estimator, budget=budget)[column].dropna()
    if percent:
        return percents(values, 0)
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def nulls_with_sign(suites: str, budget: str = "10%") -> str:
    """Return the share of arrows without an effect that have a sign, over these suites and their base seeds."""
    found = rows("estimates", suite=suites.split(), estimator="probes", budget=budget)
    return percents(found.nulls_with_sign / found.nulls, 0)


def at_both_budgets(figure: Callable[..., str], *arguments: Any, **options: Any) -> str:
    """Return a figure of estimates with a budget of 10%, one probe per arrow, and of 20%, two."""
    return " / ".join(figure(*arguments, **options, budget=budget) for budget in ("10%", "20%"))


MEASURED = "Measured on simulated studies"
SIZES = {"eight tasks": "planted-8", "six tasks": "shortcut-6", "four tasks": "clinical biomedical"}
ALL = " ".join(SIZES.values())
TABLES: dict[str, dict[str, Figure]] = {
    MEASURED: {
        "How often does a null arrow have p < .05?": partial(rate, "type1", "base"),
        "How often does a 95% interval hold the true gain?": partial(rate, "coverage", "base"),
        "How many of the significant arrows are false, at 5%? (studies of eight tasks, half of the arrows null)": (
            false_of_half_null
        ),
        "this toolkit": partial(detected, NEW),
        "`--test satterthwaite`": partial(detected, OLD),
        "Student's t test": partial(detected, "student"),
        "Welch's t test": partial(detected, "welch"),
        "paired test": partial(detected, "paired"),
        "4 points or more": partial(exaggeration, "from_4"),
        "2 to 4 points": partial(exaggeration, "2_to_4"),
        "below 2 points": partial(exaggeration, "below_2"),
        "20 to 150 documents of unequal size": partial(
            errors, "documents", documents=[20, 30, 50, 150], sizes="dirichlet"
        ),
        "6 effective documents of very unequal size": partial(
            errors, "documents", documents=6, sizes=["large", "geometric"]
        ),
        "1 large document, if it were tested": partial(without_limit, 1),
        **{f"{number} large documents, if they were tested": partial(without_limit, number) for number in (2, 3, 4)},
        **{f"{number} large documents": partial(without_limit, number) for number in (5, 6, 8)},
        "5 to 150 documents of equal size": partial(errors, "documents", sizes="equal"),
        "seeds move one arm 3 times as much as the other": partial(unequal, 3.0),
        "seeds move one arm 5 times as much as the other": partial(unequal, 5.0),
        "two tasks, 3 seeds": partial(errors, "two tasks"),
        "arrows into one task whose seeds vary 2 or 3 times as much as those of the others": partial(
            errors, "noisy target"
        ),
        "up to half of all runs collapse": partial(errors, "collapse"),
        "macro-F1 on 56 examples, on exactly this test set": partial(
            errors, "macro-F1", metric="macro_f1", n_test=56, estimand="test-set"
        ),
        "macro-F1 on 500 examples": partial(errors, "macro-F1", metric="macro_f1", n_test=500),
        "scores alone, on exactly this test set": partial(errors, "scores alone"),
        **{
            f"`{kind}`, {words}": partial(of_kind, kind, metric)
            for kind, metric, words in (
                ("classification", "accuracy", "accuracy"),
                ("classification", "micro_f1", "micro-F1"),
                ("regression", "pearson", "Pearson's r"),
                ("multilabel", "multilabel_f1", "micro-F1"),
                ("multilabel", "macro_f1", "macro-F1"),
                ("choice", "accuracy", "accuracy"),
                ("spans", "answer_f1", "word F1"),
                ("spans", "exact_match", "exact match"),
            )
        },
        **{
            f"`{wanted['kind']}`, {words}, {n_test:,} examples": partial(outside, n_test, **wanted)
            for wanted, words, sizes in (
                ({"kind": "classification", "metric": "micro_f1"}, "micro-F1", (30, 100)),
                ({"kind": "regression", "labels": "skewed numbers"}, "Pearson's r of skewed numbers", (100, 300, 1000)),
                ({"kind": "multilabel", "metric": "macro_f1"}, "macro-F1", (30, 60, 100, 300)),
            )
            for n_test in sizes
        },
        "How often does a null arrow have p < .001?": partial(rate, "type1_001", "far tail", 2),
        **{
            f"{words}, {arrows} null arrows": partial(family, "fixed", cell, arrows)
            for cell, words in (
                ("base", "a plain study"),
                ("documents", "6 large documents"),
                ("collapse", "one run in ten collapses"),
                ("heteroscedastic", "pairs' SD 3 times that of single tasks"),
            )
            for arrows in (12, 56)
        },
        "all arms have one SD over seeds": partial(normal_flagged, 1.0),
        **{
            f"an arm, or all pairs, with {times} times the SD of the others": partial(normal_flagged, float(times))
            for times in (3, 4)
        },
        "a sequential design of 12 null arrows": partial(family, "sequential", "base", 12),
        "studies of 12 null arrows with a significant arrow": partial(by_estimates, "false_colours", "all null"),
        "significant arrows that are false, half of the arrows null": partial(
            by_estimates, "false_colours", "half null"
        ),
        "gains of two points or more that are significant": partial(by_estimates, "large_found", "half null"),
        "gains of two points or more that are not measured": partial(by_estimates, "large_deferred", "half null"),
        "pair runs saved, half of the arrows null": partial(by_estimates, "pair_runs_saved", "half null"),
        "pair runs saved, all arrows null": partial(by_estimates, "pair_runs_saved", "all null"),
    },
    "Measured on trained studies": {
        "arrows of five points or more that were significant": large_arrows,
        "arrows whose reference interval is within one point of zero that were significant": partial(
            of_all, "nulls_coloured", "nulls"
        ),
        "placebos that were significant": lambda: (
            f"{rows('planted8').placebos_called.sum()} of {rows('planted8').placebos.sum()}"
        ),
        "inconclusive arrows": partial(of_all, "inconclusive", "arrows"),
        "pairs that estimates of one probe per arrow admit at 1 standard error (two base seeds)": partial(
            admitted_pairs, 1.0
        ),
        "pairs that they admit at 1.5 standard errors": partial(admitted_pairs, 1.5),
        "gains of five points or more in the pairs that they admit, at 1 and at 1.5": large_admitted,
        "pair runs of a sequential design of all pairs; of these pairs at 1 / 1.5 / 2": partial(
            designs_by_estimates, "pair_runs"
        ),
        "gains of five points or more that it found, of 10": partial(designs_by_estimates, "large_found"),
    },
    "Measured with estimates": {
        **{
            f"Area under the ROC curve, arrows that {word}, {size}": partial(
                at_both_budgets, estimated, f"auroc_{sign}", suites
            )
            for size, suites in SIZES.items()
            for word, sign in (("improve", "positive"), ("degrade", "negative"))
        },
        **{
            f"The same of the size ratio of the tasks, arrows that {word}": partial(
                estimated, f"auroc_{sign}", ALL, "log size ratio"
            )
            for word, sign in (("improve", "positive"), ("degrade", "negative"))
        },
        **{
            f"Gains of five points or more with the right sign, {size}": partial(
                at_both_budgets, estimated, "sign_large", suites, percent=True
            )
            for size, suites in SIZES.items()
        },
        **{
            f"Gains within their 90% interval, {size}": partial(
                at_both_budgets, estimated, "coverage", suites, percent=True
            )
            for size, suites in SIZES.items()
        },
        **{
            f"Arrows without an effect that have a sign, {size}": partial(at_both_budgets, nulls_with_sign, suites)
            for size, suites in SIZES.items()
        },
        "Time of all probes, as a share of the time of all pairs": partial(
            at_both_budgets, estimated, "time_share", ALL, percent=True
        ),
    },
}
"""Section of a page, and of every row its first cell and the function of its last."""

if __name__ == "__main__":
    for section, table in TABLES.items():
        print(f"\n## {section}\n")
        for label, figure in table.items():
            try:
                print(f"| {label} | {figure()} |")
            except NotMeasuredError as missing:
                print(f"| {label} | (not measured: {missing}) |")
