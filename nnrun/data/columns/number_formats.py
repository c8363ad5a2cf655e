"""How a column writes its numbers: digits in groups, the decimal sign, a currency or a unit."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

THOUSANDS = (",", ".", " ", "'")
"""The signs that may group digits by three."""
_NUMBER = re.compile(r"\d(?:[\d.,' ]*\d)?")
_UNFIT = re.compile(r"[\d.,'+()-]")


class SeveralNumbers(ValueError):  # noqa: N818  # named as the other errors are
    """A text may be several numbers.

    Args:
        text: the text.
        readings: an example of a format for each number that it may be, as text.
    """

    def __init__(self, text: str, readings: dict[str, str]) -> None:
        self.numbers = " or ".join(readings)
        self.examples = [*readings.values()]
        shown = " or ".join(f'"{example}"' for example in self.examples)
        super().__init__(f"'{text}' may be {self.numbers}; write {shown}")


@dataclass(frozen=True)
class NumberFormat:
    """A way to write numbers.

    Digits may stand in groups of three, or together; decimals may be left out. The unit has to
    stand in every cell. Negative numbers are written -5, 5- or (5).

    Args:
        thousands: the sign between groups of digits, or "".
        decimal: the sign before the decimals.
        before: a currency or unit before the number.
        after: one behind it.
        others: ways that are tried in turn where a text is not written so.
    """

    thousands: str = ""
    decimal: str = "."
    before: str = ""
    after: str = ""
    others: tuple[NumberFormat, ...] = ()

    @classmethod
    def from_example(cls, text: str | Sequence[str], decimal: str = ".") -> NumberFormat:
        """The format of a number, such as `1,234.50 €`.

        Args:
            text: the example, or several, of which the first that fits a cell is meant.
            decimal: the decimal sign, where the example has none.

        Raises: ValueError with what is wrong, as a sentence; SeveralNumbers.
        """
        if not isinstance(text, str):
            first, *others = (cls.from_example(each, decimal) for each in text)
            return replace(first, others=tuple(others))
        bare, _ = unsigned(plain(text))
        found = _NUMBER.search(bare)
        if found is None:
            raise ValueError(f"'{text}' shows no number, such as 1,234.50 or 12 kg")
        before, after = bare[: found.start()].strip(), bare[found.end() :].strip()
        if (before and _UNFIT.match(before[-1])) or (after and _UNFIT.match(after[0])):
            raise ValueError(f"'{text}' is no number with a unit, such as 1,234.50 € or 12 kg")
        fit = [
            form
            for thousands in ("", *THOUSANDS)
            for sign in ".,"
            if sign != thousands
            and (form := NumberFormat(thousands, sign, before, after)).read(text) is not None
        ]
        if not fit:
            raise ValueError(f"'{text}' is no number: write it as 1,234.50 or 1.234,50")
        if len({form.read(text) for form in fit}) > 1:
            raise SeveralNumbers(text, _readings(fit, text))
        # The plainest one, with the decimal sign of the file where the example does not show one.
        return min(fit, key=lambda form: (form.thousands != "", form.decimal != decimal))

    def read(self, text: str) -> float | None:
        """The number that a text writes, in the unit; None if it is not written so."""
        return read_amounts(text, self.signs)

    @cached_property
    def every(self) -> tuple[NumberFormat, ...]:
        """This one alone, and the others, in the order in which they are tried."""
        return (replace(self, others=()), *self.others)

    @cached_property
    def signs(self) -> list[tuple[str, str, str, str, str]]:
        """The pattern and the signs of each."""
        return [
            (one.pattern, one.thousands, one.decimal, one.before, one.after) for one in self.every
        ]

    def stored(self) -> str | list[str]:
        """An example, or one of each, as `from_example` takes it."""
        return self.example() if not self.others else [each.example() for each in self.every]

    def shown(self) -> str:
        """The examples for messages."""
        return "' or '".join(each.example() for each in self.every)

    def example(self) -> str:
        """A number that shows the format, the first of several."""
        before = self.before + " " * self.before[-1:].isalpha()
        after = " " * (self.after not in ("", "%", "°")) + self.after
        return f"{before}1{self.thousands}234{self.decimal}50{after}"

    @cached_property
    def pattern(self) -> str:
        """A regular expression of the digits and signs of a number."""
        decimals = rf"(?:{re.escape(self.decimal)}\d*)?"
        forms = [rf"\d+{decimals}(?:[eE][+-]?\d+)?", rf"{re.escape(self.decimal)}\d+"]
        if self.thousands:
            forms.append(rf"[1-9]\d{{0,2}}(?:{re.escape(self.thousands)}\d{{3}})+{decimals}")
        return "|".join(forms)


# Scripts take over the source of the following functions.


def read_amount(
    text: str, pattern: str, thousands: str, decimal: str, before: str, after: str
) -> float | None:
    """The number that a text writes with these signs and units; None if it is not written so."""
    text, negative = unsigned(plain(text))
    if before or after:
        if not (text.startswith(before) and text.endswith(after)):
            return None
        text, again = unsigned(text[len(before) : len(text) - len(after)].strip())
        if negative and again:
            return None
        negative = negative or again
    if re.fullmatch(pattern, text, re.ASCII) is None:
        return None
    if thousands:
        text = text.replace(thousands, "")
    value = float(text.replace(decimal, "."))
    return -value if negative else value


def read_amounts(text: str, forms: Sequence[tuple[str, str, str, str, str]]) -> float | None:
    """The number that a text writes in the first of some forms that fits."""
    values = (read_amount(text, *form) for form in forms)
    return next((value for value in values if value is not None), None)


def plain(text: str) -> str:
    """The text with one sign for blanks, for apostrophes and for minus."""
    for sign, others in ((" ", "\u00a0\u202f\u2009"), ("'", "\u2019"), ("-", "\u2212")):
        for other in others:
            text = text.replace(other, sign)
    return text.strip()


def unsigned(text: str) -> tuple[str, bool]:
    """The text without a sign in front or behind, and whether it is negative, as in (5)."""
    found = re.fullmatch(r"\((.*)\)|([+-])(.*)|(.*)([+-])", text)
    if found is None:
        return text, False
    inner, before, number, other, after = found.groups()
    if inner is not None:
        return inner.strip(), True
    return (number or other or "").strip(), (before or after) == "-"


def _readings(fit: list[NumberFormat], text: str) -> dict[str, str]:
    """An example of the plainest format for each number, small numbers first."""
    plainest = {form.read(text) or 0: form.example() for form in reversed(fit)}
    return {f"{value:g}": plainest[value] for value in sorted(plainest)}


# What all cells of a column show about how its numbers are written.

_MOST_SHAPES = 1000
_DIGITS = str.maketrans("123456789", "999999999")
_ZEROS = re.compile(r"0(?<=[\d.,']0)")  # zeros that follow a digit or a sign of a number
_BARE = re.compile(r"[+-]?[\d.,]+(?:[eE][+-]?\d+)?")
_NUMBER_CELL = re.compile(
    r"([^\d+()-]*)([-+(]*)([^\d+()-]*)(\d(?:[\d.,' ]*\d)?(?:[eE][+-]?\d+)?)(\D*.?)"
)
_CODES = {"USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "AUD", "CAD", "NZD", "SEK", "NOK"}
_CODES |= {"DKK", "PLN", "CZK", "HUF", "BRL", "MXN", "ZAR", "KRW", "SGD", "HKD", "TRY", "ILS"}
_UNIT = re.compile(r"[^\W\d_][^\W_]*(?:[ /·.^-][^\W\d_][^\W_]*)*|[%‰°][^\W\d_]?")
_LONGEST_UNIT, _LONGEST_NUMBER = 12, 60
FEW = 10
"""Cells of another form than most are few if they are at most one in so many."""


@dataclass(eq=False)
class Shape:
    """Cells that differ in their digits alone: the first of them, its line, and their number."""

    text: str
    line: int
    count: int = 1


@dataclass(frozen=True)
class Shown:
    """The format of a column.

    Args:
        format: that reads the most cells, with those that read others.
        ambiguous: whether another format reads the same cells as other numbers.
    """

    format: NumberFormat
    ambiguous: bool


@dataclass(eq=False)
class NumberEvidence:
    """The shapes of the cells of a column, of the first different ones."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    full: bool = False

    def add(self, texts: Sequence[str], lines: Sequence[int]) -> None:
        """Count cells that are not missing, and the lines that they are in."""
        shapes = _shape("\n".join(texts)).split("\n")
        if len(shapes) != len(texts):  # a cell has a line break
            shapes = [*map(_shape, texts)]
        for shape, count in Counter(shapes).items():
            if shape in self.shapes:
                self.shapes[shape].count += count
            elif len(self.shapes) < _MOST_SHAPES:
                first = shapes.index(shape)
                self.shapes[shape] = Shape(texts[first], lines[first], count)
            else:
                self.full = True

    def decimals(self) -> Counter[str]:
        """The number of cells that are numbers with a point only, or with a comma only.

        Under "?" those with a comma that may be either, as in 1,234.
        """
        found: Counter[str] = Counter()
        for shape in self.shapes.values():
            if (parts := unit_of(shape.text)) is None:
                continue
            reading = {
                form.decimal for form in _formats(*parts) if form.read(shape.text) is not None
            }
            if len(reading) == 1 and ("," in shape.text or "." in shape.text):
                found[reading.pop()] += shape.count
            elif "," in shape.text and reading:
                found["?"] += shape.count
        return found

    def shown(self, decimal: str, *, known: bool) -> Shown | None:
        """The format that reads the most cells; None unless most are numbers of one unit.

        Of several that read as many, it is the first of these: without groups, with the decimal
        sign of the file; with groups, and that sign; the same with the other sign. So 1,234 is 1234
        where nothing but the point is known to be the decimal sign. Amounts of money have no three
        decimals: if 1.234 € may be either, its point groups digits.

        Args:
            decimal: the decimal sign of the file.
            known: whether other cells of the file show it.
        """
        if self.full or not self.shapes:
            return None
        units = Counter[tuple[str, str] | None]()
        for shape in self.shapes.values():
            units[unit_of(shape.text)] += shape.count
        unit = max(filter(None, units), key=lambda each: units[each], default=None)
        if unit is None:
            return None
        shapes = [*self.shapes.values()]
        readings = {
            form: [form.read(shape.text) for shape in shapes] for form in _formats(*unit, decimal)
        }
        read = {
            form: sum(s.count for s, value in zip(shapes, values, strict=True) if value is not None)
            for form, values in readings.items()
        }
        most = max(read.values())
        same = [form for form in readings if read[form] == most]
        cells = zip(*(readings[form] for form in same), strict=True)
        differ = any(len({*cell}) > 1 for cell in cells)
        whole = [form for form in same if all((value or 0) % 1 == 0 for value in readings[form])]
        money = any(part and _is_currency(part) for part in unit)
        best = (whole if whole and money else same)[0]
        odd = [s for s, value in zip(shapes, readings[best], strict=True) if value is None]
        best = replace(best, others=tuple(_beside(best, odd, units.total())))
        odd = [shape for shape in odd if best.read(shape.text) is None]
        if 2 * sum(shape.count for shape in odd) >= units.total():
            return None
        return Shown(best, differ and not known)


def _shape(text: str) -> str:
    """A text with nines for its digits, but for a zero in front."""
    return _ZEROS.sub("9", text.translate(_DIGITS))


def _formats(before: str, after: str, decimal: str = ".") -> Iterator[NumberFormat]:
    """The formats with this unit, in the order in which they are preferred."""
    for sign in (decimal, "." if decimal == "," else ","):
        for thousands in ("", *THOUSANDS):
            if thousands != sign:
                yield NumberFormat(thousands, sign, before, after)


def _beside(best: NumberFormat, odd: Sequence[Shape], total: int) -> Iterator[NumberFormat]:
    """The formats of the cells that the best one does not read: at most two.

    The decimal sign is the same, and the unit, unless it is missing. Where it is missing in most
    cells, few have one: `5more` among 2, 3 and 4 is a word.
    """
    unit = best.before, best.after
    for _ in range(2):
        counts = Counter[NumberFormat]()
        for shape in odd:
            other = unit_of(shape.text)
            if other is None or (any(unit) and any(other) and other != unit):
                continue
            for form in _formats(*other, best.decimal):
                if form.decimal == best.decimal and form.read(shape.text) is not None:
                    counts[form] += shape.count
        if not counts:
            return
        ((form, count),) = counts.most_common(1)
        if not any(unit) and FEW * count > total:
            return
        yield form
        odd = [shape for shape in odd if form.read(shape.text) is None]


def unit_of(text: str) -> tuple[str, str] | None:
    """What stands before and behind the number of a cell; None if it is no number with a unit."""
    text = plain(text) if len(text) <= _LONGEST_NUMBER else ""
    if _BARE.fullmatch(text):
        return "", ""
    found = _NUMBER_CELL.fullmatch(text)
    if found is None:
        return None
    before, after = (found[1] + found[3]).strip(), found[5].strip(" )").rstrip("+- )")
    return (before, after) if _is_currency(before) and _is_unit(after) else None


def _is_currency(text: str) -> bool:
    """Whether it is blank, or a sign or code of a currency."""
    signs = [sign for sign in text if not sign.isalpha() and sign != " "]
    if not signs:
        return not text or text in _CODES
    letters = text.replace(signs[0], "").strip()
    return len(signs) == 1 and unicodedata.category(signs[0]) == "Sc" and len(letters) <= 3


def _is_unit(text: str) -> bool:
    """Whether it is blank, a currency, or a unit such as kg, km/h, m², % or °C."""
    return _is_currency(text) or (len(text) <= _LONGEST_UNIT and _UNIT.fullmatch(text) is not None)
