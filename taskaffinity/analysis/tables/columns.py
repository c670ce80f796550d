"""The columns of every CSV file, each with its meaning and unit.

The writers take their columns and the order of them from here, and so does the documentation. Gains, their errors,
margins and means of scores are in points (100 times the metric); ``score`` is on the metric's own scale. An unknown
value is an empty cell.
"""

from __future__ import annotations

from collections.abc import Mapping

from taskaffinity.analysis.tables.group_columns import GROUP_ARROWS, GROUPS, RETRAINED

_SOURCE = "Task that is trained with the target; a name of the suite."
_TARGET = "Task that is scored; a name of the suite."
_METRIC = "Key of the target's metric, such as micro_f1."
_ALPHA = "Significance level of the rule (--alpha), between 0 and 1."
_ESTIMAND = "What a gain generalises to: population (new seeds and test examples) or test-set (new seeds only)."
_SYNTHETIC = (
    "Whether the text is synthetic: true or false; empty in edges.csv if the table of `verdicts` does not say it."
)
_P = "Two-sided p-value of the hypothesis that the gain is zero, not adjusted for multiple comparisons."
_UNTESTED = "Why there is no test, such as one seed; empty if there is one."
_SEEDS_PAIR = "Finished runs of the pair, one per seed."
_SEEDS_SINGLE = "Finished runs of the baseline, one per seed."

_SCORES = {
    "source": "Other tasks of the training, joined by +; empty for single-task training. For finetune: those of the "
    "run whose weights it starts from.",
    "target": _TARGET,
    "split": "dev (of the selected epoch), test, or test@NAME of a further test set.",
    "seed": "Seed of the run.",
    "arm": "Condition of the run: single, matched, pair, full, finetune, placebo, half or halves.",
    "metric": _METRIC,
    "score": "Score on the metric's own scale: 0 to 1, correlations -1 to 1.",
    "collapsed": "Whether the run collapsed on this test set of the target: it predicts one class, or scores far below "
    "its arm (true or false); empty for dev.",
}

_STAGES = {
    "task": "Task that is scored; a name of the suite.",
    "stage": "single (single-task), refine (trained with all tasks) or finetune (fine-tuned from there).",
    "metric": _METRIC,
    "mean": "Mean test score over seeds, in points.",
    "sd": "Standard deviation of the test score over seeds, in points; empty for one seed.",
    "seeds": "Finished runs, one per seed.",
    "gain": "Mean score less the baseline's, in points; empty for the baseline.",
    "low": "Lower end of the gain's 1 - alpha interval, in points, not adjusted for multiple comparisons.",
    "high": "Upper end of the same interval, in points.",
    "p": _P,
    "untested_reason": _UNTESTED,
    "alpha": _ALPHA,
    "estimand": _ESTIMAND,
    "protocol": "Training protocol: honest or paper.",
    "encoder": "Name and fingerprint of the encoder.",
    "synthetic": _SYNTHETIC,
}

_TRAIN = {
    "task": _STAGES["task"],
    "stage": "Training that is scored: refine (with all tasks), single (if there is one) or finetune (from there).",
    "metric": _METRIC,
    "split": "Part whose score is the mean: test, test@NAME (a further test set), or dev if there is no test part.",
    "mean": "Mean score of that part over seeds, in points.",
    "sd": "Standard deviation of that score over seeds, in points; empty for one seed.",
    "seeds": _STAGES["seeds"],
    "dev": "Mean dev score of the selected epoch over seeds, in points.",
    **{name: _STAGES[name] for name in ("protocol", "encoder", "synthetic")},
}

_EDGES = {
    "source": _SOURCE,
    "target": _TARGET,
    "gain": "Mean test score of the pair less that of the baseline, in points.",
    "low": "Lower end of the gain's 1 - alpha_spent interval, in points; adjusted for multiple comparisons under "
    "dunnett only. Intervals are not cut where scores end (at 100).",
    "high": "Upper end of the same interval, in points.",
    "p": _P,
    "q": "p adjusted for all measured arrows by the rule's correction; arrows with no effect count as p = 1.",
    "verdict": "improves, degrades, no effect (equivalent to zero within the margin) or inconclusive; not measured "
    "if estimates deferred the pair.",
    "q_tost": "p_tost adjusted for all measured arrows by the rule's correction.",
    "p_tost": "p-value of the equivalence test (TOST): the gain is at least the margin in size.",
    "df": "Degrees of freedom of the gain's standard error by Satterthwaite's formula.",
    "se_seeds": "Part of the gain's standard error that comes from seeds, in points.",
    "se_examples": "Part of the gain's standard error that comes from test examples, in points.",
    "n_test": "Test examples of the target; empty if only scores are known.",
    "effective_documents": "Effective number of the target's test documents, (sum w^2)^2 / sum w^4 for shares w of "
    "the gold items that the score counts: examples, or positive examples or mentions for F1. An example of "
    "unknown document counts as one. Below about 20 the error from documents is not well known.",
    "seeds_pair": _SEEDS_PAIR,
    "seeds_single": _SEEDS_SINGLE,
    "score_single": "Mean test score of the baseline over seeds, in points.",
    "score_pair": "Mean test score of the pair over seeds, in points.",
    "collapsed_pair": "Runs of the pair that collapsed: they predict one class, or score far below their arm.",
    "collapsed_single": "Runs of the baseline that collapsed.",
    "gain_trained": "Gain among the runs that did not collapse, in points; empty if none is left.",
    "metric": _METRIC,
    "untested_reason": _UNTESTED,
    "mde": "Minimum detectable effect: the smallest gain that is significant with a power of 80%, in points. "
    "If it is above 100 less score_single, no improvement can be detected.",
    "seeds_to_significance": "Further seeds per pair until a gain of this size is significant with a power of "
    "80%; empty if 500 do not suffice or no number does, and for decided arrows.",
    "seeds_to_equivalence": "Further seeds per pair until a gain of zero is no effect with a power of 90%; empty "
    "if 500 do not suffice or no number does, and for decided arrows.",
    "recommendation": "What would decide an inconclusive arrow, in words: a number of further seeds per pair, or that "
    "no number is enough with this test set. Also why a sequential design trains no more seeds for it. Empty for "
    "other verdicts.",
    "notes": "What limits the evidence for the arrow, separated by semicolons: a task that hardly learned in "
    "single-task training or still improved, collapsed runs, runs that repeat another run, leaks, long rows, unknown "
    "tokens, sampled examples, repeated test texts, few documents, rare classes.",
    "alpha_spent": "Level that q is compared with: alpha, or the share of it that the interim analysis spends.",
    "decided_at_seeds": "Seeds per pair at the interim analysis that decided the arrow; empty for a fixed design.",
    "alpha": _ALPHA,
    "margin": "Equivalence margin of the target's metric (--margin), in points.",
    "correction": "Correction for multiple comparisons: bh, by, holm or dunnett.",
    "estimand": _ESTIMAND,
    "test": "Test of the rule (--test): behrens-fisher or satterthwaite.",
    "baseline": "What the pair is compared with: single, compute-matched (as many updates in total) or "
    "paper-single (by the recipe of the paper's single-task models).",
    "evaluated_after": "Stage that is scored: joint, or finetune (after fine-tuning on the target); empty for runs "
    "of `verdicts` whose table does not say it.",
    "init_from": "Weights that training starts from: encoder or multitask; empty for runs of `verdicts` whose "
    "table does not say it.",
    "synthetic": _SYNTHETIC,
}

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "edges.csv": _EDGES,
    "test_sets.csv": {
        "source": _SOURCE,
        "target": _TARGET,
        "test_set": "Further test set of the target, a name under tests: in the suite file. Scores and tests are on "
        "it; adjusted p-values count the arrows on every test set.",
        **_EDGES,
    },
    "group_arrows.csv": GROUP_ARROWS,
    "scores.csv": _SCORES,
    "controls.csv": {
        "control": "placebo (the source is a copy of the target that cannot change the shared weights) or positive "
        "(the source is the other half of the target's data).",
        "target": _TARGET,
        "gain": "Mean test score of the control less that of its baseline, in points.",
        "low": "Lower end of the gain's 1 - alpha interval, in points.",
        "high": "Upper end of the same interval, in points.",
        "p": _P,
        "seeds": "Finished runs of the control, one per seed.",
        "seeds_against": _SEEDS_SINGLE,
        "untested_reason": _UNTESTED,
        "alpha": _ALPHA,
    },
    "other_metrics.csv": {
        "source": _SOURCE,
        "target": _TARGET,
        "metric": "Key of a secondary metric of the target.",
        "gain": "Mean test score of the pair less that of the baseline by this metric, in points.",
        "low": "Lower end of the gain's 1 - alpha interval, in points, not adjusted for multiple comparisons.",
        "high": "Upper end of the same interval, in points.",
        "p": _P,
        "seeds_pair": _SEEDS_PAIR,
        "seeds_single": _SEEDS_SINGLE,
        "score_single": "Mean test score of the baseline by this metric, in points.",
        "score_pair": "Mean test score of the pair by this metric, in points.",
        "untested_reason": _UNTESTED,
        "alpha": _ALPHA,
        "estimand": _ESTIMAND,
        "synthetic": _SYNTHETIC,
    },
    "groups.csv": GROUPS,
    "estimates.csv": {
        "source": _SOURCE,
        "target": _TARGET,
        "probe": "Dev score of the target after a few updates with the source less that after the same updates without "
        "it, in points; the mean over the probes. It estimates the sign of a gain, not its size.",
        "se": "Standard error of the probe over seeds and dev examples, in points; empty if it is unknown, because the "
        "probes with and without the source give the same predictions.",
        "low": "Lower end of the gain's 90% interval, in points: a gain is 1 to 6 times its probe.",
        "high": "Upper end of the same interval, in points.",
        "sign": "Sign of the gain: positive, negative or unclear (the interval holds 0, se is empty, or the source was "
        "not learned); empty if there is no estimate.",
        "source_learned": "Whether the source reached two thirds of its single-task dev score in every probe: true or "
        "false; empty if there is no estimate.",
        "rounds": "Rounds of the longest probe. A probe trains until its source is learned, at most for a tenth of a "
        "run of the pair.",
        "repeats": "Probes, each from the single-task run of another seed.",
        "seconds": "Time of the arrow's probes, in seconds, without loading.",
        "reason": "Why there is no estimate; empty if there is one.",
    },
    "estimators.csv": {
        "estimator": "Name of an estimator that trains nothing: log size ratio, vocabulary coverage, ridge probe "
        "(LogME) or gradient cosine.",
        "source": _SOURCE,
        "target": _TARGET,
        "score": "Its score of the arrow, in the estimator's own unit. A higher score means a larger gain.",
    },
    "helpers.csv": {
        "target": "Task that is helped; a name of the suite.",
        "step": "Step of the search: the number of helpers in the set.",
        "given": "Helpers that earlier steps chose, joined by +; empty in the first step.",
        "helper": "Helper that the set has beside them.",
        "decision": "Whether the set is chosen, not chosen (trained with all seeds), dropped (clearly below the best "
        "set before the last seed) or failed (a run failed).",
        "seeds": "Seeds that the set was trained with in its race.",
        "dev": "Mean dev score of the target over these seeds, in points; empty if a run failed.",
        "difference": "Mean difference from the dev score of the set before the step with the same seeds, in points.",
        "bound": "Lower bound of the difference, in points: the risk is divided by the number of candidates of the "
        "step. The difference itself with --risk none.",
        "risk": "Probability of each of the two errors of a step (--risk): its best set is dropped, or a set that is "
        "no better is chosen. Empty with --risk none.",
        "gain": "Mean test score of the chosen set with fresh seeds less that of single-task training with the same "
        "seeds, in points. Only in the row of the last chosen helper.",
        "low": "Lower end of that gain's 1 - alpha interval, in points.",
        "high": "Upper end of the same interval, in points.",
        "fresh_seeds": "Finished runs of the chosen set, one per fresh seed.",
        "alpha": _ALPHA,
        "synthetic": _SYNTHETIC,
    },
    "retrained.csv": RETRAINED,
    "stages.csv": _STAGES,
    "stages_scores.csv": _SCORES,
    "stages_other_metrics.csv": {**_STAGES, "metric": "Key of a secondary metric of the task."},
    "train.csv": _TRAIN,
    "train_scores.csv": _SCORES,
    "encoders.csv": {
        **_STAGES,
        "over": "What the gain is measured over: single-task training, or name and fingerprint of the first encoder.",
    },
}
"""Meaning of every column, by file of a results folder; ``stages*.csv`` are those of ``taskaffinity full``."""
