"""The printed table of a study of many tasks fits a screen; that of a few tasks names every arrow."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study
from rich.console import Console

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import describe
from taskaffinity.analysis.decisions import MOST_ARROWS, cheapest_decisions, decided_first, describe_needs
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.tables.frames import edges_frame
from taskaffinity.analysis.tables.printed import arrow_table, edge_table

NAMES = [f"task{number:02}" for number in range(16)]
GAINS = {(NAMES[0], NAMES[1]): 0.8, (NAMES[2], NAMES[3]): -0.8, (NAMES[4], NAMES[5]): 0.4}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> AffinityMatrix:
    study = make_study(NAMES, seeds=[0, 1, 2])
    return measure(study, fill(study, tmp_path_factory.mktemp("many"), latent_counts(GAINS, n=500)))


def printed(matrix: AffinityMatrix) -> list[str]:
    console = Console(file=io.StringIO(), width=100, soft_wrap=True)
    console.print(edge_table(matrix))
    for line in cheapest_decisions(matrix):
        console.print(line, soft_wrap=True)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_sixteen_tasks_fit_a_screen_and_lose_no_arrow(many: AffinityMatrix) -> None:
    lines = printed(many)
    assert len(lines) <= 45
    shown = decided_first(many)
    assert len(shown) == MOST_ARROWS
    hidden = len(many.arrows) - len(shown)
    [rest] = [line for line in lines if "more arrows, all in edges.csv" in line]
    assert str(hidden) in rest
    counts = [int(part.split()[0]) for part in rest.rpartition(": ")[2].split(", ")]
    assert sum(counts) == hidden


def test_decided_arrows_come_first_the_largest_gain_at_the_top(many: AffinityMatrix) -> None:
    shown = decided_first(many, at_most=240)
    assert shown == many.arrows  # all fit: in the suite's order
    shown = decided_first(many, at_most=200)
    verdicts = [many.verdict[arrow] for arrow in shown]
    significant = [arrow for arrow in shown if many.verdict[arrow] in ("improves", "degrades")]
    assert significant == list(shown[: len(significant)])
    assert set(significant) == set(many.select("improves", "degrades"))
    sizes = [abs(many.gain[arrow]) for arrow in significant]
    assert sizes == sorted(sizes, reverse=True)
    rest = verdicts[len(significant) :]
    assert rest == sorted(rest, key=["no effect", "inconclusive"].index)


def test_the_text_has_sentences_of_the_largest_decided_arrows_and_counts_the_others(many: AffinityMatrix) -> None:
    verdict = many.verdict.copy()
    verdict[verdict == "inconclusive"] = "no effect"
    decided = replace(many, verdict=verdict)
    lines = describe(decided).splitlines()
    sentences = [line for line in lines if line.startswith("Training with")]
    assert len(sentences) == MOST_ARROWS
    significant = sorted(decided.select("improves", "degrades"), key=lambda arrow: -abs(decided.gain[arrow]))
    for (s, t), sentence in zip(significant, sentences, strict=False):
        assert sentence.startswith(f"Training with {decided.titles[s]} {verdict[s, t]} {decided.titles[t]}")
    rest = len(decided.arrows) - MOST_ARROWS
    assert f"And {rest} more arrows, all in edges.csv: {rest} no effect." in lines


def test_the_cheapest_decisions_are_named_and_the_others_counted(many: AffinityMatrix) -> None:
    lines = cheapest_decisions(many, at_most=10)
    seeds = np.minimum(many.seeds_to_significance, many.seeds_to_equivalence)
    open_arrows = [arrow for arrow in many.select("inconclusive") if many.recommendation[arrow]]
    needed = sorted(float(seeds[arrow]) for arrow in open_arrows)
    cheapest, others = needed[:10], [value for value in needed[10:] if value <= 500]
    titles = {f"{many.titles[s]} → {many.titles[t]}": (s, t) for s, t in many.arrows}
    named = [titles[line.removeprefix("To decide ").partition(": ")[0]] for line in lines[:10]]
    assert [float(seeds[arrow]) for arrow in named] == cheapest
    counted = sum(int(re.search(r"(\d+)(?: further)? arrows?\b", line)[1]) for line in lines[10:])  # type: ignore[index]
    assert len(others) > 1
    span = f"{others[0]:.0f} to {others[-1]:.0f} more seeds each, in the better of the two cases"
    assert lines[10] == f"To decide {len(others)} further arrows: {span}."
    assert counted == len(open_arrows) - 10
    assert len(lines) <= 13


def test_arrows_that_no_number_of_seeds_decides_are_counted_in_words(many: AffinityMatrix) -> None:
    seeds = np.minimum(many.seeds_to_significance, many.seeds_to_equivalence)
    never = [arrow for arrow in many.select("inconclusive") if np.isinf(seeds[arrow])]
    assert len({t for _, t in never}) > 8  # more targets than a line names
    expected = f"To decide {len(never)} arrows into {len({t for _, t in never})} targets: no number of seeds with these"
    assert cheapest_decisions(many)[-1] == f"{expected} test sets."


def test_a_small_study_names_every_arrow(toy: tuple[object, object]) -> None:
    matrix = measure(*toy)  # type: ignore[arg-type]
    assert decided_first(matrix) == matrix.arrows
    assert cheapest_decisions(matrix) == describe_needs(matrix)
    lines = [line.split() for line in printed(matrix)]
    assert not any("more arrow" in " ".join(line) for line in lines)
    for s, t in matrix.arrows:
        [row] = [line for line in lines if line[:2] == [matrix.titles[s], matrix.titles[t]]]
        numbers = [f"{getattr(matrix, name)[s, t]:+z.1f}" for name in ("gain", "low", "high")]
        assert row[2:5] == [numbers[0], f"[{numbers[1]},", f"{numbers[2]}]"]


def test_untested_arrows_are_counted_by_that_word_and_still_fit(many: AffinityMatrix) -> None:
    size = len(NAMES)
    blank, nothing = np.full((size, size), ""), np.full((size, size), np.nan)
    one_seed = np.full((size, size), "one seed")
    untested = replace(
        many,
        p=nothing,
        verdict=np.full((size, size), "inconclusive"),
        untested_reason=one_seed,
        recommendation=blank,
        failed=tuple(f"run-{number}: RuntimeError" for number in range(30)),
    )
    lines = printed(untested)
    assert len(lines) <= 45
    assert any("230 untested" in line for line in lines)
    assert cheapest_decisions(untested) == []


def test_the_table_for_a_publication_has_every_arrow_of_the_edge_list(many: AffinityMatrix) -> None:
    table, edges = arrow_table(many), edges_frame(many)
    assert list(table.columns) == ["gain", "95% interval", "p adj", "verdict"]
    assert list(table["verdict"]) == list(edges["verdict"])
    for row, edge in zip(table.itertuples(), edges.itertuples(), strict=True):
        assert row.Index == f"{edge.source} → {edge.target}".replace("task", "Task")
        assert float(row.gain.replace("\N{MINUS SIGN}", "-")) == pytest.approx(edge.gain, abs=0.05001)
        low, high = (float(end.replace("\N{MINUS SIGN}", "-")) for end in row[2].split(" to "))
        assert (low, high) == pytest.approx((edge.low, edge.high), abs=0.05001)


def test_an_arrow_without_a_test_has_its_reason_and_no_number(many: AffinityMatrix) -> None:
    gain, reasons = many.gain.copy(), many.untested_reason.copy()
    gain[0, 1], reasons[0, 1] = np.nan, "no run"
    low, high, q = many.low.copy(), many.high.copy(), many.q.copy()
    low[0, 1] = high[0, 1] = q[0, 1] = np.nan
    changed = replace(many, gain=gain, low=low, high=high, q=q, untested_reason=reasons)
    assert list(arrow_table(changed).iloc[0]) == ["", "", "", "no run"]
