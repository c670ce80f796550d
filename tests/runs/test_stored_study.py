"""A study file is a study, or one short line that names it: whatever stands in any of its places."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import command

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.study import FILES, StudiedTask, Study, has_study, studies_in

pytestmark = pytest.mark.usefixtures("no_figures")

PAIRS = Study(
    "toy",
    tuple(
        StudiedTask(name, name.upper(), "inference", "accuracy", f"f-{name}", {"train": 5, "test": 3}) for name in "ab"
    ),
    EncoderRef("tiny", "e1"),
    Recipe(),
    (0, 1, 2),
    (0, 1, 2, 3),
    interim_seeds=(2, 3),
    single_recipes={"a": Recipe(batch_size=7)},
    versions={"torch": "2"},
)
ONE_TASK = dataclasses.asdict(PAIRS.tasks[0])
STAGES = replace(PAIRS, design="full", interim_seeds=(), finetune={name: Recipe() for name in "ab"})
LONG = "x" * 200_000
VALUES = (
    *(None, True, -1, 0.5, 1e400, 10**30, "0", "", LONG, "../../x", "nothing", "\x1b[2J"),
    *([], {}, {LONG: 1}, {"\x1b": 1}, [None], ["0"], [-1], [0, 0], {"a": 1}),
)


def places(content: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, the whole excepted."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inside:
        yield (*before, key)
        yield from places(value, (*before, key))


def changed(content: Any, place: tuple[Any, ...], value: object, *, delete: bool = False) -> Any:
    content = whole = copy.deepcopy(content)
    for key in place[:-1]:
        content = content[key]
    if delete:
        del content[place[-1]]
    else:
        content[place[-1]] = value
    return whole


def read_or_refused(root: Path, study: Study) -> bool:
    """Whether the file is a study whose plan and costs can be used; a refusal is one short, printable line."""
    path = root / FILES[study.design]
    try:
        again = Study.load(root, study.design)
    except ValueError as error:
        line = str(error)
        assert line.isprintable()
        assert line.startswith(f"{path}: not a study of this version of taskaffinity: ")
        assert "move it away and repeat the command that made it; finished runs are not trained again" in line
        assert len(line) < 450 + len(str(path))
        return False
    assert all(again.cost(spec) >= 0 for spec in again.plan)
    assert all("/" not in spec.run_id and ".." not in spec.run_id for spec in again.plan)
    return True


@pytest.mark.parametrize("study", [PAIRS, pytest.param(STAGES, marks=pytest.mark.slow)], ids=["pairs", "stages"])
def test_every_value_in_every_place_is_read_or_refused(study: Study, tmp_path: Path) -> None:
    content = json.loads(json.dumps(dataclasses.asdict(study)))
    path = tmp_path / FILES[study.design]
    found = {True: 0, False: 0}
    for place in places(content):
        for value in VALUES:
            path.write_text(json.dumps(changed(content, place, value)))
            found[read_or_refused(tmp_path, study)] += 1
        path.write_text(json.dumps(changed(content, place, None, delete=True)))
        found[read_or_refused(tmp_path, study)] += 1
    path.write_text(json.dumps({**content, "surprise": 1}))
    assert not read_or_refused(tmp_path, study)
    assert found[False] > 5 * found[True] > 0


REFUSED: list[tuple[str, Any, str]] = [
    ("evaluate_after", "nothing", "evaluate_after is 'nothing'; expected 'joint' or 'finetune'"),
    ("stage", "nothing", "stage is 'nothing'; expected refine or finetune"),
    ("seeds", "0", "seeds is '0'"),
    ("seeds", ["0"], "seeds.0 is '0'"),
    ("seeds", [], "seeds"),
    ("seeds", [0, 0], "seeds has a seed twice"),
    ("design", "full", "design is full; expected pairwise"),
    ("interim_seeds", [3, 2], "interim_seeds do not rise to the number of seeds"),
    ("single_recipes", {"c": {}}, "single_recipes of 'c', which is no task of the study"),
    ("finetune", {"a": {"batch_size": 0}}, "finetune.a.batch_size is 0; expected greater than or equal to 1"),
    ("tasks", [{**ONE_TASK, "sizes": {"train": 0, "test": 3}}], "tasks has 'a' without a training example"),
    (LONG, 1, "unknown key a key of 200000 characters"),
]


@pytest.mark.parametrize(("key", "value", "said"), REFUSED, ids=[f"{key[:20]} {value}" for key, value, _ in REFUSED])
def test_a_refusal_says_what_was_found(key: str, value: Any, said: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(json.dumps({**dataclasses.asdict(PAIRS), key: value}))
    with pytest.raises(ValueError, match=r"study\.json") as caught:
        Study.load(tmp_path)
    assert said in str(caught.value)


def test_a_kind_that_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    content = json.loads(json.dumps(dataclasses.asdict(PAIRS)))
    (tmp_path / "study.json").write_text(json.dumps(changed(content, ("tasks", 0, "kind"), "nothing")))
    with pytest.raises(ValueError, match=r": tasks\.0\.kind is 'nothing'; expected 'similarity'"):
        Study.load(tmp_path)


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", "", ".x", "x" * 300, "a\nb", "a b"])
def test_a_name_that_leaves_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    content = dataclasses.asdict(PAIRS)
    (tmp_path / "study.json").write_text(
        json.dumps(changed(json.loads(json.dumps(content)), ("tasks", 0, "name"), name))
    )
    assert not read_or_refused(tmp_path, PAIRS)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"1", b"{", b"[" * 100_000, b'{"a":' * 5_000], ids=range(7))
def test_what_is_no_object_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_bytes(content)
    assert not read_or_refused(tmp_path, PAIRS)


@pytest.mark.parametrize("design", FILES)
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "found a pipe; expected a study; move it away"),
        (os.mkdir, "found a folder; expected a study; move it away"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read"),
    ],
)
def test_a_study_file_that_is_no_file_is_not_a_folder_without_a_study(
    tmp_path: Path, design: Any, make: Callable[[Path], None], said: str
) -> None:
    make(tmp_path / FILES[design])
    assert has_study(tmp_path, design)
    line = f"{tmp_path / FILES[design]}: {said}"
    for read in (lambda: Study.load(tmp_path, design), lambda: studies_in(tmp_path)):
        with pytest.raises(ValueError, match=re.escape(line)):
            read()
    done = command("status", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
