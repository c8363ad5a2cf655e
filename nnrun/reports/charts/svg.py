"""SVG elements as text; all text that is not `Markup` is escaped."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from nnrun.characters import clean

# Width and height of a character in pixels; generous, since the reader's font is not known.
CHARACTER = 6.6
LINE = 14.0

Value = str | float | int | None


def element(name: str, *children: str | Iterable[str], **attributes: Value) -> Markup:
    """An element with its children; `class_` is written `class`, `stroke_width` `stroke-width`.

    Attributes that are None are left out. Children are escaped unless they are `Markup`.
    """
    words = [f" {key.rstrip('_').replace('_', '-')}={_quoted(v)}" for key, v in _given(attributes)]
    inner = Markup("").join(_flat(children))
    start = f"<{name}{''.join(words)}"
    return Markup(f"{start}>{inner}</{name}>" if inner else f"{start}/>")


def group(*children: str | Iterable[str], **attributes: Value) -> Markup:
    """A `g` element."""
    return element("g", *children, **attributes)


def shortened(text: str, longest: int) -> str:
    """The text, cut and ended by an ellipsis where it is too long."""
    text = clean(text)
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def coordinate(value: float) -> str:
    """A number of pixels rounded to a tenth, without a trailing `.0`."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _given(attributes: dict[str, Value]) -> Iterable[tuple[str, str | float | int]]:
    return [(key, value) for key, value in attributes.items() if value is not None]


def _quoted(value: str | float | int) -> str:
    if isinstance(value, str):
        return f'"{escape(value if isinstance(value, Markup) else clean(value))}"'
    return f'"{coordinate(float(value))}"'


def _flat(children: Iterable[str | Iterable[str]]) -> list[str]:
    parts: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(clean(child))
        else:
            parts.extend(_flat(child))
    return parts
