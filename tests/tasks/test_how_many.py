"""Notes and messages count one thing in the singular."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.standoff import pubtator
from taskaffinity.tasks.task import SPLITS
from taskaffinity.tasks.user import answers, candidates, files, mentions, pairs

CONSTANTS = [
    *(answers.FIRST, answers.MOVED, candidates.JOINED, candidates.LEFT_OUT, files.REJECTED, pubtator.REPEATED),
    *(mentions.IN_PARTS, mentions.DROPPED, mentions.OTHER_TYPES, pairs.TWICE, pairs.WITHOUT_EXAMPLE, pairs.OTHER_TYPES),
]


@pytest.mark.parametrize("what", CONSTANTS)
def test_every_note_has_two_forms(what: str) -> None:
    one, several = how_many(1, what), how_many(1000, what)
    assert one.startswith("1 ")
    assert several.startswith("1,000 ")
    assert one.removeprefix("1 ") != several.removeprefix("1,000 ")
    assert not {*"<|>"} & {*one, *several}


def test_one_answer_is_noted_in_the_singular(tmp_path: Path) -> None:
    for split in SPLITS:
        said = ["burble", "moved"] if split == "train" else ["a"]
        rows = [
            {
                "question": "q",
                "context": f"{split} a burble burble moved",
                "answers": {"text": [one], "answer_start": at},
            }
            for one, at in zip(said, ([None], [0]), strict=False)
        ]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(tmp_path, "kind: spans, path: .").notes == (
        "1 answer without a start that occurs several times in its text; the first place is taken",
        "1 answer that is not at its start, found at the only place where it occurs",
    )


def test_one_column_and_one_row_are_singular(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("text,label\na,x\n")
    with pytest.raises(InputError, match="found 1 class in 1 row; expected"):
        read(tmp_path, "kind: classification, path: all.csv, dev: 10%, test: 10%")
