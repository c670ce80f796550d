"""Invented files in the layouts of the BLUE benchmark; the expected rows are written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.blue_tsv import convert
from taskaffinity.corpora.check import check, class_differences
from taskaffinity.corpora.choices import Choices, is_hash_below, lowest_hashes
from taskaffinity.corpora.original import ConvertedTask
from taskaffinity.corpora.prepare import prepare
from taskaffinity.tasks.blue import BLUE_TASKS
from taskaffinity.tasks.formats import TaskCard, read_task, write_task
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example

ExpectInputError = Callable[..., str]

RELATIONS = "index\tsentence\tlabel\n"
STS = "index\tgenre\tfile\tyear\told\tsource\tone\ttwo\tgold\n"


def write(folder: Path, **contents: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.tsv").write_text(content, encoding="utf-8")
    return folder


def relations(*rows: str) -> str:
    return RELATIONS + "".join(f"{row}\n" for row in rows)


def labelled(task: ConvertedTask, split: str) -> list[tuple[object, ...]]:
    return [(r.example.id, r.example.label, r.example.text) for r in task.splits[split]]  # type: ignore[index]


def pairs(task: ConvertedTask, split: str) -> list[tuple[object, ...]]:
    rows = task.splits[split]  # type: ignore[index]
    return [(r.example.id, r.example.label, r.example.text, r.example.text_pair) for r in rows]


@pytest.fixture
def chemprot(tmp_path: Path) -> Path:
    """Quotes, a line break, a pair with two classes, and a duplicate row."""
    return write(
        tmp_path / "raw" / "chemprot",
        train=relations(
            "11.T1.T3\t@GENE$ binds @CHEMICAL$.\tCPR:4",
            "11.T1.T3\t@GENE$ binds @CHEMICAL$.\tCPR:3",
            '11.T2.T3\t"The ""mimsy"" @CHEMICAL$\nmet @GENE$."\tFALSE',
            "11.T1.T3\t@GENE$ binds @CHEMICAL$.\tCPR:4",
        ),
        dev=relations("22.T1.T3\t@CHEM-GENE$ frumious.\tfalse"),
        test=relations("33.T1.T3\t@CHEMICAL$ snarkol @GENE$.\tCPR:9"),
    )


def test_relations(chemprot: Path) -> None:
    (task,) = convert("chemprot", chemprot)
    assert labelled(task, "train") == [
        ("11.T1.T3", "CPR:4", "@GENE$ binds @CHEMICAL$."),
        ("11.T1.T3#2", "CPR:3", "@GENE$ binds @CHEMICAL$."),
        ("11.T2.T3", "false", 'The "mimsy" @CHEMICAL$ met @GENE$.'),
    ]
    assert labelled(task, "dev") == [("22.T1.T3", "false", "@CHEM-GENE$ frumious.")]
    assert [row.example.document for row in task.splits["train"]] == ["11"] * 3
    assert task.card.notes == {"rows_of_a_second_label": 1, "rows_twice_left_out": 1}


def test_prepared_blue_folder_can_be_read(chemprot: Path, tmp_path: Path) -> None:
    (done,) = prepare("chemprot", chemprot.parent, tmp_path / "out", form="blue")
    task, blue = read_task(done.folder), BLUE_TASKS["chemprot"]
    assert (task.name, task.kind, task.labels, task.negative) == ("chemprot", blue.kind, blue.labels, blue.negative)
    assert {split: entry.rows for split, entry in done.card.counts.items()} == {"train": 3, "dev": 1, "test": 1}


def test_ids_are_those_of_the_original_distribution(tmp_path: Path) -> None:
    index = "record-9.record-9.con.l{}.record-9.con.l{}"
    row = f"{index.format(1, 12)}\t@treatment$ for @problem$ .\tTrAP"
    raw = write(
        tmp_path / "i", train=relations(row), dev=relations(row.replace("-9", "-8")), test=relations("x\ty\tPIP")
    )
    (task,) = convert("i2b2-2010-re", raw)
    assert labelled(task, "train") == [("record-9.l1.l12", "TrAP", "@treatment$ for @problem$ .")]
    assert [row.example.document for split in ("train", "dev", "test") for row in task.splits[split]] == [  # type: ignore[index]
        "record-9",
        "record-8",
        "",
    ]


def test_the_pair_without_a_type_is_left_out(tmp_path: Path) -> None:
    part = relations("DDI-X.d1.s0.p0\t@drug$ and @brand$\tDDI-None", "DDI-X.d1.s0.p1\t@drug$ or @brand$\tfalse")
    raw = write(tmp_path / "d", train=part, dev=part.replace("d1", "d2"), test=part.replace("d1", "d3"))
    (task,) = convert("ddi2013-type", raw)
    assert labelled(task, "train") == [("DDI-X.d1.s0.p1", "DDI-false", "@drug$ or @brand$")]
    assert task.splits["train"][0].example.document == "DDI-X.d1"
    assert task.card.notes["positive_pairs_without_a_type_left_out"] == 3


@pytest.mark.parametrize(
    "content",
    [
        "index\tsentence1\tsentence2\tlabel\na-1\tZorbifex mimsy.\tquuxitis\tentailment\n",
        "label\tindex\tsentence1\tsentence2\nentailment\ta-1\tZorbifex mimsy.\tquuxitis\n",
        'label\tindex\ts1\ts2\r\nEntailment\ta-1\t"Zorbifex\r\nmimsy."\tquuxitis \r\n',
    ],
)
def test_mednli_in_both_column_orders(tmp_path: Path, content: str) -> None:
    raw = write(tmp_path / "m", train=content, dev=content.replace("a-", "b-"), test=content.replace("a-", "c-"))
    (task,) = convert("mednli", raw)
    assert pairs(task, "train") == [("a-1", "entailment", "Zorbifex mimsy.", "quuxitis")]
    assert pairs(task, "dev") == [("b-1", "entailment", "Zorbifex mimsy.", "quuxitis")]


def test_the_last_three_columns_of_clinicalsts(tmp_path: Path) -> None:
    rows = '0\tg\tf\t2018\t7\ts\tZorbifex\tthe 5" mimsy\t3.5\n1\tg\tf\t2018\t8\ts\tvorpal\tsnarkol\t0\n'
    named = 'sentence1\tsentence2\tscore\tindex\nZorbifex\tthe 5" mimsy\t3.5\t0\nvorpal\tsnarkol\t0\t1\n'
    raw = write(tmp_path / "c", train=STS + rows, dev=named, test=STS + rows)
    (task,) = convert("clinicalsts", raw)
    for split in ("train", "dev", "test"):
        assert pairs(task, split) == [
            (f"{split}.0", 3.5, "Zorbifex", 'the 5" mimsy'),
            (f"{split}.1", 0.0, "vorpal", "snarkol"),
        ]


TAGGED = """The\t{doc}\t0\tO
mimsy\t-\t4\tB{kind}
\"\"\"\"\t-\t9\tI{kind}
and\t-\t11\tO
frumious\t-\t15\tI{kind}
quuxitis\t-\t24\tI{kind}

vorpal\t{doc}\t34\tI{kind}
.\t-\t40\tX
"""


@pytest.mark.parametrize("kind", ["", "-Disease"])
@pytest.mark.parametrize("names", [("Training", "Development", "Test"), ("train", "devel", "test")])
def test_tagged_sentences(tmp_path: Path, kind: str, names: tuple[str, str, str]) -> None:
    contents = {name: TAGGED.format(doc=f"n-{name}", kind=kind) for name in names}
    (task,) = convert("shareclefe", write(tmp_path / "s", **contents))
    for split, name in zip(("train", "dev", "test"), names, strict=True):
        rows = task.splits[split]  # type: ignore[index]
        assert [(r.example.id, r.example.words, r.example.label, r.offsets) for r in rows] == [
            (
                f"n-{name}.0",
                ("The", "mimsy", '"', "and", "frumious", "quuxitis"),
                ("O", "B-Disease", "I-Disease", "O", "B-Disease", "I-Disease"),
                ((0, 3), (4, 9), (9, 10), (11, 14), (15, 23), (24, 32)),
            ),
            (f"n-{name}.34", ("vorpal", "."), ("B-Disease", "O"), ((34, 40), (40, 41))),
        ]
        assert {row.example.document for row in rows} == {f"n-{name}"}
        assert task.card.notes[f"inside_tags_made_begin_{split}"] == 2
    assert task.card.notes["subword_tags_read_as_O"] == 3


def test_unescaped_quote_is_a_word(tmp_path: Path) -> None:
    tagged = TAGGED.replace('""""', '"')
    parts = {name: tagged.format(doc=name, kind="") for name in ("train", "dev", "test")}
    (task,) = convert("shareclefe", write(tmp_path / "s", **parts))
    assert task.splits["train"][0].example.words[2] == '"'


def test_a_dev_part_is_cut_by_the_recorded_rule(tmp_path: Path) -> None:
    names = [f"DDI-X.d{n}" for n in range(24)]
    train = relations(*(f"{name}.s{s}.p0\t@drug$ mimsy @drug$\tDDI-int" for name in names for s in (0, 1)))
    raw = write(tmp_path / "d", train=train, test=relations("DDI-X.d99.s0.p0\t@drug$ mimsy @drug$\tDDI-int"))
    (task,) = convert("ddi2013-type", raw)
    dev = [name for name in names if is_hash_below(name, 0.25)]
    assert [row.example.document for row in task.splits["dev"]] == [name for name in dev for _ in (0, 1)]
    assert {row.example.document for row in task.splits["train"]} == set(names) - set(dev)
    (task,) = convert("ddi2013-type", raw, Choices(dev_ids=("DDI-X.d3",)))
    assert [row.example.id for row in task.splits["dev"]] == ["DDI-X.d3.s0.p0", "DDI-X.d3.s1.p0"]


def test_listed_pairs_of_mednli_are_dev_even_if_train_has_their_premise(tmp_path: Path) -> None:
    header = "index\tsentence1\tsentence2\tlabel\n"
    rows = "".join(f"t{n}\tpremise {n // 3}\tmimsy {n}\tneutral\n" for n in range(9))
    raw = write(tmp_path / "m", train=header + rows, test=header + "z\tp\th\tneutral\n")
    (task,) = convert("mednli", raw, Choices(dev_ids=("t0", "t4")))
    assert [row.example.id for row in task.splits["dev"]] == ["t0", "t4"]
    assert len({row.example.document for row in task.splits["train"]}) == 3


def test_a_dev_part_of_pairs_is_a_tenth(tmp_path: Path) -> None:
    rows = "".join(f"{n}\tg\tf\ty\to\ts\tmimsy\tvorpal\t1\n" for n in range(20))
    (task,) = convert("clinicalsts", write(tmp_path / "c", train=STS + rows, test=STS + rows))
    assert {row.example.id for row in task.splits["dev"]} == lowest_hashes((f"train.{n}" for n in range(20)), 2)


def test_missing_dev_part_without_a_rule_is_an_input_error(
    chemprot: Path, tmp_path: Path, expect_input_error: ExpectInputError
) -> None:
    expect_input_error(lambda: convert("chemprot", chemprot, Choices(dev_ids=("11",))), "--dev-ids", "dev.tsv exists")
    (chemprot / "dev.tsv").unlink()
    expect_input_error(lambda: convert("chemprot", chemprot), "no dev.tsv, no devel.tsv", "chemprot, or --dev-ids")
    raw = write(tmp_path / "d", train=relations("7\t@drug$ mimsy\tDDI-int"), test=relations("8\t@drug$ mimsy\tDDI-int"))
    expect_input_error(lambda: convert("ddi2013-type", raw), "id '7'", "no document", "--dev-ids")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("index\t", "vorpal\t", ("line 1", "no column 'index' among 3", "index, sentence, label")),
        ("sentence\tlabel", "label\tlabel", ("line 1", "no column 'sentence'")),
        ("CPR:4", "CPR:7", ("line 2", "label 'CPR:7'", "CPR:3, CPR:4")),
        ("CPR:4", "vorpal", ("line 2", "label a text of 6 characters")),
        ("11.T1.T3\t@GENE$", "11.T1.T3\tvorpal\t@GENE$", ("line 2", "4 columns", "3, as in the header")),
        ("11.T1.T3\t@GENE$ binds @CHEMICAL$.", "11.T1.T3\t ", ("line 2", "an empty sentence")),
        ("11.T1.T3", "", ("line 2", "an empty index")),
        ("@GENE$ binds", "@GENE$ mimsy", ("line 3", "a second id '11.T1.T3' (first: line 2)", "other content")),
        ("FALSE", "vorpal", ("line 4", "a text of 6 characters")),
    ],
)
def test_fault_in_relations_is_a_one_line_error(
    chemprot: Path,
    expect_input_error: ExpectInputError,
    edit: Callable[..., None],
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    edit(chemprot / "train.tsv", old, new)
    expect_input_error(lambda: convert("chemprot", chemprot), "train.tsv", *parts)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("The\tn\t", "The\t-\t", ("line 1", "no document")),
        ("mimsy\t-\t4\t", "mimsy\t4\t", ("line 2", "3 columns", "token, document, offset, tag")),
        ("mimsy\t-", "mimsy\tm", ("line 2", "document 'm' within a sentence of 'n'", "blank line")),
        ("mimsy\t", "\t", ("line 2", "an empty token")),
        ("-\t4\t", "-\tvorpal\t", ("line 2", "offset a text of 6 characters")),
        ("4\tB", "4\tB-Diseases", ("line 2", "tag 'B-Diseases'", "O, B, I, B-Disease, I-Disease, X, CLS, SEP")),
        ("4\tB", "4\tvorpal", ("line 2", "tag a text of 6 characters")),
        ("vorpal\tn\t34", "vorpal\tn\t0", ("line 8", "a second id 'n.0' (first: line 1)")),
    ],
)
def test_fault_in_tags_is_a_one_line_error(
    tmp_path: Path,
    expect_input_error: ExpectInputError,
    edit: Callable[..., None],
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    contents = {name: TAGGED.format(doc=doc, kind="") for name, doc in (("train", "n"), ("dev", "d"), ("test", "t"))}
    raw = write(tmp_path / "s", **contents)
    edit(raw / "train.tsv", old, new)
    expect_input_error(lambda: convert("shareclefe", raw), "train.tsv", *parts)


@pytest.mark.parametrize(
    ("header", "row", "parts"),
    [
        ("one\ttwo\tgold\n", "mimsy\tvorpal\t1\n", ("line 1", "3 columns without these names")),
        ("", "0\tg\tf\ty\to\ts\tmimsy\tvorpal\t1\n" * 2, ("line 1", "9 columns without these names")),
        (STS, "0\tg\tf\ty\to\ts\tmimsy\tvorpal\t5.5\n", ("line 2", "score '5.5'", "0 to 5")),
        (STS, "0\tg\tf\ty\to\ts\t\tvorpal\t5\n", ("line 2", "an empty sentence1")),
        (STS, "", ("no row",)),
    ],
)
def test_fault_in_clinicalsts_is_a_one_line_error(
    tmp_path: Path, expect_input_error: ExpectInputError, header: str, row: str, parts: tuple[str, ...]
) -> None:
    raw = write(tmp_path / "c", train=header + row, test=header + row)
    expect_input_error(lambda: convert("clinicalsts", raw), "train.tsv", *parts)


def test_unknown_task_or_choice_is_an_input_error(
    chemprot: Path, tmp_path: Path, expect_input_error: ExpectInputError
) -> None:
    expect_input_error(
        lambda: prepare("bc5cdr", chemprot, tmp_path, form="blue"), "no task of Table 1 'bc5cdr'", "did you mean bc5"
    )
    whole = Choices(discontinuous="parts")
    expect_input_error(
        lambda: prepare("chemprot", chemprot, tmp_path / "out", whole, "blue"), "--discontinuous", "BLUE's files"
    )
    expect_input_error(lambda: convert("mednli", chemprot.parent / "nowhere"), "no train.tsv or Training.tsv")
    assert not (tmp_path / "out").exists()


def test_id_in_two_splits_writes_nothing(chemprot: Path, tmp_path: Path, expect_input_error: ExpectInputError) -> None:
    (chemprot / "dev.tsv").write_text(relations("11.T2.T3\tmimsy\tfalse"), encoding="utf-8")
    expect_input_error(lambda: prepare("chemprot", chemprot, tmp_path / "out", form="blue"), "id '11.T2.T3' again")
    assert not (tmp_path / "out/chemprot").exists()


def mentions(prefix: str, n: int) -> list[Row]:
    tags = ("B-Disease",) * n
    return [Row(Example(f"{prefix}.0", tags, words=("mimsy",) * n))]


@pytest.mark.parametrize(("train", "status"), [(4628 + 517, "explained"), (4628 + 516, "unexplained")])
def test_repaired_tags_explain_a_count(tmp_path: Path, train: int, status: str) -> None:
    notes: dict[str, int | str] = {"inside_tags_made_begin_train": 517, "inside_tags_made_begin_dev": 110}
    card = TaskCard(kind="ner", labels=("Disease",), notes=notes)
    counts = {"train": train, "dev": 1065 + 110, "test": 5195}
    write_task(tmp_path / "shareclefe", card, {s: mentions(s, n) for s, n in counts.items()})  # type: ignore[misc]
    rows = check(tmp_path)
    assert [row.status for row in rows] == [status, "explained", "equal"]
    assert rows[1].reason == (
        "110 tags I that follow no mention became B, as the paper's scorer reads them; "
        "the paper's 1,075 is 1,065 in BLUE's files"
    )


def test_dev_part_of_i2b2_in_blue_files_is_explained(tmp_path: Path) -> None:
    card = TaskCard(kind="relation", labels=("PIP", "false"), negative="false")
    counts = {"train": 3110, "dev": 10, "test": 6293}
    rows = {s: [Row(Example(f"{s}{i}", "PIP", "mimsy")) for i in range(n)] for s, n in counts.items()}
    write_task(tmp_path / "i2b2-2010-re", card, rows)  # type: ignore[arg-type]
    assert [(row.status, row.reason) for row in check(tmp_path)] == [
        ("equal", ""),
        ("explained", "the paper's 11 is 10 in BLUE's files"),
        ("equal", ""),
    ]


@pytest.mark.parametrize(("n", "explained"), [(4735, []), (4734, [False]), (4737, [True])])
def test_negatives_may_differ_by_one_percent(tmp_path: Path, n: int, explained: list[bool]) -> None:
    card = TaskCard(kind="relation", labels=("DDI-int", "DDI-false"), negative="DDI-false")
    rows = [Row(Example(f"t{i}", "DDI-false", "mimsy")) for i in range(n)]
    one = {s: [Row(Example(s, "DDI-int", "mimsy"))] for s in ("train", "dev")}
    write_task(tmp_path / "ddi2013-type", card, {**one, "test": rows})  # type: ignore[arg-type]
    found = [d for d in class_differences(check(tmp_path)) if (d.part, d.label) == ("test", "DDI-false")]
    assert [bool(d.reason) for d in found] == explained  # BLUE's 4,782
