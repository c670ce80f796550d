"""The columns of ``group_arrows.csv``, ``groups.csv`` and ``retrained.csv``; see ``columns``."""

from __future__ import annotations

_ALPHA = "Significance level of the rule (--alpha), between 0 and 1."
_UNTESTED = "Why there is no test, such as one seed; empty if there is one."
_SYNTHETIC = "Whether the text is synthetic: true or false."
_BASIS = (
    "What the prediction comes from: single-task (0), pair (the gain in this pair), measured (the study trained the "
    "group) or pairs (predicted from the gains in pairs)"
)
_MODEL_ERROR = (
    "Standard deviation of the error of predicting a group from pairs, in points: of the gains of all tasks together "
    "around their predictions. 0 if the basis is not pairs. Empty if it is unknown, because the study has no tested "
    "gains of all tasks together; the prediction is then the mean"
)

GROUP_ARROWS = {
    "sources": "Tasks that are added, joined by +; names of the suite.",
    "target": "Task that is scored; a name of the suite.",
    "given": "Tasks that are trained with the target in both arms, joined by +; empty if the other arm is single-task.",
    "gain": "Mean test score of the target with the sources less that without them, in points.",
    "low": "Lower end of the gain's 1 - alpha interval, in points, not adjusted for multiple comparisons.",
    "high": "Upper end of the same interval, in points.",
    "pair_sum": "Sum of the sources' gains in pairs with the target, in points; empty if a pair is not measured.",
    "pair_mean": "Mean of the gains in pairs of all other tasks of the group, less that of the given tasks, in points: "
    "what `taskaffinity group` counts; empty if a pair is not measured.",
    "p": "Two-sided p-value of the hypothesis that the gain is zero, not adjusted for multiple comparisons.",
    "q": "p adjusted for all group arrows by the rule's correction; arrows with no effect count as p = 1.",
    "verdict": "improves, degrades, no effect (equivalent to zero within the margin) or inconclusive.",
    "q_tost": "p_tost adjusted for all group arrows by the rule's correction.",
    "p_tost": "p-value of the equivalence test (TOST): the gain is at least the margin in size.",
    "df": "Degrees of freedom of the gain's standard error by Satterthwaite's formula.",
    "se_seeds": "Part of the gain's standard error that comes from seeds, in points.",
    "se_examples": "Part of the gain's standard error that comes from test examples, in points.",
    "seeds_with": "Finished runs with the sources, one per seed.",
    "seeds_without": "Finished runs without them, one per seed.",
    "score_without": "Mean test score without the sources, in points.",
    "score_with": "Mean test score with them, in points.",
    "collapsed_with": "Runs with the sources that collapsed: they predict one class, or score far below their arm.",
    "collapsed_without": "Runs without them that collapsed.",
    "metric": "Key of the target's metric, such as micro_f1.",
    "margin": "Equivalence margin of the target's metric (--margin), in points.",
    "untested_reason": _UNTESTED,
    "alpha": _ALPHA,
    "correction": "Correction for multiple comparisons: bh, by or holm.",
    "estimand": "What a gain generalises to: population (new seeds and test examples) or test-set (new seeds only).",
    "test": "Test of the rule (--test): behrens-fisher or satterthwaite.",
    "synthetic": _SYNTHETIC,
}

GROUPS = {
    "group": "Number of the model, from 1.",
    "tasks": "Tasks that the model is trained on, joined by +.",
    "task": "One of them; a name of the suite.",
    "served": "Whether the model serves the task (true), or the task only helps the others (false). Each task is "
    "served by one model.",
    "gain": "Predicted gain of the task over single-task training, in points: the mean of its gains in pairs with the "
    "other tasks of the model, times their number to the power of the exponent; the measured gain if the study trained "
    "the group; 0 for a single-task model. Empty if it is not served here.",
    "low": "Lower end of the predicted gain's 1 - alpha interval, in points, with the errors of the measured gains, as "
    "if all of a task had the same sign, and of the model. Empty if one of them is unknown, or if the gain includes an "
    "estimate.",
    "high": "Upper end of the same interval, in points.",
    "basis": f"{_BASIS}. Empty if the task is not served here.",
    "exponent": "Exponent of the model, 0 (mean of the gains in pairs) to 1 (their sum), fitted to the gains of all "
    "tasks together. 0 if they are unknown. Empty if the basis is not pairs.",
    "model_error": f"{_MODEL_ERROR}.",
    "alpha": _ALPHA,
    "pair_mean": "Mean of the task's gains in pairs with the other tasks of the model, in points. Empty if it is not "
    "served here.",
    "bound": "Lower confidence bound of what the choice counts, in points; the choice maximises the sum of the bounds. "
    "It is the mean of the bounds of the gains in pairs: it covers their errors, and a group can still differ from "
    "their mean. If the basis is measured, it is the bound of the measured gain. Empty if the task is not served here, "
    "and with --risk none.",
    "estimated": "Whether the predicted gain includes an estimate of estimates.csv, because a pair was not "
    "measured: true or false.",
    "share": "Share of draws in which this model is part of the best grouping, 0 to 1; empty if a gain has no "
    "standard error.",
    "hours": "Expected hours of one training of the model; empty if runs do not record their time.",
    "method": "How the groups were found: exact (the best of all groupings), or greedy and swap (above 12 tasks).",
    "risk": "Probability that a gain is below the bound that the choice uses (--risk); empty for none.",
    "synthetic": _SYNTHETIC,
}

RETRAINED = {
    "task": "Task that is served by a model of two tasks or more; a name of the suite.",
    "tasks": "Tasks that the model is trained on, joined by +.",
    "predicted": "Gain of groups.csv, in points.",
    "basis": f"{_BASIS}.",
    "model_error": f"{_MODEL_ERROR}.",
    "pair_mean": "Mean of the gains in pairs with the other tasks of the model, in points.",
    "pair_sum": "Sum of the same gains, in points.",
    "estimated": "Whether the predicted gain includes an estimate, which does not have the size of a gain: true "
    "or false.",
    "realised": "Mean test score of the model with fresh seeds less that of single-task training with the same "
    "seeds, in points.",
    "low": "Lower end of the realised gain's 1 - alpha interval, in points, not adjusted for multiple comparisons.",
    "high": "Upper end of the same interval, in points.",
    "difference": "Realised less predicted gain, in points.",
    "difference_low": "Lower end of its 1 - alpha interval, in points, with the errors of the realised gain and of the "
    "measured gains, as if all of a task had the same sign, and with model_error. Where that is empty, the interval "
    "does not cover the error of predicting a group by a mean. Empty if the predicted gain includes an estimate.",
    "difference_high": "Upper end of the same interval, in points.",
    "seeds": "Finished runs of the model, one per fresh seed.",
    "untested_reason": _UNTESTED,
    "alpha": _ALPHA,
    "synthetic": _SYNTHETIC,
}
