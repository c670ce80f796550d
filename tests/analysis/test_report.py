"""The page says what the tables say, needs nothing beside it, and trusts no title."""

from __future__ import annotations

import base64
import csv
import html
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from fake_studies import fill, latent_counts, make_study
from test_sequential import run_design, sequential_study

from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.report import report, write_report
from taskaffinity.analysis.report.cells import sheet_of
from taskaffinity.analysis.report.cost import cost_of
from taskaffinity.analysis.report.sentences import describe_arrow
from taskaffinity.analysis.tables.frames import as_csv, controls_frame, edges_frame
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study

HOSTILE = "</title></svg><script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)>&amp;\"'"
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Tables by id as lists of rows of (column, exact value, shown), ids, headings, and whether tags close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[dict[str, tuple[str, str]]]] = {}
        self.captions: dict[str, str] = {}
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.alts: list[str] = []
        self.words = ""
        self._table, self._columns, self._cells = "", [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.alts.append(given["alt"] or "")
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "table":
            self._table, self._columns = given["id"] or "", []
            self.tables[self._table], self.captions[self._table] = [], ""
        if "data-column" in given:
            self._columns.append(given["data-column"] or "")
        if tag == "tr":
            self._cells = []
        if "data-value" in given:
            self._cells.append([given["data-value"] or "", ""])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "tr" and self._cells:
            rows = zip(self._columns, map(tuple, self._cells), strict=True)
            self.tables[self._table].append(dict(rows))  # type: ignore[arg-type]

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words += data
        if "caption" in self.open:
            self.captions[self._table] += data
        if {"td", "th"} & set(self.open) and "tbody" in self.open:
            self._cells[-1][1] += data
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)


def page_of(study: Study, store: RunStore) -> Page:
    page = Page(report(measure(study, store), store))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert "nan" not in re.findall(r"[\w.]+", page.words.lower())
    return page


def exact(page: Page, table: str) -> list[dict[str, str]]:
    return [{column: value for column, (value, _) in row.items()} for row in page.tables[table]]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, RunStore]:
    """Help, harm, controls, work; one run failed, one was never trained."""
    root = tmp_path_factory.mktemp("rich")
    study = make_study(["b", "a", "c"], controls=True, synthetic=True, seeds=(0, 1, 2, 3))
    counts = latent_counts({("a", "b"): 0.6, ("c", "b"): -0.6})
    left_out = [spec for spec in study.plan if spec.arm == "pair" and spec.task_names == ("a", "c")][:2]
    store = fill(study, root, counts, skip=lambda spec: spec in left_out)
    store.fail(left_out[0], "diverged <at> step 3")
    for number, spec in enumerate(study.plan):
        if spec in store:
            run = store.read(spec)
            work = {"total_seconds": 10.0 + number, "steps": 7, "pieces": 1000, "peak_memory_mib": 100.0}
            store.write(RunResult(spec, run.outcomes, run.counts, work=work, versions={"torch": "9.9"}))
    return study, store


@pytest.fixture(scope="module")
def page(rich: tuple[Study, RunStore]) -> Page:
    return page_of(*rich)


def test_the_numbers_of_the_tables_are_those_of_edges_csv_cell_by_cell(
    rich: tuple[Study, RunStore], page: Page
) -> None:
    matrix = measure(*rich)
    edges = rows_of(as_csv(edges_frame(matrix)))
    seen = set()
    for table in ("arrows", "evidence"):
        found = exact(page, table)
        seen |= set(found[0])
        assert found == [{name: edge[name] for name in found[0]} for edge in edges], table
    assert {"gain", "low", "high", "p", "q", "verdict", "df", "se_seeds", "n_test", "mde"} <= seen
    assert "p adj of the difference" in page.words
    assert not re.search(r"\bq\b", page.words)
    controls = rows_of(as_csv(controls_frame(matrix)))
    assert {row["alpha"] for row in controls} == {"0.05"}
    assert exact(page, "controls") == [{name: control[name] for name in controls[0]} for control in controls]


def test_the_page_of_a_large_study_leaves_the_evidence_to_edges_csv(
    rich: tuple[Study, RunStore], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskaffinity.analysis.report.page.MOST_ROWS", 1)
    large = page_of(*rich)
    assert set(page.tables) - set(large.tables) == {"evidence"}
    words = "for every arrow are in edges.csv"
    assert (words in large.words, words in page.words) == (True, False)


def test_what_is_shown_is_the_exact_number_rounded(page: Page) -> None:
    for row in page.tables["arrows"]:
        for name in ("gain", "low", "high"):
            value, shown = row[name]
            if value:
                assert float(shown.replace("−", "-")) == pytest.approx(float(value), abs=0.051)
        assert row["verdict"][1].endswith(row["verdict"][0])


def test_columns_that_are_in_no_table_are_said_once(page: Page) -> None:
    assert "correction bh" in page.words
    assert "Behrens–Fisher tests" in page.words.split("correction for many arrows")[1]
    assert "estimand population" in page.words
    assert "synthetic true" in page.words


def test_verdicts_are_sentences_with_amounts(rich: tuple[Study, RunStore], page: Page) -> None:
    matrix = measure(*rich)
    gain, low, high = (float(f"{getattr(matrix, name)[1, 0]:.6g}") for name in ("gain", "low", "high"))
    assert f"A improves B by {gain:.1f} points [{low:.1f}, {high:.1f}]; 4 seeds" in page.words
    gain, low, high = (-float(f"{getattr(matrix, name)[2, 0]:.6g}") for name in ("gain", "high", "low"))
    assert f"C degrades B by {gain:.1f} points [{low:.1f}, {high:.1f}]; 4 seeds" in page.words
    for arrow in matrix.arrows:
        assert describe_arrow(matrix, arrow) in page.words


def test_the_page_reports_cost_failures_and_missing_runs(rich: tuple[Study, RunStore], page: Page) -> None:
    study, store = rich
    done = [store.read(spec) for spec in study.plan if spec in store]
    assert sum(float(row["seconds"]) for row in exact(page, "cost")) == sum(run.work["total_seconds"] for run in done)
    assert sum(int(row["done"]) for row in exact(page, "cost")) == len(done)
    assert f"{len(done)} of {len(study.plan)} runs are done" in page.words
    assert "diverged <at> step 3" in page.words
    assert "Not trained: 1" in page.words
    assert f"This study is not finished: {len(done)} of {len(study.plan)} runs are done." in page.words
    assert "9.9" in page.words


def test_every_section_has_a_heading_every_table_a_caption_every_picture_words(page: Page) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - before <= 1 for before, later in pairwise(levels))
    assert all(text.strip() for _, text in page.headings)
    assert all(caption.strip() for caption in page.captions.values())
    assert len(page.alts) == page.tags.count("img") == 3
    assert "Training with A improves B" in page.alts[0]
    for data in ("f-a", "f-b", "f-c", "learning_rate", "test is scored once", "Placebos:"):
        assert data in page.words


def test_the_page_needs_nothing_and_runs_only_its_own_script(rich: tuple[Study, RunStore]) -> None:
    study, store = rich
    text = report(measure(study, store), store)
    assert not re.search(r"(https?:)?//[a-z]", text, re.IGNORECASE)
    assert not re.search(r"@import|url\((?!#)", text)
    assert set(re.findall(r'(?:src|href)="(.)', text)) <= {"#", "d"}
    assert text.count("<script") == 1
    assert str(store.root) not in text


def test_every_arrow_of_the_graph_answers_the_pointer_where_it_is_drawn(rich: tuple[Study, RunStore]) -> None:
    study, store = rich
    matrix = measure(study, store)
    text = report(matrix, store)
    over = text.partition('<div class="hover"')[2].partition("</div>")[0].partition("<svg")[2]
    shown = dict(re.findall(r'<path d="([^"]+)"><title>([^<]+)</title></path>', over))
    drawn = [arrow for arrow in matrix.arrows if not math.isnan(matrix.gain[arrow])]
    assert sorted(shown.values()) == sorted(html.escape(describe_arrow(matrix, arrow)) for arrow in drawn)
    image = base64.b64decode(text.partition("data:image/svg+xml;base64,")[2].partition('"')[0]).decode()
    size = re.search(r'viewBox="([^"]+)"', image)
    assert size
    assert f'viewBox="{size[1]}"' in over
    for path, words in shown.items():
        s, t = next(arrow for arrow in drawn if html.escape(describe_arrow(matrix, arrow)) == words)
        group = image.partition(f'<g id="shaft {matrix.tasks[s]} {matrix.tasks[t]}">')[2].partition("</g>")[0]
        assert path in " ".join(group.split())


@pytest.mark.parametrize("place", ["title", "suite"])
def test_a_hostile_name_is_only_text(place: str, tmp_path: Path) -> None:
    study = make_study(["a", "b"], titles={"a": HOSTILE if place == "title" else "A"})
    if place == "suite":
        study = replace(study, suite=HOSTILE)
    store = fill(study, tmp_path, latent_counts({("a", "b"): 0.6}))
    text = report(measure(study, store), store)
    page = Page(text)
    assert page.open == []
    assert text.count("<script") == 1
    assert page.tags.count("img") == 3
    assert HOSTILE in page.words


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("title", [r"$\frac$", "from $5 to $6", "bell\x07", "задача", "a name of " * 9])
def test_an_odd_title_is_shown_as_it_is(title: str, tmp_path: Path) -> None:
    study = make_study(["a", "b"], titles={"a": title})
    store = fill(study, tmp_path, latent_counts({("a", "b"): 0.6}))
    assert title in Page(report(measure(study, store), store)).words


def test_the_stamp_of_synthetic_text_is_on_top_and_only_on_synthetic_studies(
    page: Page, toy: tuple[Study, RunStore]
) -> None:
    words = page.words
    assert words.index("Synthetic text") < words.index("Of 6 arrows")
    assert "synthetic text" not in page_of(*toy).words.lower()


def test_the_same_study_gives_the_same_bytes(rich: tuple[Study, RunStore], tmp_path: Path) -> None:
    study, store = rich
    for name in ("1.html", "2.html"):
        write_report(study, store, tmp_path / "new" / name)
    assert (tmp_path / "new/1.html").read_bytes() == (tmp_path / "new/2.html").read_bytes()


def test_one_seed_is_reported_as_untested(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=(0,))
    page = page_of(study, fill(study, tmp_path, latent_counts({("a", "b"): 0.6})))
    assert "untested (one seed); 1 seed." in page.words
    assert "No test (one seed): A → B, B → A." in page.words
    assert {row["verdict"] for row in exact(page, "arrows")} == {"inconclusive"}


@pytest.mark.slow
def test_a_study_of_one_task_is_a_page(tmp_path: Path) -> None:
    study = make_study(["a"])
    store = fill(study, tmp_path, latent_counts({}, n=100))
    matrix = measure(study, store)
    assert f"single-task {matrix.single_mean[0]:.1f} (3 runs);" in report(matrix, store)
    assert "not finished" not in report(matrix, store)


def test_a_study_with_nothing_done_is_a_page(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"])
    page = page_of(study, RunStore(tmp_path))
    assert "not measured (no pair and no single run)" in page.words
    assert f"0 of {len(study.plan)} runs are done." in page.words
    assert f"Not trained: {len(study.plan)}" in page.words


def test_a_sequential_design_is_reported_with_its_levels(tmp_path: Path) -> None:
    study = sequential_study("abc")
    store = run_design(study, tmp_path, Rule())
    page = page_of(study, store)
    assert "Sequential design:" in page.words
    assert "at most" in page.words
    assert "Not trained" not in page.words
    evidence = exact(page, "evidence")
    assert {row["decided_at_seeds"] for row in evidence} <= {"", *map(str, study.interim_seeds)}
    assert "alpha_spent" in evidence[0] or "every row: alpha_spent 0.0" in page.words


def test_gains_after_fine_tuning_are_reported_with_their_recipe(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    tuned = replace(study.recipe, num_train_epochs=3)
    study = replace(study, evaluate_after="finetune", finetune={"a": tuned, "b": tuned})
    page = page_of(study, fill(study, tmp_path, latent_counts({("a", "b"): 0.6})))
    assert "fine-tuned on the target" in page.words
    assert "fine-tuning of A, where it differs" in page.words


def test_a_metric_is_named_for_the_classes_of_its_target() -> None:
    known = {"of_old": None, "with": True, "without": False}
    cards = [
        StudiedTask("nli", "NLI", "inference", "macro_f1", "f", {}),
        *(StudiedTask(name, name, "relation", "macro_f1", "f", {}, has_negative=has) for name, has in known.items()),
    ]
    frame = pd.DataFrame({"target": [card.name for card in cards], "metric": ["macro_f1"] * 4})
    sheet = sheet_of(frame, ["target", "metric"], "further", "", cards)
    assert [row[1].shown for row in sheet.rows] == [
        "macro-F1 over the scored classes",
        "macro-F1 without the negative class",
        "macro-F1 without the negative class",
        "macro-F1 over all classes",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(2.0, "2.0 seconds"), (90.0, "1.5 minutes"), (5400.0, "1.5 hours"), (0.2, "0.2 seconds")]
)
def test_short_runs_do_not_take_zero_minutes(seconds: float, said: str, tmp_path: Path) -> None:
    study = make_study(["a"], seeds=[0])
    store = fill(study, tmp_path, latent_counts({}, n=20))
    run = store.read(study.plan.specs[0])
    store.write(replace(run, work={"total_seconds": seconds}))
    assert cost_of(study, RunStore(tmp_path)).describe == f"1 of 1 runs are done. Their times add up to {said}."
