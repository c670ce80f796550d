"""Choice with one row per candidate: the examples of a plain count, or one line."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Task
from taskaffinity.tasks.unlabelled import read_unlabelled

SECRET = "frumious bandersnatch"
BLOCK = "kind: choice, path: d, columns: {text: question, options: answer, group: qid"
HEADER = ["row", "qid", "question", "answer", "label"]


def drawn(rng: random.Random, split: str, n: int = 12) -> list[list[str]]:
    """Rows of groups of 2 to 5 candidates; the rows of a group are not beside each other."""
    rows = []
    for number in range(n):
        n_candidates = rng.randrange(2, 6)
        right = rng.randrange(n_candidates)
        for place in range(n_candidates):
            text = f"{SECRET} {rng.randrange(10**6)}"
            rows.append([f"{split}-{number}", f"which {split} {number}, ", text, str(int(place == right))])
    rng.shuffle(rows)
    return [[f"r{place}", *row] for place, row in enumerate(rows)]


def write(folder: Path, rows_of: dict[str, list[list[str]]], form: str = "csv") -> None:
    (folder / "d").mkdir(exist_ok=True)
    for split, rows in rows_of.items():
        out = io.StringIO()
        if form == "jsonl":
            out.writelines(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in rows)
        else:
            csv.writer(out, delimiter="," if form == "csv" else "\t", lineterminator="\n").writerows([HEADER, *rows])
        (folder / f"d/{split}.{form}").write_text(out.getvalue())


def counted(folder: Path, split: str) -> list[tuple[str, str, list[str], str]]:
    """The id, text, options and right option of each group, by plain Python that knows nothing of the package."""
    with open(folder / f"d/{split}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for name in dict.fromkeys(row["qid"] for row in rows):
        mine = [row for row in rows if row["qid"] == name]
        [right] = [row["answer"] for row in mine if row["label"] == "1"]
        found.append((name, mine[0]["question"], [row["answer"] for row in mine], right))
    return found


def right_text(task: Task, split: str) -> list[str]:
    return [example.options["ABCDE".index(str(example.label))] for example in task.examples[split]]


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_groups_are_the_examples_of_a_plain_count(form: str, tmp_path: Path) -> None:
    rng = random.Random(form)
    rows_of = {split: drawn(rng, split) for split in SPLITS}
    write(tmp_path, rows_of, form)
    task = read(tmp_path, f"{BLOCK}}}, format: {form}")
    write(tmp_path, rows_of)
    for split in SPLITS:
        expected = counted(tmp_path, split)
        found = task.examples[split]
        assert [(e.id, e.text, list(e.options)) for e in found] == [one[:3] for one in expected]
        assert right_text(task, split) == [one[3] for one in expected]
        assert all(example.document == "" for example in found)
    n = sum(map(len, rows_of.values()))
    assert task.notes == (f"{n} rows with one candidate each, joined by their group",)
    largest = max(len(one[2]) for split in SPLITS for one in counted(tmp_path, split))
    assert task.labels == tuple("ABCDE"[:largest])


def test_a_group_is_whole_in_its_share_and_in_its_split(tmp_path: Path) -> None:
    rows = drawn(random.Random(3), "x", 40)
    write(tmp_path, {"train": rows})
    task = read(tmp_path, f"{BLOCK}}}, dev: 20%, test: 30%")
    sizes = Counter(row[1] for row in rows)
    found = {example.id: len(example.options) for split in SPLITS for example in task.examples[split]}
    assert found == dict(sizes)
    header = f"{','.join(HEADER)},part\n"
    names = {name: SPLITS[place % 3] for place, name in enumerate(sizes)}
    lines = "".join(",".join(f'"{cell}"' for cell in [*row, names[row[1]]]) + "\n" for row in rows)
    (tmp_path / "all.csv").write_text(header + lines)
    block = BLOCK.replace("path: d", "path: all.csv")
    task = read(tmp_path, f"{block}, split: part}}")
    for split in SPLITS:
        assert {e.id for e in task.examples[split]} == {name for name, of in names.items() if of == split}


def test_groups_may_be_numbered_in_each_split_or_be_texts(tmp_path: Path) -> None:
    rng = random.Random(4)
    rows_of = {split: [[*row[:1], row[1].split("-")[1], *row[2:]] for row in drawn(rng, split)] for split in SPLITS}
    write(tmp_path, rows_of)
    with pytest.raises(InputError, match=r"found id '[0-9]+' again"):
        read(tmp_path, f"{BLOCK}}}")
    numbered = read(tmp_path, f"{BLOCK}, idx: qid}}")
    by_text = read(tmp_path, BLOCK.replace("group: qid", "group: question") + "}")
    for split in SPLITS:
        expected = counted(tmp_path, split)
        assert [e.id for e in numbered.examples[split]] == [f"{split}.{one[0]}" for one in expected]
        assert [e.id for e in by_text.examples[split]] == [f"{split}.{n + 1}" for n in range(len(expected))]
        for task in (numbered, by_text):
            assert right_text(task, split) == [one[3] for one in expected]


def test_data_in_memory_have_groups_too(tmp_path: Path) -> None:
    rows_of = {split: drawn(random.Random(split), split) for split in SPLITS}
    write(tmp_path, rows_of)
    data = {
        split: [dict(zip(HEADER, row, strict=True)) | {"label": int(row[4])} for row in rows]
        for split, rows in rows_of.items()
    }
    columns = {"text": "question", "options": "answer", "group": "qid"}
    suite = Suite.from_datasets(dict.fromkeys(("mine", "b"), (data, columns)))
    assert suite["mine"].kind == "choice"
    assert suite["mine"].fingerprint == read(tmp_path, f"{BLOCK}}}").fingerprint


def test_a_column_called_group_is_only_read_if_it_is_named(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": f"t{n}", "options": ["x", "y"], "label": 1, "group": "g"}) + "\n" for n in "12")
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        (tmp_path / f"d/{split}.jsonl").write_text(rows)
    assert len(read(tmp_path, "kind: choice, path: d").examples["train"]) == 2


def test_groups_that_are_no_examples_are_left_out_and_counted(tmp_path: Path) -> None:
    rows_of = {split: drawn(random.Random(split), split, 20) for split in SPLITS}
    write(tmp_path, rows_of)
    whole = read(tmp_path, f"{BLOCK}}}, groups: one-right")
    assert whole.fingerprint == read(tmp_path, f"{BLOCK}}}").fingerprint
    assert not any("left out" in note for note in whole.notes)
    for rows in rows_of.values():  # as WikiQA: questions with no right candidate, with several, and with one candidate
        names = list(dict.fromkeys(row[1] for row in rows))
        for row in rows:
            row[4] = {names[0]: "0", names[3]: "1"}.get(row[1], row[4])
        alone = [row for row in rows if row[1] == names[5]]
        rows[:] = [row for row in rows if row not in alone[1:]]
        alone[0][4] = "1"
    write(tmp_path, rows_of)
    task = read(tmp_path, f"{BLOCK}}}, groups: one-right")
    n_rows = 0
    for split, rows in rows_of.items():
        labels: dict[str, list[str]] = {}
        for row in rows:
            labels.setdefault(row[1], []).append(row[4])
        good = [name for name, of in labels.items() if len(of) > 1 and sorted(of)[-2:] == ["0", "1"]]
        assert len(good) == 17
        n_rows += sum(len(labels[name]) for name in good)
        assert [example.id for example in task.examples[split]] == good
    said = "9 groups without exactly one right of two or more candidates, left out because groups: one-right"
    assert set(task.notes) == {said, f"{n_rows} rows with one candidate each, joined by their group"}


def test_predict_reads_the_options_that_training_reads(tmp_path: Path) -> None:
    rows = sorted(drawn(random.Random(5), "test", 30), key=lambda row: int(row[1].split("-")[1]))
    write(tmp_path, {"test": rows})
    write(tmp_path, {"test": rows}, "jsonl")
    write(tmp_path, {"test": rows}, "tsv")
    expected = counted(tmp_path, "test")
    lines: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        lines.setdefault(row[1], number)
    columns = {"text": "question", "options": "answer", "group": "qid"}
    for form in ("csv", "jsonl", "tsv"):
        path = tmp_path / f"d/test.{form}"
        found = list(read_unlabelled(path, "choice", columns))
        assert [(row.id, row.text, list(row.options)) for row in found] == [one[:3] for one in expected]
        assert [row.line + (form == "jsonl") for row in found] == list(lines.values())
        assert found[-1].end == path.stat().st_size
        ends = [row.end for row in found]
        assert ends == sorted(set(ends))
        by_text = list(read_unlabelled(path, "choice", {**columns, "group": "question"}))
        assert [(row.id, row.options) for row in by_text] == [(None, row.options) for row in found]


UNLABELLED_FAULTS = {
    "again": ("q1,who,x\nq1,who,y\nq2,why,a\nq2,why,b\nq1,who,z", "line 6: found group 'q1' again; expected the rows"),
    "another text": (f"q1,who,x\nq1,{SECRET},y", "line 3: found another text than in the first row of its group"),
    "one option": (f"q1,who,{SECRET}\nq2,why,a\nq2,why,b", "line 2: found 1 option; expected two or more"),
    "no option": ("q1,who,x\nq1,who,", "line 3: found no text as candidate"),
    "no group": (f"q1,who,x\nq1,who,y\n,{SECRET},y", "line 4: found an empty text as group"),
}


@pytest.mark.parametrize("fault", UNLABELLED_FAULTS)
def test_a_fault_of_unlabelled_candidates_is_one_line_with_its_place(fault: str, tmp_path: Path) -> None:
    content, said = UNLABELLED_FAULTS[fault]
    (tmp_path / "a.csv").write_text(f"qid,text,answer\n{content}\n")
    with pytest.raises(InputError) as caught:
        list(read_unlabelled(tmp_path / "a.csv", "choice", {"options": "answer", "group": "qid"}))
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    with pytest.raises(
        InputError, match="found a column of groups for kind regression; expected a task of kind choice"
    ):
        list(read_unlabelled(tmp_path / "a.csv", "regression", {"group": "qid"}))


GOOD = ["q1,who,x y,0", "q1,who,y,1", "q2,why,a,1", "q2,why,b,0", "q2,why,c,0"]
FAULTS = {
    "two right": (3, "q2,why,b,1", "line 4: found group 'q2' of 3 rows, 2 of them right; 1 of 2 groups is such"),
    "none right": (2, "q2,why,a,0", "line 4: found group 'q2' of 3 rows, 0 of them right; 1 of 2 groups is such"),
    "one row": (4, "q3,why,c,1", "line 6: found group 'q3' of 1 row, 1 of them right; 1 of 3 groups is such"),
    "a long name": (4, f"{SECRET} x,why,c,1", "line 6: found group a text of 23 characters of 1 row"),
    "another text": (3, f"q2,{SECRET},b,0", "line 5: found another text than in the first row of its group (line 4)"),
    "no candidate": (3, "q2,why, ,0", "line 5: found no text as candidate"),
    "no group": (3, ",why,b,0", "line 5: found an empty text as group"),
    "a degree": (3, "q2,why,b,2", "line 5: found label '2'; expected 0 or 1, because each row is one candidate"),
    "a word": (3, f"q2,why,b,{SECRET}", "line 5: found label a text of 21 characters; expected 0 or 1"),
    "no label": (3, "q2,why,b,", "line 5: found label an empty text; expected 0 or 1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_its_place(fault: str, tmp_path: Path) -> None:
    place, line, said = FAULTS[fault]
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        rows = [*GOOD[:place], line, *GOOD[place + 1 :]] if split == "train" else GOOD
        content = "".join(f"{row}\n" for row in ["qid,question,answer,label", *rows])
        (tmp_path / f"d/{split}.csv").write_text(content.replace("q1", f"{split}1") if split != "train" else content)
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"{BLOCK}}}")
    message = str(caught.value)
    assert f"d/train.csv: {said}" in message
    assert "\n" not in message
    assert SECRET not in message


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (f"{BLOCK}}}, labels: [no, yes]", "found labels: and columns: {group: ...}; expected no labels:"),
        ("kind: choice, path: d, columns: {group: qid}, options: [a, b]", "found options: and columns: {group: ...}"),
        ("kind: choice, path: d, groups: one-right", "found groups: without columns: {group: ...}"),
        (f"{BLOCK}}}, groups: longest", "found groups 'longest'; expected one of one-right"),
        ("kind: inference, path: d, columns: {group: qid}", "found columns: group for kind inference"),
        (f"{BLOCK}, document: answer}}", "found column 'answer' as document and as options"),
        (
            "kind: choice, path: d, columns: {text: question, options: answer}",
            "for one row per option, columns: {group",
        ),
    ],
)
def test_what_does_not_fit_groups_is_refused(block: str, said: str, tmp_path: Path) -> None:
    write(tmp_path, {split: drawn(random.Random(split), split) for split in SPLITS})
    with pytest.raises(InputError) as caught:
        read(tmp_path, block)
    assert said in str(caught.value).replace("as options and as document", "as document and as options")
