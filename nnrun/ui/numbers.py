"""Numbers in addresses and headers."""

from __future__ import annotations

_MOST_DIGITS = 9


def whole_number(text: str) -> int | None:
    """The number that these digits 0 to 9 make; None if they are too many, or other characters."""
    sound = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if sound else None
