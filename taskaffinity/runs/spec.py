"""A run is its spec: equal specs are the same run, and everything that can move a score is in it.

``RunSpec.run_id`` is words for people and a hash for certainty. The hash covers the recipe, the encoder's
content, the seed, the tasks with the fingerprints of their data, and the parent's identity; it does not
cover where files lie, so a results folder can move.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from taskaffinity.runs.recipe import Recipe

Stage = Literal["single", "refine", "finetune"]
TaskRef = tuple[str, str]
"""A task's name and the fingerprint of its data."""

Variant = Literal["plain", "matched", "placebo", "half", "halves", "continued"]
"""What else a run may be. Of one task: *matched* has as many updates as the pair with ``partner``; *placebo* trains
beside a copy of itself that reaches only a head of its own; *half* sees the first half of its training examples, and
*halves* that half with the other as a second task. Of one task or more: *continued* trains as a plain run does, but
from the encoder that its parent left, at an epoch that is the same for every run that continues it."""


@dataclass(frozen=True)
class EncoderRef:
    """Which encoder: a name for people, and a hash of its configuration, weights and tokenizer."""

    name: str = field(compare=False)
    fingerprint: str


@dataclass(frozen=True)
class RunSpec:
    """One training. A pair is one run, and gives both arrows."""

    tasks: tuple[TaskRef, ...]
    encoder: EncoderRef
    seed: int
    recipe: Recipe
    parent: RunSpec | None = None
    """The run that a fine-tuning or a *continued* run starts from."""
    variant: Variant = "plain"
    partner: TaskRef | None = None
    """Whose company a *matched* run makes up for."""

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
        if self.variant not in ("plain", "continued") and (len(names) != 1 or self.parent is not None):
            raise ValueError(f"a {self.variant} run trains one task from the encoder; got {', '.join(names)}")
        if (self.partner is not None) != (self.variant == "matched"):
            raise ValueError("a matched run, and no other, has a partner")
        if self.partner in self.tasks:
            raise ValueError(f"a task is not its own partner; got {names[0]}")

    @property
    def task_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.tasks)

    @property
    def stage(self) -> Stage:
        if self.parent is not None and self.variant != "continued":
            return "finetune"
        return "single" if len(self.tasks) == 1 else "refine"

    @property
    def arm(self) -> str:
        """What tables call this run: finetune, or single, pair, full for any larger set, wherever it starts, or its
        variant."""
        if self.variant not in ("plain", "continued"):
            return self.variant
        return "finetune" if self.stage == "finetune" else {1: "single", 2: "pair"}.get(len(self.tasks), "full")

    @property
    def trained_as(self) -> RunSpec:
        """The run itself, or what it fine-tunes: in whose company its task was trained."""
        return self.parent if self.parent is not None and self.stage == "finetune" else self

    @property
    def lineage(self) -> tuple[RunSpec, ...]:
        """The parents, oldest first."""
        return () if self.parent is None else (*self.parent.lineage, self.parent)

    @cached_property
    def run_id(self) -> str:
        """``refine-clinicalsts+mednli-s0-a1b1a321``; above three tasks their number stands for their names, and a
        variant for the stage."""
        words = "+".join(self.task_names) if len(self.tasks) <= 3 else f"{len(self.tasks)}tasks"
        if self.partner is not None:
            words += f"-to-{self.partner[0]}"
        first = self.stage if self.variant == "plain" else self.variant
        return f"{first}-{words}-s{self.seed}-{self._identity()[:8]}"

    def _identity(self) -> str:
        content = {
            "tasks": self.tasks,
            "encoder": self.encoder.fingerprint,
            "seed": self.seed,
            # a setting that is None is as if it were not there: a version that adds one does not train everything anew
            "recipe": {name: v for name, v in dataclasses.asdict(self.recipe).items() if v is not None},
            "parent": self.parent._identity() if self.parent else None,
        }
        if self.variant != "plain":
            content |= {"variant": self.variant, "partner": self.partner}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """JSON values; ``from_dict`` reads them back."""
        content = dataclasses.asdict(self)
        content["tasks"] = [list(task) for task in self.tasks]
        content["parent"] = self.parent.to_dict() if self.parent else None
        if self.variant == "plain":
            del content["variant"], content["partner"]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RunSpec:
        return cls(
            tasks=tuple((name, fingerprint) for name, fingerprint in content["tasks"]),
            encoder=EncoderRef(**content["encoder"]),
            seed=content["seed"],
            recipe=Recipe(**content["recipe"]),
            parent=cls.from_dict(content["parent"]) if content["parent"] else None,
            variant=content.get("variant", "plain"),
            partner=tuple(content["partner"]) if content.get("partner") else None,
        )
