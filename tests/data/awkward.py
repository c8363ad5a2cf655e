"""Awkward tables as spreadsheets and measuring devices export them, with what they say.

Each is the text of a file and the columns that it stands for, made from one table of numbers and
times by writing them in the way of a country or program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import numpy as np

ROWS = 120
START = datetime(2023, 11, 6)


@dataclass(frozen=True)
class Awkward:
    """A file: its text, the target, and what `init` should find in it.

    Args:
        text: of the file.
        numbers: the columns of numbers, as floats, the target last.
        moments: the columns of dates.
        split: the column of times that the rows are in the order of, or empty.
    """

    text: str
    numbers: dict[str, list[float]]
    moments: dict[str, list[datetime]]
    split: str = ""


def _numbers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Amounts to the cent around zero, and sizes in halves: what is written, exactly."""
    rng = np.random.default_rng(seed)
    return rng.integers(-5_000_000, 90_000_000, ROWS) / 100, rng.integers(1, 400, ROWS) / 2


def _file(separator: str, columns: dict[str, Sequence[str]]) -> str:
    rows = zip(*columns.values(), strict=True)
    quoted = (
        separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in rows
    )
    return "\n".join([separator.join(columns), *quoted]) + "\n"


def _swapped(text: str, thousands: str, decimal: str) -> str:
    return text.translate({ord(","): thousands, ord("."): decimal})


def german() -> Awkward:
    """Semicolons, decimal commas, points between digits, days first, square metres."""
    price, size = _numbers(1)
    days = [START + timedelta(days=int(day)) for day in np.random.default_rng(1).permutation(ROWS)]
    return Awkward(
        _file(
            ";",
            {
                "Datum": [f"{day:%d.%m.%Y}" for day in days],
                "Fläche": [f"{value:g} m²".replace(".", ",") for value in size],
                "Preis": [_swapped(f"{value:,.2f} €", ".", ",") for value in price],
            },
        ),
        {"Fläche": size.tolist(), "Preis": price.tolist()},
        {"Datum": days},
    )


def american() -> Awkward:
    """Dollars in front, negative amounts in parentheses, months first, percent."""
    price, size = _numbers(2)
    days = [START + timedelta(days=int(day)) for day in np.random.default_rng(2).permutation(ROWS)]
    return Awkward(
        _file(
            ",",
            {
                "sold": [f"{day.month}/{day.day}/{day:%Y}" for day in days],
                "margin": [f"{value:g}%" for value in size],
                "profit": [f"${v:,.2f}" if v >= 0 else f"(${-v:,.2f})" for v in price],
            },
        ),
        {"margin": size.tolist(), "profit": price.tolist()},
        {"sold": days},
    )


def swiss() -> Awkward:
    """Tabs, apostrophes between digits, a currency's code in front, months in order."""
    price, size = _numbers(3)
    months = [datetime(2012 + row // 12, row % 12 + 1, 1) for row in range(ROWS)]
    return Awkward(
        _file(
            "\t",
            {
                "Monat": [f"{month:%Y-%m}" for month in months],
                "Umsatz": [f"CHF {value:,.2f}".replace(",", "’") for value in price],
                "Menge": [f"{value:g}" for value in size],
            },
        ),
        {"Umsatz": price.tolist(), "Menge": size.tolist()},
        {"Monat": months},
        split="Monat",
    )


def sap() -> Awkward:
    """A minus behind the number, dates without signs between their parts."""
    price, size = _numbers(4)
    days = [START + timedelta(days=row) for row in range(ROWS)]
    return Awkward(
        _file(
            "|",
            {
                "posting_date": [f"{day:%Y%m%d}" for day in days],
                "size": [f"{value:.1f}" for value in size],
                "amount": [f"{abs(v):,.2f}{'-' * bool(v < 0)}" for v in price],
            },
        ),
        {"size": size.tolist(), "amount": price.tolist()},
        {"posting_date": days},
        split="posting_date",
    )


def french() -> Awkward:
    """Narrow blanks between digits, a true minus, hours in the evening, days before months."""
    price, size = _numbers(5)
    hours = [START + timedelta(days=14, hours=row) for row in range(ROWS)]
    return Awkward(
        _file(
            ";",
            {
                "heure": [f"{hour:%d/%m/%Y %H:%M}" for hour in hours],
                "débit": [f"{value:g} km/h".replace(".", ",") for value in size],
                "solde": [
                    _swapped(f"{v:,.2f}", "\u202f", ",").replace("-", "\u2212") for v in price
                ],
            },
        ),
        {"débit": size.tolist(), "solde": price.tolist()},
        {"heure": hours},
        split="heure",
    )


def device() -> Awkward:
    """ISO times with the time zone of each, across a change of the clock; exponents; words."""
    price, size = _numbers(6)
    first = datetime(2024, 3, 30, 20, tzinfo=UTC)
    moments = [first + timedelta(minutes=15 * row) for row in range(ROWS)]
    changed = datetime(2024, 3, 31, 1, tzinfo=UTC)
    local = [m.astimezone(timezone(timedelta(hours=1 + (m >= changed)))) for m in moments]
    return Awkward(
        _file(
            ",",
            {
                "at": [moment.isoformat() for moment in local],
                "power": [f"{value * 2:.0f}e-1 kW" for value in size],
                "load": [f"{value:.2f}" for value in price],
            },
        ),
        {"power": [round(value * 2) / 10 for value in size.tolist()], "load": price.tolist()},
        {"at": local},
        split="at",
    )


def words() -> Awkward:
    """Months by their names, twelve hours, two digits for the year."""
    price, size = _numbers(7)
    moments = [START + timedelta(hours=7 * row) for row in range(ROWS)]
    return Awkward(
        _file(
            ",",
            {
                "opened": [f"{moment:%d-%b-%y}" for moment in moments],
                "closed": [f"{moment:%b %d, %Y %I:%M %p}" for moment in moments],
                "weight": [f"{value:g} lb" for value in size],
                "cost": [f"{value:,.2f} USD" for value in price],
            },
        ),
        {"weight": size.tolist(), "cost": price.tolist()},
        {"opened": [datetime(m.year, m.month, m.day) for m in moments], "closed": moments},
        split="closed",
    )


TABLES: dict[str, Callable[[], Awkward]] = {
    made.__name__: made for made in (german, american, swiss, sap, french, device, words)
}
