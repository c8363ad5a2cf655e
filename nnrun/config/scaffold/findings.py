"""What `nnrun init` shows of a table: what each column is taken for, and problems first."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from nnrun.characters import shortened
from nnrun.config.scaffold.columns import (
    COUNTED,
    blocks,
    guessed,
    may_be_averaged,
    may_be_codes,
    read_as,
    reading_of,
    reason,
    width,
    width_of,
)
from nnrun.config.scaffold.from_data import Choice, is_indicated
from nnrun.config.scaffold.relations import Relation, Sample, is_ordered
from nnrun.config.scaffold.tried import Tried
from nnrun.config.yaml_scalars import flow
from nnrun.data.readers.profile import ColumnProfile, Reading, Survey

COSTS, _MUCH = 0.02, 0.2
"""From here on what is left out "may cost", or "may cost much"."""
_EXAMPLES, _LONGEST = 3, 40
_TAKEN = {
    "number": "number", "category": "category", "code": "codes", "text": "category",
    "date": "date", "undated": "dates and text", "mixed": "numbers and text",
    "constant": "constant", "empty": "empty",
}  # fmt: skip
_IDENTIFIERS = ("identifier", "unnamed", *COUNTED)


@dataclass(frozen=True)
class Finding:
    """A column: what it is taken for and why, three examples, what it becomes.

    `is_left_out` says that it becomes nothing; `is_plain` that there is nothing to say of it.
    """

    name: str
    taken_for: str
    why: str
    missing: int
    examples: Sequence[str]
    becomes: str
    is_left_out: bool = False
    is_plain: bool = False


@dataclass(frozen=True)
class Problem:
    """What may be wrong with how columns are used.

    `cost` is how much of the target it may cost, None where that is not known; `readings` are other
    ones of the columns, and `arguments` the overrides of the draft that take these.
    """

    columns: Sequence[str]
    text: str
    cost: float | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    arguments: Sequence[str] = ()

    @property
    def is_settled(self) -> bool:
        """Whether it is about features with many categories, which drafts decide by training."""
        return self.cost is None and {*self.readings.values()} in ({"mean"}, {"vector"})


class Findings:
    """The columns of a table that a config was made for.

    Args:
        found: the table.
        choice: what the config uses of it.
        file: of the config.
        tried: the other readings that were tried before.
    """

    def __init__(
        self, found: Survey, choice: Choice, file: str, tried: Sequence[Tried] = ()
    ) -> None:
        self.table, self.choice, self.file, self.tried = found, choice, file, tried

    def command(self, problem: Problem) -> str:
        """What does otherwise; empty where nothing does."""
        words = ["nnrun", "train", self.file, *problem.arguments]
        return shlex.join(words) if problem.arguments else ""

    @cached_property
    def sample(self) -> Sample:
        """Some rows, to see how columns go with the target."""
        return Sample.of(self.table, self.choice.target, [*self.choice.labels])

    def relation(self, column: ColumnProfile) -> Relation:
        """How a column goes with the target."""
        return self.sample.relation(column, as_numbers=is_ordered(column))

    @cached_property
    def columns(self) -> list[Finding]:
        """All columns, those with a problem first, as the problems are ordered."""
        noted = [name for problem in self.problems for name in problem.columns]
        place = {name: index for index, name in reversed([*enumerate(noted)])}
        found = [self._finding(column, column.name in place) for column in self.table.columns]
        last = len(noted)
        return sorted(found, key=lambda one: place.get(one.name, last + (not one.is_left_out)))

    @cached_property
    def problems(self) -> list[Problem]:
        """The problems, first by what they may cost; those whose cost is not known come last."""
        return sorted(self._problems(), key=lambda one: 1.0 if one.cost is None else -one.cost)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        keys = ("name", "taken_for", "why", "missing", "examples", "becomes", "is_left_out")
        return {
            "file": self.file,
            "data": self.table.path.as_posix(),
            "rows": self.table.rows,
            "target": self.choice.target.name,
            "task": self.choice.task,
            "columns": [{key: getattr(one, key) for key in keys} for one in self.columns],
            "problems": [
                {"columns": [*one.columns], "text": one.text, "cost": one.cost}
                for one in self.problems
            ],
            "alternatives": [*filter(None, map(self.command, self.problems))],
            "tried": [{"columns": one.columns, **asdict(one)} for one in self.tried],
        }

    def _finding(self, column: ColumnProfile, has_problem: bool) -> Finding:
        becomes, left_out = self._becomes(column)
        taken = "identifier" if column.kind in _IDENTIFIERS else _TAKEN[column.kind]
        said = has_problem or left_out or column.missing or column is self.choice.target
        examples = [shortened(text, _LONGEST) for text in column.labels][:_EXAMPLES]
        return Finding(
            column.name, taken, self._why(column, left_out), column.missing, examples, becomes,
            left_out, column.kind == "number" and not said,
        )  # fmt: skip

    def _why(self, column: ColumnProfile, left_out: bool) -> str:
        different = column.different - (len(column.values) - len(column.labels))
        if left_out:
            return reason(column)
        if column.kind == "date":
            times = column.evidence.times
            return f"{times.first:%Y-%m-%d} to {times.last:%Y-%m-%d}"
        if column.kind in _TAKEN and column.kind != "number":
            words = f"{different:,} different"
            rows = (column.rows - column.missing) / max(1, different)
            return words + f", {rows:.0f} rows each" * (reading_of(column) == "mean")
        return f"{column.low:.4g} to {column.high:.4g}, {different:,} different"

    def _becomes(self, column: ColumnProfile) -> tuple[str, bool]:
        """What it becomes, and whether that is nothing."""
        choice = self.choice
        splits = next((s.by for s in choice.splits if s.sure and s.column is column), "")
        words = ["the target"] if column is choice.target else []
        if column in choice.dates:
            words.append(f"{width_of(column, splits=bool(splits))} features")
        if splits:
            words.append(f"split by {splits}")
        if column in choice.features:
            words.append(self._features(column))
        return "; ".join(words) or "left out", not words

    def _features(self, column: ColumnProfile) -> str:
        size, reading = width(column, len(self.choice.labels)), reading_of(column)
        tried = " (tried)" * bool(column.results)
        if reading == "mean":
            return ("target mean" if size == 1 else f"{size} class shares") + tried
        if reading == "vector":
            return f"vector of {size}{tried}"
        return ("1 number" if reading != "category" else f"{size} features") + tried

    def _problems(self) -> Iterator[Problem]:
        choice = self.choice
        for column in choice.dropped:
            if column.kind not in ("constant", "empty"):
                yield self._left_out(column)
        features = [column for column in choice.features if column.chosen is None]
        averaged, vectors = read_as(features, "mean"), read_as(features, "vector")
        why = "few rows for each value, so means of the target; or learned vectors"
        yield from self._otherwise(averaged, "vector", why)
        yield from self._otherwise(
            vectors, "mean", "many values, so learned vectors; or means of the target"
        )
        coded = [column for column in features if may_be_codes(column)]
        why = "few whole numbers, taken as amounts; they may be codes"
        yield from self._otherwise(coded, "category", why)
        for name in guessed([*choice.written]):
            yield Problem([name], f"'{name}': its format is a guess; a comment has the other one")

    def _left_out(self, column: ColumnProfile) -> Problem:
        relation, name = self.relation(column), column.name
        cost = relation.explained
        may = "may cost much" if cost >= _MUCH else "may cost" if cost >= COSTS else "costs little"
        if self.choice.labels:
            alone = f"{cost:.2f} more rows are right by it alone than by the largest class"
        else:
            means = "its values" if relation.edges else "its means"
            alone = f"{means} alone explain {cost:.2f} of the target"
        text = f"leaving out '{name}' {may}: {alone}; it is {reason(column)}"
        reading: Reading | None = "mean" if may_be_averaged(column) else None
        if reading is None and column.may_hold_categories:
            reading = "category"
        elif reading is None and column.kind in (*COUNTED, "unnamed"):
            reading = "number"
        if reading is None:
            return Problem([name], text, cost)
        return Problem([name], text, cost, {name: reading}, self._arguments({name: reading}))

    def _otherwise(
        self, columns: Sequence[ColumnProfile], reading: Reading, why: str
    ) -> Iterator[Problem]:
        """Columns that may be read in another way, if there are any."""
        if columns:
            readings = dict.fromkeys([column.name for column in columns], reading)
            words = f"{_listed(columns)}: {why}"
            yield Problem([*readings], words, None, readings, self._arguments(readings))

    def _arguments(self, readings: Mapping[str, Reading]) -> list[str]:
        """The overrides of the draft for these readings, first of what has fewer columns then."""
        choice = self.choice
        features = [column for column in choice.features if column.name not in readings]
        dropped = [column for column in choice.dropped if column.name not in readings]
        changed = [c for c in (*choice.features, *choice.dropped) if c.name in readings]
        features += [replace(column, chosen=readings[column.name]) for column in changed]
        before, after = blocks(choice.features, choice.dropped), blocks(features, dropped)
        keys = sorted(
            (key for key in before if before[key] != after[key]),
            key=lambda key: len(after[key]) - len(before[key]),
        )
        words = [f"dataset.columns.{key}={flow(after[key])}" for key in keys]
        without = sum(column.missing for column in choice.needed)
        if is_indicated(choice.features, without) and not is_indicated(features, without):
            words.append("dataset.missing.indicator=false")
        return words


def _listed(columns: Sequence[ColumnProfile]) -> str:
    return ", ".join(f"'{column.name}'" for column in columns)
