"""The columns of ``group_arrows.csv``; see ``columns``."""

from __future__ import annotations

GROUP_ARROWS = {
    "sources": "Tasks that are added, joined by +; names of the suite.",
    "target": "Task that is scored; a name of the suite.",
    "given": "Tasks that are trained with the target in both arms, joined by +; empty if the other arm is single-task.",
    "gain": "Mean test score of the target with the sources less that without them, in points.",
    "low": "Lower end of the gain's 1 - alpha interval, in points, not adjusted for multiple comparisons.",
    "high": "Upper end of the same interval, in points.",
    "pair_sum": "Sum of the sources' gains in pairs with the target, in points; empty if a pair is not measured.",
    "pair_mean": "Mean of the gains in pairs of all other tasks of the group, less that of the given tasks, in points: "
    "the model of `taskaffinity group`; empty if a pair is not measured.",
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
    "untested_reason": "Why there is no test, such as one seed; empty if there is one.",
    "alpha": "Significance level of the rule (--alpha), between 0 and 1.",
    "correction": "Correction for multiple comparisons: bh, by or holm.",
    "estimand": "What a gain generalises to: population (new seeds and test examples) or test-set (new seeds only).",
    "test": "Test of the rule (--test): behrens-fisher or satterthwaite.",
    "synthetic": "Whether the text is synthetic: true or false.",
}
