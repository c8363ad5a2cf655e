"""The results of verifying runs, as a terminal table and in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.errors import clipped
from nnrun.reports.numbers import MISSING, count, plural
from nnrun.reports.terminal.fitting import labelled, plain_table
from nnrun.runs.agreement import Difference
from nnrun.runs.verify import Finding, Verification

_WORDS: dict[Finding, str] = {
    "same_bits": "the same bits",
    "within_tolerance": "within the tolerance",
    "differs": "differs",
    "damaged": "damaged",
    "not_verified": "not verified",
}
_STYLES: dict[Finding, str] = {"same_bits": "green", "within_tolerance": "green"}
_MOST_CHANGES = 8


@group()
def verdicts_table(verdicts: Sequence[Verification]) -> Iterator[RenderableType]:
    """A row for each run, details of those that differ, and the totals."""
    table = plain_table("run", "verified", texts=2)
    for verdict in verdicts:
        words = Text(_WORDS[verdict.finding], _STYLES.get(verdict.finding, "bold red"))
        table.add_row(clean(f"{verdict.name}/{verdict.run_id}"), words)
    yield table
    for verdict in verdicts:
        lines = list(_lines(verdict))
        if lines:
            yield Text()
            yield Text(clean(f"{verdict.name}/{verdict.run_id}"), "bold")
            for label, text in lines:
                yield labelled(label, clean(text))
    yield Text()
    yield Text(summary(verdicts))


def summary(verdicts: Sequence[Verification]) -> str:
    """`3 runs: 2 with the same bits, 1 damaged`."""
    counts = Counter(verdict.finding for verdict in verdicts)
    counted = _WORDS | {"same_bits": "with the same bits", "differs": "different"}
    parts = [f"{count(n)} {words}" for finding, words in counted.items() if (n := counts[finding])]
    return f"{plural(len(verdicts), 'run')}: {', '.join(parts)}"


def difference_words(difference: Difference) -> str:
    """Both values with all their digits; long ones are cut in the middle."""
    stored, again = (
        MISSING if value is None else clipped(repr(value))
        for value in (difference.stored, difference.again)
    )
    return f"{difference.place}: {stored} is stored, and again it is {again}"


def _lines(verdict: Verification) -> Iterator[tuple[str, str]]:
    if verdict.reason is not None:
        yield "reason", verdict.reason
    for difference in verdict.differences:
        yield "differs", difference_words(difference)
    if verdict.agrees and verdict.of_another_writer:
        yield "note", "report.md is of another version of nnrun or safetensors, and is not compared"
    if verdict.finding == "same_bits":
        return
    changes = list(verdict.environment.items())
    for key, (before, now) in changes[:_MOST_CHANGES]:
        yield "changed", f"{key}: {_shown(before)} then, {_shown(now)} now"
    if len(changes) > _MOST_CHANGES:
        yield "changed", f"and {len(changes) - _MOST_CHANGES} more; --json names them"
    if verdict.finding == "differs" and not changes:
        yield "changed", "nothing known: the bits should be the same"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(map(_shown, value))
    return MISSING if value is None else str(value)
