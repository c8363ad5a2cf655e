"""Numbers, counts, durations and sizes as text."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite

MISSING = "–"
_BARS = "▁▂▃▄▅▆▇█"


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


def remaining(seconds: float) -> str:
    """`duration` of an estimate, in whole seconds."""
    return f"{ceil(seconds)} s" if seconds < 59 else duration(seconds)


def shape(sides: Sequence[int]) -> str:
    """`13` or `16×6×6`, as `shape_text` of `nnrun.nn`, which would be slow to import here."""
    return "×".join(str(side) for side in sides)


def size(value: float) -> str:
    """A number of bytes: `512 B`, `1.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


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
