"""SVG as text that is safe by construction: what is no markup yet is escaped when it is put in."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

# Of the font of the style sheet; generous, since nobody knows which it will be.
CHARACTER = 6.6
LINE = 14.0

Value = str | float | int | None


def element(name: str, *children: str | Iterable[str], **attributes: Value) -> Markup:
    """An element with its children; `class_` is written `class`, `stroke_width` `stroke-width`.

    Attributes that are None are left out. Text among the children is escaped, markup is not.
    """
    words = [f" {key.rstrip('_').replace('_', '-')}={_quoted(v)}" for key, v in _given(attributes)]
    inner = Markup("").join(_flat(children))
    start = f"<{name}{''.join(words)}"
    return Markup(f"{start}>{inner}</{name}>" if inner else f"{start}/>")


def group(*children: str | Iterable[str], **attributes: Value) -> Markup:
    """Elements that belong together."""
    return element("g", *children, **attributes)


def clean(text: str) -> str:
    """Text on one line without what controls terminals, parsers or the direction of writing."""
    return "".join(c if c.isprintable() else " " for c in text)


def shortened(text: str, longest: int) -> str:
    """The text, its end replaced by an ellipsis where it is too long."""
    text = clean(text)
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def coordinate(value: float) -> str:
    """A number of pixels to a tenth, in as few characters as that takes."""
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
