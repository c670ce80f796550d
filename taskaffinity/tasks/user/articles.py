"""Read the nested JSON of question answering: articles have paragraphs, and paragraphs have questions.

SQuAD (Rajpurkar et al., EMNLP 2016; ACL 2018) is distributed in this form, and so are many clinical and biomedical data
sets of extractive question answering.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from taskaffinity.errors import input_error, named, shown

_SHAPE = "articles with paragraphs, each with a context and its questions (qas), as in SQuAD's files"


def has_articles(parsed: object) -> bool:
    """Whether a JSON document has the form ``{"data": [{"paragraphs": [...]}, ...]}``."""
    if not isinstance(parsed, Mapping):
        return False
    data = parsed.get("data")
    return (
        isinstance(data, list)
        and bool(data)
        and all(isinstance(article, Mapping) and "paragraphs" in article for article in data)
    )


def question_rows(path: Path, parsed: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield ``(where, row)`` for each question of a document for which ``has_articles`` holds.

    A row has the keys of its question, and ``context``. ``document`` is the title of the article, or its number if it
    has none, because questions on one article are not independent. A question that is marked ``is_impossible`` has no
    answers, whatever its other keys say.

    Raises
    ------
    InputError
        If a paragraph or a question has another form.
    """
    for number, article in enumerate(_list(str(path), parsed["data"]), start=1):
        where = f"{path}: article {number}"
        title = article.get("title")
        document = title if isinstance(title, str) and title.strip() else f"article {number}"
        for nth, paragraph in enumerate(_list(where, article["paragraphs"]), start=1):
            place = f"{where}, paragraph {nth}"
            if not isinstance(paragraph.get("context"), str):
                raise input_error(place, f"{named(paragraph.get('context'), ())} as context", _SHAPE)
            for question in _list(place, paragraph.get("qas")):
                row = {"document": document, **question, "context": paragraph["context"]}
                if question.get("is_impossible") is True:
                    row["answers"] = []
                yield f"{place}, question {shown(question.get('id', 'without an id'))}", row


def _list(where: str, value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise input_error(where, f"{named(value, ())} in the place of a list of objects", _SHAPE)
    return value
