"""What `nnrun init` shows of a table: what each column is taken for, and problems first."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from nnrun.characters import shortened
from nnrun.config.scaffold.columns import (
    COUNTED,
    dimensions,
    guessed,
    is_averaged,
    is_embedded,
    may_be_averaged,
    may_be_codes,
    reason,
    width,
    width_of,
)
from nnrun.config.scaffold.from_data import Choice, is_indicated
from nnrun.config.scaffold.relations import Relation, Sample
from nnrun.config.scaffold.tried import Changes, Tried, arguments_of, changes_of, joined, taken_of
from nnrun.config.yaml_scalars import flow
from nnrun.data.readers.profile import ColumnProfile, Survey

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

    `cost` is how much of the target it may cost, None where that is not known, and `command` what
    does otherwise.
    """

    columns: Sequence[str]
    text: str
    cost: float | None = None
    command: str = ""

    @property
    def arguments(self) -> list[str]:
        """The overrides of the command."""
        return shlex.split(self.command)[3:]  # after `nnrun train FILE`


class Findings:
    """The columns of a table that a config was made for.

    Args:
        found: the table.
        choice: what the config uses of it.
        file: of the config.
    """

    def __init__(self, found: Survey, choice: Choice, file: str) -> None:
        self.table, self.choice, self.file = found, choice, file
        self.tried: Sequence[Tried] = ()

    def after(self, tried: Sequence[Tried], text: str) -> Findings:
        """The same for the draft with the readings that were taken; `text` is that without."""
        found = Findings(self.table, self.choice, self.file)
        found.tried, found.sample = tried, self.sample
        taken = [changes_of(each.arguments) for each in taken_of(tried)]
        left = [each for each in self.problems if changes_of(each.arguments) not in taken]
        found.problems = [self._beside(taken, each, text) for each in left]
        return found

    def _beside(self, taken: Sequence[Changes], problem: Problem, text: str) -> Problem:
        """A problem whose command leaves what was taken as it is."""
        changes = changes_of(problem.arguments)
        every = joined(text, [*taken, changes]) or {}
        words = arguments_of({steps: every[steps] for steps in changes if steps in every})
        return replace(problem, command=self._command(words) if words else "")

    @cached_property
    def sample(self) -> Sample:
        """Some rows, to see how columns go with the target."""
        return Sample.of(self.table, self.choice.target, [*self.choice.labels])

    def relation(self, column: ColumnProfile) -> Relation:
        """How a column goes with the target."""
        numbers = column.kind in ("number", "date", "unnamed", *COUNTED)
        return self.sample.relation(column, as_numbers=numbers and not may_be_averaged(column))

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
            "alternatives": [one.command for one in self.problems if one.command],
            "tried": [asdict(one) for one in self.tried],
        }

    def _finding(self, column: ColumnProfile, has_problem: bool) -> Finding:
        becomes, left_out = self._tried(column) or self._becomes(column)
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
            return words + f", {rows:.0f} rows each" * is_averaged(column)
        return f"{column.low:.4g} to {column.high:.4g}, {different:,} different"

    def _tried(self, column: ColumnProfile) -> tuple[str, bool] | None:
        """What it becomes where another reading than that of the draft was taken."""
        for each in taken_of(self.tried):
            if column.name in each.columns:
                keys = [
                    steps[-1]
                    for steps, value in changes_of(each.arguments).items()
                    if isinstance(value, list | dict) and column.name in value
                ]
                return f"{', '.join(keys) or '1 number'} (tried)", False
        return None

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
        size = width(column, len(self.choice.labels))
        if is_averaged(column):
            return "target mean" if size == 1 else f"{size} class shares"
        if is_embedded(column):
            return f"vector of {size}"
        return "1 number" if column.kind != "category" else f"{size} features"

    def _problems(self) -> Iterator[Problem]:
        choice = self.choice
        for column in choice.dropped:
            if column.kind not in ("constant", "empty"):
                yield self._left_out(column)
        if averaged := [column for column in choice.features if is_averaged(column)]:
            vectors = [c for c in choice.features if is_embedded(c)]
            entries = [f"{flow(c.name)}: {dimensions(c)}" for c in (*vectors, *averaged)]
            names = _listed(averaged)
            text = f"{names}: few rows for each value, so means of the target; or learned vectors"
            command = self._train(target_mean="[]", embedding=f"{{{', '.join(entries)}}}")
            yield Problem([c.name for c in averaged], text, command=command)
        if vectors := [column for column in choice.features if is_embedded(column)]:
            means = [column.name for column in (*vectors, *averaged)]
            text = f"{_listed(vectors)}: many values, so learned vectors; or means of the target"
            command = self._train(embedding="{}", target_mean=flow(means))
            yield Problem([c.name for c in vectors], text, command=command)
        if coded := [column for column in choice.features if may_be_codes(column)]:
            text = f"{_listed(coded)}: few whole numbers, taken as amounts; they may be codes"
            command = self._train(categorical=flow([*self._one_hot, *(c.name for c in coded)]))
            without = sum(column.missing for column in choice.needed)
            others = [column for column in choice.features if column not in coded]
            if is_indicated(choice.features, without) and not is_indicated(others, without):
                command += " dataset.missing.indicator=false"
            yield Problem([c.name for c in coded], text, command=command)
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
        return Problem([name], text, cost, self._kept(column))

    def _kept(self, column: ColumnProfile) -> str:
        """The command that keeps a column, if one can."""
        others = [one.name for one in self.choice.dropped if one is not column]
        more = {"drop": flow(others)}
        if may_be_averaged(column):
            means = [one.name for one in self.choice.features if is_averaged(one)]
            more["target_mean"] = flow([*means, column.name])
        elif column.may_hold_categories:
            more["categorical"] = flow([*self._one_hot, column.name])
        elif column.kind not in (*COUNTED, "unnamed"):
            return ""
        return self._train(**more)

    @property
    def _one_hot(self) -> list[str]:
        used = (one for one in self.choice.features if one.kind == "category")
        return [one.name for one in used if not is_embedded(one)]

    def _train(self, **columns: str) -> str:
        return self._command([f"dataset.columns.{key}={value}" for key, value in columns.items()])

    def _command(self, words: Sequence[str]) -> str:
        return shlex.join(["nnrun", "train", self.file, *words])


def _listed(columns: Sequence[ColumnProfile]) -> str:
    return ", ".join(f"'{column.name}'" for column in columns)
