"""A verdict as a value of at most three lines, and the words for the kinds of warnings in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnrun.reports.markup import escape


@dataclass(frozen=True)
class Line:
    """A sentence without a full stop, and the word or two before it, such as `Undecided`."""

    lead: str
    text: str

    def __str__(self) -> str:
        return f"{self.lead}: {self.text}."


@dataclass(frozen=True)
class Verdict:
    """What there is to say first.

    Args:
        best: the best setting and its number, or why there is none.
        others: which settings may be as good, which can be dropped, and what would decide.
        wrong: what is wrong with runs.
        boards: as `best`, of further boards.
    """

    best: Line
    others: Line | None = None
    wrong: Line | None = None
    boards: Sequence[Line] = ()

    @property
    def lines(self) -> list[Line]:
        """Those that there are."""
        lines = (self.best, *self.boards, self.others, self.wrong)
        return [line for line in lines if line is not None]

    def to_dict(self) -> dict[str, str | None]:
        """As JSON data: sentences for each key, null where there is none."""
        return {
            "best": " ".join(map(str, (self.best, *self.boards))),
            "others": str(self.others) if self.others else None,
            "wrong": str(self.wrong) if self.wrong else None,
        }


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
    "weak_signal": "separated the classes, but not by accuracy",
    "unseen_category": "met categories that no training row has",
    "duplicates": "had held-out rows among the training rows",
    "undefined": "had no number for what judges them",
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


def verdict_markdown(verdict: Verdict) -> str:
    """A list of its lines."""
    return "\n".join(f"- **{line.lead}:** {escape(line.text)}." for line in verdict.lines)
