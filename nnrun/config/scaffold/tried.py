"""Readings of columns beside those of a draft: what was tried, and the draft with some taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nnrun.characters import escaped
from nnrun.config.scaffold.from_data import Draft
from nnrun.data.readers.profile import Reading
from nnrun.errors import clipped


@dataclass(frozen=True)
class Tried:
    """A reading of some columns beside that of the draft.

    Args:
        readings: what the columns are taken for.
        arguments: overrides of the draft that do the same.
        outcome: `kept` is the draft's reading.
        metric: in words, such as "RMSE of price".
        draft: the mean over folds, as drafted; None where it is not known.
        reading: the mean with this reading, likewise.
        gain: how much better the reading is.
        why: it was not tried, or not taken though it is better.
        together: whether these are several readings that were taken, checked at once.
    """

    readings: Mapping[str, Reading]
    arguments: Sequence[str]
    outcome: Literal["taken", "kept", "not tried", "not possible"]
    metric: str = ""
    draft: float | None = None
    reading: float | None = None
    gain: float = 0.0
    why: str = ""
    together: bool = False

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [*self.readings]

    @property
    def results(self) -> str:
        """Both results: `RMSE of price 2.9, as drafted 3.21`; empty where they are not known."""
        if self.draft is None or self.reading is None:
            return ""
        return f"{self.metric} {self.reading:.4g}, as drafted {self.draft:.4g}"

    @property
    def how(self) -> str:
        """The overrides on a line; of several readings, the columns."""
        words = " ".join(self.arguments).replace("dataset.", "") or ", ".join(self.columns)
        return escaped(clipped(words), kept="")

    @property
    def words(self) -> str:
        """All of it as a sentence."""
        results = self.results and f": {self.results}"
        why = self.why and f" ({self.why})"
        what = {"kept": "the draft's reading is kept"}.get(self.outcome, self.outcome)
        return f"{'together, ' * self.together}with {self.how}{results}; {what}{why}"


def with_taken(draft: Draft, tried: Sequence[Tried]) -> Draft:
    """A draft with the readings that were taken, each with a comment that says so."""
    taken = [each for each in tried if each.outcome == "taken" and not each.together]
    readings = {name: each.readings[name] for each in taken for name in each.columns}
    made = draft.read_as(readings, {name: each.results for each in taken for name in each.columns})
    better = "better than as drafted, when tried"
    made.choices.extend(f"{better}: {each.how} ({each.results})" for each in taken)
    return made
