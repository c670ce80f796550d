"""Invented corpora in the original layouts, and the real corpora in the folder ``TASKAFFINITY_RAW``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.prepare import prepare
from taskaffinity.errors import InputError

SECRETS = ("Zorbifex", "quuxitis", "Blorptase", "frumious", "mimsy", "snarkol", "vorpal")
"""Content words of the invented corpora; no message may contain one."""

TITLE = "Zorbifex and quuxitis."
ABSTRACT = "Zorbifex frumious, e.g. in mimsy. The snarkol, 5 mg, met Blorptase-like quuxitis."

OPEN = ("bc5cdr", "ddi2013", "chemprot")
"""Open corpora of the paper; the others need a data use agreement."""

OPEN_CLINICAL = {"ehr-rel": "ehr_rel", "lct": "leaf_clinical_trials", "rqe": "rqe"}
"""Corpora of the open clinical suite, and the folders of their original distributions."""

ExpectInputError = Callable[..., str]
Edit = Callable[[Path, str, str], None]


@pytest.fixture
def expect_input_error(tmp_path: Path) -> ExpectInputError:
    """Check that a call raises a one-line ``InputError`` with ``parts`` and without text of a corpus."""

    def call(action: Callable[[], object], *parts: str) -> str:
        with pytest.raises(InputError) as caught:
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
    """Replace the first ``old`` in a file; it must occur."""

    def replace(path: Path, old: str, new: str) -> None:
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), encoding="utf-8")

    return replace


@pytest.fixture
def bc5cdr_raw(tmp_path: Path) -> Path:
    """One document per split; a search of the text gives the offsets of the mentions."""
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
    """One document per split: two chemicals and two genes, a pair with two classes, and one nested pair."""
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
    """Twenty equal records per site and two for test; line 3 starts with a blank, which counts as a word."""
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
    """Twelve training notes with Knowtator files, two test notes with pipe files; each has a discontinuous mention."""
    root = tmp_path / "raw" / "shareclef2013"
    at = {said: SHARE_TEXT.index(said) for said in ("quuxitis of", "right snarkol", "vorpal", "left")}
    mentions = [
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
        for number, parts in enumerate(mentions):
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
        lines = [
            "||".join([name, "Disease_Disorder", "C01", *(str(x) for p in parts for x in p)]) for parts in mentions
        ]
        (gold / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def mednli_raw(tmp_path: Path) -> Path:
    """One pair per class and split."""
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
    """Twenty training pairs and two test pairs; the last line has no line end."""
    root = tmp_path / "raw" / "clinicalsts"
    root.mkdir(parents=True)
    train = [f"Zorbifex {i} \t mimsy quuxitis\t{i % 11 / 2}" for i in range(20)]
    (root / "clinicalSTS.train.txt").write_text("\n".join(train), encoding="utf-8")
    (root / "clinicalSTS.test.txt").write_text("Zorbifex\tsnarkol\nvorpal\tmimsy", encoding="utf-8")
    (root / "clinicalSTS.test.gs.sim.txt").write_text("4.5\n0", encoding="utf-8")
    return root


@pytest.fixture
def ehr_rel_raw(tmp_path: Path) -> Path:
    """Five lines: one dev pair, one test pair and two training pairs, the first of them rated twice."""
    root = tmp_path / "raw" / "ehr-rel"
    root.mkdir(parents=True)
    header = [
        "snomed_id_1",
        "snomed_label_1",
        "snomed_id_2",
        "snomed_label_2",
        "rater_A",
        "rater_B",
        "rater_C",
        "rater_D",
        "rater_E",
    ]
    lines = ["\t".join([*header, "mean_rating", "CUI_1", "CUI_2"])]
    for first, second, rating in (
        ("13645005", "79955004", "2.0"),
        ("109894007", "47821001", "0"),
        ("102549009", "400047006", "1.6666666666666667"),
        ("57891003", "169839008", "3.0"),
        ("13645005", "79955004", "1"),
    ):
        fields = [first, "mimsy Zorbifex", second, " quuxitis", "", "1.0", "", "2.0", "2.0", rating, "C1", "C2"]
        lines.append("\t".join(fields))
    (root / "EHR-RelB.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


LCT_TEXT = """Mimsy:

  1. quuxitis due to Zorbifex. No stable vorpal quuxitis (vq) after snarkol
  2. snarkol
"""
LCT_MENTIONS = {
    "T1": ("Condition", "quuxitis due", "quuxitis"),
    "T2": ("Drug", "Zorbifex", "Zorbifex"),
    "T3": ("Condition", "vorpal quuxitis", "vorpal quuxitis"),
    "T4": ("Condition", "vq", "vq"),
    "T5": ("Drug", "snarkol\n  2", "snarkol"),
    "T6": ("Drug", "snarkol\n", "snarkol"),
    "T7": ("Stability", "stable", "stable"),
    "T8": ("Condition-Name", "quuxitis due", "quuxitis"),
}
"""Type, a place in the text, and the text; T6 is the last such place."""
LCT_EVENTS = """E1\tCondition:T1 Name:T8
E2\tDrug:T2\x20
E3\tCondition:T3 Stability:T7
E4\tCondition:T4
E5\tDrug:T5
E6\tDrug:T6
A1\tStability-Value T7 stable
"""
LCT_RELATIONS = """R1\tCaused-By Arg1:E1 Arg2:E2\t
R2\tAbbrev-Of Arg1:E4 Arg2:E3
R3\tAfter Arg1:E3 Arg2:E5
R4\tAbbrev-Of Arg1:E4 Arg2:E3
R5\tDuring Arg1:E3 Arg2:E5
R6\tBefore Arg1:E3 Arg2:E6
R7\tOr Arg1:E1 Arg2:E3
"""


@pytest.fixture
def lct_raw(tmp_path: Path) -> Path:
    """One trial per split, all equal; dev and test also have a relation between types that training never joins."""
    root = tmp_path / "raw" / "lct"
    mentions = ""
    for name, (kind, place, said) in LCT_MENTIONS.items():
        start = LCT_TEXT.rindex(place) if name == "T6" else LCT_TEXT.index(place)
        mentions += f"{name}\t{kind} {start} {start + len(said)}\t{said}\n"
    for batch, trial in (("batch1", "NCT03860025"), ("batch1", "NCT03860012"), ("training", "NCT03860038")):
        folder = root / "brat" / batch
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{trial}.txt").write_text(LCT_TEXT, encoding="utf-8")
        unseen = "" if trial == "NCT03860025" else "R8\tCaused-By Arg1:T7 Arg2:E3\n"
        content = LCT_EVENTS + mentions + LCT_RELATIONS + unseen
        (folder / f"{trial}.ann").write_text(content, encoding="utf-8")
    return root


@pytest.fixture
def hoc_raw(tmp_path: Path) -> Path:
    """Three abstracts of two sentences, one in each part."""
    root = tmp_path / "raw"
    for folder in ("text", "labels"):
        (root / folder).mkdir(parents=True)
    labels = " < Resisting cell death--Mimsy ANDInducing angiogenesis ANDResisting cell death--Quux < "
    for name, none in (("103", ""), ("105", "NULL "), ("109", "")):
        (root / "text" / f"{name}.txt").write_text("Zorbifex \u2019s quuxitis .\nIt is mimsy .", encoding="utf-8")
        (root / "labels" / f"{name}.txt").write_text(labels + none, encoding="utf-8")
    return root


@pytest.fixture
def rqe_raw(tmp_path: Path) -> Path:
    """Two pairs per split; questions have line breaks, and one training pair lacks its second question."""
    root = tmp_path / "raw"
    for name, root_tag in (
        ("rqe/RQE_Train_8588_AMIA2016.xml", "RQE-med-train"),
        ("rqe/RQE_Test_302_pairs_AMIA2016.xml", "RQE-med-test"),
        ("mediqa2019_task2/MEDIQA2019-Task2-RQE-TestSet-wLabels.xml", "MEDIQA2019-Task2-RQE-TestSet"),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pairs = [(1, "true", "Why  Zorbifex?"), (2, "false", "What is\nquuxitis?")]
        pairs += [(3, "true", " ")] if "Train" in name else []
        content = "".join(
            f'<pair pid="{pid}" type="mimsy" value="{value}">\n<chq>\n   Zorbifex &amp; quuxitis. Why?\n</chq>\n'
            f"<faq>{faq}</faq>\n</pair>\n"
            for pid, value, faq in pairs
        )
        head = '<?xml version="1.0" encoding="UTF-8"?>'
        path.write_text(f"{head}\n<{root_tag}>\n{content}</{root_tag}>\n", encoding="utf-8")
    return root / "rqe"


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


@pytest.fixture(scope="session")
def real_open_data(real_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Task folders of the open clinical suite, converted once."""
    out = tmp_path_factory.mktemp("open_data")
    for corpus, folder in OPEN_CLINICAL.items():
        if not (real_raw / folder).is_dir():
            pytest.skip(f"{real_raw / folder} is not there: {corpus} was NOT checked")
        prepare(corpus, real_raw, out)
    return out
