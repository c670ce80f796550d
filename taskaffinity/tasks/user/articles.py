"""Read the nested JSON of question answering: articles have paragraphs, and paragraphs have questions.

SQuAD (Rajpurkar et al., EMNLP 2016; ACL 2018) is distributed in this form, and so are many clinical and biomedical data
sets of extractive question answering.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from taskaffinity.errors import input_error, named, shown

_SHAPE = "articles with paragraphs, each with a context and its questions (qas), as in SQuAD's files"


def has_articles(parsed: object) -> bool:
    """Whether a JSON document has the form ``{"data": [{"paragraphs": [...]}, ...]}``, perhaps with faults."""
    data = parsed.get("data") if isinstance(parsed, Mapping) else None
    return isinstance(data, list) and any(isinstance(one, Mapping) and "paragraphs" in one for one in data)


def question_rows(path: Path | str, parsed: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield ``(where, row)`` for each question of a document for which ``has_articles`` holds.

    A row has the keys of its question, ``context`` and ``title``. ``document`` is the title, because questions on one
    article are not independent; without a title, it is the article's number with a hash of its first context, so that
    two files do not share documents. A question that is marked ``is_impossible`` may lack answers.

    Raises
    ------
    InputError
        If a paragraph or a question has another form.
    """
    for number, article in enumerate(_list(str(path), parsed["data"]), start=1):
        where = f"{path}: article {number}"
        title, document = article.get("title"), ""
        if isinstance(title, str) and title.strip():
            document = title
        for nth, paragraph in enumerate(_list(where, article.get("paragraphs")), start=1):
            place, context = f"{where}, paragraph {nth}", paragraph.get("context")
            if not isinstance(context, str):
                raise input_error(place, f"{named(context, ())} as context", _SHAPE)
            document = document or f"{number} {hashlib.sha256(context.encode()).hexdigest()[:16]}"
            for count, question in enumerate(_list(place, paragraph.get("qas")), start=1):
                row = {"title": title, "document": document, **question, "context": context}
                if question.get("is_impossible") is True:
                    row.setdefault("answers", [])
                of_id = f" ({shown(question['id'])})" if "id" in question else ""
                yield f"{place}, question {count}{of_id}", row


def _list(where: str, value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise input_error(where, f"{named(value, ())} in the place of a list of objects", _SHAPE)
    return value
