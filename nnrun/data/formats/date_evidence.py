"""What all cells of a column show about how its dates are written, and about its times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from nnrun.data.formats.dates import DateFormat, formats_of

_MOST_STEPS = 1000


@dataclass(eq=False)
class DateEvidence:
    """The dates of a column in the order of its rows, by the formats that read all of them.

    `formats` is empty once a cell is no date, or is one in another format: `odd` and `line` are of
    the first such cell.
    """

    formats: list[DateFormat] = field(default_factory=list)
    count: int = 0
    odd: str = ""
    line: int = 0
    _times: list[Times] = field(default_factory=list)
    _zoned: bool | None = None
    """Whether dates have time zones, once one has been read."""

    def add(self, text: str, line: int) -> None:
        """Take a cell that is not missing into account; after the first that is no date, none
        is.
        """
        if self.odd:
            return
        if not self.count:
            self.formats = formats_of(text)
            self._times = [Times() for _ in self.formats]
        found = [form.read(text) for form in self.formats]
        if not any(found) or any(t and (t.tzinfo is None) is self._zoned for t in found):
            self.formats, self._times = [], []
            self.odd, self.line = text, line
            return
        self._zoned = next(filter(None, found)).tzinfo is not None
        self.count += 1
        kept = [place for place, time in enumerate(found) if time is not None]
        self.formats = [self.formats[place] for place in kept]
        self._times = [self._times[place] for place in kept]
        for times, time in zip(self._times, filter(None, found), strict=True):
            times.add(time)

    @property
    def format(self) -> DateFormat | None:
        """The likeliest format of all cells; None if they are not dates of one format."""
        return self.formats[0] if self.formats else None

    @property
    def ambiguous(self) -> bool:
        """Whether days may be months and months days in every cell."""
        return len(self.formats) > 1

    @property
    def times(self) -> Times:
        """What is known of the times."""
        return self._times[0]


@dataclass(eq=False)
class Times:
    """What is known of times: their range, order and steps, and different parts of dates."""

    first: datetime | None = None
    last: datetime | None = None
    rising: bool = True
    falling: bool = True
    hours: set[int] = field(default_factory=set)
    weekdays: set[int] = field(default_factory=set)
    months: set[int] = field(default_factory=set)
    steps: Counter[timedelta] = field(default_factory=Counter)
    _before: datetime | None = None

    def add(self, time: datetime) -> None:
        moment = time if time.tzinfo else time.replace(tzinfo=UTC)
        self.hours.add(time.hour)
        self.weekdays.add(time.weekday())
        self.months.add(time.month)
        if self._before is not None:
            step = moment - self._before
            self.rising &= step >= timedelta(0)
            self.falling &= step <= timedelta(0)
            if step and (step in self.steps or len(self.steps) < _MOST_STEPS):
                self.steps[abs(step)] += 1
        self.first = moment if self.first is None else min(self.first, moment)
        self.last = moment if self.last is None else max(self.last, moment)
        self._before = moment

    @property
    def span(self) -> timedelta:
        """From the first to the last time."""
        return timedelta(0) if self.first is None or self.last is None else self.last - self.first

    @property
    def in_order(self) -> bool:
        """Whether the rows are in the order of time, one way or the other."""
        return self.rising or self.falling

    @property
    def step(self) -> timedelta | None:
        """The step between one time and the next that most rows have, if there is one."""
        step = max(self.steps, key=lambda step: self.steps[step], default=None)
        return step if step and 2 * self.steps[step] > self.steps.total() else None
