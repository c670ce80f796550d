"""Count the GPU models that trained the runs of a study.

On one model, a run gives the same bits again. Models add in another order, so a run on another one differs as if it had
another seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from taskaffinity.analysis.style import plural
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


def count_gpu_models(study: Study, store: RunStore) -> Mapping[str, int]:
    """Return the number of finished runs by model of GPU; empty for a study on CPUs.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    if study.recipe.device != "cuda":
        return {}
    done = (run for spec in study.plan if (run := store.get(spec)))
    return Counter(run.versions["gpu"] for run in done if "gpu" in run.versions)


def describe_gpu_models(counts: Mapping[str, int]) -> list[str]:
    """Return a sentence if there are several models; none otherwise.

    Examples
    --------
    >>> describe_gpu_models({"H100": 2, "A100": 1})
    ['Runs were trained on several models of GPU (A100: 1 run, H100: 2 runs), which adds to the variance over seeds.']
    """
    if len(counts) < 2:
        return []
    named = ", ".join(f"{model}: {plural(count, 'run')}" for model, count in sorted(counts.items()))
    return [f"Runs were trained on several models of GPU ({named}), which adds to the variance over seeds."]
