"""SVG elements as text; all text that is not `Markup` is escaped."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from nnrun.characters import clean

# Width and height of a character in pixels; generous, since the reader's font is not known.
CHARACTER = 6.6
LINE = 14.0
_SIGN = 4.0

Value = str | float | int | None


def element(name: str, /, *children: str | Iterable[str], **attributes: Value) -> Markup:
    """An element with its children; `class_` is written `class`, `stroke_width` `stroke-width`.

    Attributes that are None are left out. Children are escaped unless they are `Markup`.
    """
    given = {key: value for key, value in attributes.items() if value is not None}
    words = [f" {key.rstrip('_').replace('_', '-')}={_quoted(v)}" for key, v in given.items()]
    parts = [part for c in children for part in ([c] if isinstance(c, str) else c)]
    inner = parts and Markup("").join(p if isinstance(p, Markup) else clean(p) for p in parts)
    start = f"<{name}{''.join(words)}"
    return Markup(f"{start}>{inner}</{name}>" if inner else f"{start}/>")


def width_of(number: str) -> float:
    """The width of a number in pixels; its signs are narrower than its digits."""
    return sum(_SIGN if sign in ".,-−" else CHARACTER for sign in number)


def coordinate(value: float) -> str:
    """A number of pixels rounded to a tenth, without a trailing `.0`.

    Halves are rounded alike where their last digits differ, as between processors.
    """
    text = f"{round(value, 6):.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _quoted(value: str | float | int) -> str:
    if isinstance(value, str):
        return f'"{escape(value if isinstance(value, Markup) else clean(value))}"'
    return f'"{coordinate(float(value))}"'
