"""Invented corpora in the original layouts, and the real ones where ``TASKAFFINITY_RAW`` says they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.prepare import prepare
from taskaffinity.tasks.task import BadInput

SECRETS = ("Zorbifex", "quuxitis", "Blorptase", "frumious", "mimsy", "snarkol", "vorpal")
"""Every content word of the invented corpora: none may stand in a message."""

TITLE = "Zorbifex and quuxitis."
ABSTRACT = "Zorbifex frumious, e.g. in mimsy. The snarkol, 5 mg, met Blorptase-like quuxitis."

OPEN = ("bc5cdr", "ddi2013", "chemprot")
"""Corpora that anyone may have; the others are not to be had without an agreement."""

Refused = Callable[..., str]
Edit = Callable[[Path, str, str], None]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Call, and return the one line of the ``BadInput`` that must come; it names ``parts`` and no text."""

    def call(action: Callable[[], object], *parts: str) -> str:
        with pytest.raises(BadInput) as caught:
            action()
        message = str(caught.value)
        assert "\n" not in message
        for part in parts:
            assert part in message
        beyond_paths = message.replace(str(tmp_path), "").lower()
        for secret in SECRETS:
            assert secret.lower() not in beyond_paths
        return message

    return call


@pytest.fixture
def edit() -> Edit:
    """Replace the first ``old`` of a file, which must be there."""

    def replace(path: Path, old: str, new: str) -> None:
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), encoding="utf-8")

    return replace


@pytest.fixture
def bc5cdr_raw(tmp_path: Path) -> Path:
    """One document a split, its mentions found by searching the text."""
    folder = tmp_path / "raw" / "bc5cdr"
    folder.mkdir(parents=True)
    text = f"{TITLE} {ABSTRACT}"
    for pmid, name in ((11, "Training"), (22, "Development"), (33, "Test")):
        lines = [f"{pmid}|t|{TITLE}", f"{pmid}|a|{ABSTRACT}"]
        for said, kind, at in (
            ("Zorbifex", "Chemical", 0),
            ("quuxitis", "Disease", text.index("quuxitis")),
            ("snarkol", "Chemical", text.index("snarkol")),
            ("Blorp", "Chemical", text.index("Blorp")),
            ("quuxitis", "Disease", text.rindex("quuxitis")),
        ):
            lines.append(f"{pmid}\t{at}\t{at + len(said)}\t{said}\t{kind}\tD01")
        lines[3] += "\tpart|part"
        lines.append(f"{pmid}\tCID\tD01\tD02")
        (folder / f"CDR_{name}Set.PubTator.txt").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return folder


@pytest.fixture
def chemprot_raw(tmp_path: Path) -> Path:
    """One document a split: two chemicals and two genes, a pair with two classes, and one nested pair."""
    title = "Zorbifex β-effects."
    abstract = "Blorptase binds Zorbifex and snarkol; the snarkol receptor is mimsy."
    text = f"{title} {abstract}"
    mentions = [
        ("T1", "CHEMICAL", text.index("Zorbifex", 5), "Zorbifex"),
        ("T2", "CHEMICAL", text.rindex("snarkol"), "snarkol"),
        ("T3", "GENE-Y", text.index("Blorptase"), "Blorptase"),
        ("T4", "GENE-N", text.rindex("snarkol"), "snarkol receptor"),
        ("T5", "CHEMICAL", 0, "Zorbifex"),
    ]
    for pmid, name, suffix in ((11, "training", ""), (22, "development", ""), (33, "test", "_gs")):
        folder = tmp_path / "raw" / "chemprot" / f"chemprot_{name}{suffix}"
        folder.mkdir(parents=True)
        tables = {
            f"abstracts{suffix}": [f"{pmid}\t{title}\t{abstract}"],
            f"entities{suffix}": [f"{pmid}\t{i}\t{kind}\t{at}\t{at + len(s)}\t{s}" for i, kind, at, s in mentions],
            "gold_standard": [
                f"{pmid}\tCPR:4\tArg1:T1\tArg2:T3",
                f"{pmid}\tCPR:3\tArg1:T1\tArg2:T3",
                f"{pmid}\tCPR:9\tArg1:T5\tArg2:T3",
            ],
        }
        for table, lines in tables.items():
            (folder / f"chemprot_{name}_{table}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "raw" / "chemprot"


DDI_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<document id="{doc}">
  <sentence id="{doc}.s0" text="Zorbifex and&#10;snarkol were mimsy.">
    <entity id="{doc}.s0.e0" charOffset="0-7" type="brand" text="Zorbifex"/>
    <entity id="{doc}.s0.e1" charOffset="13-19" type="drug" text="snarkol"/>
    <pair id="{doc}.s0.p0" e1="{doc}.s0.e1" e2="{doc}.s0.e0" ddi="true" type="effect"/>
  </sentence>
  <sentence id="{doc}.s1" text="vorpal- and snarkol-like agents met Zorbifex.">
    <entity id="{doc}.s1.e0" charOffset="0-6;19-30" type="group" text="vorpal--like agents"/>
    <entity id="{doc}.s1.e1" charOffset="12-30" type="group" text="snarkol-like agents"/>
    <entity id="{doc}.s1.e2" charOffset="36-43" type="drug_n" text="Zorbifex"/>
    <pair id="{doc}.s1.p0" e1="{doc}.s1.e0" e2="{doc}.s1.e1" ddi="false"/>
    <pair id="{doc}.s1.p1" e1="{doc}.s1.e0" e2="{doc}.s1.e2" ddi="true" type="int"/>
    <pair id="{doc}.s1.p2" e1="{doc}.s1.e1" e2="{doc}.s1.e2" ddi="true"/>
  </sentence>
  <sentence id="{doc}.s2" text=""/>
</document>
"""


@pytest.fixture
def ddi2013_raw(tmp_path: Path) -> Path:
    """Twelve documents for training and one for test in each of DrugBank and MedLine."""
    root = tmp_path / "raw" / "ddi2013"
    for part, n in (("Train", 12), ("Test/Test for DDI Extraction task", 1)):
        for source in ("DrugBank", "MedLine"):
            folder = root / part / source
            folder.mkdir(parents=True)
            for i in range(n):
                content = DDI_DOCUMENT.format(doc=f"DDI-{source}.{part[:2]}{i}")
                (folder / f"doc{i:02}.xml").write_text(content, encoding="utf-8")
    return root


I2B2_TEXT = """Zorbifex :
frumious mimsy Zorbifex for the quuxitis .
 snarkol showed quuxitis and vorpal mimsy ; Zorbifex , Zorbifex"""
I2B2_CONCEPTS = """c="zorbifex" 2:2 2:2||t="treatment"
c="the quuxitis" 2:4 2:5||t="problem"
c="snarkol" 3:1 3:1||t="test"
c="quuxitis" 3:3 3:3||t="problem"
c="quuxitis" 3:3 3:3||t="problem"
c="vorpal mimsy" 3:5 3:6||t="problem"
"""
I2B2_RELATIONS = """c="zorbifex" 2:2 2:2||r="TrAP"||c="the quuxitis" 2:4 2:5
c="snarkol" 3:1 3:1||r="TeRP"||c="quuxitis" 3:3 3:3
c="snarkol" 3:1 3:1||r="TeCP"||c="quuxitis" 3:3 3:3
"""


@pytest.fixture
def i2b2_raw(tmp_path: Path) -> Path:
    """Twenty records of each site and two for test, all alike; line 3 starts with a blank, which counts as a word."""
    root = tmp_path / "raw" / "i2b2_2010"
    train, test = root / "concept_assertion_relation_training_data", root / "reference_standard_for_test_data"
    folders = [(train / "beth", "record-", 20), (train / "partners", "9", 20), (root, "00", 2)]
    for folder, stem, n in folders:
        is_test = folder == root
        parts = {
            folder / ("test_data" if is_test else "txt"): ("txt", I2B2_TEXT),
            (test / "concepts" if is_test else folder / "concept"): ("con", I2B2_CONCEPTS),
            (test / "rel" if is_test else folder / "rel"): ("rel", I2B2_RELATIONS),
        }
        for place, (ending, content) in parts.items():
            place.mkdir(parents=True)
            for i in range(n):
                (place / f"{stem}{i}.{ending}").write_text(content, encoding="utf-8")
    return root


SHARE_TEXT = """MIMSY:  [**Zorbifex 00**]

The frumious patient had no quuxitis of the left and right snarkol, but the vorpal
quuxitis was seen.
"""
"""The widest line is 82 characters long."""


@pytest.fixture
def shareclefe_raw(tmp_path: Path) -> Path:
    """Twelve notes for training, of Knowtator files, and two for test, of pipe files; one mention in parts in each."""
    root = tmp_path / "raw" / "shareclef2013"
    at = {said: SHARE_TEXT.index(said) for said in ("quuxitis of", "right snarkol", "vorpal", "left")}
    spans = [
        [(at["quuxitis of"], at["quuxitis of"] + 8), (at["right snarkol"], at["right snarkol"] + 13)],
        [(at["vorpal"], at["vorpal"] + 15)],
        [(at["left"], at["left"] + 4)],
    ]
    for part, n in (("Task1TrainSetCorpus199/ALLREPORTS", 12), ("Task1TestSetCorpus100/ALLREPORTS", 2)):
        (root / part).mkdir(parents=True)
        for i in range(n):
            (root / part / f"{part[5:9]}-{i:06}-ECHO_REPORT.txt").write_text(SHARE_TEXT, encoding="utf-8")
    gold = root / "Task1TrainSetGOLD199knowtatorehost/ALLSAVED"
    gold.mkdir(parents=True)
    for i in range(12):
        annotations = []
        for number, parts in enumerate(spans):
            said = " ... ".join(SHARE_TEXT[start:end] for start, end in parts)
            offsets = "".join(f'<span start="{start}" end="{end}" />' for start, end in parts)
            annotations.append(
                f'<annotation>\n<mention id="M{number}" />{offsets}<spannedText>{said}</spannedText></annotation>'
                f'<classMention id="M{number}"><mentionClass id="Disease_Disorder">D</mentionClass></classMention>'
            )
        content = f"<annotations>\n{''.join(annotations)}\n</annotations>\n"
        (gold / f"Trai-{i:06}-ECHO_REPORT.txt.knowtator.xml").write_text(content, encoding="utf-8")
    gold = root / "Task1Gold_SN2012/Gold_SN2012"
    gold.mkdir(parents=True)
    for i in range(2):
        name = f"Test-{i:06}-ECHO_REPORT.txt"
        lines = ["||".join([name, "Disease_Disorder", "C01", *(str(x) for p in parts for x in p)]) for parts in spans]
        (gold / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def mednli_raw(tmp_path: Path) -> Path:
    """A pair of each class a split."""
    root = tmp_path / "raw" / "mednli"
    root.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        rows = [
            {"gold_label": label, "pairID": f"{split}-{label}", "sentence1": "Zorbifex mimsy.", "sentence2": "quuxitis"}
            for label in ("entailment", "contradiction", "neutral")
        ]
        content = "".join(json.dumps(row) + "\n" for row in rows)
        (root / f"mli_{split}_v1.jsonl").write_text(content, encoding="utf-8")
    return root


@pytest.fixture
def clinicalsts_raw(tmp_path: Path) -> Path:
    """Twenty pairs for training and two for test; the last line has no end."""
    root = tmp_path / "raw" / "clinicalsts"
    root.mkdir(parents=True)
    train = [f"Zorbifex {i} \t mimsy quuxitis\t{i % 11 / 2}" for i in range(20)]
    (root / "clinicalSTS.train.txt").write_text("\n".join(train), encoding="utf-8")
    (root / "clinicalSTS.test.txt").write_text("Zorbifex\tsnarkol\nvorpal\tmimsy", encoding="utf-8")
    (root / "clinicalSTS.test.gs.sim.txt").write_text("4.5\n0", encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def real_raw() -> Path:
    """Folder of the original distributions."""
    place = os.environ.get("TASKAFFINITY_RAW")
    if not place:
        pytest.skip("TASKAFFINITY_RAW is not set: the real corpora were NOT checked")
    return Path(place)


@pytest.fixture(scope="session")
def real_data(real_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Task folders of the three real corpora, converted once."""
    out = tmp_path_factory.mktemp("data")
    for corpus in OPEN:
        prepare(corpus, real_raw, out)
    return out
