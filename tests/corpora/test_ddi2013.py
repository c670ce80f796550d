"""DDI 2013: pairs, masks, the dev part, and an error for each input fault."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.choices import Choices, is_hash_below
from taskaffinity.corpora.ddi2013 import DEV_SHARE, convert

DOCUMENT = "Train/DrugBank/doc00.xml"


def test_one_row_per_pair(ddi2013_raw: Path) -> None:
    (task,) = convert(ddi2013_raw)
    rows = {r.example.id: r for r in task.splits["test"] if r.example.document == "DDI-DrugBank.Te0"}
    assert {name: (r.example.label, r.example.text) for name, r in rows.items()} == {
        "DDI-DrugBank.Te0.s0.p0": ("DDI-effect", "@brand$ and @drug$ were mimsy."),
        "DDI-DrugBank.Te0.s1.p0": ("DDI-false", "@group-group$ met Zorbifex."),
        "DDI-DrugBank.Te0.s1.p1": ("DDI-int", "@group$ met @drug_n$."),
    }
    assert rows["DDI-DrugBank.Te0.s1.p1"].offsets == (((0, 7), (19, 31)), ((36, 44),))


def test_notes_count_the_changes(ddi2013_raw: Path) -> None:
    notes = convert(ddi2013_raw)[0].card.notes
    n_documents = 26
    assert notes["positive_pairs_without_a_type_left_out"] == n_documents
    assert notes["sentences_with_line_breaks"] == n_documents
    assert notes["rows_with_arguments_in_reverse_order"] == n_documents
    assert notes["rows_with_a_discontinuous_argument"] == 2 * n_documents
    assert notes["rows_with_one_joint_mask"] == n_documents
    assert notes["entities_moved_by_one_character"] == 0


def test_dev_is_whole_documents_by_their_id(ddi2013_raw: Path) -> None:
    splits = convert(ddi2013_raw)[0].splits
    train, dev = ({r.example.document for r in splits[split]} for split in ("train", "dev"))
    every = {f"DDI-{source}.Tr{i}" for source in ("DrugBank", "MedLine") for i in range(12)}
    assert train | dev == every
    assert dev == {name for name in every if hashlib.sha256(name.encode()).hexdigest()[0] in "0123"}
    assert train
    assert dev


def test_list_of_documents_replaces_the_rule(ddi2013_raw: Path) -> None:
    listed = ("DDI-DrugBank.Tr0", "DDI-MedLine.Tr3")
    (task,) = convert(ddi2013_raw, Choices(dev_ids=listed))
    assert {row.example.document for row in task.splits["dev"]} == set(listed)
    assert "list of ids" in task.card.split


def test_a_quarter_of_many_ids() -> None:
    assert sum(is_hash_below(f"DDI-DrugBank.d{i}", DEV_SHARE) for i in range(4000)) == pytest.approx(
        1000, abs=82
    )  # three deviations


def test_entity_with_offsets_one_too_low_is_moved(ddi2013_raw: Path, edit: Callable[..., None]) -> None:
    expected = convert(ddi2013_raw)[0]
    edit(ddi2013_raw / DOCUMENT, '"36-43"', '"35-42"')
    moved = convert(ddi2013_raw)[0]
    assert moved.splits == expected.splits
    assert moved.card.notes["entities_moved_by_one_character"] == 1


@pytest.mark.parametrize("place", ["raw", "raw/ddi2013", "raw/ddi2013/Train"])
def test_raw_folder_may_be_the_corpus_its_parent_or_an_inner_folder(
    ddi2013_raw: Path, tmp_path: Path, place: str
) -> None:
    assert convert(tmp_path / place)[0].splits == convert(ddi2013_raw)[0].splits


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("</document>", "", ("line 1", "XML that is not well-formed")),
        ('text="Zorbifex and', 'text="Zorbifex & and', ("line 3", "XML that is not well-formed")),
        ("<document id=", "<document name=", ("no 'id'", "document")),
        ('text="Zorbifex and&#10;snarkol were mimsy."', "", ("sentence 'DDI-DrugBank.Tr0.s0'", "no 'text'")),
        ('type="brand"', 'type="poison"', ("entity 'DDI-DrugBank.Tr0.s0.e0'", "'poison'", "drug, brand")),
        ('"0-7"', '"0-700"', ("entity 'DDI-DrugBank.Tr0.s0.e0'", "offsets 0-701")),
        ('"0-7"', '"7-0"', ("entity 'DDI-DrugBank.Tr0.s0.e0'", "offsets 7-1")),
        ('"0-7"', '"0:7"', ("entity 'DDI-DrugBank.Tr0.s0.e0'", "a text of 3 characters", "first-last")),
        ('"0-7"', '"3-7"', ("entity 'DDI-DrugBank.Tr0.s0.e0'", "8 characters", "3-7")),
        ('charOffset="0-7"', "", ("entity 'DDI-DrugBank.Tr0.s0.e0'", "no 'charOffset'")),
        ('type="effect"', 'type="rumour"', ("pair 'DDI-DrugBank.Tr0.s0.p0'", "'rumour'", "advise, effect")),
        ('ddi="true"', 'ddi="maybe"', ("pair 'DDI-DrugBank.Tr0.s0.p0'", "'maybe'", "true or false")),
        ('e1="DDI-DrugBank.Tr0.s0.e1"', 'e1="x"', ("pair 'DDI-DrugBank.Tr0.s0.p0'", "e1 'x'", "2 entities")),
    ],
)
def test_invalid_element_is_an_input_error(
    ddi2013_raw: Path,
    edit: Callable[..., None],
    expect_input_error: Callable[..., str],
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    edit(ddi2013_raw / DOCUMENT, old, new)
    expect_input_error(lambda: convert(ddi2013_raw), DOCUMENT, *parts)


def test_truncated_file_is_an_input_error(ddi2013_raw: Path, expect_input_error: Callable[..., str]) -> None:
    path = ddi2013_raw / DOCUMENT
    path.write_bytes(path.read_bytes()[:600])
    expect_input_error(lambda: convert(ddi2013_raw), DOCUMENT, "line", "XML that is not well-formed")


def test_wrong_root_element_is_an_input_error(ddi2013_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (ddi2013_raw / DOCUMENT).write_text("<html/>", encoding="utf-8")
    expect_input_error(lambda: convert(ddi2013_raw), DOCUMENT, "'html'", "document")


def test_file_that_is_not_utf8_is_an_input_error(ddi2013_raw: Path, expect_input_error: Callable[..., str]) -> None:
    path = ddi2013_raw / DOCUMENT
    path.write_bytes(path.read_bytes().replace(b"mimsy", b"mims\xff"))
    expect_input_error(lambda: convert(ddi2013_raw), DOCUMENT, "line 3", "0xff", "UTF-8")


def test_empty_file_is_an_input_error(ddi2013_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (ddi2013_raw / DOCUMENT).write_bytes(b"")
    expect_input_error(lambda: convert(ddi2013_raw), DOCUMENT, "empty file")


def test_duplicate_document_is_an_input_error(ddi2013_raw: Path, expect_input_error: Callable[..., str]) -> None:
    twin = ddi2013_raw / "Train/DrugBank/doc99.xml"
    twin.write_bytes((ddi2013_raw / DOCUMENT).read_bytes())
    expect_input_error(lambda: convert(ddi2013_raw), "doc99.xml", "a second document 'DDI-DrugBank.Tr0'", "doc00.xml")


def test_empty_split_is_an_input_error(ddi2013_raw: Path, expect_input_error: Callable[..., str]) -> None:
    for path in (ddi2013_raw / "Train/MedLine").glob("*.xml"):
        path.unlink()
    expect_input_error(lambda: convert(ddi2013_raw), "Train/MedLine", "no .xml file")


def test_missing_folder_is_named(ddi2013_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (ddi2013_raw / "Train/MedLine").rename(ddi2013_raw / "Train/Other")
    message = expect_input_error(lambda: convert(ddi2013_raw), "no Train/MedLine", "searched in")
    assert "DrugBank" not in message
