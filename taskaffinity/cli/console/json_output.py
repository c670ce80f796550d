"""Print the output of ``--json``: one JSON object on stdout, and nothing else."""

from __future__ import annotations

import json
import math
import sys
from typing import Any


def print_json(content: dict[str, Any]) -> None:
    """Print an object; NaN and infinity become null, because JSON has neither.

    If the encoding of stdout lacks a character of it, all non-ASCII characters are escaped, so that none is replaced.
    """
    plain = _plain(content)
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(plain, indent=1, allow_nan=False)
    print(text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # a numpy number
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
