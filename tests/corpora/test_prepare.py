"""Raw folders become task folders, and no task folder is incomplete."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.prepare import CORPORA, prepare
from taskaffinity.tasks.blue import BLUE_TASKS
from taskaffinity.tasks.formats import read_task
from taskaffinity.tasks.open_clinical import OPEN_CLINICAL_TASKS

RAWS = {
    "bc5cdr": "bc5cdr_raw",
    "chemprot": "chemprot_raw",
    "ddi2013": "ddi2013_raw",
    "i2b2-2010-re": "i2b2_raw",
    "shareclefe": "shareclefe_raw",
    "mednli": "mednli_raw",
    "clinicalsts": "clinicalsts_raw",
    "ehr-rel": "ehr_rel_raw",
    "lct": "lct_raw",
    "rqe": "rqe_raw",
    "hoc": "hoc_raw",
}


@pytest.fixture(params=sorted(CORPORA))
def corpus(request: pytest.FixtureRequest) -> str:
    """Each corpus, with an invented distribution in ``tmp_path / "raw"``."""
    request.getfixturevalue(RAWS[request.param])
    return str(request.param)


def test_a_corpus_gives_its_tasks(corpus: str, tmp_path: Path) -> None:
    prepared = prepare(corpus, tmp_path / "raw", tmp_path / "out")
    assert tuple(p.name for p in prepared) == CORPORA[corpus].tasks
    for done in prepared:
        task = read_task(done.folder)
        if done.name != "hoc":  # in no domain
            listed = (BLUE_TASKS | OPEN_CLINICAL_TASKS)[done.name]
            said = listed.kind, listed.labels, listed.negative, listed.title
            assert (task.kind, task.labels, task.negative, task.title) == said
            assert listed.corpus == corpus
        assert {split: len(rows) for split, rows in task.examples.items()} == {
            split: found.rows for split, found in done.card.counts.items()
        }
        assert done.card.source
        assert done.card.licence
        assert done.card.split


def test_the_same_input_gives_the_same_bytes(corpus: str, tmp_path: Path) -> None:
    for out in ("one", "two", "two"):
        prepare(corpus, tmp_path / "raw", tmp_path / out)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 4 * len(CORPORA[corpus].tasks)
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == sorted(CORPORA[corpus].tasks)


def test_no_row_contains_a_line_break(corpus: str, tmp_path: Path) -> None:
    for done in prepare(corpus, tmp_path / "raw", tmp_path / "out"):
        rows = [json.loads(line) for line in (done.folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
        texts = [text for row in rows for key in ("text", "text_pair", "words") for text in row.get(key) or ()]
        assert len(texts) >= len(rows) > 0
        assert not any("\n" in text or "\t" in text for text in texts)


def test_a_fault_writes_nothing(bc5cdr_raw: Path, tmp_path: Path, expect_input_error: Callable[..., str]) -> None:
    (bc5cdr_raw / "CDR_TestSet.PubTator.txt").write_bytes(b"\xff")
    expect_input_error(lambda: prepare("bc5cdr", bc5cdr_raw, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_unknown_corpus_gets_a_hint(tmp_path: Path, expect_input_error: Callable[..., str]) -> None:
    expect_input_error(
        lambda: prepare("ddi-2013", tmp_path, tmp_path), "'ddi-2013'", "did you mean ddi2013?", "chemprot"
    )
    expect_input_error(
        lambda: prepare("imagenet", tmp_path, tmp_path), "'imagenet'", "there are bc5cdr, ddi2013, chemprot"
    )
