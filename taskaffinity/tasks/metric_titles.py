"""The full name of a metric for a task."""

from __future__ import annotations

from taskaffinity.tasks.metrics import METRICS


def title_of(metric: str, kind: str, has_negative: bool | None = None) -> str:
    """Return the full name of a metric; it mentions a negative class only if there is one.

    Parameters
    ----------
    has_negative : bool, optional
        Whether the task has a negative class. Default: true for relation tasks only.

    Examples
    --------
    >>> title_of("macro_f1", "relation"), title_of("macro_f1", "classification")
    ('macro-F1 without the negative class', 'macro-F1 over the scored classes')
    >>> title_of("macro_f1", "relation", has_negative=False)
    'macro-F1 over all classes'
    """
    title, phrase = METRICS[metric].title, "without the negative class"
    if has_negative is None:
        return title if kind == "relation" else title.replace(phrase, "over the scored classes")
    return title if has_negative else title.replace(phrase, "over all classes")
