"""ShARe/CLEF: notes become tagged sentences, and each fault in the files is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.choices import Choices, Discontinuous
from taskaffinity.corpora.shareclefe import convert
from taskaffinity.tasks.mentions import strict_mentions

KNOWTATOR = "Task1TrainSetGOLD199knowtatorehost/ALLSAVED/Trai-000000-ECHO_REPORT.txt.knowtator.xml"
PIPE = "Task1Gold_SN2012/Gold_SN2012/Test-000000-ECHO_REPORT.txt"
LONG = "The frumious patient had no quuxitis of the left and right snarkol , but the vorpal quuxitis was seen ."


def test_wrapped_sentence_is_one_row_with_the_longest_mention(shareclefe_raw: Path) -> None:
    (task,) = convert(shareclefe_raw)
    for split in ("train", "dev", "test"):
        first, second, *_ = task.splits[split]
        assert first.example.words == ("MIMSY", ":", "PATTERN")
        assert " ".join(second.example.words) == LONG
        assert isinstance(second.example.label, tuple)
        assert strict_mentions(second.example.label) == [("Disease", 5, 12), ("Disease", 15, 17)]
    assert task.card.notes["overlapping_mentions_dropped"] == task.card.notes["mentions_in_parts"] == 14
    assert task.card.notes["mentions"] == 3 * 14


@pytest.mark.parametrize(
    ("rule", "spans"),
    [
        ("first", [(5, 6), (8, 9), (15, 17)]),
        ("parts", [(5, 6), (8, 9), (10, 12), (15, 17)]),
        ("drop", [(8, 9), (15, 17)]),
    ],
)
def test_a_mention_in_parts_is_tagged_by_the_rule_that_is_chosen(
    shareclefe_raw: Path, rule: Discontinuous, spans: list[tuple[int, int]]
) -> None:
    (task,) = convert(shareclefe_raw, Choices(discontinuous=rule))
    for split in ("train", "dev", "test"):
        label = task.splits[split][1].example.label
        assert isinstance(label, tuple)
        assert strict_mentions(label) == [("Disease", *span) for span in spans]
    assert task.card.notes["overlapping_mentions_dropped"] == 0


def test_both_kinds_of_gold_are_read_alike(shareclefe_raw: Path) -> None:
    (task,) = convert(shareclefe_raw)
    labels = {split: [row.example.label for row in task.splits[split][:2]] for split in ("train", "test")}
    assert labels["train"] == labels["test"]


def test_words_are_characters_of_the_note(shareclefe_raw: Path) -> None:
    (task,) = convert(shareclefe_raw)
    row = task.splits["test"][1]
    text = (shareclefe_raw / "Task1TestSetCorpus100/ALLREPORTS" / f"{row.example.document}.txt").read_text(
        encoding="utf-8"
    )
    assert tuple(text[start:end] for start, end in row.offsets) == row.example.words
    assert row.example.id == f"{row.example.document}.{row.offsets[0][0]}"


@pytest.mark.parametrize(("text", "gold"), [(".text", ".pipe"), (".txt", ".pipe.txt"), (".txt", ".pipe")])
def test_other_names_of_the_same_files(shareclefe_raw: Path, text: str, gold: str) -> None:
    expected = convert(shareclefe_raw)[0].splits
    for folder, ending in (("Task1TestSetCorpus100/ALLREPORTS", text), ("Task1Gold_SN2012/Gold_SN2012", gold)):
        for path in list((shareclefe_raw / folder).iterdir()):
            path.rename(path.with_name(path.name.removesuffix(".txt") + ending))
    assert convert(shareclefe_raw)[0].splits == expected


def test_carriage_returns_count_as_characters(shareclefe_raw: Path) -> None:
    name = "Test-000000-ECHO_REPORT.txt"
    path, gold = shareclefe_raw / "Task1TestSetCorpus100/ALLREPORTS" / name, shareclefe_raw / PIPE
    content = path.read_bytes().replace(b"\n", b"\r\n")
    path.write_bytes(content)
    start = content.index(b"vorpal")
    gold.write_text(f"{name}||Disease_Disorder||C1||{start}||{start + 6}\n", encoding="utf-8")
    rows = [
        row for row in convert(shareclefe_raw)[0].splits["test"] if row.example.document == name.removesuffix(".txt")
    ]
    tagged = [
        word
        for row in rows
        for word, tag in zip(row.example.words, row.example.label, strict=True)  # type: ignore[arg-type]
        if tag != "O"
    ]
    assert tagged == ["vorpal"]


def test_a_note_without_gold_is_left_out_and_counted(shareclefe_raw: Path) -> None:
    (shareclefe_raw / PIPE).unlink()
    (task,) = convert(shareclefe_raw)
    assert {row.example.document for row in task.splits["test"]} == {"Test-000001-ECHO_REPORT"}
    assert task.card.notes["notes_without_gold_left_out"] == 1


def test_mentions_of_other_types_are_counted_not_tagged(shareclefe_raw: Path, edit: Callable[..., None]) -> None:
    edit(shareclefe_raw / PIPE, "Disease_Disorder", "Sign_Symptom")
    edit(shareclefe_raw / KNOWTATOR, 'mentionClass id="Disease_Disorder"', 'mentionClass id="Sign_Symptom"')
    assert convert(shareclefe_raw)[0].card.notes["mentions_of_other_types"] == 2


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (1, 1)])
def test_mention_with_blanks_at_its_ends_is_tagged(shareclefe_raw: Path, before: int, after: int) -> None:
    """``after`` extends the mention over the end of the sentence, ``before`` over a line break."""
    name = "Test-000000-ECHO_REPORT.txt"
    text = "quuxitis. \nvorpal \n\nmimsy"
    (shareclefe_raw / "Task1TestSetCorpus100/ALLREPORTS" / name).write_text(text, encoding="utf-8")
    start, end = text.index("vorpal") - before, text.index("vorpal") + 6 + after
    lines = [f"{name}||Disease_Disorder||C1||{start}||{end}", f"{name}||Disease_Disorder||C1||9||11"]
    (shareclefe_raw / PIPE).write_text("\n".join(lines), encoding="utf-8")
    (task,) = convert(shareclefe_raw)
    tagged = [
        word
        for row in task.splits["test"]
        if row.example.document == name.removesuffix(".txt")
        for word, tag in zip(row.example.words, row.example.label, strict=True)  # type: ignore[arg-type]
        if tag != "O"
    ]
    assert tagged == ["vorpal"]
    assert task.card.notes["mentions_without_a_character"] == 1


def test_dev_is_whole_notes(shareclefe_raw: Path) -> None:
    listed = ("Trai-000003-ECHO_REPORT", "Trai-000007-ECHO_REPORT")
    splits = convert(shareclefe_raw, Choices(dev_ids=listed))[0].splits
    assert {row.example.document for row in splits["dev"]} == set(listed)
    assert len({row.example.document for row in splits["train"]}) == 10


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        (PIPE, "C01||", "", ("line 1", "fields")),
        (PIPE, "||C01||", "||C01||x", ("line 1", "two whole numbers")),
        (PIPE, "||C01||", "||C01||99", ("line 1", "offsets 99", "inside the text")),
        (KNOWTATOR, "</annotations>", "", ("XML that is not well-formed",)),
        (KNOWTATOR, 'classMention id="M1"', 'classMention id="M9"', ("mention 'M1'", "no classMention")),
        (KNOWTATOR, 'span start="', 'span start="-', ("mention 'M0'", "two whole numbers")),
        (KNOWTATOR, "<span ", "<spam ", ("mention 'M0'", "no offsets", "at least one start and end")),
    ],
)
def test_fault_is_a_one_line_error(
    shareclefe_raw: Path,
    expect_input_error: Callable[..., str],
    edit: Callable[..., None],
    file: str,
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    path = shareclefe_raw / file
    if old == "<span ":  # both parts of the mention
        path.write_text(path.read_text(encoding="utf-8").replace("<span ", "<spam "), encoding="utf-8")
    else:
        edit(path, old, new)
    expect_input_error(lambda: convert(shareclefe_raw), path.name, *parts)


def test_gold_file_without_its_note_is_an_input_error(
    shareclefe_raw: Path, expect_input_error: Callable[..., str]
) -> None:
    (shareclefe_raw / "Task1TestSetCorpus100/ALLREPORTS/Test-000000-ECHO_REPORT.txt").unlink()
    expect_input_error(lambda: convert(shareclefe_raw), "Test-000000-ECHO_REPORT.txt", "a note that is not in")


@pytest.mark.parametrize("ending", [".pipe", ".txt.knowtator.xml"])
def test_a_second_gold_file_of_a_note_is_an_input_error(
    shareclefe_raw: Path, expect_input_error: Callable[..., str], ending: str
) -> None:
    path = shareclefe_raw / PIPE
    (path.parent / (path.name.removesuffix(".txt") + ending)).write_text("", encoding="utf-8")
    expect_input_error(lambda: convert(shareclefe_raw), "a second gold file of a note, beside", path.stem)


def test_note_that_is_not_utf8_is_an_input_error(shareclefe_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (shareclefe_raw / "Task1TestSetCorpus100/ALLREPORTS/Test-000000-ECHO_REPORT.txt").write_bytes(b"\xff")
    expect_input_error(lambda: convert(shareclefe_raw), "Test-000000-ECHO_REPORT.txt", "not UTF-8")
