"""The limits of the code: short functions, short files, few parameters, no retired name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import taskaffinity

PACKAGE = Path(taskaffinity.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FUNCTION_LINES, FILE_LINES, PARAMETERS = 70, 280, 8
OLD_MODULES = [
    "conduct",
    "definition",
    "pacing",
    "recipe_search",
    "encoding",
    "prior",
    "needs",
    "prospects",
    "claims",
    "further",
    "unfinished",
    "association",
    "kept",
    "pace",
    "trace",
    "judging",
    "show",
    "tuned",
    "termination",
    "company",
    "handover",
    "ready",
    "choice",
    "released",
    "refusal",
    "direction",
    "machine",
    "timing",
    "racing",
    "race_odds",
    "strokes",
    "facets",
    "canvas",
    "pictures",
    "accounts",
    "told",
    "follow",
    "halving",
    "declared",
    "listed",
    "differences",
]
OLD_NAMES = [
    "BadInput",
    "bad",
    "made_ready",
    "hand_over",
    "take_over",
    "leaves_model",
    "train_and_keep",
    "Learnt",
    "needs_of",
    "Needs",
    "level_for_one",
    "summarise",
    "Evidence",
    "spent",
    "hang",
    "thinned",
    "cut_embeddings",
    "exchange_dropout",
    "settled_precision",
    "in_precision",
    "placed",
    "over_file",
    "of_stages",
    "refuse_to_mix",
    "refuse_to_empty",
    "told_as",
    "say_what_came",
    "received_and_given",
    "conduct",
]
COMMANDS = {
    "pairwise": "api",
    "full": "api",
    "tune": "api",
    "estimate": "estimates/api",
    "train": "train",
    "verdicts": "verdicts",
}
"""Functions with the options of the command of their name, and their modules in ``studies/``."""

GIVEN_ELSEWHERE = {"packed_attention", "from_scores"}
"""Parameters that transformers passes to an attention function, and those of ``taskaffinity.verdicts``."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield node


def public_functions(path: Path) -> Iterator[Function]:
    for node in tree_of(path).body:
        inside = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        yield from (one for one in inside if isinstance(one, Function) and not one.name.startswith("_"))


def lines(node: Function) -> int:
    """Lines of a function, decorators and docstring included."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def is_command(path: Path, node: Function) -> bool:
    place = path.relative_to(PACKAGE)
    has_options = "typer." in ast.unparse(node.args) or node.name == "command" or node.name.endswith("_command")
    return (place.parts[0] == "cli" and has_options) or (place.as_posix() == f"studies/{COMMANDS.get(node.name)}.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_functions_and_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES
    assert {node.name: lines(node) for node in functions(path) if lines(node) > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_public_functions_have_few_parameters(path: Path) -> None:
    for node in public_functions(path):
        if is_command(path, node):
            continue
        if node.name in GIVEN_ELSEWHERE:
            continue
        names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        assert len([name for name in names if name not in ("self", "cls")]) <= PARAMETERS, node.name


def test_two_test_files_have_no_name_in_common() -> None:
    """Pytest imports them by their names alone."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_module_has_an_old_name() -> None:
    # `errors`, `encoded` and `own` live on with another meaning
    assert {path.stem for path in MODULES} & set(OLD_MODULES) == set()
    assert not (PACKAGE / "tasks" / "own").exists()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_public_name_is_an_old_one(path: Path) -> None:
    tree = tree_of(path)
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | Function)}
    assert defined & set(OLD_NAMES) == set()


def test_only_the_aliases_know_old_options() -> None:
    old = re.compile(r"--(match|start|stage|adaptive|track|replace|samples)\b(?![-=\w])")
    places = {path.name: old.findall(path.read_text(encoding="utf-8")) for path in MODULES}
    assert {name for name, found in places.items() if found} <= {"aliases.py"}
