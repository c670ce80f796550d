"""Log the characters that the font of figures lacks in one line.

matplotlib would warn of each character at every drawing.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from taskaffinity.analysis.style import plural

_LOG = logging.getLogger("taskaffinity")
_GLYPH = re.compile(r"Glyph (\d+) ")
_SHAPING = "Matplotlib currently does not support"
"""Begins the warning on scripts whose letters must be joined; boxes stand for them too."""
_MOST_NAMED = 3


@contextmanager
def one_line_for_missing_glyphs() -> Iterator[None]:
    """Log one line on characters that figures show as boxes.

    It replaces matplotlib's warnings for figures that are drawn inside the block.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", message=_GLYPH.pattern)
        warnings.filterwarnings("ignore", message=_SHAPING)
        yield
    missing: set[int] = set()
    for warning in caught:
        if found := _GLYPH.match(str(warning.message)):
            missing.add(int(found[1]))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if missing:
        named = ", ".join(f"U+{code:04X}" for code in sorted(missing)[:_MOST_NAMED])
        _LOG.warning(
            "figures: the font lacks %s of the titles (%s%s), drawn as boxes in PNG and PDF; SVG and report keep text",
            plural(len(missing), "character"),
            named,
            ", ..." if len(missing) > _MOST_NAMED else "",
        )
