"""Read YAML as text, lists and mappings, with the line of each value.

A scalar stays the text in the file: ``no`` is the class ``no``, not false, and ``0`` is the class ``0``. A repeated key
is an error, because YAML would silently drop its first value.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from taskaffinity.errors import input_error, shown
from taskaffinity.tasks.lines import LARGEST_SETTINGS, read_lines

Place = tuple[str | int, ...]
"""Keys and list indices, from the outermost one."""

_DEEPEST = 6
_MOST_VALUES = 50_000
"""Aliases count as often as they are used, because aliases of aliases multiply."""


def read_yaml(path: Path, of: str = "a suite") -> tuple[object, dict[Place, int]]:
    """Read the content of a file, and the line of each place in it.

    Parameters
    ----------
    of : str
        The expected content of the file, for messages.

    Raises
    ------
    InputError
        If the file does not exist, is not UTF-8, is no YAML, is empty, is nested too deeply, is too large or repeats a
        key.
    """
    text = "\n".join(read_lines(path, LARGEST_SETTINGS)[0])
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}: line {mark.line + 1}" if mark else str(path)
        raise input_error(where, f"broken YAML ({_in_words(error)})", "keys and values, indented with spaces") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise input_error(f"{path}: line {line}", "a character that YAML does not allow", "plain text") from None
    except RecursionError:
        raise input_error(path, f"more than {_DEEPEST} levels", "the levels of a suite file") from None
    if node is None:
        raise input_error(path, "an empty file", f"the YAML of {of}")
    lines: dict[Place, int] = {}
    return _plain(path, node, (), lines, of), lines


def _in_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "a fault"
    if "'\\t'" in problem:
        return "a tab"
    if "block end" in problem:
        return "a line whose indentation differs from its neighbours"
    return re.sub(r"'\w[^'<>]{2,}'", "'...'", problem)


def _plain(path: Path, node: yaml.Node, place: Place, lines: dict[Place, int], of: str) -> object:
    line = lines.setdefault(place, node.start_mark.line + 1)
    if len(place) > _DEEPEST:
        raise input_error(f"{path}: line {line}", f"more than {_DEEPEST} levels", f"the levels of {of}")
    if len(lines) > _MOST_VALUES:
        raise input_error(f"{path}: line {line}", f"more than {_MOST_VALUES:,} values", "fewer aliases (*name)")
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(path, item, (*place, number), lines, of) for number, item in enumerate(node.value)]
    found: dict[str, object] = {}
    for key, value in node.value:
        where = f"{path}: line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise input_error(where, "a list or mapping as a key", "a word")
        name = str(key.value)
        if name in found:
            raise input_error(where, f"key {shown(name)} again (first: line {lines[(*place, name)]})", "each name once")
        lines[(*place, name)] = key.start_mark.line + 1
        found[name] = _plain(path, value, (*place, name), lines, of)
    return found
