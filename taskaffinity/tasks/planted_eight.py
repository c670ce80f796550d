"""``planted-8``: eight synthetic tasks of four kinds, used to validate the tool.

One helper is trained on all words, another on three quarters of them. A rival gives the unseen half wrong classes.
Three targets of three kinds are trained on the seen half. Two more tasks use a second family of words: they neither
help nor need any other task.
"""

from __future__ import annotations

from functools import partial

from taskaffinity.tasks.planted import (
    HELPER,
    OTHER_CONTENT,
    RIVAL,
    TARGET,
    VOCABULARY,
    Lexicon,
    Sizes,
    inferred,
    planted_task,
    related,
    similar,
    tagged,
)
from taskaffinity.tasks.suite import Suite

PARTIAL = Lexicon(shown=30)
OTHER = Lexicon(other=True)

_RELATIONS = ("R1", "R2", "R3", "R4")
_INFERENCES = ("contradiction", "neutral", "entailment")
_TYPES = ("X", "Y", None, None)

EIGHT = Suite(
    "planted-8",
    (
        planted_task("helper-ner", "ner", partial(tagged, _TYPES), HELPER, Sizes(1500), ("X", "Y")),
        planted_task("partial-ner", "ner", partial(tagged, _TYPES), PARTIAL, Sizes(1500), ("X", "Y")),
        planted_task("rival-similarity", "similarity", similar, RIVAL, Sizes(1500)),
        planted_task(
            "target-relation",
            "relation",
            partial(related, _RELATIONS, "false"),
            TARGET,
            Sizes(1000),
            (*_RELATIONS, "false"),
            "false",
        ),
        planted_task("target-inference", "inference", inferred, TARGET, Sizes(1000), _INFERENCES),
        planted_task("target-ner", "ner", partial(tagged, _TYPES), TARGET, Sizes(1000), ("X", "Y")),
        planted_task("other-ner", "ner", partial(tagged, _TYPES), OTHER, Sizes(1500), ("X", "Y")),
        planted_task("other-inference", "inference", inferred, OTHER, Sizes(1000), _INFERENCES),
    ),
    synthetic=True,
)

EIGHT_VOCABULARY = tuple(sorted({*VOCABULARY, *OTHER_CONTENT.ravel().tolist()}))
