"""Every number that a user gives has bounds, which one line names, in command and Python alike."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer
from command_line import command
from pydantic import TypeAdapter

import taskaffinity as ta
from taskaffinity.cli import app, data
from taskaffinity.cli.options.numbers import _Parser
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import Recipe
from taskaffinity.studies.options import FullOptions, PairwiseOptions, TuneOptions

MALFORMED = ("1_0", "0x10", "1e400", "nan", "inf", "", "one", "9" * 5000, str(10**30), "-1", "١")
NEEDED = {
    "pretrain": ["--text=a.txt", "--encoder=e", "--out=o"],
    "full": ["--domain=clinical"],
    "pairwise": ["--domain=clinical"],
    "tune": ["--domain=clinical"],
    "graph": ["results"],
    "report": ["results"],
}


def options_of_commands() -> Iterator[tuple[str, str, Any, Any]]:
    """Command, option, type and parser of every option."""
    groups = [("", app.registered_commands), ("data ", data.app.registered_commands)]
    for group, commands in groups:
        for one in commands:
            assert one.callback is not None
            name = f"{group}{one.name or one.callback.__name__}"
            for parameter, hint in get_type_hints(one.callback, include_extras=True).items():
                kind, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
                option = f"--{parameter.strip('_').replace('_', '-')}"
                yield name, option, kind, next((getattr(extra, "parser", None) for extra in extras), None)


OPTIONS = [(name, option, parser) for name, option, _, parser in options_of_commands() if isinstance(parser, _Parser)]


def test_no_number_option_is_without_bounds() -> None:
    numbers = [found for found in options_of_commands() if {int, float} & {found[2], *get_args(found[2])}]
    assert len(numbers) >= 20
    assert [found for found in numbers if not isinstance(found[3], _Parser)] == []


@pytest.mark.parametrize(("name", "option"), [(name, option) for name, option, _ in OPTIONS])
def test_a_value_out_of_bounds_is_one_line(name: str, option: str, tmp_path: Path) -> None:
    [parser] = [parser for *place, parser in OPTIONS if place == [name, option]]
    for text in (*MALFORMED, str(parser.most + 1), str(parser.least - 1)):
        with pytest.raises(typer.BadParameter, match=re.escape(f"from {parser.least:,} to {parser.most:,}")) as refused:
            parser(text)
        assert len(str(refused.value)) < 150
    for text in ("9" * 5000, "one"):
        done = command(name, *NEEDED.get(name, []), f"{option}={text}", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        assert len(done.stderr) < 200
        assert f"'{option}': found " in done.stderr
        assert f"from {parser.least:,} to {parser.most:,}" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "option"), [(name, option) for name, option, _ in OPTIONS])
def test_both_bounds_are_legal(name: str, option: str) -> None:
    [parser] = [parser for *place, parser in OPTIONS if place == [name, option]]
    assert [parser(str(parser.least)), parser(str(parser.most))] == [parser.least, parser.most]


def numbers_of(kind: Any) -> Iterator[tuple[str, Any]]:
    """Name and pydantic schema of each number field."""
    properties = TypeAdapter(kind).json_schema()["properties"]
    for name, schema in properties.items():
        for one in (schema, *schema.get("anyOf", ())):
            if one.get("type") in ("integer", "number"):
                yield name, one


@pytest.mark.parametrize("kind", [PairwiseOptions, FullOptions, TuneOptions, Recipe])
def test_every_number_in_python_has_bounds(kind: Any) -> None:
    elsewhere = {"gpus_per_run", "margin"}  # checked where they are used; see below
    unbounded = {
        name
        for name, schema in numbers_of(kind)
        if not schema.keys() & {"maximum", "exclusiveMaximum"} and schema["type"] == "integer"
    }
    assert unbounded == set()
    assert {name for name, _ in numbers_of(kind)} - elsewhere


FUNCTIONS = {"pairwise": ta.pairwise, "full": ta.full, "tune": ta.tune}


@pytest.mark.parametrize(
    ("function", "option", "value"),
    [
        *((name, "cpus_per_run", 99_999_999) for name in FUNCTIONS),
        *((name, "gpus_per_run", value) for name in FUNCTIONS for value in (1e300, 1e-300, float("nan"), "1_0")),
        *(("pairwise", name, n) for name in ("seeds", "seeds_single", "max_seeds") for n in (10**8, 10**30, 10**5000)),
        ("pairwise", "base_seed", 10**6),
        *(("pairwise", "margin", value) for value in (float("nan"), 1e300, ["1_0"], ["9" * 5000])),
        *(("tune", name, 10**8) for name in ("n_trials", "finalists", "confirm_seeds", "search_seed")),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "value",  # pytest prints no huge number
)
def test_python_refuses_in_one_line(function: str, option: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        FUNCTIONS[function]("clinical", output_dir=tmp_path / "out", **{option: value})
    said = str(refused.value)
    assert option in said.replace("-", "_")
    assert len(said.splitlines()) == 1
    assert len(said) < 200
    assert list(tmp_path.iterdir()) == []


SETTINGS = [
    name for name, hint in get_type_hints(Recipe).items() if {int, float} & {hint, *getattr(hint, "__args__", ())}
]


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "threads"])
def test_a_setting_out_of_bounds_is_one_line_in_both(name: str, tmp_path: Path) -> None:
    for text in ("1_0", "1e400", "9" * 5000, "-1", "nan"):
        done = command("pairwise", "--domain=clinical", f"--set={name}={text}", cwd=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert name in done.stderr
        assert len(done.stderr) < 220
    for value in (10**5000, -1, float("nan")):
        with pytest.raises(InputError, match=name) as refused:
            ta.pairwise("clinical", settings={name: value}, output_dir=tmp_path / "out")
        assert len(str(refused.value)) < 220
    assert list(tmp_path.iterdir()) == []


def test_settings_are_fields() -> None:
    assert len(SETTINGS) >= 15
    assert {"batch_size", "max_length", "learning_rate", "max_train_examples"} <= set(SETTINGS)
    assert set(SETTINGS) <= {field.name for field in dataclasses.fields(Recipe)}
