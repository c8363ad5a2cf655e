"""A verdict as a value: at most three lines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A sentence, and the word or two before it.

    Args:
        lead: such as `Best` or `Undecided`.
        text: the sentence, without a full stop.
    """

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
    """

    best: Line
    others: Line | None = None
    wrong: Line | None = None

    @property
    def lines(self) -> list[Line]:
        """Those that there are."""
        return [line for line in (self.best, self.others, self.wrong) if line is not None]

    def to_dict(self) -> dict[str, str | None]:
        """As JSON data: a sentence for each line, null where there is none."""
        return {
            key: None if line is None else str(line)
            for key, line in (("best", self.best), ("others", self.others), ("wrong", self.wrong))
        }
