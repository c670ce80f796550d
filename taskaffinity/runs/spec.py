"""The spec of a run: everything that can change a score. Equal specs are the same run.

``RunSpec.run_id`` joins readable words and a hash. The hash covers the recipe, the encoder's content, the seed, the
tasks with the fingerprints of their data, and the parent's identity. It does not cover paths, so a results folder can
move.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field

from taskaffinity.errors import STRICT
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.stored.json_files import FiniteScore, Words
from taskaffinity.tasks.task import A_NAME, is_name

Stage = Literal["single", "refine", "finetune"]
TaskRef = tuple[str, str]
"""A task's name and the fingerprint of its data."""


def _checked(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"a name has {A_NAME}")
    return name


TaskName = Annotated[str, AfterValidator(_checked)]
"""A name that may be part of a file name. It is checked when a file is read."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
_StoredRef = tuple[TaskName, Words]
MOST_STEPS = 1_000_000
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]

Variant = Literal["plain", "matched", "placebo", "half", "halves", "continued", "probe"]
"""Variants of a run. Four of them train one task: *matched* trains as many updates as the pair with ``partner``;
*placebo* adds a copy of the task whose loss reaches a separate head only; *half* trains on the first half of the
training examples; *halves* trains on both halves as two tasks. Any run can be *continued*: it starts from the encoder
of its parent, after one epoch that all runs of that parent share. A *probe* continues its parent, a finished
single-task run, for a few updates, with ``partner`` as the second task or without one (``Probe``)."""


@dataclass(frozen=True)
class Probe:
    """Length of a probe. Its learning rate is the recipe's peak, after the warm-up."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    target_steps: Steps
    """Updates on the target in each round."""
    source_steps: Annotated[int, Field(ge=0, le=MOST_STEPS)]
    """Updates on the source in each round, between those on the target; 0 without a source."""
    most_rounds: Steps = 1
    """The largest number of rounds. A probe with a source ends after the round in which the source reaches its goal."""
    source_goal: FiniteScore = -1.0
    """Dev score from which the source counts as learned."""
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the first round in which the learning rate rises linearly to its peak."""


@dataclass(frozen=True)
class EncoderRef:
    """An encoder: a readable name, and a hash of its configuration, weights and tokenizer."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Words = field(compare=False)
    fingerprint: Words


EXTERNAL = EncoderRef("unknown (trained elsewhere)", "elsewhere")
"""Stands for the encoder of runs that other programs trained. No real fingerprint is equal to it, because each is a
hash."""


@dataclass(frozen=True)
class RunSpec:
    """One training run. The run of a pair gives both of its arrows."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    tasks: tuple[_StoredRef, ...]
    encoder: EncoderRef
    seed: Seed
    recipe: Recipe
    parent: RunSpec | None = None
    """The run that a fine-tuning or a *continued* run starts from."""
    variant: Variant = "plain"
    partner: _StoredRef | None = None
    """The partner whose update count a *matched* run imitates, or the source of a *probe*."""
    probe: Probe | None = None
    """How long a *probe* trains; None for other variants."""

    def __post_init__(self) -> None:
        names = self.task_names
        if not names or list(names) != sorted(set(names)):
            raise ValueError(f"a run's tasks are sorted and unique; got {', '.join(names) or 'none'}")
        if self.variant not in get_args(Variant):
            raise ValueError(f"no variant {self.variant!r}; there are {', '.join(get_args(Variant))}")
        if self.variant == "plain" and self.parent is not None and len(names) != 1:
            raise ValueError(f"a plain run with a parent fine-tunes one task; got {', '.join(names)}")
        if self.variant == "continued" and self.parent is None:
            raise ValueError(f"a continued run has a parent that it starts from; got none for {', '.join(names)}")
        if (self.probe is not None) != (self.variant == "probe"):
            raise ValueError("a probe, and no other run, says how long it trains")
        if self.probe is not None:
            self._check_probe(self.probe)
        elif self.variant not in ("plain", "continued") and (len(names) != 1 or self.parent is not None):
            raise ValueError(f"a {self.variant} run trains one task from the encoder; got {', '.join(names)}")
        if self.probe is None and (self.partner is not None) != (self.variant == "matched"):
            raise ValueError("a matched run, and no other, has a partner")
        if self.partner in self.tasks:
            raise ValueError(f"a task is not its own partner; got {names[0]}")

    def _check_probe(self, probe: Probe) -> None:
        if self.parent is None or self.parent.tasks != self.tasks or len(self.tasks) != 1:
            raise ValueError(f"a probe continues a single-task run of its target; got {', '.join(self.task_names)}")
        if (self.partner is None) != (probe.source_steps == 0):
            raise ValueError("a probe has updates on a source if and only if it has a partner")

    @cached_property
    def task_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.tasks)

    @property
    def is_external(self) -> bool:
        """Whether another program trained the run.

        Then its encoder and recipe are unknown, and it may score one task only.

        An external run of a pair may store two trainings, one per target.
        """
        return self.encoder == EXTERNAL

    @property
    def stage(self) -> Stage:
        if self.parent is not None and self.variant not in ("continued", "probe"):
            return "finetune"
        return "single" if len(self.tasks) == 1 else "refine"

    @property
    def arm(self) -> str:
        """The name of the run's arm in tables.

        It is the variant, ``finetune``, ``single``, ``pair``, or ``full`` for more tasks.
        """
        if self.variant not in ("plain", "continued"):
            return self.variant
        return "finetune" if self.stage == "finetune" else {1: "single", 2: "pair"}.get(len(self.tasks), "full")

    @property
    def trained_as(self) -> RunSpec:
        """The run itself, or the run that it fine-tunes."""
        return self.parent if self.parent is not None and self.stage == "finetune" else self

    @property
    def lineage(self) -> tuple[RunSpec, ...]:
        """All ancestors, oldest first."""
        return () if self.parent is None else (*self.parent.lineage, self.parent)

    @cached_property
    def run_id(self) -> str:
        """Readable words and 8 hex digits, such as ``refine-clinicalsts+mednli-s0-a1b1a321``.

        The number of tasks replaces more than three names. A variant replaces the stage.
        """
        words = "+".join(self.task_names) if len(self.tasks) <= 3 else f"{len(self.tasks)}tasks"
        if self.partner is not None:
            words += f"-{'with' if self.variant == 'probe' else 'to'}-{self.partner[0]}"
        first = self.stage if self.variant == "plain" else self.variant
        return f"{first}-{words}-s{self.seed}-{self._identity()[:8]}"

    def _identity(self) -> str:
        content = {
            "tasks": self.tasks,
            "encoder": self.encoder.fingerprint,
            "seed": self.seed,
            "recipe": None,
            "parent": self.parent._identity() if self.parent else None,
        }
        if self.variant != "plain":
            content |= {"variant": self.variant, "partner": self.partner}
        if self.probe is not None:
            content["probe"] = dataclasses.asdict(self.probe)
        text = _SORTED.encode(content)  # inside its strings, quotes are escaped
        return hashlib.sha256(text.replace('"recipe": null', _recipe_text(self.recipe), 1).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as JSON values, which ``parse_model`` reads."""
        content = dataclasses.asdict(self)
        content["tasks"] = [list(task) for task in self.tasks]
        content["parent"] = self.parent.to_dict() if self.parent else None
        if self.variant == "plain":
            del content["variant"], content["partner"]
        if self.probe is None:
            del content["probe"]
        return content


_SORTED = json.JSONEncoder(sort_keys=True)


@lru_cache(maxsize=4096)
def _recipe_text(recipe: Recipe) -> str:
    """Return the recipe as a part of JSON text, without settings that are None.

    So a version with a new setting still finds older runs.
    """
    settings = {name: value for name, value in dataclasses.asdict(recipe).items() if value is not None}
    return f'"recipe": {_SORTED.encode(settings)}'
