"""Write the model card of an exported model: training data, scores, limits and terms of sharing.

The card holds names, counts, fingerprints and scores, and no text of a corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, stdev

import numpy as np
import yaml

from taskaffinity.corpora.access import AGREEMENTS
from taskaffinity.corpora.fetch import OPEN
from taskaffinity.runs.best_model import BestModel
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.blue import BLUE_SUITES, BLUE_TASKS
from taskaffinity.tasks.kinds import PAIR_KINDS, TAG_KINDS, TRAITS
from taskaffinity.tasks.metric_titles import title_of
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.open_clinical import OPEN_CLINICAL_TASKS
from taskaffinity.tasks.reading import MOST_LENGTH
from taskaffinity.tasks.splits import split_of
from taskaffinity.training.export.stock import STOCK
from taskaffinity.training.inputs.encoded import TaskMeta
from taskaffinity.training.inputs.sentence_rows import words_per_row

_HUB_METRICS = {"accuracy": "accuracy", "pearson": "pearsonr", "exact_match": "exact_match"}
"""Names of metrics on model hubs. All other metrics are kinds of F1."""


def model_card(best: BestModel, meta: TaskMeta) -> str:
    """Return the model card in Markdown."""
    return "\n".join(_lines(best, meta)) + "\n"


def agreements_of(best: BestModel) -> list[str]:
    """Return the titles of training corpora under data use agreements; none if synthetic."""
    if best.study.synthetic:
        return []
    corpora = dict.fromkeys(corpus for name in _training_tasks(best) if (corpus := _corpus(name)) in AGREEMENTS)
    return [AGREEMENTS[corpus].title for corpus in corpora]


def _lines(best: BestModel, meta: TaskMeta) -> Iterator[str]:
    spec = best.spec
    yield from ("---", *_metadata(best, meta).splitlines(), "---", "")
    yield from (f"# {meta.name}", "")
    if best.study.synthetic:
        yield "**Trained on synthetic text. Its scores say nothing about the real task of this name.**"
        yield ""
    if asked := agreements_of(best):
        yield (
            f"**Trained on text under a data use agreement ({'; '.join(asked)}). Weights can contain parts of their "
            "training text. Share this folder only as the agreement allows.**"
        )
        yield ""
    yield f"A model from a taskaffinity study, run `{spec.run_id}`. It takes {STOCK[meta.kind].takes}."
    has_labels = TRAITS[meta.kind].label in ("class", "classes", "tags")
    yield f"Kind: {meta.kind}." + (f" Labels: {', '.join(meta.outputs)}." if has_labels else "")
    yield from ("", "## Trained on", "", "| task | data fingerprint | licence or access |", "|---|---|---|")
    for name, fingerprint in _training_tasks(best).items():
        yield f"| {name} | `{fingerprint}` | {_licence(name, best)} |"
    yield ""
    yield f"Encoder: {spec.encoder.name}, fingerprint `{spec.encoder.fingerprint}`. The encoder's licence applies too."
    stages = [*(run.run_id for run in spec.lineage), spec.run_id]
    yield f"Trained in this order: {', then '.join(f'`{stage}`' for stage in stages)}."
    if any(run.recipe.precision == "bf16" for run in (*spec.lineage, spec)):
        yield "Matrix products were in bf16 in training and on dev, and in fp32 on test."
    yield from ("", "## Scores", "", *_scores(best, meta.kind), "")
    yield from ("## Limits", "", *_limits(best, meta))


def _metadata(best: BestModel, meta: TaskMeta) -> str:
    """Return the card's YAML header for model hubs: pipeline, and test score as ``model-index``."""
    pipeline = STOCK[meta.kind].pipeline
    outcome = best.outcome
    scores = {"test" if best.has_test else "dev": outcome.test}
    scores |= {split_of(name): score for name, score in outcome.test_sets.items()}
    results = [
        {
            "task": {"type": pipeline, "name": meta.kind},
            "dataset": {"type": meta.name, "name": meta.name, "split": split},
            "metrics": [
                {
                    "type": _HUB_METRICS.get(outcome.metric, "f1"),
                    "name": title_of(outcome.metric, meta.kind),
                    "value": round(score, 4),
                }
            ],
        }
        for split, score in scores.items()
    ]
    content = {
        "library_name": "transformers",
        "pipeline_tag": pipeline,
        "model-index": [{"name": meta.name, "results": results}],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _scores(best: BestModel, kind: str) -> Iterator[str]:
    outcome, title = best.outcome, title_of(best.outcome.metric, kind)
    yield f"{title}, in points (100 x the metric):"
    yield ""
    if best.study.protocol == "paper":
        role = "The paper's protocol trains on dev and takes the last epoch, so this score is not informative."
        if best.spec.recipe.train_on_dev is False:
            role = "The paper's protocol takes the last epoch, and dev was kept out of training: it selected nothing."
    else:
        role = f"This score selected epoch {outcome.epoch}"
        role += f", and this run among {best.chosen_from} runs with a stored model." if best.chosen_from > 1 else "."
    yield f"* dev {100 * outcome.dev_score:.1f}. {role}"
    if not best.has_test:
        yield "* The task has no test part, so no score of this model is free of selection."
        yield from _further_scores(best)
        return
    yield f"* test {_with_interval(best, outcome.test)}. It selected nothing."
    tests = [100 * seed.test for seed in best.seeds]
    if len(tests) > 1:
        yield (
            f"* test over {len(tests)} seeds of the same training: mean {fmean(tests):.1f}, SD {stdev(tests):.1f}. "
            "Expect the mean, not this run's score, from another model trained this way."
        )
    else:
        yield "* one seed: the variation of scores between seeds is unknown"
    yield from _further_scores(best)


def _further_scores(best: BestModel) -> Iterator[str]:
    for name, score in best.outcome.test_sets.items():
        yield f"* test set {name}: {_with_interval(best, score, name)}. It selected nothing."


def _with_interval(best: BestModel, score: float, test_set: str = "") -> str:
    half = 1.96 * _standard_error(best, test_set)
    return (
        f"{100 * score:.1f}, 95% interval over test examples [{100 * (score - half):.1f}, {100 * (score + half):.1f}]"
    )


def _standard_error(best: BestModel, test_set: str) -> float:
    run, key = RunStore(best.root).read(best.spec), f"{best.task}/{split_of(test_set)}"
    influence = METRICS[best.outcome.metric].influence(run.counts[key], run.documents.get(key))
    return float(influence.std() / np.sqrt(len(influence)))


def _limits(best: BestModel, meta: TaskMeta) -> Iterator[str]:
    recipe, reading, is_tagging = best.spec.recipe, meta.reading, meta.kind in TAG_KINDS
    longest, words = reading.max_length or recipe.max_length, words_per_row(reading, recipe.max_words)
    if reading.has_windows:
        how = reading.describe(longest, meta.kind)
        yield f"* `taskaffinity predict` reads longer texts as in training: {how}."
        needs = "" if is_tagging else ", and its tokenizer needs `truncation=True`"
        yield f"* A stock model reads no windows: it sees the first {longest} tokens{needs}."
    elif not is_tagging:
        has_two_texts = meta.kind in PAIR_KINDS or meta.n_options
        cut = "of two texts, the end of the longer one is cut first" if has_two_texts else "the end is cut"
        yield f"* Inputs are truncated at {longest} tokens: {cut}. The stock tokenizer needs `truncation=True`."
    else:
        yield f"* Texts are truncated at {longest} tokens: words after them have no mention."
    if is_tagging and words <= MOST_LENGTH:
        yield (
            f"* `taskaffinity predict` splits sentences of more than {words} words after punctuation; a stock pipeline "
            "does not."
        )
    if best.study.design != "train":
        yield "* Trained to measure which tasks help each other, with the same settings for all tasks."
    yield "* Not for clinical use."


def _training_tasks(best: BestModel) -> dict[str, str]:
    """Return every task that the weights were trained on, with the fingerprint of its data."""
    return {name: mark for run in (*best.spec.lineage, best.spec) for name, mark in run.tasks}


def _corpus(task: str) -> str:
    task_class = {**BLUE_TASKS, **OPEN_CLINICAL_TASKS}.get(task)
    return task_class.corpus if task_class else ""


def _licence(task: str, best: BestModel) -> str:
    corpus = _corpus(task)
    if best.study.synthetic:
        return "synthetic text"
    if corpus in AGREEMENTS:
        return f"data use agreement: {AGREEMENTS[corpus].title}"
    if corpus in OPEN and best.study.suite in {*BLUE_SUITES, "open-clinical"}:
        return OPEN[corpus].licence
    return "user data: check that its licence allows your use"
