"""Write a number and what it counts, in the singular or the plural."""

from __future__ import annotations

import re

_FORMS = re.compile(r"<([^<|>]*)\|([^<|>]*)>")


def how_many(n: int, what: str) -> str:
    """Return a number and what it counts.

    Parameters
    ----------
    what : str
        A noun in the singular, whose plural ends in ``s``; or words with both forms of some, ``<singular|plural>``.

    Examples
    --------
    >>> how_many(1, "row"), how_many(0, "row"), how_many(1200, "row")
    ('1 row', '0 rows', '1,200 rows')
    >>> how_many(1, "<text|texts> that <occurs|occur> twice"), how_many(2, "<text|texts> that <occurs|occur> twice")
    ('1 text that occurs twice', '2 texts that occur twice')
    """
    if _FORMS.search(what) is None:
        return f"{n:,} {what}{'s' * (n != 1)}"
    return f"{n:,} {_FORMS.sub(lambda forms: forms[1 + (n != 1)], what)}"
