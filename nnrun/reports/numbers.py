"""Numbers, counts, durations and sizes as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, inf, isfinite, log10
from re import sub
from typing import Any, TypeVar

MISSING = "–"
_BARS = "▁▂▃▄▅▆▇█"
_FULL = 59.5  # seconds, which are a minute in whole ones

T = TypeVar("T")


def number(value: float | None) -> str:
    """Four significant digits: `60.75`, `0.9012`, `1,234`, `1.234e-07`."""
    if value is not None and 1e-3 < abs(value) < 999:  # the most frequent case
        return f"{value:#.4g}"
    if value is None or not isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    size = float(f"{abs(value):.3e}")  # rounded as it is shown: 999.96 becomes 1,000
    if size < 1e-4 or size >= 1e7:
        return f"{value:.3e}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.4g}"


def measured(value: float | None, half: float | None) -> str:
    """A number with its uncertainty: `58 ± 38`, `0.920 ± 0.050`, `57,700 ± 1,200`.

    The uncertainty has two significant digits, and the number ends at the same decimal.
    """
    if value is None or half is None or not (isfinite(value) and 0 < half < inf):
        return number(value)
    if max(abs(value), half) < 1e-4 or max(abs(value), half) >= 1e7:
        return f"{_scientific(value, half)} ± {half:.1e}"
    digit = last_digit(half)
    return f"{rounded(value, digit)} ± {rounded(half, digit)}"


def to_error(value: float | None, half: float | None) -> str:
    """The number as `measured` gives it, without its uncertainty; `number` where there is none."""
    return measured(value, half).partition(" ± ")[0]


def _scientific(value: float | None, half: float) -> str:
    """Number with an exponent, to the second digit of its uncertainty."""
    if not value or not (isfinite(value) and isfinite(half)):
        return number(value)
    digits = floor(log10(abs(value))) + last_digit(half)
    return f"{value:.{min(digits, 15)}e}" if digits >= 0 else "0"


def last_digit(uncertainty: float) -> int:
    """The decimal of its second significant digit: 2 for 0.12, 0 for 38, -2 for 1,234."""
    size = float(f"{uncertainty:.1e}")  # as it will be rounded: 0.0996 is shown as 0.10
    return 1 - floor(log10(size) + 1e-9)


def rounded(value: float, digit: int) -> str:
    """Number to this decimal, or to tens and hundreds where it is negative; no exponent."""
    shown = round(value, digit) + 0.0  # and no negative zero
    return f"{shown:,.{max(digit, 0)}f}"


def spread(value: float | None) -> str:
    """A standard deviation in two significant digits, without an exponent where that is short."""
    if value is None or not isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    if value < 1e-4 or value >= 1e7:
        return f"{value:.1e}"
    return rounded(value, last_digit(value))


def difference(value: float, low: float | None, high: float | None, *, plus: bool = True) -> str:
    """A difference with its interval, in the digits that its width allows: `-0.020 [-0.041, 0]`.

    The value has two significant digits at least, and an end that is not 0 has one. Without `plus`,
    positive numbers have no sign.
    """
    ends = [end for end in (low, high) if end is not None]
    width = max((abs(end - value) for end in ends), default=0.0)
    sizes = [abs(v) for v in (value, *ends)]
    if width == 0:
        texts = [signed(v) for v in (value, low, high)]
    elif max(sizes) < 1e-4 or max(sizes) >= 1e7:
        shown = (_scientific(v, width) for v in (value, low, high))
        texts = [text if text[0] in "-0–" else f"+{text}" for text in shown]
    else:
        digit = last_digit(width)
        texts = [_with_sign(value, digit, 2), *(_with_sign(end, digit, 1) for end in (low, high))]
    first, *others = texts if plus else [text.removeprefix("+") for text in texts]
    return f"{first} [{', '.join(others)}]"


def _with_sign(value: float | None, digit: int, least: int) -> str:
    """Number to this decimal, or to `least` significant digits where these are more."""
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    shown = f"{abs(value):.{least - 1}e}"  # as it will be rounded
    digit = max(digit, least - 1 - int(shown.partition("e")[2]))
    text = f"{value:.{least - 1}e}" if abs(value) < 1e-4 else rounded(value, digit)
    return f"+{text}" if value > 0 else text


def probability(p: float) -> str:
    """Probability of a test: `0.034`, `0.56`, `< 0.0001`."""
    return "< 0.0001" if p < 1e-4 else rounded(p, last_digit(p))


def metric_number(metric: str, value: float | None) -> str:
    """`number`; an R² within rounding error of 0 is shown as 0."""
    return number(0.0 if metric == "r2" and value is not None and abs(value) < 1e-12 else value)


def signed(value: float | None) -> str:
    """`number` with a sign."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 and text != MISSING else text


def count(value: int) -> str:
    """A whole number, with commas: `10,000`."""
    return f"{value:,}"


def counted(value: int, total: int) -> str:
    """A count out of a total, padded to the same width for every count: `   40/1,600`."""
    return f"{count(value):>{len(count(total))}}/{count(total)}"


def plural(value: int, noun: str) -> str:
    """A count with its noun: `1 row`, `10,000 rows`."""
    return f"{count(value)} {noun}" if value == 1 else f"{count(value)} {noun}s"


def first_of(what: Sequence[Any], most: int = 5, named: Callable[[Any], str] = str) -> str:
    """The names of the first, and the number of the others: `a, b and 3 more`."""
    more = f" and {count(len(what) - most)} more" if len(what) > most else ""
    return ", ".join(map(named, what[:most])) + more


def ranges(numbers: Sequence[int]) -> str:
    """Rising whole numbers as job schedulers take them: `1,3-5,9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ",".join("-".join(map(str, run)) for run in runs)


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most this many evenly spaced items, including the last one."""
    last = len(items) - 1
    if last < most:
        return list(items)
    return [items[round(k * last / (most - 1))] for k in range(most)]


def percent(share: float | None) -> str:
    """A share as a percentage with a sign: `-6.4%`."""
    return MISSING if share is None or not isfinite(share) else f"{100 * share:+.1f}%"


def duration(seconds: float) -> str:
    """`1.7 ms`, `0.16 s`, `12 s`, `1 min 05 s`, `2 h 03 min`."""
    if not isfinite(seconds):
        return MISSING
    if 0 < seconds < 0.00995:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def durations(seconds: Sequence[float | None]) -> list[str]:
    """Durations of a row or column, in one unit: `0.40 ms`, `7.8 ms`; or `0.0021 s`, `3,700 s`.

    Where all take a minute or longer, each is as short as alone.
    """
    positive = [value for value in seconds if value]
    if not all(map(isfinite, positive)) or min(positive, default=0.0) >= _FULL:
        return [MISSING if value is None else duration(value) for value in seconds]
    unit, factor = ("ms", 1000) if max(positive, default=0.0) < 0.00995 else ("s", 1)
    return [
        MISSING
        if value is None
        else f"{count(round(value)) if value >= _FULL else spread(factor * value)} {unit}"
        for value in seconds
    ]


def remaining(seconds: float) -> str:
    """`duration` of an estimate, in whole seconds."""
    return f"{ceil(seconds)} s" if seconds < 59 else duration(seconds)


def moment(started: str) -> str:
    """When a run started, without fractions of a second: `2026-01-02T03:04:05+00:00`."""
    return sub(r"\.\d+", "", started, count=1)


def shape(sides: Sequence[int]) -> str:
    """`13` or `16×6×6`, as `shape_text` of `nnrun.nn`, which would be slow to import here."""
    return "×".join(str(side) for side in sides)


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A curve as one line of text, with blanks for values that are not finite."""
    if not values:
        return ""
    step = max(1, -(-len(values) // width))
    picked = [*values[:-1:step], values[-1]]
    # Halved, since the difference of two large numbers may overflow.
    finite = [value / 2 for value in picked if isfinite(value)]
    low = min(finite, default=0.0)
    height = max(finite, default=0.0) - low or 1.0
    top = len(_BARS) - 1
    bars = [_BARS[round((value - low) / height * top)] for value in finite]
    if len(finite) < len(picked):
        rest = iter(bars)
        bars = [next(rest) if isfinite(value) else " " for value in picked]
    return "".join(bars)
