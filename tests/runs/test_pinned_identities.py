"""The identity of a run must survive every change of the code around it: results folders are found by it.

The values were written down on 28 November 2026, before the subpackages moved. A change that breaks one of
them makes every user train everything again: such a change needs a line in the changelog and a reason.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.runs import plan
from taskaffinity.runs.recipe import FINETUNE, FROM_SCRATCH, PAPER_REFINE, REFINE, Recipe, finetune_after
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, studies_in

ENCODER = EncoderRef("an encoder", "e" * 64)
A, B, C, D = (("a", "1" * 64), ("b", "2" * 64), ("c", "3" * 64), ("d", "4" * 64))
PAIR = RunSpec((A, B), ENCODER, 0, REFINE)
WHOLE = RunSpec((A, B, C, D), ENCODER, 2, REFINE)
PAPER_WHOLE = RunSpec((A, B, C), ENCODER, 0, PAPER_REFINE)
SPECS = {
    "single": RunSpec((A,), ENCODER, 0, REFINE),
    "pair": PAIR,
    "whole set": WHOLE,
    "from scratch": RunSpec((B, D), ENCODER, 1, FROM_SCRATCH),
    "fine-tuned": RunSpec((A,), ENCODER, 2, FINETUNE, parent=WHOLE),
    "paper, whole set": PAPER_WHOLE,
    "paper, fine-tuned": RunSpec((B,), ENCODER, 0, finetune_after(PAPER_REFINE, FINETUNE), parent=PAPER_WHOLE),
    "continued": RunSpec((A, B), ENCODER, 2, REFINE, parent=WHOLE, variant="continued"),
    "matched": RunSpec((A,), ENCODER, 3, REFINE, variant="matched", partner=D),
    "placebo": RunSpec((C,), ENCODER, 1_000_000, REFINE, variant="placebo"),
    "half": RunSpec((C,), ENCODER, 0, REFINE, variant="half"),
    "halves": RunSpec((C,), ENCODER, 0, REFINE, variant="halves"),
    "bf16": replace(PAIR, recipe=replace(REFINE, precision="bf16")),
    "every setting": RunSpec(
        (D,),
        ENCODER,
        11,
        Recipe(
            learning_rate=3e-5,
            num_train_epochs=7,
            batch_size=16,
            optimizer="adamw",
            weight_decay=0,
            warmup_ratio=0.05,
            max_grad_norm=2,
            head_dropout=0.2,
            encoder_dropout=0,
            max_length=256,
            max_words=40,
            max_train_examples=500,
            max_eval_examples=200,
            negatives_per_positive=2,
            early_stopping_patience=3,
            sample_seed=5,
            threads=4,
            device="cuda",
        ),
    ),
}
RUN_IDS = {
    "single": "single-a-s0-b0c61b30",
    "pair": "refine-a+b-s0-02c3e7ff",
    "whole set": "refine-4tasks-s2-fe4d6ef3",
    "from scratch": "refine-b+d-s1-726c4d4c",
    "fine-tuned": "finetune-a-s2-79853a5e",
    "paper, whole set": "refine-a+b+c-s0-c671a980",
    "paper, fine-tuned": "finetune-b-s0-5e78343e",
    "continued": "continued-a+b-s2-10bf926c",
    "matched": "matched-a-to-d-s3-68543e82",
    "placebo": "placebo-c-s1000000-795cd881",
    "half": "half-c-s0-bb33e458",
    "halves": "halves-c-s0-f1d8288b",
    "bf16": "refine-a+b-s0-d1278abd",
    "every setting": "single-d-s11-fe664f32",
}
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", SPECS)
def test_a_run_keeps_its_identity(name: str) -> None:
    assert SPECS[name].run_id == RUN_IDS[name]


def test_plans_keep_their_runs() -> None:
    refs = (A, B, C)
    controls = plan.controls(refs, ENCODER, REFINE, (0,), (1_000_000,))
    assert SPECS["placebo"] in controls
    assert {SPECS["half"], SPECS["halves"]} <= set(controls)
    assert SPECS["pair"] in plan.pairwise(refs, ENCODER, REFINE, (0,))
    assert SPECS["matched"] in plan.compute_matched((A, D), ENCODER, REFINE, (3,))


@pytest.mark.parametrize(
    ("folder", "n_runs"),
    [("notebooks/example_results", 42), ("tests/data/results_before_the_move", 42)],
)
def test_a_results_folder_of_an_older_version_is_whole(folder: str, n_runs: int) -> None:
    store = RunStore(ROOT / folder)
    specs = list(Study.load(ROOT / folder).plan)
    assert len(specs) == n_runs
    assert all(spec in store for spec in specs)
    assert all(store.read(spec).outcomes for spec in specs)


@pytest.mark.parametrize(
    "study_file", sorted(ROOT.glob("notebooks/**/study.json")) + sorted(ROOT.glob("notebooks/**/full.json")), ids=str
)
def test_every_committed_study_is_read(study_file: Path) -> None:
    assert studies_in(study_file.parent)
