"""What parses and is still wrong: the right reading, or one line that says what is there."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora import clinicalsts, shareclefe
from taskaffinity.corpora.choices import read_ids
from taskaffinity.errors import InputError, has_controls, printable
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.recipe_file import read_recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.progress import EndedRun, describe_ended
from taskaffinity.studies.settings import make_rule, parse
from taskaffinity.tasks import lines
from taskaffinity.tasks.formats import read_card, read_objects
from taskaffinity.tasks.numbers import finite_number, whole_number
from taskaffinity.tasks.passages import read_passages
from taskaffinity.tasks.standoff import brat
from taskaffinity.tasks.standoff.offsets import xml_root
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.survey import leaks
from taskaffinity.tasks.task import SPLITS, Task
from taskaffinity.tasks.tsv import read_table
from taskaffinity.tasks.unlabelled import read_unlabelled
from taskaffinity.tasks.user.conll import read_conll
from taskaffinity.tasks.user.csvfile import read_csv
from taskaffinity.tasks.user.suitefile import read_suite
from taskaffinity.tasks.user.yamlfile import read_yaml

LINES = {
    ".jsonl": lambda path: list(read_objects(path)),
    ".tsv": lambda path: list(read_table(path)[1]),
    ".csv": lambda path: list(read_csv(path)[1]),
    ".conll": lambda path: list(read_conll(path)),
    ".yaml": read_yaml,
    ".ids": read_ids,
    ".txt": lambda path: read_passages([path]),
    ".predict.txt": lambda path: list(read_unlabelled(path, "ner")),
}
"""Every reader of a text file, by the end of a file's name."""


def suite_of(folder: Path, rows: str, *, ending: str = "jsonl", block: str = "kind: classification") -> Path:
    """A suite of two tasks: x, with these rows in each split, and one without a fault."""
    for name, end, content in (("x", ending, rows), ("y", "csv", "text,label\none,a\ntwo,a\nthree,b\nfour,b\n")):
        (folder / name).mkdir()
        for split in SPLITS:
            (folder / name / f"{split}.{end}").write_text(content.replace("SPLIT", split))
    path = folder / "suite.yaml"
    path.write_text(f"tasks:\n  x: {{{block}, path: x}}\n  y: {{kind: classification, path: y}}\n")
    return path


def error_of(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_line_with_as_many_columns_as_the_header_is_a_row_whatever_its_quotes(tmp_path: Path) -> None:
    rows = [["a", '"hello'], ["b", 'bye 5"'], ["a", "x"], ["b", '"'], ["b", "y"], ["a", 'z "'], ["a", '"']]
    path = tmp_path / "x.tsv"
    path.write_text("label\ttext\n" + "".join("\t".join(row) + "\n" for row in rows))
    assert [fields for _, fields in read_table(path)[1]] == rows


@pytest.mark.parametrize("ending", [".jsonl", ".tsv", ".csv", ".conll", ".ids", ".txt", ".predict.txt", ".yaml"])
def test_a_lone_carriage_return_is_named_with_its_line(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{ending}"
    path.write_bytes(b'{"a": 1}\r\n{"a":\r 2}\r\n')
    assert error_of(lambda: LINES[ending](path)) == (
        f"{path}: line 2: found a lone carriage return; expected lines that end in LF or in CR LF"
    )


def test_a_quoted_csv_field_may_hold_a_carriage_return(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'a,b\r\n"x\ry",z\r\n')
    assert [fields for _, fields in read_csv(path)[1]] == [["x\ry", "z"]]


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\u202f", "\u0085", "\x0c", "\u3000"])
@pytest.mark.parametrize("between", [" ", "\t", "  \t "])
def test_only_blanks_and_tabs_part_the_columns_of_conll(blank: str, between: str, tmp_path: Path) -> None:
    path = tmp_path / "x.conll"
    path.write_text(f"10{blank}mg{between}B-DOSE\nnow{blank}{between}O\n", encoding="utf-8")
    [(_, row)] = read_conll(path)
    assert row["words"] == [f"10{blank}mg", f"now{blank}"]
    assert row["tags"] == ["B-DOSE", "O"]


CONLLU = """\
# newdoc id = d1
# sent_id = 1
# text = vámonos al mar
1-2\tvámonos\t_\t_
1\tvamos\tir\tO
2\tnos\tnosotros\tO
3-4\tal\t_\t_
3\ta\ta\tO
4\tel\tel\tO
4.1\tque\tque\t_
5\tmar\tmar\tB-PLACE

# sent_id = 2
1\tsí\tsí\tO
"""


def test_comments_and_row_numbers_of_conllu_are_no_words(tmp_path: Path) -> None:
    path = tmp_path / "x.conll"
    path.write_text(CONLLU, encoding="utf-8")
    rows = list(read_conll(path))
    assert [row["words"] for _, row in rows] == [["vamos", "nos", "a", "el", "mar"], ["sí"]]
    assert [row["tags"] for _, row in rows] == [["O", "O", "O", "O", "B-PLACE"], ["O"]]
    assert [where.rpartition(": ")[2] for where, _ in rows] == ["line 5", "line 14"]


@pytest.mark.parametrize("start", [0, 1, 7])
def test_numbers_through_a_file_or_from_0_are_no_words(start: int, tmp_path: Path) -> None:
    path = tmp_path / "x.conll"
    numbers = iter([0, 1, 2] if start == 7 else [start, start + 1, start])
    path.write_text(f"{next(numbers)} red O\n{next(numbers)} horse B-A\n\n{next(numbers)} runs O\n")
    assert [row["words"] for _, row in read_conll(path)] == [["red", "horse"], ["runs"]]
    path.write_text("1 O\n2 B-A\n")
    assert "two columns, the first of which numbers the rows" in error_of(lambda: list(read_conll(path)))


def test_a_hash_and_a_number_may_be_words(tmp_path: Path) -> None:
    path = tmp_path / "x.conll"
    path.write_text("# O\n5 B-N\n\n# = O\n= = O\n".replace("= ", "x ") + "\n1 O\n")
    path.write_text("# O\n5 B-N\n\n1 O\nof O\n")
    assert [row["words"] for _, row in read_conll(path)] == [["#", "5"], ["1", "of"]]
    path.write_text("#a = O\nb = O\n")
    assert [row["words"] for _, row in read_conll(path)] == [["#a", "b"]]


def test_minus_one_is_no_class_unless_it_is_listed(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": f"SPLIT {n}", "label": n % 3 - 1}) + "\n" for n in range(6))
    suite = suite_of(tmp_path, rows)
    assert "train.jsonl: line 1: found label -1, which means no label" in error_of(lambda: read_suite(suite))
    suite.write_text(suite.read_text().replace("path: x}", "path: x, labels: [-1, 0, 1]}"))
    assert read_suite(suite)["x"].labels == ("-1", "0", "1")
    data = {split: [{"text": f"{split} {n}", "label": n % 2 - 1} for n in range(4)] for split in SPLITS}
    columns = {"text": "text", "label": "label"}
    assert "label -1" in error_of(lambda: Suite.from_datasets({"a": (data, columns), "b": (data, columns)}))


def test_minus_one_is_a_score_only_beside_other_negative_ones(tmp_path: Path) -> None:
    for number, (lowest, highest) in enumerate(((-1, 3), (-1, 0.5), (-0.5, 3))):
        folder = tmp_path / str(number)
        folder.mkdir()
        scores = [-1, lowest, 0, highest]
        rows = "".join(json.dumps({"text": "SPLIT", "text_pair": f"{n}", "label": n}) + "\n" for n in scores)
        suite = suite_of(folder, rows, block="kind: similarity")
        if number == 0:
            assert "train.jsonl: line 1: found label -1, which means no label" in error_of(lambda: read_suite(suite))  # noqa: B023
        else:
            assert len(read_suite(suite)["x"].examples["train"]) == 4


def test_one_column_is_not_two_fields(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "", block="kind: similarity, columns: {text: a, text_pair: a, label: c}")
    assert "line 2: found column 'a' as text and as text_pair" in error_of(lambda: read_suite(suite))


def test_a_key_twice_is_named_with_its_line_at_any_depth(tmp_path: Path) -> None:
    for number, row in enumerate(('{"text": "x", "label": "a", "label": "b"}', '{"a": [{"b": 1, "b": 1}]}')):
        path = tmp_path / f"{number}.jsonl"
        path.write_text(f'{{"text": "x", "label": "a"}}\n{row}\n')
        assert f"{path}: line 2: found a key twice" in error_of(lambda path=path: list(read_objects(path)))
        assert "line 2: found a key twice" in error_of(lambda path=path: list(read_unlabelled(path, "classification")))
    card = {"kind": "similarity", "title": "a"}
    (tmp_path / "task.json").write_text(json.dumps(card))
    assert read_card(tmp_path).title == "a"
    (tmp_path / "task.json").write_text(json.dumps(card)[:-1] + ', "title": "b"}')
    assert "a key twice" in error_of(lambda: read_card(tmp_path))


NOT_WHOLE = ["", "-1", "+1", "1_000", "1.0", "١٢", "１２", "²", "1" * 19, "9" * 5000, " 1", "1e3", "0x1"]
NOT_FINITE = [
    "",
    "1_0",
    "1_000.5",
    "nan",
    "inf",
    "-Infinity",
    "1e999",
    "٣",
    "1,5",
    "0x1p3",
    "9" * 5000,
    "1e",
    "e5",
    ".",
]


def test_one_rule_for_numbers() -> None:
    assert [whole_number(text) for text in ("0", "007", "9" * 18)] == [0, 7, 10**18 - 1]
    assert [finite_number(text) for text in ("-2.5", ".5", "5.", "+1e-3", " 7 ")] == [-2.5, 0.5, 5.0, 0.001, 7.0]
    assert [text for text in NOT_WHOLE if whole_number(text) is not None] == []
    assert [text for text in NOT_FINITE if finite_number(text) is not None] == []


@pytest.mark.parametrize("text", ["1_0", "1_000", "١٢", "1" * 5000])
def test_settings_shares_scores_and_margins_follow_it(text: str, tmp_path: Path) -> None:
    assert "expected a whole number" in error_of(lambda: parse([f"batch_size={text}"]))
    assert "expected a number" in error_of(lambda: parse([f"learning_rate={text}"]))
    assert "expected POINTS" in error_of(lambda: make_rule(margin=[text]))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"batch_size: {text}\n", encoding="utf-8")
    assert "expected a whole number" in error_of(lambda: read_recipe(recipe))
    rows = f"text\ttext_pair\tlabel\nSPLIT\tb\t{text}\nc\td\t2\n"
    (tmp_path / "a").mkdir()
    assert "expected a number" in error_of(
        lambda: read_suite(suite_of(tmp_path / "a", rows, ending="tsv", block="kind: similarity"))
    )
    (tmp_path / "b").mkdir()
    block = f"kind: classification, dev: {text}%"
    assert "expected 1% to 50%" in error_of(lambda: read_suite(suite_of(tmp_path / "b", rows, block=block)))


def test_long_numbers_of_json_are_one_line(tmp_path: Path) -> None:
    for number, digits in enumerate((400, 4000, 5000)):
        (tmp_path / str(number)).mkdir()
        rows = f'{{"text": "SPLIT", "text_pair": "b", "label": {"9" * digits}}}\n'
        suite = suite_of(tmp_path / str(number), rows, block="kind: similarity")
        assert len(error_of(lambda suite=suite: read_suite(suite)).removeprefix(str(tmp_path))) < 200


LONG = "9" * 5000


@pytest.mark.parametrize("end", ["1_0", LONG, "٩"])
def test_offsets_of_corpora_follow_it(end: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("red horse")
    (tmp_path / "a.ann").write_text(f"T1\tAnimal 4 {end}\thorse\n", encoding="utf-8")
    error_of(lambda: brat.read_document(tmp_path / "a.txt"))
    (tmp_path / "a.ann").write_text(f"T{LONG}\tAnimal 4 9\thorse\n")
    error_of(lambda: brat.read_document(tmp_path / "a.txt"))
    texts, gold = tmp_path / "texts", tmp_path / "gold"
    texts.mkdir()
    gold.mkdir()
    (texts / "n.txt").write_text("red horse")
    for line in (f"n||Disease_Disorder||C||0||{end}", "n", ""):
        (gold / "n.pipe.txt").write_text(f"{line}\n", encoding="utf-8")
        if line:
            error_of(lambda: shareclefe.read_notes(texts, gold, shareclefe.Counter()))
    for name in ("train", "test", "test.gs.sim"):
        columns = {"train": f"a\tb\t{end}", "test": "a\tb", "test.gs.sim": "1"}[name]
        (tmp_path / f"clinicalSTS.{name}.txt").write_text(f"{columns}\n", encoding="utf-8")
    assert "a number from 0 to 5" in error_of(lambda: clinicalsts.convert(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "no-such", "base64", "idna", "latin-1", "UTF-8"])
def test_the_declared_encoding_of_xml_decides_nothing(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><a b="c"/>')
    assert xml_root(path).get("b") == "c"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><a b="é"/>', encoding="utf-8")
    if encoding == "UTF-8":
        assert xml_root(path).get("b") == "é"
    else:
        assert f"line 1: found encoding {encoding!r}" in error_of(lambda: xml_root(path))


def test_a_long_field_of_csv_is_read(tmp_path: Path) -> None:
    text = "w " * 100_000
    for name, read, separator in (("a.csv", read_csv, ","), ("a.tsv", read_table, "\t")):
        path = tmp_path / name
        path.write_text(f'text{separator}label\n"{text}\n"{separator}a\n')
        assert [fields for _, fields in read(path)[1]] == [[f"{text}\n", "a"]]


def test_aliases_that_multiply_are_refused_and_a_few_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a [x, x]\nb: [*a, *a]\n")
    assert read_yaml(path)[0] == {"a": ["x", "x"], "b": [["x", "x"], ["x", "x"]]}
    rows = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    rows += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 5)]
    path.write_text("\n".join(rows))
    tracemalloc.start()
    try:
        assert "more than 50,000 values" in error_of(lambda: read_yaml(path))
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", LINES)
def test_a_pipe_a_folder_and_a_device_are_named_and_nothing_waits(ending: str, tmp_path: Path) -> None:
    pipe, folder, device = tmp_path / f"pipe{ending}", tmp_path / f"folder{ending}", tmp_path / f"zero{ending}"
    os.mkfifo(pipe)
    folder.mkdir()
    device.symlink_to("/dev/zero")
    before = time.monotonic()
    for path, kind in ((pipe, "a pipe"), (folder, "a folder"), (device, "a device")):
        assert f"{path}: found {kind}; expected a UTF-8 text file" in error_of(lambda path=path: LINES[ending](path))
    assert time.monotonic() - before < 5


def test_a_pipe_in_the_place_of_a_suites_data_is_named(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, '{"text": "a", "label": "b"}\n')
    (tmp_path / "x/dev.jsonl").unlink()
    os.mkfifo(tmp_path / "x/dev.jsonl")
    assert "dev.jsonl: found a pipe" in error_of(lambda: read_suite(suite))


def test_a_file_over_the_limit_is_named_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    with path.open("wb") as file:
        file.truncate(lines.LARGEST_DATA + 1)  # takes no disk
    assert "found 1,073,741,825 bytes; expected at most 1,073,741,824" in error_of(lambda: read_table(path))
    suite = tmp_path / "suite.yaml"
    suite.write_text("#" * (lines.LARGEST_SETTINGS + 1))
    assert "found 1,048,577 bytes" in error_of(lambda: read_suite(suite))


def test_a_long_line_to_predict_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("short\n" + "x" * (1 << 24) + "y\n")
    rows = read_unlabelled(path, "ner")
    assert next(rows).text == "short"
    assert "line 2: found a line of more than 16,777,216 bytes" in error_of(lambda: next(rows))


@pytest.mark.parametrize("length", [80, 81, 140])
def test_a_long_name_is_refused_before_data_are_read(length: int, tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(f"tasks:\n  {'x' * length}: {{kind: ner, path: none}}\n  y: {{kind: ner, path: none}}\n")
    found = error_of(lambda: read_suite(suite))
    assert ("at most 80" in found) == (length > 80)
    if length > 80:
        with pytest.raises(ValueError, match="at most 80"):
            Task("x" * length, "ner", lambda split: [])


def test_documents_in_two_splits_are_a_leak(tmp_path: Path) -> None:
    where = {"train": ["a", "a", "b", "c"], "dev": ["d", "e", "e", "f"], "test": ["a", "b", "e", "g"]}
    suite = suite_of(tmp_path, "")
    for split, documents in where.items():
        rows = [{"text": f"{split} {n}", "label": n % 2, "document": name} for n, name in enumerate(documents)]
        (tmp_path / f"x/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    y = [leak for leak in leaks(read_suite(suite).tasks) if leak.task == "x"]
    assert [leak.described() for leak in y] == ["leak: 2 rows of x test whose documents are also in x train"]


@pytest.mark.parametrize(("shared", "is_leak"), [(2, False), (3, True), (50, True)])
def test_test_texts_in_dev_are_a_leak_if_they_are_a_twentieth_of_the_test_set(
    shared: int, is_leak: bool, tmp_path: Path
) -> None:
    """A twentieth of 50 test texts is 2.5. Documents in both parts are none: no epoch is chosen by their texts."""
    suite = suite_of(tmp_path, "")
    for split in ("train", "dev", "test"):
        names = [f"{'dev' if split == 'test' and n < shared else split} text {n}" for n in range(50)]
        rows = [{"text": name, "label": n % 2, "document": f"{split} 0"} for n, name in enumerate(names)]
        rows[0]["document"] = "of dev and test" if split != "train" else "of train"
        (tmp_path / f"x/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = [leak.described() for leak in leaks(read_suite(suite).tasks) if leak.task == "x"]
    assert found == [f"leak: {shared} texts of x test also in x dev"] * is_leak


def test_a_number_of_a_document_is_the_same_in_a_column_with_gaps(tmp_path: Path) -> None:
    """pandas writes 7.0 in a file whose column has a gap, and 7 in another one."""
    suite = suite_of(tmp_path, "text,label,document\n", ending="csv")
    for split, documents in {
        "train": ["7.0", "", "8.0", "8.0"],
        "dev": ["9", "10"] * 2,
        "test": ["7", "11"] * 2,
    }.items():
        rows = [f"{split} {n},{n % 2},{name}\n" for n, name in enumerate(documents)]
        (tmp_path / f"x/{split}.csv").write_text("".join(["text,label,document\n", *rows]))
    x = [leak.described() for leak in leaks(read_suite(suite).tasks) if leak.task == "x"]
    assert x == ["leak: 2 rows of x test whose documents are also in x train"]


CONTROLS = ["\x1b[2J", "\x07", "\r", "\x9b31m", "\u202e", "\u2028", "\udc80"]


@pytest.mark.parametrize("control", CONTROLS)
def test_no_control_character_of_a_file_reaches_a_message(control: str, tmp_path: Path) -> None:
    assert has_controls(control)
    assert not has_controls(printable(control))
    assert printable(printable(control)) == printable(control)
    found = [
        str(InputError(f"train{control}.csv: no such file")),
        error_of(lambda: read_yaml(tmp_path / f"a{control}.yaml")),
    ]
    rows = json.dumps({"text": "SPLIT", "label": f"a{control}b"}) + "\n"
    (tmp_path / "a").mkdir()
    found.append(error_of(lambda: read_suite(suite_of(tmp_path / "a", rows * 2))))
    with pytest.raises(ValueError, match="control character") as caught:
        Task("x", "classification", lambda split: [], ("a", f"b{control}"))
    found.append(str(caught.value))
    assert [message for message in found if has_controls(message)] == []


def test_other_scripts_are_printed_as_they_are() -> None:
    for text in ("Fieber über 38 °C", "열이 나요", "می\u200cخواهم", "10\u00a0mg", "👩\u200d⚕️"):
        assert printable(text) == text


def test_a_reason_with_a_terminal_escape_is_printed_escaped(tmp_path: Path) -> None:
    spec = RunSpec((("a", "0"),), EncoderRef("tiny", "e1"), 0, Recipe())
    store = RunStore(tmp_path)
    store.fail(spec, "HTTP 500 \x1b[2J\x07")
    assert store.failure(spec) == "HTTP 500 \\x1b[2J\\x07"
    assert describe_ended(EndedRun("a", reason="HTTP \x1b[2J")) == "failed: a: HTTP \\x1b[2J"
