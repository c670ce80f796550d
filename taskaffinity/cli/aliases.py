"""Accept old names of options for one release, with one line on stderr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_COMMANDS = ("pairwise", "full")
OLD_OPTIONS: Mapping[str, tuple[tuple[str, ...], str, Mapping[str, str]]] = {
    "--match": (("pairwise",), "--baseline", {"updates": "single", "compute": "compute-matched"}),
    "--start": (("pairwise",), "--init-from", {"refinement": "multitask"}),
    "--stage": (("pairwise",), "--evaluate-after", {"refine": "joint"}),
    "--adaptive": (("pairwise",), "--sequential", {}),
    "--track": (_COMMANDS, "--report-to", {}),
    "--replace": (_COMMANDS, "--overwrite", {}),
    "--samples": (("tune",), "--n-trials", {}),
}
"""Old option -> the commands that had it, its new name, and the new names of its values."""


def modernized(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Replace old names in the arguments; also return a line for each.

    Examples
    --------
    >>> arguments, lines = modernized(["pairwise", "--match=compute", "--start", "refinement"])
    >>> arguments
    ['pairwise', '--baseline=compute-matched', '--init-from', 'multitask']
    >>> lines[0]
    'taskaffinity: --match is now --baseline; the next release drops the old name'
    """
    if not arguments:
        return [], []
    command, rewritten, lines = arguments[0], [arguments[0]], []
    values: Mapping[str, str] = {}
    for argument in arguments[1:]:
        name, equals, value = argument.partition("=")
        commands, new, new_values = OLD_OPTIONS.get(name, ((), "", {}))
        if command in commands:
            rewritten.append(f"{new}{equals}{new_values.get(value, value)}")
            lines.append(f"taskaffinity: {name} is now {new}; the next release drops the old name")
            values = {} if equals else new_values
        else:
            rewritten.append(values.get(argument, argument))
            values = {}
    return rewritten, lines
