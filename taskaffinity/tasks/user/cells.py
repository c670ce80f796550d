"""Read a list or an object that a table holds as text: JSON, or what Python prints (pandas writes this to CSV)."""

from __future__ import annotations

import ast
import io
import json
import tokenize
import warnings

_FAULTS = (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError)


def parsed_cell(text: str) -> list[object] | dict[str, object] | None:
    """Return the list or the object in a text; None if the text is neither.

    Strings side by side are no list: numpy prints its arrays so, and Python would join the strings.

    Examples
    --------
    >>> parsed_cell('["a", "b"]'), parsed_cell("['a', 'b']"), parsed_cell("{'text': ['a']}")
    (['a', 'b'], ['a', 'b'], {'text': ['a']})
    >>> parsed_cell("['a' 'b']"), parsed_cell("[a, b]"), parsed_cell("3")
    (None, None, None)
    """
    if text.strip()[:1] not in ("[", "{"):
        return None
    found: object = None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _literal(text.strip())
    return found if isinstance(found, list | dict) else None


def parsed_names(text: str) -> list[object] | dict[str, object] | None:
    """Return what ``parsed_cell`` returns; also a list for a tuple or a set that Python printed.

    Examples
    --------
    >>> parsed_names("('a', 'b')"), parsed_names("{'b', 'a'}"), parsed_names("set()"), parsed_names("(other)")
    (['a', 'b'], ['a', 'b'], [], None)
    """
    if (found := parsed_cell(text)) is not None:
        return found
    printed = _literal(text.strip()) if text.strip().startswith(("(", "{", "set()")) else None
    return sorted(printed, key=str) if isinstance(printed, tuple | set) else None


def _literal(text: str) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning may quote the text
            tree = ast.parse(text, mode="eval")
        n_strings = sum(isinstance(node, ast.Constant) and isinstance(node.value, str) for node in ast.walk(tree))
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        if n_strings != sum(token.type == tokenize.STRING for token in tokens):
            return None
        found: object = ast.literal_eval(tree)
    except _FAULTS:
        return None
    return found
