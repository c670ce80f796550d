"""A study: the resolved settings of one command.

Its plan follows from the settings, so a results folder can be read without the data. A results folder holds at most one
study of each *design*, and they share runs: ``study.json`` has the pairs (Figure 2 of the paper), ``full.json`` has all
tasks together and then fine-tuned (Tables 2, 3 and 6), ``train.json`` has all tasks together, without a baseline.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from taskaffinity.errors import STRICT
from taskaffinity.runs.admission import Admission
from taskaffinity.runs.cost_model import SHARE_OF_TRAINING
from taskaffinity.runs.files import write_json
from taskaffinity.runs.group_arrows import GroupArrow
from taskaffinity.runs.limits import MOST_SEEDS, PLACEBO_SEEDS
from taskaffinity.runs.plan import (
    Plan,
    compute_matched,
    controls,
    finetuned,
    group_runs,
    multitask_runs,
    pairwise,
    single_task_runs,
    warm_started,
    without_unused_settings,
)
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.sampling import examples_in_an_epoch
from taskaffinity.runs.spec import EXTERNAL, EncoderRef, RunSpec, Seed, TaskRef
from taskaffinity.runs.stored.json_files import Words
from taskaffinity.runs.stored.study_file import read_study
from taskaffinity.runs.studied_task import Leak, StudiedTask, Undertrained
from taskaffinity.tasks.splits import is_test

Baseline = Literal["single", "compute-matched", "paper-single"]

FullBaseline = Literal["single", "paper-single"]
"""Baselines of the design ``full``."""

Design = Literal["pairwise", "full", "train"]

Protocol = Literal["honest", "paper"]

EvaluateAfter = Literal["joint", "finetune"]

InitFrom = Literal["encoder", "multitask"]

FILES: dict[Design, str] = {"pairwise": "study.json", "full": "full.json", "train": "train.json"}
"""Design -> name of its study file."""


@dataclass(frozen=True)
class Study:
    """The settings of one study."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    suite: Words
    tasks: Annotated[tuple[StudiedTask, ...], Field(min_length=1)]
    """In the order of the suite, which figures and tables keep."""
    encoder: EncoderRef
    recipe: Recipe
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MOST_SEEDS)]
    """Seeds of every pair; in the designs ``full`` and ``train``, of every run."""
    seeds_single: Annotated[tuple[Seed, ...], Field(max_length=MOST_SEEDS)] = ()
    """Seeds of the single-task runs, the baseline of every arrow. Empty: ``seeds``."""
    full: bool = False
    """Whether all tasks are also trained together; the design ``full`` always does so."""
    design: Design = "pairwise"
    finetune: Mapping[str, Recipe] = field(default_factory=dict)
    """Fine-tuning recipe by task name, for the design ``full`` and if gains are evaluated after fine-tuning; else
    empty."""
    synthetic: bool = False
    protocol: Protocol = "honest"
    """``paper`` if the recipes follow the released code."""
    baseline: Baseline = "single"
    """The baseline of a pair: a single-task run with equal updates on the target, with equal updates in total, or by
    the paper's single-task recipe (``single_recipes``). The design ``full`` has no compute-matched baseline."""
    single_recipes: Mapping[str, Recipe] = field(default_factory=dict)
    """Recipe of single-task runs by task name, for the baseline ``paper-single``; else empty."""
    evaluate_after: EvaluateAfter = "joint"
    """When the gain is evaluated: after joint training, or after both arms are fine-tuned on the target. In the design
    ``train``: whether each task is fine-tuned from the joint model."""
    init_from: InitFrom = "encoder"
    """Initial weights of single-task runs and pairs: the encoder, or the model of all tasks with the same seed."""
    controls: bool = False
    """Whether each target has a placebo and a positive control."""
    interim_seeds: tuple[int, ...] = ()
    """Sequential design: seeds per pair at each interim analysis, the last one ``len(seeds)``. Else empty."""
    admission: Admission | None = None
    """Pairs that a sequential design measures, chosen by estimates, and those that it defers. None: it measures all."""
    groups: tuple[GroupArrow, ...] = ()
    """Group arrows, whose runs are trained too."""
    rule: Rule = field(default_factory=Rule)
    """The statistical settings of the verdicts."""
    leaks: tuple[Leak, ...] = field(default=(), compare=False)
    """Leaks that planning found in the user's data."""
    versions: Mapping[str, Words] = field(default_factory=dict, compare=False)
    stated: Mapping[str, Words] = field(default_factory=dict)
    """What a table says of the training of external runs (``evaluated_after``, ``init_from``, ``synthetic``); else
    empty."""
    undertrained: tuple[Undertrained, ...] = field(default=(), compare=False)
    """Tasks of external runs that were not trained to their end, as a table says; else empty."""
    keep_models: bool = field(default=False, compare=False)
    """Whether every run must keep its models; a run without them counts as not finished. It follows the latest
    command."""

    @property
    def is_external(self) -> bool:
        """Whether other programs trained its runs, and `taskaffinity verdicts` read their scores.

        Encoder, recipe, protocol and costs are then unknown; the study holds placeholders.
        """
        return self.encoder == EXTERNAL

    @property
    def refs(self) -> tuple[TaskRef, ...]:
        return tuple(task.ref for task in self.tasks)

    def test_examples(self, name: str) -> tuple[object, ...]:
        """Return what decides the test examples of a task; equal in studies that score the same ones.

        These are its name and fingerprint, and the size and seed of the sample if the recipe draws one.
        """
        card = next(card for card in self.tasks if card.name == name)
        most = self.recipe.max_eval_examples
        sizes = [size for split, size in card.sizes.items() if is_test(split)]
        is_whole = most is None or (sizes and max(sizes) <= most)
        return card.ref if is_whole else (*card.ref, most, self.recipe.sample_seed)

    @property
    def test_sets(self) -> tuple[str, ...]:
        """Names of the further test sets of all tasks."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.test_sets))

    @property
    def single_seeds(self) -> tuple[int, ...]:
        """Seeds of every single-task run."""
        return self.seeds_single or self.seeds

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The distinct recipes of its runs."""
        return tuple(dict.fromkeys((self.recipe, *self.single_recipes.values(), *self.finetune.values())))

    @cached_property
    def plan(self) -> Plan:
        """Every run that the study may need; a sequential design needs fewer."""
        return without_unused_settings(self._plan(), {task.name: task.kind for task in self.tasks})

    def _plan(self) -> Plan:
        what = (self.refs, self.encoder, self.recipe)
        if self.design == "full":
            refined = multitask_runs(*what, self.seeds)
            single = single_task_runs(*what, self.seeds, self.single_recipes)
            return single | refined | finetuned(refined, self.finetune)
        if self.design == "train":
            together = multitask_runs(*what, self.seeds)
            return finetuned(together, self.finetune) if self.evaluate_after == "finetune" else together
        few = self.seeds[: self.interim_seeds[0]] if self.interim_seeds else self.seeds
        runs = pairwise(*what, self.seeds, seeds_single=self.single_seeds, single_recipes=self.single_recipes).specs
        if self.init_from == "multitask":
            runs = warm_started(runs, multitask_runs(*what, sorted({*self.seeds, *self.single_seeds})))
        if self.full:
            runs += multitask_runs(*what, few).specs
        plan = Plan.of(runs)
        if self.evaluate_after == "finetune":
            plan |= finetuned(runs, self.finetune)
        if self.baseline == "compute-matched":
            plan |= compute_matched(*what, self.seeds)
        if self.controls:
            plan |= controls(*what, few, [seed + PLACEBO_SEEDS for seed in few])
        if self.groups:
            plan |= group_runs(*what, self.seeds, self.groups)
        return Plan(self.admission.runs(plan.specs)) if self.admission else plan

    def cost(self, spec: RunSpec) -> float:
        """Return the training examples of a run over all epochs, a proxy for its duration."""
        partners = (spec.partner[0],) if spec.partner else ()
        seen = spec.recipe.num_train_epochs * sum(self._seen[name] for name in (*spec.task_names, *partners))
        return seen * SHARE_OF_TRAINING.get(spec.variant, 1.0)

    @cached_property
    def _seen(self) -> dict[str, int]:
        """Return the number of training examples of an epoch, by task."""
        cap, sampling = self.recipe.max_train_examples, self.recipe.sampling
        sizes = {task.name: task.sizes.get("train", 1) for task in self.tasks}
        return {name: examples_in_an_epoch(min(size, cap or size), sampling) for name, size in sizes.items()}

    def write(self, root: Path) -> None:
        """Write the study file of the design, such as ``root/study.json``."""
        root.mkdir(parents=True, exist_ok=True)
        write_json(root / FILES[self.design], self.content())

    def content(self) -> dict[str, Any]:
        """Return the content of the study file."""
        content = dataclasses.asdict(self)
        for name in ("stated", "undertrained"):
            if not content[name]:
                del content[name]  # as in studies of runs that were trained here
        return content

    @classmethod
    def load(cls, root: str | Path, design: Design = "pairwise") -> Study:
        """Load the study of a results folder.

        Raises
        ------
        FileNotFoundError
            If the folder has no study of this design; the message names the command that makes one.
        ValueError
            If the file is not a study.

        Examples
        --------
        In a checkout of this repository:

        >>> study = Study.load("notebooks/example_results")
        >>> study.suite, len(study.tasks), len(study.plan)
        ('clinical', 4, 42)
        """
        return read_study(Path(root) / FILES[design], design, cls)


def has_study(root: Path, design: Design = "pairwise") -> bool:
    """Return whether a results folder has something in the place of the study file, which may be damaged."""
    return os.path.lexists(root / FILES[design])


def studies_in(root: Path) -> list[Study]:
    """Load the studies of a results folder, at most one of each design.

    Raises
    ------
    ValueError
        If one of the files is not a study.
    """
    return [Study.load(root, design) for design in FILES if has_study(root, design)]
