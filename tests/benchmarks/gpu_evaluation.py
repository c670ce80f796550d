"""How fast is prediction on a GPU, by the number of tokens in a batch and by precision?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np
from gpu_inputs import PAIR, Inputs
from gpu_plain import precisions, wait
from gpu_report import Row, row

from taskaffinity.training import prediction

TOKENS = (8192, 16384, 32768)
_ROUNDS = 3


def evaluation(inputs: Inputs, device: str, *, is_small: bool) -> Iterator[Row]:
    """A row of each precision, number of tokens and task; on a CPU with today's number of tokens alone."""
    usual = prediction.EVALUATION_TOKENS[device]
    for precision in precisions(device):
        model = inputs.model(device, precision)
        for n_tokens in TOKENS if device == "cuda" else (usual,):
            for task in PAIR:
                split = inputs.pruned[task].sample(32 if is_small else 2048, 0)
                seconds = []
                prediction.EVALUATION_TOKENS[device] = n_tokens
                try:
                    for _ in range(_ROUNDS + 1):
                        wait(device)
                        began = time.perf_counter()
                        prediction.predict(model, inputs.metas[task], split, device=device)
                        wait(device)
                        seconds.append(time.perf_counter() - began)
                finally:
                    prediction.EVALUATION_TOKENS[device] = usual
                took = statistics.median(seconds[1:])
                yield row(
                    "evaluation",
                    f"predict, {precision}, {n_tokens} tokens a batch",
                    task=task,
                    k=1,
                    examples_per_s=split.n_rows / took,
                    tokens_per_s=int(np.diff(split.bounds).sum()) / took,
                )
