"""The largest values of options and settings.

Larger ones are typing errors, or would end the process.
"""

MOST_SEEDS = 1_000
"""Number of seeds of a pair, of a stage or of a single task."""
PLACEBO_SEEDS = 1_000_000
"""Added to a seed for its placebo. Seeds of studies are smaller, so no single-task run has a placebo's seed."""
MOST_SEED = PLACEBO_SEEDS - 1
"""The largest seed of a study."""
MOST_CONFIRM_SEEDS = 999
"""Number of new seeds of a finalist. A search reserves 1,000 seeds."""
MOST_SEARCH_SEED = 1_000_000
RETRAIN_SEEDS = 2_000_000_000
"""First seed of retrained groups. Seeds of studies, placebos and searches are smaller."""
MOST_HELPERS = 1_000
"""Number of helpers that a search chooses for one task."""
MOST_SAMPLE_SEED = 2**32 - 1
MOST_TRIALS = 1_000
MOST_CPUS = 1_024
"""CPUs and threads of a run; torch ends the process if it cannot start its threads."""
MOST_GPUS = 1_024
MOST_MINUTES = 10_080
"""Minutes between two checkpoints: a week."""
LEAST_GPU_SHARE = 0.01
MOST_EPOCHS = 100_000
MOST_EXAMPLES = 10**9
MOST_BATCH = 1_000_000
MOST_TOKENS = 1_000_000
"""Tokens or words of an input."""
