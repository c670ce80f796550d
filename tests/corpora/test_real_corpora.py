"""The real corpora, counted a second way: by searching the raw files.

Needs ``TASKAFFINITY_RAW``, the folder that holds ``bc5cdr``, ``ddi2013`` and ``chemprot``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from taskaffinity.corpora import chemprot
from taskaffinity.corpora.check import check, class_differences
from taskaffinity.runs.departures import DEPARTURES
from taskaffinity.tasks.blue import BIOMEDICAL
from taskaffinity.tasks.catalog import load_suite
from taskaffinity.tasks.formats import read_card, read_task
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.mentions import strict_mentions
from taskaffinity.tasks.standoff.sentences import Span, sentence_spans
from taskaffinity.tasks.task import SPLITS

pytestmark = pytest.mark.slow

BC5CDR = {"train": "Training", "dev": "Development", "test": "Test"}
CHEMPROT = {"train": "training/chemprot_training", "dev": "development/chemprot_development"} | {
    "test": "test_gs/chemprot_test"
}


def json_rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in read_lines(path)[0]]


def test_counts_are_table_1_or_explained(real_data: Path) -> None:
    rows = check(real_data)
    assert {(row.task, row.split): row.count for row in rows if row.task != "ddi2013-type"} == {
        ("bc5cdr-disease", "train"): 4182,
        ("bc5cdr-disease", "dev"): 4244,
        ("bc5cdr-disease", "test"): 4424,
        ("bc5cdr-chemical", "train"): 5203,
        ("bc5cdr-chemical", "dev"): 5347,
        ("bc5cdr-chemical", "test"): 5385,
        ("chemprot", "train"): 4157,
        ("chemprot", "dev"): 2416,
        ("chemprot", "test"): 3458,
    }
    ddi = {row.split: row.count for row in rows if row.task == "ddi2013-type"}
    assert ddi["train"] + ddi["dev"] == 4020
    assert ddi["test"] == 979
    assert {row.status for row in rows} == {"equal", "explained"}
    assert [(r.task, r.split) for r in rows if r.status == "explained"] == [
        ("ddi2013-type", "train"),
        ("ddi2013-type", "dev"),
        ("chemprot", "train"),
    ]
    assert all(row.intact for row in rows)
    differences = class_differences(rows)
    assert all(found.reason for found in differences)
    assert {(d.task, d.part) for d in differences if "false" in d.label} == {
        ("chemprot", "train"),
        ("chemprot", "dev"),
        ("chemprot", "test"),
        ("ddi2013-type", "train + dev"),
        ("ddi2013-type", "test"),
    }


def test_false_pairs_of_chemprot_where_sentences_are_joined_as_in_blue(
    real_raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def joined(title: str, abstract: str) -> list[Span]:
        text = f"{title} {abstract}"
        kept: list[Span] = []
        for start, end in sentence_spans(text):
            before = text[slice(*kept[-1])] if kept else ""
            if kept and not (before[-1] in ".?!" and not before.endswith("i.v.") and text[start].isupper()):
                kept[-1] = kept[-1][0], end
            else:
                kept.append((start, end))
        return kept

    monkeypatch.setattr(chemprot, "document_sentences", joined)
    (task,) = chemprot.convert(real_raw)
    found = {split: sum(row.example.label == "false" for row in rows) for split, rows in task.splits.items()}
    assert found == {"train": 14902, "dev": 9505, "test": 13271}


def test_the_suite_loads(real_data: Path) -> None:
    suite = load_suite("biomedical", real_data)
    assert tuple(task.name for task in suite) == BIOMEDICAL


@pytest.mark.parametrize(("task", "kind"), [("bc5cdr-disease", "Disease"), ("bc5cdr-chemical", "Chemical")])
@pytest.mark.parametrize("split", SPLITS)
def test_every_mention_of_bc5cdr_is_tagged_at_its_offsets(
    real_raw: Path, real_data: Path, task: str, kind: str, split: str
) -> None:
    raw = (real_raw / "bc5cdr" / f"CDR_{BC5CDR[split]}Set.PubTator.txt").read_text(encoding="utf-8")
    expected = Counter(re.findall(rf"^(\d+)\t(\d+)\t(\d+)\t[^\t\n]*\t{kind}\t", raw, re.MULTILINE))
    found: Counter[tuple[str, str, str]] = Counter()
    for row in json_rows(real_data / task / f"{split}.jsonl"):
        offsets, tags = row["offsets"], row["tags"]
        assert isinstance(offsets, list)
        assert isinstance(tags, list)
        for _, first, last in strict_mentions(tags):
            found[str(row["document"]), str(offsets[first][0]), str(offsets[last - 1][1])] += 1
    assert found == expected


@pytest.mark.parametrize("split", SPLITS)
def test_every_gold_relation_of_chemprot_is_a_row(real_raw: Path, real_data: Path, split: str) -> None:
    raw = (real_raw / "chemprot" / f"chemprot_{CHEMPROT[split]}_gold_standard.tsv").read_text(encoding="utf-8")
    gold = [line.split("\t") for line in raw.splitlines()]
    expected = {(f"{pmid}.{first[5:]}.{second[5:]}", label) for pmid, label, first, second in gold}
    rows = read_task(real_data / "chemprot").examples[split]  # type: ignore[index]
    assert {(r.id.removesuffix("#2"), r.label) for r in rows if r.label != "false"} == expected
    assert sum(r.id.endswith("#2") for r in rows) == {"train": 10, "dev": 4, "test": 14}[split]
    masks = [sorted(re.findall(r"@[A-Z-]+\$", r.text)) for r in rows]
    assert all(mask in (["@CHEMICAL$", "@GENE$"], ["@CHEM-GENE$"]) for mask in masks)


def test_chemprot_loses_nothing_at_sentence_ends(real_data: Path) -> None:
    notes = read_card(real_data / "chemprot").notes
    assert notes["gold_pairs_across_sentences"] == 0
    assert notes["boundaries_merged"] == 0


def test_every_typed_pair_of_ddi_is_a_row(real_raw: Path, real_data: Path) -> None:
    task = read_task(real_data / "ddi2013-type")
    for part, splits in (("Train", ("train", "dev")), ("Test/Test for DDI Extraction task", ("test",))):
        expected: Counter[str] = Counter()
        for path in (real_raw / "ddi2013" / part).rglob("*.xml"):
            for pair in re.findall(r"<pair\b[^>]*>", path.read_text(encoding="utf-8")):
                kind = re.search(r'type="(\w+)"', pair)
                if 'ddi="false"' in pair or kind:
                    expected[f"DDI-{kind[1] if kind else 'false'}"] += 1
        found = Counter(r.label for split in splits for r in task.examples[split])  # type: ignore[index]
        assert found == expected


def test_ddi_dev_is_whole_documents_about_a_quarter_of_both_sources(real_data: Path) -> None:
    documents: dict[str, set[str]] = {}
    positives: Counter[tuple[str, str]] = Counter()
    for split in ("train", "dev"):
        for row in json_rows(real_data / "ddi2013-type" / f"{split}.jsonl"):
            documents.setdefault(split, set()).add(str(row["document"]))
            positives[split, str(row["document"]).split(".")[0]] += row["label"] != "DDI-false"
    assert all(hashlib.sha256(d.encode()).hexdigest()[0] in "0123" for d in documents["dev"])
    assert not any(hashlib.sha256(d.encode()).hexdigest()[0] in "0123" for d in documents["train"])
    for source in ("DDI-DrugBank", "DDI-MedLine"):
        share = positives["dev", source] / (positives["dev", source] + positives["train", source])
        assert share == pytest.approx(0.25, abs=0.04)


def test_ddi_texts_contain_their_masks_and_no_line_break(real_data: Path) -> None:
    kind = r"(?:drug|brand|group|drug_n)"
    for examples in read_task(real_data / "ddi2013-type").examples.values():
        for example in examples:
            assert "\n" not in example.text
            masks = re.findall(rf"@{kind}(?:-{kind})?\$", example.text)
            assert len(masks) == (1 if "-" in masks[0] else 2)


def test_notes_of_ddi(real_data: Path) -> None:
    notes = read_card(real_data / "ddi2013-type").notes
    assert notes["positive_pairs_without_a_type_left_out"] == 1
    assert notes["entities_moved_by_one_character"] == 1


def test_the_sizes_of_departures_are_counts_of_these_files(real_data: Path) -> None:
    """Numbers of ``runs.departures``, counted from the rows."""
    sizes = {one.ours.split()[0] + " " + one.ours.split()[1]: one.size for one in DEPARTURES}
    tasks = {name: read_task(real_data / name).examples for name in ("bc5cdr-disease", "bc5cdr-chemical", "chemprot")}
    quoted = []
    for name in ("bc5cdr-disease", "bc5cdr-chemical"):
        n_split = n_mentions = 0
        for example in tasks[name]["test"]:
            found = strict_mentions(list(example.label))
            ends, first = set(), 0
            while len(example.words) - first > 30:
                marks = [i for i in range(first, first + 30) if not any(c.isalnum() for c in example.words[i])]
                first = marks[-1] + 1 if marks else first + 30
                ends.add(first)
            n_mentions += len(found)
            n_split += sum(any(start < end < stop for end in ends) for _, start, stop in found)
        quoted.append(f"{n_split} of {n_mentions:,} {name.removeprefix('bc5cdr-')}")
    assert f"{' and '.join(quoted)} test mentions of BC5CDR" in sizes["Dev and"]
    n_alone = n_words = 0
    for example in (*tasks["bc5cdr-chemical"]["train"], *tasks["bc5cdr-chemical"]["dev"]):
        rest = list(example.label)
        n_words += len(rest)
        while len(rest) > 30:
            places = [i for i, tag in enumerate(rest[:30]) if tag == "O"]
            n_alone += not places
            rest = rest[places[-1] + 1 :] if places else rest[1:]
    assert f"({n_alone} of {n_words:,} training words)" in sizes["Training sentences"]
    test = tasks["chemprot"]["test"]
    n_odd = sum(not example.text.isascii() for example in test)
    assert f"{n_odd:,} of {len(test):,} ChemProt test rows" in sizes["Every character"]
    ascii_only = all(word.isascii() for split in tasks["bc5cdr-disease"].values() for e in split for word in e.words)
    assert ascii_only == sizes["Every character"].startswith("none in BC5CDR")
    genes_first = [e for e in test if -1 < e.text.find("@GENE$") < e.text.find("@CHEMICAL$")]
    positive = [e for e in test if e.label != "false"]
    of_positive = sum(e.label != "false" for e in genes_first)
    assert f"{len(genes_first):,} of {len(test):,} ChemProt test rows" in sizes["Masks stand"]
    assert f"{of_positive:,} of the {len(positive):,} positive ones" in sizes["Masks stand"]
    ddi = json_rows(real_data / "ddi2013-type/test.jsonl")
    in_parts = [row for row in ddi if any(len(parts) > 1 for parts in row["offsets"])]  # type: ignore[attr-defined]
    n_positive = sum(row["label"] != "DDI-false" for row in in_parts)
    assert sizes["The mask"] == f"{len(in_parts)} of {len(ddi):,} test rows, {n_positive} of them positive"
