"""Columns in a first config: categories, dates, how they are written, left out; the split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from nnrun.characters import escaped
from nnrun.config.yaml_scalars import flow
from nnrun.data.columns.date_formats import DateFormat
from nnrun.data.columns.kinds import CYCLIC, part_names
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.labels import number
from nnrun.data.readers.profile import (
    FEW_CATEGORIES,
    MANY_KEYS,
    ROWS_OF_EACH,
    ColumnProfile,
    Reading,
    names_keys,
    names_measure,
    names_people,
    words_of,
)
from nnrun.data.series import seasons
from nnrun.errors import clipped

MOST_ONE_HOT = 100
"""A column with more categories gets learned vectors."""
_RARE = 5


def reading_of(column: ColumnProfile) -> Reading | None:
    """What a column is as a feature, by its kind if nothing is chosen; None where it is none.

    Categories of codes and texts have few rows each (`ROWS_OF_EACH`): too few for weights of their
    own, which nothing draws towards those of other categories, as the mean of a category is drawn
    towards that of all rows.
    """
    if column.chosen is not None or column.kind == "number":
        return column.chosen or "number"
    if column.kind == "category":
        return "vector" if column.different > MOST_ONE_HOT else "category"
    return "mean" if column.kind in ("code", "text") else None


def read_as(columns: Sequence[ColumnProfile], *readings: Reading) -> list[ColumnProfile]:
    """Columns among these that have one of these readings."""
    return [column for column in columns if reading_of(column) in readings]


def dimensions(column: ColumnProfile) -> int:
    """The length of the vectors: the fourth root of the number of categories."""
    root: float = column.different**0.25
    return math.ceil(root)


def width(column: ColumnProfile, classes: int = 0) -> int:
    """The numbers that a network gets for a column, of a target with so many classes."""
    reading = reading_of(column)
    if reading == "vector":
        return dimensions(column)
    if reading == "mean":
        return classes if classes > 2 else 1
    return len(column.labels) + (column.missing > 0) if reading == "category" else 1


# Fewer values are told apart by a line, and more are hardly codes.
_CODES = range(3, 13)
_ROWS_OF_CODE = 30


def may_be_codes(column: ColumnProfile) -> bool:
    """Whether the numbers of a column are few whole ones, each in many rows."""
    is_number = column.kind == "number" == reading_of(column)
    whole = is_number and column.whole == column.numbers
    often = column.numbers >= _ROWS_OF_CODE * column.different
    few = column.different in _CODES or (
        names_keys(column.name) and 2 < column.different <= MANY_KEYS
    )
    return whole and often and few and not names_measure(column.name)


def category_lines(
    features: Sequence[ColumnProfile], dropped: Sequence[ColumnProfile]
) -> Iterator[str]:
    """The lines of the config for all columns of categories that are used, or might be."""
    one_hot, embedded = read_as(features, "category"), read_as(features, "vector")
    if one_hot:
        codes = " or codes such as 007," * any(column.holds_codes for column in one_hot)
        yield f"    # Text{codes} with few different values: a feature for each."
        yield f"    categorical: {flow([column.name for column in one_hot])}{_measured(one_hot)}"
    if mixed := [column for column in dropped if column.may_hold_categories]:
        names = [column.name for column in (*one_hot, *mixed)]
        why = "numbers and text as categories, if they are not under drop"
        yield f"    # categorical: {flow(names)}\t{why}"
    if coded := [column for column in features if may_be_codes(column)]:
        names = [column.name for column in (*one_hot, *coded)]
        yield f"    # categorical: {flow(names)}\tfew whole numbers, if they are codes"
    if embedded:
        yield "    # Text with many: vectors of this length, which the network learns."
        yield "    embedding:"
        for column in embedded:
            measured = _measured([column]).replace("\t", "; ")
            yield f"      {_entry(column)}\t{column.different:,} different values{measured}"
    averaged = read_as(features, "mean")
    if averaged:
        yield f"    # Text with fewer than {ROWS_OF_EACH} rows for each of many values: the mean of"
        yield "    # the target for each value, of a training row without its own part of the rows."
        yield f"    target_mean: {flow([column.name for column in averaged])}{_measured(averaged)}"
        entries = [_entry(column) for column in (*embedded, *averaged)]
        yield f"    # embedding: {{{', '.join(entries)}}}\tvectors, for those not under target_mean"
    if keys := [column for column in dropped if may_be_averaged(column)]:
        names = [column.name for column in (*averaged, *keys)]
        yield f"    # target_mean: {flow(names)}\twould keep keys, if they are not under drop"
    for column in read_as(features, "number"):
        if measured := _measured([column]):
            yield f"    # {flow(column.name)} is a number{measured}"
    if any(_has_rare(column) for column in (*one_hot, *embedded)):
        yield f"    min_count: {_RARE}\tcategories in fewer training rows are put together"


def _measured(columns: Sequence[ColumnProfile]) -> str:
    """A comment on what was measured where a reading was chosen."""
    results = dict.fromkeys(column.results for column in columns if column.results)
    return f"\ttried: {'; '.join(results)}" * bool(results)


def blocks(
    features: Sequence[ColumnProfile], dropped: Sequence[ColumnProfile]
) -> dict[str, list[str] | dict[str, int]]:
    """What `dataset.columns` has of these columns, by its keys."""
    return {
        "drop": [column.name for column in dropped],
        "categorical": [column.name for column in read_as(features, "category")],
        "embedding": {c.name: dimensions(c) for c in read_as(features, "vector")},
        "target_mean": [column.name for column in read_as(features, "mean")],
    }


def drop_lines(dropped: Sequence[ColumnProfile]) -> Iterator[str]:
    """The lines of the config for the columns that are left out."""
    if not dropped:
        return
    yield "    # Columns that nothing can be learned from as they are:"
    yield "    drop:"
    yield from (f"      - {flow(column.name)}\t{reason(column)}" for column in dropped)
    if numbers := [column.name for column in dropped if column.kind in COUNTED]:
        rest = flow([column.name for column in dropped if column.kind not in COUNTED])
        yield f"    # drop: {rest}\twould keep {', '.join(map(flow, numbers))}, as numbers"


COUNTED = ("counter", "rising", "key")
"""The kinds of numbers that are left out, since they seem to be names of rows or of things."""


def may_be_averaged(column: ColumnProfile) -> bool:
    """Whether what is left out as keys comes again in other rows, as `flight` does."""
    return column.kind == "key" and 2 * column.different <= column.rows - column.missing


def _entry(column: ColumnProfile) -> str:
    return f"{flow(column.name)}: {dimensions(column)}"


def _has_rare(column: ColumnProfile) -> bool:
    """Whether a column has many categories, and some of them in few rows."""
    listed = column.labels
    all_listed = len(column.values) == column.different
    rare = not all_listed or min(listed.values(), default=_RARE) < _RARE
    return column.different > FEW_CATEGORIES and rare


# Parts of dates and earlier values as lines of a first config, by the range and steps of dates.

_DAY = timedelta(days=1)
# The shortest range in which a part can show something.
_FOR_MONTHS, _FOR_WEEKDAYS = 60 * _DAY, 14 * _DAY
# Days that a series needs for its training rows, about two thirds, to have every month.
_TWO_YEARS = 730 * _DAY
# Lags are used where no more than one row in this many is left out for them.
_ROWS_FOR_LAG = 10


def parts_of(column: ColumnProfile, *, splits: bool) -> list[str]:
    """The parts of dates that are features, of two years or more the day of the year for the month.

    If rows are split by them, without the days gone by, and without months unless all come again:
    those of test rows would lie beyond all that were trained on.
    """
    times = column.evidence.times
    for_months = _TWO_YEARS if splits else _FOR_MONTHS
    daily = times.step is None or times.step < 7 * _DAY
    of_year = "dayofyear" if daily and times.span >= _TWO_YEARS else "month"
    found = {
        of_year: len(times.months) > 1 and times.span >= for_months,
        "weekday": len(times.weekdays) > 1 and times.span >= _FOR_WEEKDAYS and daily,
        "hour": len(times.hours) > 1,
    }
    parts = [part for part, shows in found.items() if shows]
    cyclic = [CYCLIC] if parts else []
    return parts + ["elapsed"] * (not splits) + cyclic


def width_of(column: ColumnProfile, *, splits: bool) -> int:
    """The number of features."""
    return len(part_names(parts_of(column, splits=splits)))


def dates(columns: Sequence[ColumnProfile], split_by: Sequence[ColumnProfile]) -> Iterator[str]:
    """The lines of `dates`."""
    found = [(column, parts_of(column, splits=column in split_by)) for column in columns]
    lines = [f"    {flow(column.name)}: {flow(parts)}" for column, parts in found if parts]
    if lines:
        yield "  # Parts of dates as features; cyclic: as positions on a circle."
        yield "  dates:"
        yield from lines


@dataclass(frozen=True)
class Lags:
    """Earlier values of the target as features.

    Args:
        target: a column of numbers.
        steps: how many rows earlier.
        group: the column that names the series, if there are several.
        used: whether the draft has them, and not only a comment.
    """

    target: ColumnProfile
    steps: Sequence[int]
    group: ColumnProfile | None
    used: bool

    @property
    def rows(self) -> int:
        """How many rows have too few before them."""
        return max(self.steps) * (self.group.different if self.group else 1)

    def line(self) -> str:
        """The line of the config."""
        steps: object = self.steps
        if self.group is not None:
            steps = {"steps": self.steps, "group": self.group.name}
        why = "earlier values as features; new rows then come with those before them"
        if not self.used:
            why = f"would leave out {self.rows:,} rows; {why}"
        return f"  {'' if self.used else '# '}lags: {flow({self.target.name: steps})}\t{why}"

    def words(self) -> str:
        """The same for the terminal."""
        name, steps = escaped(self.target.name, kept=""), ", ".join(map(str, self.steps))
        rows = f"{name} {steps} row{'s' * (self.steps[-1] > 1)} before"
        return f"it takes earlier values, {rows}: new rows then come with those before them"


def lags(
    target: ColumnProfile, time: ColumnProfile, columns: Sequence[ColumnProfile], *, alone: bool
) -> Lags | None:
    """The lags of a target in a series: the row before, and those one season before.

    They are used unless they would leave out more than a tenth of the rows, or are the only
    features, `alone`. None where a target has no numbers in some row, or rows are no series.
    """
    group = series_of(columns, time, target)
    if target.kind != "number" or target.missing or group is None:
        return None
    each = None if group is time else group
    steps = [1, *seasons(time.evidence.times.step, time.different)]
    found = Lags(target, steps, each, used=True)
    return replace(found, used=alone or _ROWS_FOR_LAG * found.rows <= time.rows)


def series_of(
    columns: Sequence[ColumnProfile], time: ColumnProfile, target: ColumnProfile
) -> ColumnProfile | None:
    """The column that names the series of rows; that of the times where there is a single one.

    Of several, each has as many rows as there are times. None where rows are no series.
    """
    if time.different == time.rows:
        return time
    others = (column for column in columns if column is not target and column is not time)
    return next((each for each in others if {*each.values.values()} == {time.different}), None)


# Why nothing can be learned from a column as it is, and whether the names of columns are data.

_REASONS = {
    "constant": "the same in every row",
    "counter": "a counter of the rows",
    "rising": "whole numbers that rise evenly from row to row, as a counter does",
    "key": "whole numbers that are keys, by their name",
    "unnamed": "numbers without a name, as those of rows",
    "date": "a date",
    "undated": "dates and other text",
    "mixed": "numbers and other text",
    "identifier": "a value of its own in most rows: it seems to be an identifier",
    "empty": "blank in every row",
    "category": "the same in every row that is not blank",
    "number": "blank in so many rows that those to train on may have no value",
}


def reason(column: ColumnProfile) -> str:
    """The end of a sentence; of columns that hold several things with the first odd cell."""
    if column.kind in ("code", "text"):
        what = "a code with zeros in front" if column.holds_codes else "text"
        what = "a code" if column.kind == "code" and not column.holds_codes else what
        return f"{what} with {column.different:,} different values, many for {column.rows:,} rows"
    if column.kind == "mixed" and column.numbers == column.rows - column.missing - 1:
        where = "{!r} in line {}".format(*column.odd)  # such as 'Total' below the rows
        return f"numbers, but for {where}; without it, they can be used"
    if column.kind == "mixed" and column.unclear:
        return f"numbers, but for {part(column)}"
    text, line = column.odd if column.kind in ("mixed", "undated") else ("", 0)
    return _REASONS[column.kind] + (f", such as {text!r} in line {line}" if text else "")


def data_as_names(columns: Sequence[ColumnProfile]) -> list[str]:
    """The names that seem to be data: all that are numbers, if each is among those below it.

    Names in order, as years and wavelengths are, do not count, nor does a single one.
    """
    found = [(column, value) for column in columns if (value := number(column.name)) is not None]
    steps = {after > before for (_, before), (_, after) in pairwise(found)}
    among = all(column.low <= value <= column.high for column, value in found)
    return [column.name for column, _ in found] if among and len(steps) > 1 else []


# How columns are written, as lines of a first config.


def formats(columns: Sequence[ColumnProfile], decimal: str) -> Iterator[str]:
    """The lines of `formats`, for columns that are not written plainly; guesses are marked."""
    found = [(column, *_format(column, decimal)) for column in columns]
    lines = [f"      {flow(c.name)}: {flow(text)}{note}" for c, text, note in found if text]
    if lines:
        yield "    # How columns are written, by an example; other forms are errors."
        yield "    formats:"
        yield from lines


def guessed(columns: Sequence[ColumnProfile]) -> list[str]:
    """The names of columns that may be read in another way."""
    return [
        column.name
        for column in columns
        if (column.evidence.doubt if column.kind == "date" else _other_number(column))
    ]


def _format(column: ColumnProfile, decimal: str) -> tuple[str | list[str], str]:
    """An example for a column that is not written plainly, or several, and a comment."""
    if column.kind == "date":
        date = column.evidence.format
        if date is None or date.is_iso:
            return "", ""
        return _listed([one.example() for one in date.every]), _other_days(column.evidence.doubt)
    is_read = column.kind in ("number", "counter", "constant") and column.chosen != "category"
    if column.shown is None or not is_read:
        return "", ""
    every = column.shown.format.every
    examples = [_example(column, form, decimal) for form in every]
    return _listed(examples), _other_number(column) or _without_unit(every)


def _listed(examples: list[str]) -> str | list[str]:
    return examples if len(examples) > 1 else examples[0]


def _example(column: ColumnProfile, form: NumberFormat, decimal: str) -> str:
    """The first cell that is written so, if it shows the format, else an example of it."""
    first = next((text for text in column.values if form.read(text) is not None), "")
    try:
        shows = NumberFormat.from_example(first, decimal) == form
    except ValueError:
        shows = False
    return first if shows else form.example()


def _without_unit(every: Sequence[NumberFormat]) -> str:
    """A sentence that numbers without a unit are in the unit of others."""
    unit = next(filter(None, (form.before or form.after for form in every)), "")
    bare = any(not (form.before or form.after) for form in every)
    return f"\ta guess: numbers without {unit} are in it, too" * (bool(unit) and bare)


# Words for missing values, as lines of a first config.

_SOME = 3


def missing_values(
    columns: Sequence[ColumnProfile], dropped: Sequence[ColumnProfile]
) -> Iterator[str]:
    """The lines of `missing_values`; each part of a column that is not understood is named.

    They are a list if several columns have some, and no text has one among its categories.
    """
    found = {column.name: [*column.nulls] for column in columns if column.nulls}
    every = {word.lower(): word for words in found.values() for word in words}
    labels = {text.lower() for c in read_as(columns, "category", "vector") for text in c.values}
    more = [column for column in dropped if column.unclear and column.kind == "mixed"]
    for column in columns:
        if column.unclear:
            name = escaped(repr(column.name), kept="")
            yield f"  # Not understood in {name}, so taken as missing: {part(column)}"
    if len(found) > 1 and labels.isdisjoint(every) and not more:
        yield f"  missing_values: {flow([*every.values()])}\tin upper or lower case"
        return
    if found:
        yield "  # Words that stand for missing values, in upper or lower case."
        yield "  missing_values:"
        yield from (f"    {flow(name)}: {flow(words)}" for name, words in found.items())
    for column in more:
        entry = f"{flow(column.name)}: {flow([*column.nulls, *column.unclear])}"
        line = f"  # {entry}" if found else f"# missing_values: {{{entry}}}"
        yield f"  {line}\twould keep this column, if it is not under drop"


def part(column: ColumnProfile) -> str:
    """How many cells of a column are not understood, with some of them and their lines."""
    cells = sum(word.count for word in column.unclear.values())
    first = sorted(column.unclear.items(), key=lambda item: item[1].line)[:_SOME]
    shown = ", ".join(f"{clipped(text)!r} in line {word.line}" for text, word in first)
    return f"{cells:,} of {column.rows:,} cells, such as {shown}"


def _other_number(column: ColumnProfile) -> str:
    """A sentence that a comma or a point may be the other sign."""
    if column.shown is None or not column.shown.ambiguous:
        return ""
    form = column.shown.format
    grouped = next((text for text in column.values if form.thousands in text), "")
    if form.thousands and grouped:
        cell, other = grouped, NumberFormat("", form.thousands, form.before, form.after)
    else:
        cell = next((text for text in column.values if form.decimal in text), "")
        sign = "." if form.decimal == "," else ","
        other = NumberFormat(form.decimal, sign, form.before, form.after)
    meant = f"{form.read(cell) or 0:g}"
    return f"\ta guess: {cell} is {meant}; if not, {flow(other.example())}"


def _other_days(forms: Sequence[DateFormat]) -> str:
    """A sentence that the day may be the month."""
    if len(forms) < 2:
        return ""
    return f"\ta guess: no cell shows it; {flow(forms[1].example())} for the other order"


# Columns of a table whose rows should not be split at random, by their names and values.

_LEFT_OUT = ("are left out", "is left out")
_FEWEST_PEOPLE = 5
_FEWEST = 10


@dataclass(frozen=True)
class Proposal:
    """A way to split by a column.

    Args:
        by: `group` or `time`.
        column: that column.
        sure: whether the config splits so; else it says how in a comment.
        beside: whether it splits in another way, not at random.
        shared: whether rows in the order of time are split at random, since several have one time.
        other: of a sure split by time, when to split at random in place of it; empty if that
            leaves no features.
        lagged: whether features are lags, which another split excludes.
    """

    by: str
    column: ColumnProfile
    sure: bool
    beside: bool = False
    shared: bool = False
    other: str = ""
    lagged: bool = False

    def lines(self) -> Iterator[str]:
        """The lines of the config: the split, and for one by time the other as a comment."""
        at_random = self.by == "time" and not self.sure and not self.beside
        if at_random:
            order = "several rows have one time" if self.shared else "rows are in no order of time"
            yield f"  split: random\t{order}; in place of it:"
        yield self._line()
        if self.sure and self.other:
            lags = " and of lags" * self.lagged
            yield f"  # split: random\tin place of it{lags}, {self.other}"

    def _line(self) -> str:
        name = flow(self.column.name)
        why = (
            f"the rows of one {name} are in one split{', in place of lags' * self.lagged}"
            if self.by == "group"
            else "trained on what comes first, tested on what comes last"
        )
        comment = "" if self.sure else "# "
        return f"  {comment}split: {{by: {self.by}, column: {name}}}\t{why}"

    def words(self) -> str:
        """The same for the terminal."""
        name = escaped(self.column.name, kept="")
        if self.sure and self.by == "time":
            how = "; a comment says how to split at random" * bool(self.other)
            return f"it splits by time, {name}, since its rows are a series in that order{how}"
        if self.sure:
            words = f"it splits by group: the rows of one {name} are in one split"
            blank = self.column.missing
            return words + f"; {blank:,} without one {_LEFT_OUT[blank == 1]}" * (blank > 0)
        at_random = "" if self.beside else "it splits at random; "
        if self.shared and not self.beside:
            at_random = f"it splits at random, since several rows have one {name}; "
        return f"{at_random}a comment says how to split by {self.by}, {name}"


def proposals(columns: list[ColumnProfile], target: ColumnProfile) -> Iterator[Proposal]:
    """The first column of groups, and of times unless the groups are sure.

    People (patients, customers) are sure: rows of one person resemble each other, and new rows are
    of other people. Times are where rows are in their order: new rows come later. Shops, or dates
    in no order, may be known when predictions are made: the file does not say.
    """
    others = [column for column in columns if column is not target]
    group = next((column for column in others if _has_groups(column)), None)
    sure = group is not None and names_people(group.name)
    times = [c for c in others if c.kind == "date" and not c.missing and c.different >= _FEWEST]
    in_order = [column for column in times if column.evidence.times.in_order]
    in_series = [column for column in in_order if series_of(columns, column, target) is not None]
    time = None if sure else next(iter([*in_series, *in_order, *times]), None)
    if group is not None:
        yield Proposal("group", group, sure, beside=time in in_series)
    if time is not None:
        shared = time in in_order and time not in in_series
        yield Proposal("time", time, time in in_series, beside=group is not None, shared=shared)


def _has_groups(column: ColumnProfile) -> bool:
    """Whether it seems to name what rows belong to: values that repeat, none in most rows."""
    person = names_people(column.name)
    fewest = _FEWEST_PEOPLE if person else _FEWEST
    words = words_of(column.name)
    named = person or (not column.missing and words and words[-1] in ("id", "group"))
    whole = column.numbers in (0, column.whole) or column.holds_codes
    known = column.rows - column.missing
    repeats = fewest <= len(column.labels) and column.different < known
    return bool(named and whole and repeats and 2 * max(column.labels.values()) <= known)


def is_identifier(name: str) -> bool:
    """`id`, `AirlineID`, `store_id`."""
    return words_of(name)[-1:] in (["id"], ["ids"])
