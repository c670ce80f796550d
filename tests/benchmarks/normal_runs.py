"""How often is a run that trained normally flagged as collapsed? On normal scores, with arms of equal and unequal SD.

A run is flagged by its score if it lies 5 points and 5 robust SDs below its arm (``statistics.collapse``). Where seeds
move scores by less than a point, the first bound protects every normal run. Here they move them by ``_SD`` or more, so
the second decides.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from null_cells import ratio as rate_of
from null_cells import seed_of

from taskaffinity.analysis.statistics.collapse import find_collapsed
from taskaffinity.runs.plan import default_single_seeds

_SD = 0.05
"""Smallest SD over seeds of an arm."""
LARGER = ("none", "single", "pairs", "one pair")
"""Which arms of a target have the larger SD."""


def normal_runs(targets: int | None = None) -> pd.DataFrame:
    """Return the share of flagged runs by seeds, arms with a larger SD and how many times larger it is."""
    rows = []
    for tasks, pair in ((4, 3), (8, 3), (4, 5)):
        for larger in LARGER:
            for times in (1.0,) if larger == "none" else (3.0, 4.0):
                single, flagged, runs = default_single_seeds(tasks, pair), [], []
                rng = seed_of("normal runs", tasks, pair, larger, times)
                for _ in range(targets or 10_000):
                    wide = {"single": [0], "pairs": range(1, tasks), "one pair": [1]}.get(larger, [])
                    scores = {
                        arm: 0.7 + _SD * (times if arm in wide else 1.0) * rng.standard_normal(pair if arm else single)
                        for arm in range(tasks)  # the first is the single-task arm
                    }
                    found = find_collapsed(scores, {arm: np.zeros(len(of), dtype=bool) for arm, of in scores.items()})
                    flagged.append(sum(int(flags.sum()) for flags in found.values()))
                    runs.append(sum(map(len, scores.values())))
                share, error = rate_of(np.array(flagged), np.array(runs))
                rows.append(
                    {
                        **{"tasks": tasks, "seeds_pair": pair, "seeds_single": single, "larger_sd": larger},
                        **{"times": times, "flagged": round(share, 5), "flagged_error": round(error, 5)},
                        "runs": sum(runs),
                    }
                )
                print(rows[-1], flush=True)
    return pd.DataFrame(rows)
