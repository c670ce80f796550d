"""The card of an exported model: what it learned from, how well it did, and what its data ask of whoever shares it.

Names, counts, fingerprints and scores; never a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, stdev

import numpy as np

from taskaffinity.corpora.access import AGREEMENTS
from taskaffinity.corpora.fetch import OPEN
from taskaffinity.runs.best_model import BestModel
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.blue import BLUE_SUITES, BLUE_TASKS
from taskaffinity.tasks.metrics import METRICS, by_document
from taskaffinity.tasks.open_clinical import OPEN_CLINICAL_TASKS
from taskaffinity.training.inputs.encoded import TaskMeta

_TAKES = {
    "similarity": "two texts (`text`, `text_pair`); gives a score",
    "inference": "two texts (`text`, `text_pair`); gives a class",
    "relation": "a text in which the two arguments are masked as in its training data; gives a class",
    "classification": "a text; gives a class",
    "ner": "a sentence; gives mentions",
}


def model_card(kept: BestModel, meta: TaskMeta) -> str:
    """The card as Markdown."""
    return "\n".join(_lines(kept, meta)) + "\n"


def agreements_of(kept: BestModel) -> list[str]:
    """Titles of the corpora under data use agreements whose text the model was trained on; none of made-up text."""
    if kept.study.synthetic:
        return []
    corpora = dict.fromkeys(corpus for name in _learned(kept) if (corpus := _corpus(name)) in AGREEMENTS)
    return [AGREEMENTS[corpus].title for corpus in corpora]


def _lines(kept: BestModel, meta: TaskMeta) -> Iterator[str]:
    spec = kept.spec
    pipeline = "token-classification" if meta.kind == "ner" else "text-classification"
    yield from ("---", "library_name: transformers", f"pipeline_tag: {pipeline}", "---", "")
    yield from (f"# {meta.name}", "")
    if kept.study.synthetic:
        yield "**Trained on a synthetic stand-in: made-up text. It says nothing about the task of this name.**"
        yield ""
    if asked := agreements_of(kept):
        yield (
            f"**Trained on text under a data use agreement ({'; '.join(asked)}). Weights can hold what they were "
            "trained on: share this folder only as the agreement allows.**"
        )
        yield ""
    yield f"One task of a multi-task study by taskaffinity, run `{spec.run_id}`. It takes {_TAKES[meta.kind]}."
    yield f"Kind: {meta.kind}." + (f" Labels: {', '.join(meta.outputs)}." if meta.outputs else "")
    yield from ("", "## Trained on", "", "| task | data fingerprint | licence or access |", "|---|---|---|")
    for name, fingerprint in _learned(kept).items():
        yield f"| {name} | `{fingerprint}` | {_licence(name, kept)} |"
    yield ""
    yield f"Encoder: {spec.encoder.name}, fingerprint `{spec.encoder.fingerprint}`; its own licence holds too."
    stages = [*(run.run_id for run in spec.lineage), spec.run_id]
    yield f"Trained in this order: {', then '.join(f'`{stage}`' for stage in stages)}."
    if any(run.recipe.precision == "bf16" for run in (*spec.lineage, spec)):
        yield "Matrix products were of 16 bits (bfloat16) in training and on dev; test was scored in 32."
    yield from ("", "## Scores", "", *_scores(kept), "")
    yield from ("## Limits", "", *_limits(kept, meta))


def _scores(kept: BestModel) -> Iterator[str]:
    own, title = kept.outcome, METRICS[kept.outcome.metric].title
    yield f"{title}, in points (100 x the metric):"
    yield ""
    chose = f"chose epoch {own.epoch}" + (
        f", and this run among {kept.chosen_from} with a kept model" if kept.chosen_from else ""
    )
    if kept.study.protocol == "paper":
        chose = "was trained on under the paper's protocol: it says nothing, and the last epoch was taken"
    yield f"* dev {100 * own.dev:.1f}, which {chose}"
    error = _standard_error(kept)
    interval = f", 95 % interval over test examples [{_moved(own.test, -error)}, {_moved(own.test, error)}]"
    yield f"* test {100 * own.test:.1f}{interval}; it chose nothing"
    tests = [100 * outcome.test for outcome in kept.seeds]
    if len(tests) > 1:
        yield (
            f"* test over {len(tests)} seeds of the same training: mean {fmean(tests):.1f}, SD {stdev(tests):.1f}; "
            "expect the mean of another model of this kind, not this run's score"
        )
    else:
        yield "* one seed: how far scores move from seed to seed is not known"


def _moved(score: float, shift: float) -> str:
    return f"{100 * (score + 1.96 * shift):.1f}"


def _standard_error(kept: BestModel) -> float:
    run, key = RunStore(kept.root).read(kept.spec), f"{kept.task}/test"
    influence = METRICS[kept.outcome.metric].influence(run.counts[key])
    if key in run.documents:
        influence = by_document(influence, run.documents[key])
    return float(influence.std() / np.sqrt(len(influence)))


def _limits(kept: BestModel, meta: TaskMeta) -> Iterator[str]:
    recipe = kept.spec.recipe
    yield f"* Texts are cut at {recipe.max_length} tokens" + (
        f", sentences of more than {recipe.max_words} words are split after punctuation by `taskaffinity predict`; a "
        "stock pipeline does not split them."
        if meta.kind == "ner"
        else "; tell a stock pipeline `truncation=True`."
    )
    yield "* Trained for a study of which tasks help which, with settings that are the same for all of them."
    yield "* Not for use on patients."


def _learned(kept: BestModel) -> dict[str, str]:
    """Every task that the weights have seen, and its data's fingerprint."""
    return {name: mark for run in (*kept.spec.lineage, kept.spec) for name, mark in run.tasks}


def _corpus(task: str) -> str:
    listed = {**BLUE_TASKS, **OPEN_CLINICAL_TASKS}.get(task)
    return listed.corpus if listed else ""


def _licence(task: str, kept: BestModel) -> str:
    corpus = _corpus(task)
    if kept.study.synthetic:
        return "made-up text"
    if corpus in AGREEMENTS:
        return f"data use agreement: {AGREEMENTS[corpus].title}"
    if corpus in OPEN and kept.study.suite in {*BLUE_SUITES, "open-clinical"}:
        return OPEN[corpus].licence
    return "your own: see to it that its licence allows what you do"
