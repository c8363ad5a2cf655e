"""Parts of dates and earlier values as lines of a first config, by the range and steps of dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from nnrun.config.yaml.dump import flow
from nnrun.data.columns.date_parts import CYCLIC, part_names
from nnrun.data.formats.date_evidence import Times
from nnrun.data.readers.profile import ColumnProfile

_DAY = timedelta(days=1)
# The shortest range in which a part can show something.
_FOR_MONTHS, _FOR_WEEKDAYS = 60 * _DAY, 14 * _DAY
# Days that a series needs for its training rows, about two thirds, to have every month.
_FOR_MONTHS_AHEAD = 730 * _DAY
_ROWS_FOR_LAG = 4
# How many rows make a day or week, or a year, by the step between rows.
_SEASONS = {
    timedelta(minutes=10): (144, 1008),
    timedelta(minutes=15): (96, 672),
    timedelta(minutes=30): (48, 336),
    timedelta(hours=1): (24, 168),
    _DAY: (7,),
    7 * _DAY: (52,),
    30 * _DAY: (12,),
    31 * _DAY: (12,),
}


def parts_of(column: ColumnProfile, *, splits: bool) -> list[str]:
    """The parts of dates that are features.

    If rows are split by them, without the days gone by, and without months unless all come again:
    those of test rows would lie beyond all that were trained on.
    """
    times = column.evidence.times
    for_months = _FOR_MONTHS_AHEAD if splits else _FOR_MONTHS
    daily = times.step is None or times.step < 7 * _DAY
    found = {
        "month": len(times.months) > 1 and times.span >= for_months,
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


def steps_of(target: ColumnProfile, time: ColumnProfile) -> list[int]:
    """The lags of a target in a series: a row for each time; empty if it is none."""
    if time.different < time.rows or target.kind != "number" or target.missing:
        return []
    return [1, *_seasons(time.evidence.times, time.rows)]


def lags(
    target: ColumnProfile, time: ColumnProfile, columns: Sequence[ColumnProfile], *, alone: bool
) -> Iterator[str]:
    """The line with the lags of a target, a comment unless they are `alone`, the only features.

    Where a column seems to name several series, they are those of each series.
    """
    steps: object = steps_of(target, time)
    if (group := _group(columns, target, time)) is not None:
        seasons = _seasons(time.evidence.times, time.different)
        steps = {"steps": [1, *seasons], "group": group.name}
    if steps:
        why = "earlier values as features; new rows then come with those before them"
        sign = "" if alone else "# "
        yield f"  {sign}lags: {flow({target.name: steps})}\t{why}"


def _group(
    columns: Sequence[ColumnProfile], target: ColumnProfile, time: ColumnProfile
) -> ColumnProfile | None:
    """The first column whose values each have as many rows as there are times."""
    if target.kind != "number" or target.missing or time.different == time.rows:
        return None
    others = (column for column in columns if column is not target and column is not time)
    return next((each for each in others if {*each.values.values()} == {time.different}), None)


def _seasons(times: Times, rows: int) -> list[int]:
    found = _SEASONS.get(times.step, ()) if times.step else ()
    return [season for season in found if _ROWS_FOR_LAG * season <= rows]
