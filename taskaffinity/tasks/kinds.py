"""The kinds of task: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Kind = Literal[
    "similarity", "relation", "inference", "ner", "classification", "regression", "multilabel", "choice", "spans"
]
"""The first four are the kinds of Sections 3.1-3.4 of the paper: regression on a pair, classification of a masked
sentence, classification of a pair, tagging. ``classification`` is ``relation`` without masks. ``regression`` is
``similarity`` with one text. An example of ``multilabel`` has any number of classes. An example of ``choice`` has
options, one of which is right. An example of ``spans`` has a question and a text; the answers are parts of the text."""

Field = Literal[
    "id",
    "idx",
    "document",
    "split",
    "group",
    "text",
    "text_pair",
    "label",
    "words",
    "tags",
    "entities",
    "options",
    "start",
    "is_impossible",
]
"""``id`` is unique in the task, ``idx`` in its split. Rows that are not independent share a ``document``. In a file of
all splits, ``split`` names the split of each row. In a file with one row per candidate, rows of one example of choice
share a ``group``. ``is_impossible`` says that a text does not answer a question, whatever answers the row has."""


LabelForm = Literal["class", "classes", "score", "tags", "option", "answers"]
"""What the label of an example is: a class, any number of classes, a number, a tag per word, the letter of an option,
or places in the text."""


@dataclass(frozen=True)
class Traits:
    """What the package needs to know of a kind, apart from its stock model (``training/export/stock.py``)."""

    label: LabelForm
    """Form of the label. It decides what reads labels and the head (``training/heads.py``)."""
    fields: tuple[Field, ...]
    """Fields that every row has."""
    metrics: tuple[str, ...]
    """Metrics that can score it; the first is the default."""
    n_outputs: int | None = None
    """Outputs of the head for each state that it reads. None: one per class or tag."""
    optional: tuple[Field, ...] = ()
    """Fields that a row can have beside them, apart from its id and document."""
    usual: Mapping[Field, tuple[str, ...]] = field(default_factory=dict)
    """Usual names of its columns, beside those of ``tasks/user/column_names.py``."""
    counted: Literal["rows", "mentions", "positive relations"] = "rows"
    """What Table 1 of the paper counts."""
    texts_swap: bool = True
    """Whether the two texts of an example can change places, as in the released code."""
    windowed: Literal["text", "text_pair"] | None = "text"
    """The text that ``long: windows`` cuts, unless the user names it. None: no window is possible."""
    not_pooled: str = ""
    """Why the outputs of windows are not pooled, for a message. Empty: they are."""
    paper_epochs: int = 10
    """Epochs of the paper's single-task models (``runs/paper_recipes.py``)."""
    paper_trains_on_dev: bool = False
    """Whether the paper's single-task models are trained on train and dev."""
    paper_metric: str = ""
    """Official metric under the paper's protocol. Empty: the task's."""

    @property
    def reads_tokens(self) -> bool:
        """Whether the head reads several tokens of a row, each with a target; otherwise the first one."""
        return self.label in ("tags", "answers")


_SCORES: Mapping[Field, tuple[str, ...]] = {"label": ("score",)}
_ANSWERS: Mapping[Field, tuple[str, ...]] = {
    "text": ("question",),
    "text_pair": ("context",),
    "label": ("answers",),
    "start": ("answer_start",),
}
_OF_CLASSES = ("accuracy", "micro_f1", "macro_f1")
TRAITS: Final[dict[Kind, Traits]] = {
    "similarity": Traits(
        "score", ("text", "text_pair", "label"), ("pearson",), n_outputs=1, usual=_SCORES, paper_epochs=30
    ),
    "relation": Traits(
        "class",
        ("text", "label"),
        ("micro_f1", "accuracy", "macro_f1"),
        optional=("text_pair",),
        counted="positive relations",
    ),
    "inference": Traits("class", ("text", "text_pair", "label"), _OF_CLASSES),
    "ner": Traits(
        "tags",
        ("words", "tags"),
        ("span_f1", "span_f1_conlleval"),
        counted="mentions",
        not_pooled="reads each word in one window",
        paper_epochs=30,
        paper_trains_on_dev=True,
        paper_metric="span_f1_conlleval",
    ),
    "classification": Traits("class", ("text", "label"), _OF_CLASSES, optional=("text_pair",)),
    "regression": Traits(
        "score",
        ("text", "label"),
        ("pearson",),
        n_outputs=1,
        optional=("text_pair",),
        usual=_SCORES,
        paper_epochs=30,
    ),
    "multilabel": Traits(
        "classes",
        ("text", "label"),
        ("multilabel_f1", "macro_f1", "accuracy"),
        optional=("text_pair",),
        usual={"label": ("labels",)},
    ),
    "choice": Traits(
        "option",
        ("text", "options", "label"),
        ("accuracy",),
        n_outputs=1,
        optional=("text_pair",),
        texts_swap=False,
        windowed=None,
    ),
    "spans": Traits(
        "answers",
        ("text", "text_pair", "label"),
        ("answer_f1", "exact_match"),
        n_outputs=2,
        optional=("start", "is_impossible"),
        usual=_ANSWERS,
        texts_swap=False,
        windowed="text_pair",
        not_pooled="takes the best answer of all windows",
    ),
}

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DEFAULT_METRIC: Final[dict[Kind, str]] = {kind: traits.metrics[0] for kind, traits in TRAITS.items()}
METRICS_OF_KIND: Final[dict[Kind, tuple[str, ...]]] = {kind: traits.metrics for kind, traits in TRAITS.items()}
"""Kind -> metrics that can score it."""


def _with_label(*labels: LabelForm) -> frozenset[Kind]:
    return frozenset(kind for kind, traits in TRAITS.items() if traits.label in labels)


SCORE_KINDS: Final = _with_label("score")
"""Kinds whose labels are numbers."""
ONE_CLASS: Final = _with_label("class")
"""Kinds with one class per text, which ``class_weights: balanced`` concerns; a tagging task can be named."""
CLASS_KINDS: Final = _with_label("class", "classes")
"""Kinds whose classes the user names."""
TAG_KINDS: Final = _with_label("tags")
"""Kinds whose examples are words with a tag each."""
PAIR_KINDS: Final = frozenset(kind for kind, traits in TRAITS.items() if "text_pair" in traits.fields)
"""Kinds whose examples always have two texts."""


def option_names(n: int) -> tuple[str, ...]:
    """Return the labels of ``n`` options in their order: A to Z, then AA, AB, ...

    Examples
    --------
    >>> option_names(4), option_names(28)[-3:]
    (('A', 'B', 'C', 'D'), ('Z', 'AA', 'AB'))
    """
    return tuple(_option_name(number) for number in range(n))


def _option_name(number: int) -> str:
    before, letter = divmod(number, 26)
    return (_option_name(before - 1) if before else "") + chr(ord("A") + letter)
