"""Facts about a task and its data for the analysis, stored with the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from taskaffinity.errors import STRICT
from taskaffinity.runs.limits import MOST_EXAMPLES
from taskaffinity.runs.spec import TaskName, TaskRef
from taskaffinity.runs.stored.json_files import Finite, Words
from taskaffinity.tasks.metric_titles import title_of
from taskaffinity.tasks.reading import DEFAULT, Reading
from taskaffinity.tasks.splits import test_sets_of
from taskaffinity.tasks.task import Kind

Size = Annotated[int, Field(ge=0, le=MOST_EXAMPLES)]
"""A number of examples."""


@dataclass(frozen=True)
class StudiedTask:
    """Facts about a task that the analysis needs."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: TaskName
    title: Words
    kind: Kind | Literal["unknown"]
    """``unknown`` for a task that was trained elsewhere."""
    metric: str
    """A key of ``tasks.metrics.METRICS``."""
    fingerprint: Words
    sizes: Mapping[str, Size]
    """Examples per split, before any limit; a further test set is a split such as ``test@notes``."""
    used: Mapping[str, Size] = field(default_factory=dict, compare=False)
    """Examples per split that a run uses; empty in studies of older versions."""
    long_rows: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = field(default_factory=dict, compare=False)
    """Share of the rows of each split that have ``max_length`` tokens or more; empty if unknown, 0 with windows."""
    unknown_tokens: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = field(default_factory=dict, compare=False)
    """Share of the tokens of each split, without special tokens, that are the tokenizer's unknown token; empty if not
    known, 0 without such a token."""
    repeated: Mapping[str, Annotated[float, Field(ge=1, le=MOST_EXAMPLES)]] = field(default_factory=dict, compare=False)
    """Test split -> factor by which the standard error over its examples grows if rows of one text are one unit. Splits
    without such rows, with documents or with sampled examples are left out."""
    has_negative: bool | None = field(default=None, compare=False)
    """Whether one class is trained but not scored; None if unknown."""
    reading: Reading = field(default=DEFAULT, compare=False)
    """How texts are read that are longer than an input; a part of the fingerprint."""

    has_test: bool = field(default=True, compare=False)
    """Whether the task has a test part. If not, its test scores are those of its dev part."""

    @property
    def test_sets(self) -> tuple[str, ...]:
        """Names of further test sets."""
        return test_sets_of(self.sizes)

    @property
    def metric_title(self) -> str:
        """Full name of the metric."""
        return self.title_of(self.metric)

    def title_of(self, metric: str) -> str:
        """Return the full name of a metric of this task."""
        return title_of(metric, self.kind, self.has_negative)

    @property
    def ref(self) -> TaskRef:
        return (self.name, self.fingerprint)


Fault = Literal["zero", "hardly", "majority", "climbing"]  # the gravest first


@dataclass(frozen=True)
class Undertrained:
    """A task that is not trained to its end in single-task runs; values are means over seeds."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    task: TaskName
    fault: Fault
    """``zero``: every run scores 0 on test; ``hardly``: the training loss hardly fell; ``majority``: the test accuracy
    is at most the share of the largest class; ``climbing``: the dev score still rose at the end."""
    value: Finite
    """Test score, fall of the training loss in percent, share of the largest class in percent, or rise of the dev score
    in points."""

    @property
    def words(self) -> str:
        """``hardly learned in single-task training (training loss fell by 5%)``."""
        return {
            "zero": "scored 0 in single-task training",
            "hardly": f"hardly learned in single-task training (training loss fell by {self.value:z.0f}%)",
            "majority": f"scored no better on test than the largest class ({self.value:.1f}%)",
            "climbing": f"still improved when single-task training ended (+{self.value:.1f} dev points)",
        }[self.fault]


@dataclass(frozen=True)
class Leak:
    """Examples of dev or test that also occur in a training split, or test examples that also occur in dev."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    task: TaskName
    """Task whose scores the leak can raise."""
    other: TaskName
    """Task whose training split, or dev split, has the examples; it may be the same task."""
    line: Words
    """The number of examples and both splits, in words."""

    @property
    def is_from_dev(self) -> bool:
        """Whether test examples are also in dev, which selects the epoch."""
        return self.line.endswith(f" also in {self.other} dev")
