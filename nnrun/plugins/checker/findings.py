"""What the checker finds: a verdict of each check, and of each part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnrun.nn.signature import Array
from nnrun.plugins.part import Part


@dataclass(frozen=True)
class Finding:
    """The verdict of one check.

    Args:
        check: its name, such as `gradient of weight`.
        passed: whether the part passes it.
        says: the mistake, in a sentence; or what was compared.
        detail: the numbers that show it.
        reached: whether it was made; a mistake may make other checks meaningless.
    """

    check: str
    passed: bool
    says: str = ""
    detail: str = ""
    reached: bool = True


def verdict(check: str, passed: Any, right: str, wrong: str, detail: str = "") -> Finding:
    """A finding with one sentence where the check is passed, and another with details elsewhere."""
    return Finding(check, bool(passed), right if passed else wrong, "" if passed else detail)


class Points:
    """Findings, with a point for each that is passed."""

    findings: list[Finding]

    @property
    def wrong(self) -> list[Finding]:
        """Findings that are not right."""
        return [finding for finding in self.findings if finding.reached and not finding.passed]

    @property
    def points(self) -> int:
        """How many are passed."""
        return sum(finding.passed for finding in self.findings)

    @property
    def of(self) -> int:
        """How many points there are."""
        return len(self.findings)

    def counted(self) -> dict[str, Any]:
        """Points as JSON data."""
        checks = [vars(finding) for finding in self.findings]
        return {"points": self.points, "of": self.of, "checks": checks}


@dataclass(frozen=True)
class PartReport(Points):
    """The findings about one part."""

    part: Part
    findings: list[Finding] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON data, with a point for each check."""
        return {**self.part.fingerprint, "place": self.part.place, **self.counted()}


class Failed(Exception):  # noqa: N818  # it ends the checks of a part
    """A finding after which other checks are meaningless."""

    def __init__(self, check: str, says: str, detail: str = "") -> None:
        super().__init__(says)
        self.finding = Finding(check, False, says, detail)


def shape_words(shape: tuple[int, ...]) -> str:
    """A shape in messages: `5, 3`."""
    return ", ".join(map(str, shape)) or "no axis"


def number(value: float) -> str:
    """A number in messages."""
    return f"{value:.6g}"


def first_difference(name: str, given: Array, right: Array, wrong: Array, by: str) -> str:
    """The first wrong entry, with both numbers; `wrong` marks the entries."""
    place = tuple(int(axis[0]) for axis in np.nonzero(wrong))
    entry = f"{name}[{', '.join(map(str, place))}]" if place else name
    ours, theirs = number(float(given[place])), number(float(right[place]))
    return f"{entry} is {ours}, and {theirs} by {by} ({int(wrong.sum())} of {wrong.size} differ)"


def differing(given: Array, right: Array, tolerance: float = 1e-6) -> Array:
    """Which entries differ, relative to the larger of both and to the largest entry."""
    largest = float(np.abs(right).max(initial=0.0))
    scale = np.maximum(np.maximum(np.abs(given), np.abs(right)), 1e-3 * largest)
    with np.errstate(invalid="ignore"):
        marks: Array = ~(np.abs(given - right) <= tolerance * np.maximum(scale, 1e-9))
    return marks
