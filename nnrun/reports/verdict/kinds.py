"""The kinds of warnings in a few words, after a number of runs."""

from __future__ import annotations

_WORDS = {
    "worse_than_baseline": "ended worse than the baseline",
    "one_prediction": "predicted the same for every row",
    "majority_share": "ended no better than the majority class",
    "hardly_better": "ended hardly better than the mean",
    "hardly_moved": "did not learn",
    "sure_and_wrong": "gave worse probabilities than the class shares",
    "far_apart": "fitted the training rows far better than others",
    "learning_rate": "had a learning rate that does not suit",
    "too_few_iterations": "stopped too early",
    "leak": "used a column that gives the target away",
    "unequal_classes": "had classes too unequal for accuracy",
    "weak_signal": "told classes apart, but not by accuracy",
    "unseen_category": "met categories that no training row has",
    "duplicates": "had held-out rows among the training rows",
    "nothing_monitored": "had nothing to stop early by",
    "no_threshold": "found no threshold",
    "scikit_learn": "had a warning of scikit-learn",
    "trained_past_the_best": "trained past their best",
    "many_parameters": "had more parameters than rows",
    "few_rows": "had too few rows",
    "dead_units": "had units that say nothing",
    "saturated_units": "had units that hardly learn",
    "vanishing_gradients": "had gradients that vanish",
    "exploding_gradients": "had gradients that explode",
    "feature_scale": "had features of unlike scale",
    "target_scale": "had a target that is not scaled",
    "outliers": "had a few rows that decide the error",
    "unknown_cause": "had no known cause",
}


def kind_words(kind: str) -> str:
    """Of a kind from another version, its name."""
    return _WORDS.get(kind, f"had a warning: {kind.replace('_', ' ')}")
