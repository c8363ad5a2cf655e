"""How a column writes its dates and times: in ISO form, or by codes such as %d.%m.%Y."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from itertools import product

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_DAY = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?P<m>0?[1-9]|1[0-2])"
_CODES = {
    "%d": _DAY,
    "%m": _MONTH,
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d{2})",
    "%b": f"(?P<b>{'|'.join(name[:3] for name in _MONTHS)})",
    "%B": f"(?P<B>{'|'.join(_MONTHS)})",
    "%H": r"(?P<H>[01]?\d|2[0-3])",
    "%I": r"(?P<I>0?[1-9]|1[0-2])",
    "%M": r"(?P<M>[0-5]\d)",
    "%S": r"(?P<S>[0-5]\d)",
    "%f": r"(?P<f>\d{1,9})",
    "%p": r"(?P<p>am|pm)",
    "%z": r"(?P<z>z|[+-]\d{2}:?\d{2})",
    "%%": "%",
}
_CODE = re.compile(r"%.?")
ISO = "2024-03-31"
"""The example of ISO dates, which may have a time, as 2024-03-31T12:30, and a time zone."""


@dataclass(frozen=True)
class DateFormat:
    """A way to write dates; `codes` are those of Python's strptime, or empty for ISO dates.

    `others` are ways that are tried in turn where a text is not written so.
    """

    codes: str = ""
    others: tuple[DateFormat, ...] = ()

    @classmethod
    def from_example(cls, text: str | Sequence[str]) -> DateFormat:
        """The format of a date such as `31.12.2024`, or one that is given by codes.

        Of several, the first that fits a cell is meant.

        Raises: ValueError with what is wrong, as a sentence.
        """
        if not isinstance(text, str):
            first, *others = map(cls.from_example, text)
            return replace(first, others=tuple(others))
        if "%" in text:
            return cls._by_codes(text)
        fit = formats_of(text)
        if not fit:
            raise ValueError(f"'{text}' is no date, such as 31.12.2024 or 2024-12-31 23:59")
        if len({form.read(text) for form in fit}) > 1:
            message = f"the day or the month may come first in '{text}': "
            raise ValueError(message + "write a date with a day after the 12th")
        return fit[0]

    @classmethod
    def restored(cls, codes: str | Sequence[str]) -> DateFormat:
        """The format with these codes; raises a ValueError for others than `from_example` gives."""
        if not isinstance(codes, str):
            first, *others = map(cls.restored, codes)
            return replace(first, others=tuple(others))
        return cls._by_codes(codes) if codes else ISO_DATES

    @classmethod
    def _by_codes(cls, text: str) -> DateFormat:
        found = _CODE.findall(text)
        unknown = [code for code in found if code not in _CODES]
        if unknown:
            known = ", ".join(code for code in _CODES if code != "%%")
            raise ValueError(f"'{unknown[0]}' is no code of dates; the codes are {known}")
        if len(set(found)) < len(found):
            raise ValueError(f"a code stands twice in '{text}'")
        if not {"%Y", "%y"} & {*found} or not {"%m", "%b", "%B"} & {*found}:
            raise ValueError(f"'{text}' has no year and month, as %d.%m.%Y has")
        return cls(text)

    def read(self, text: str) -> datetime | None:
        """The time that a text writes, with its time zone if it has one; None if it is none."""
        return read_date(text, self.patterns)

    @cached_property
    def every(self) -> tuple[DateFormat, ...]:
        """This one alone, and the others, in the order in which they are tried."""
        return (replace(self, others=()), *self.others)

    @cached_property
    def patterns(self) -> list[str]:
        """The pattern of each."""
        return [each.pattern for each in self.every]

    @property
    def is_iso(self) -> bool:
        """Whether ISO dates alone are meant."""
        return not (self.codes or self.others)

    def stored(self) -> str | list[str]:
        """The codes, as `restored` takes them; empty for ISO dates alone."""
        return self.codes if not self.others else [each.codes for each in self.every]

    def shown(self) -> str:
        """The examples for messages."""
        return " or ".join(each.example() for each in self.every)

    def example(self) -> str:
        """A date that shows the format, the first of several."""
        if not self.codes:
            return ISO
        return datetime(2024, 12, 31, 23, 59, tzinfo=UTC).strftime(self.codes)

    @cached_property
    def pattern(self) -> str:
        """A regular expression with groups that are called like the codes; empty for ISO dates."""
        if not self.codes:
            return ""
        literal = _CODE.split(self.codes)
        parts = [re.escape(literal[0].lower())]
        for code, after in zip(_CODE.findall(self.codes), literal[1:], strict=True):
            parts += [_CODES[code], re.escape(after.lower())]
        return "".join(parts)


ISO_DATES = DateFormat()


def formats_of(text: str) -> list[DateFormat]:
    """The formats that read a text, the likeliest first.

    Where two read it, the first is meant: day before month after a point or a dash, month before
    day after a slash.
    """
    if iso_date(text) is not None:
        return [DateFormat()]
    found = _BEFORE_CLOCK.search(text)
    if found is None:
        return [form for form in _DAYS if form.read(text) is not None]
    days = [form.codes for form in _DAYS if form.read(text[: found.start()]) is not None]
    forms = (DateFormat(day + found[0] + clock) for day, clock in product(days, _CLOCKS))
    return [form for form in forms if form.read(text) is not None]


def _likely_days() -> Iterator[DateFormat]:
    for sign, first, second in ((".", "%d", "%m"), ("-", "%d", "%m"), ("/", "%m", "%d")):
        for year in ("%Y", "%y"):
            yield DateFormat(sign.join((first, second, year)))
            yield DateFormat(sign.join((second, first, year)))
        yield DateFormat(sign.join(("%Y", "%m", "%d")))
    words = "%d %b %Y,%d %B %Y,%d. %b %Y,%d. %B %Y,%d-%b-%Y,%d-%b-%y,%b %d %Y,%B %d %Y,%b %Y,%B %Y"
    yield from map(DateFormat, (*words.split(","), "%b %d, %Y", "%B %d, %Y", "%Y%m%d"))


_DAYS = (*_likely_days(),)
_BEFORE_CLOCK = re.compile(r"(?:, |T| )(?=\d{1,2}:\d{2})")
_CLOCKS = [
    clock + zone
    for clock in ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
    for zone in ("", "%z", " %z")
]


# Scripts take over the source of the following functions.


def microseconds(date: datetime) -> int:
    """Microseconds since 1970 in UTC; a date without a time zone is taken as in UTC."""
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def iso_date(text: str) -> datetime | None:
    """An ISO date; text of digits alone is a number."""
    if text.isdigit() or re.match(r"\d{4}-?(?:\d{2}|W\d{2})", text) is None:
        return None
    try:
        return datetime.fromisoformat(
            text + "-01" * (re.fullmatch(r"\d{4}-\d{2}", text) is not None)
        )
    except ValueError:
        return None


def read_date(text: str, patterns: Sequence[str]) -> datetime | None:
    """The date by the first of some patterns that fits; an empty one is for ISO dates."""
    for pattern in patterns:
        date = date_by(pattern, text) if pattern else iso_date(text)
        if date is not None:
            return date
    return None


def date_by(pattern: str, text: str) -> datetime | None:
    """The date whose parts are the groups of a pattern, called like the codes of strptime."""
    found = re.fullmatch(pattern, text.lower(), re.ASCII)
    if found is None:
        return None
    known = found.groupdict()
    year, hour = int(known.get("Y") or known["y"]), int(known.get("H", 0))
    if "Y" not in known:  # 1969 to 2068, as in POSIX
        year += 1900 if year >= 69 else 2000
    if "I" in known:
        hour = int(known["I"]) % 12 + 12 * (known.get("p") == "pm")
    word = known.get("b") or known.get("B") or ""
    month = "jan feb mar apr may jun jul aug sep oct nov dec".find(word[:3]) // 4 + 1
    second, fraction = int(known.get("S", 0)), known.get("f", "0").ljust(6, "0")[:6]
    clock = (hour, int(known.get("M", 0)), second, int(fraction))
    try:
        date = datetime(year, month if word else int(known["m"]), int(known.get("d", 1)), *clock)
    except ValueError:  # 30 February
        return None
    zone = known.get("z", "")
    if not zone:
        return date
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])) if zone != "z" else timedelta(0)
    return date.replace(tzinfo=timezone(-ahead if zone[0] == "-" else ahead))


# What all cells of a column show about how its dates are written, and about its times.

_MOST_STEPS = 1000
MOST_ODD = 50
"""So many different texts that are not what most cells are, at most, are told apart."""
_MOST_OTHERS = 2
_SIGN = re.compile(r"%[a-zA-Z](\W?)")


def _agrees(form: DateFormat, other: DateFormat) -> bool:
    """Whether it has days and months in the order of another format, if it has the same signs."""
    orders = _order(form), _order(other)
    return None in orders or orders[0] == orders[1] or _signs(form) != _signs(other)


def _signs(form: DateFormat) -> tuple[str, bool]:
    """What stands between the parts of a date, and whether the year comes first."""
    codes = form.codes or "%Y-%m-%d"
    return _SIGN.findall(codes)[0], codes[:2] == "%Y"


def _order(form: DateFormat) -> tuple[str, ...] | None:
    """The order of days and months as numbers; None where one of them is a word."""
    found = re.findall("%[dm]", form.codes or "%Y-%m-%d")
    return tuple(found) if len(found) == 2 else None


@dataclass
class OddCell:
    """A text that is not what most cells of a column are: its first line, and how often it is."""

    line: int
    count: int = 1


@dataclass(eq=False)
class DateEvidence:
    """The dates of a column in the order of its rows, by the formats that read all of them."""

    candidates: list[tuple[DateFormat, Times]] = field(default_factory=list)
    """Formats with the times that they read, the likeliest first."""
    count: int = 0
    words: dict[str, OddCell] = field(default_factory=dict)
    """The first texts that are no dates; after `MOST_ODD` of them, nothing more is looked at."""
    _zoned: bool | None = None
    """Whether dates have time zones, once one has been read."""

    @property
    def full(self) -> bool:
        """Whether there were too many other texts."""
        return len(self.words) >= MOST_ODD

    def add(self, text: str, line: int) -> None:
        """Take a cell that is not missing into account."""
        if self.full:
            return
        if text in self.words:
            self.words[text].count += 1
            return
        if not self.count:
            self.candidates = [(form, Times()) for form in formats_of(text)]
        reading = [each for each in self.candidates if self._reads(each[0], text)]
        reading = reading or [*self._extended(text)]
        if not reading:
            self.words[text] = OddCell(line)
            return
        self.candidates = reading
        self.count += 1
        for form, times in reading:
            time = form.read(text)
            assert time is not None
            times.add(time)
            self._zoned = time.tzinfo is not None

    def _reads(self, form: DateFormat, text: str) -> bool:
        """Whether a format reads a text, with a time zone just as those before have one."""
        time = form.read(text)
        return time is not None and self._zoned in (None, time.tzinfo is not None)

    def _extended(self, text: str) -> Iterator[tuple[DateFormat, Times]]:
        """Candidates with one more format, for a text that none of them reads."""
        for form, times in self.candidates:
            if len(form.others) < _MOST_OTHERS:
                for other in formats_of(text):
                    if _agrees(other, form) and self._reads(other, text):
                        yield replace(form, others=(*form.others, other)), deepcopy(times)

    @property
    def format(self) -> DateFormat | None:
        """The likeliest format of all cells; None if they are not dates."""
        return self.candidates[0][0] if self.candidates and not self.words else None

    @property
    def doubt(self) -> list[DateFormat]:
        """The formats of which one is meant, where days may be months and months days."""
        places = zip(*(form.every for form, _ in self.candidates), strict=True)
        return next((forms for each in places if len(forms := [*dict.fromkeys(each)]) > 1), [])

    @property
    def times(self) -> Times:
        """What is known of the times."""
        return self.candidates[0][1]


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
        """Duration from the first to the last time."""
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
