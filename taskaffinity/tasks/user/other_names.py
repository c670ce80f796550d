"""Names that other programs use for keys, kinds and fields of a suite file, and the names here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from taskaffinity.errors import meant

_KINDS = {
    "ner": "token-classification tagging sequence-tagging sequence-labeling sequence-labelling pos-tagging chunking "
    "named-entity-recognition entity-recognition ner-tagging bio iob",
    "classification": "text-classification sequence-classification single-label-classification single-sentence "
    "sentence-classification document-classification sentiment sentiment-analysis binary multiclass multi-class topic "
    "binary-classification multiclass-classification multi-class-classification",
    "inference": "nli natural-language-inference textual-entailment entailment rte pair-classification paraphrase "
    "sentence-pair sentence-pair-classification text-pair-classification paraphrase-identification",
    "similarity": "sts stsb sts-b semantic-similarity sentence-similarity semantic-textual-similarity text-similarity "
    "pair-regression similarity-regression",
    "regression": "text-regression scoring score rating",
    "multilabel": "multi-label multi-label-classification multilabel-classification tagging-documents",
    "relation": "re relation-extraction relation-classification relations",
    "choice": "multiple-choice mc mcq mcqa multiple-choice-qa answer-selection answer-ranking multichoice",
    "spans": "question-answering qa extractive-qa extractive-question-answering squad span-extraction span reading "
    "reading-comprehension machine-reading-comprehension mrc",
}
"""Kind -> its names elsewhere."""
_NO_KIND = ("generation", "text-generation", "summarization", "translation", "text2text-generation", "causal-lm", "mlm")
_KEYS = {
    "kind": "type task task-type problem-type",
    "path": "data data-path data-dir dir folder directory file files data-files train-file",
    "hub": "dataset hf dataset-name hf-dataset",
    "config": "subset configuration",
    "splits": "split split-names",
    "dev": "validation valid val devel eval development dev-split",
    "separator": "delimiter sep delim",
    "encoding": "charset codec",
    "header": "names column-names",
    "columns": "column fields field text text-column label-column text-pair sentence1 sentence2 features id document",
    "labels": "label classes class label-names class-names tags targets target",
    "label_separator": "label-delimiter label-sep",
    "options": "choices candidates endings",
    "max_length": "max-seq-length max-len max-seq-len",
    "title": "name display-name",
    "negative": "negative-class ignore-label",
    "metric": "metrics eval-metric",
}
"""Key of a task -> its names elsewhere."""
_FIELDS = {
    "text": "sentence sentence1 premise question query source review content body comment tweet utterance note",
    "text_pair": "sentence2 hypothesis context passage paragraph",
    "label": "labels class target answer answers score category gold rating value sentiment gold-label y",
    "words": "tokens word token",
    "tags": "tag ner-tags ner",
    "entities": "entity mentions spans annotations marks",
    "options": "choices endings candidates option candidate",
    "start": "answer-start",
    "document": "doc doc-id document-id patient title",
    "split": "fold partition part",
}
"""Field -> its names elsewhere."""


def _by_name(names: Mapping[str, str]) -> dict[str, str]:
    return {other: ours for ours, others in names.items() for other in others.split()}


_KIND_OF, _KEY_OF, _FIELD_OF = _by_name(_KINDS), _by_name(_KEYS), _by_name(_FIELDS)
_FIELD_OF |= {field: field for field in _FIELDS}


def _plain(name: object) -> str:
    return str(name).strip().casefold().replace("_", "-").replace(" ", "-")


def meant_kind(given: object, kinds: Iterable[str]) -> str:
    """Return a hint at the kind that another program calls by the given name.

    Examples
    --------
    >>> meant_kind("token-classification", ["ner", "classification"]), meant_kind("NLI", ["inference"])
    ('; did you mean ner?', '; did you mean inference?')
    >>> meant_kind("clasification", ["ner", "classification"]), meant_kind("translation", ["relation"])
    ('; did you mean classification?', '')
    """
    name = _plain(given)
    if name in _NO_KIND:
        return ""
    return _hint(_KIND_OF.get(name)) or meant(given, kinds)


def meant_key(given: object, keys: Iterable[str]) -> str:
    """Return a hint at the key of a task that has the given name elsewhere.

    Examples
    --------
    >>> meant_key("delimiter", ["separator"]), meant_key("validation", ["dev"]), meant_key("pth", ["path"])
    ('; did you mean separator?', '; did you mean dev?', '; did you mean path?')
    """
    legal = tuple(keys)
    ours = _KEY_OF.get(_plain(given))
    return _hint(ours if ours in legal else None) or meant(given, legal)


def meant_field(given: object, fields: Iterable[str]) -> str:
    """Return a hint at the field of ``columns:`` that has the given name elsewhere.

    Examples
    --------
    >>> meant_field("tokens", ["words", "tags"]), meant_field("lable", ["label"])
    ('; did you mean words?', '; did you mean label?')
    """
    legal = tuple(fields)
    ours = _FIELD_OF.get(_plain(given), _KEY_OF.get(_plain(given)))
    return _hint(ours if ours in legal else None) or meant(given, legal)


def like_field(field: str, columns: Iterable[str]) -> str | None:
    """Return the first column whose name means this field elsewhere, or None.

    Examples
    --------
    >>> like_field("text", ["nr", "Review", "stars"]), like_field("label", ["nr", "Review"])
    ('Review', None)
    """
    return next((column for column in columns if _FIELD_OF.get(_plain(column)) == field), None)


def _hint(name: str | None) -> str:
    return f"; did you mean {name}?" if name else ""
