"""How a column writes its numbers: digits in groups, the decimal sign, a currency or a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    """

    thousands: str = ""
    decimal: str = "."
    before: str = ""
    after: str = ""

    @classmethod
    def from_example(cls, text: str, decimal: str = ".") -> NumberFormat:
        """The format of a number, such as `1,234.50 €`.

        Args:
            text: the example.
            decimal: the decimal sign, where the example has none.

        Raises: ValueError with what is wrong, as a sentence; SeveralNumbers.
        """
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
        return read_amount(
            text, self.pattern, self.thousands, self.decimal, self.before, self.after
        )

    def example(self) -> str:
        """A number that shows the format."""
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
