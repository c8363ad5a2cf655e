"""SVG that no text can break out of."""

from __future__ import annotations

import pytest

from nnrun.characters import shortened
from nnrun.reports.charts.chart import coordinate, element


def test_an_element_has_its_attributes_and_children() -> None:
    """Names that Python cannot write are written with underscores; None is left out."""
    found = element("path", element("title", "a"), stroke_width=1.25, class_="line", fill=None)
    assert '<path stroke-width="1.2" class="line"><title>a</title></path>' == found


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<script>", "&lt;script&gt;"),
        ('" onload="x', "&#34; onload=&#34;x"),
        ("</svg>", "&lt;/svg&gt;"),
        ("a & b", "a &amp; b"),
        ("a\x00b\u202ec", "a b c"),
    ],
)
def test_text_stays_text(text: str, written: str) -> None:
    """In attributes and between tags; controls of any kind become blanks."""
    expected = f'<text x="{written}">{written}</text>'
    assert expected == element("text", text, x=text)


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (1.26, "1.3"), (-0.01, "0"), (100.0, "100"), (0.5, "0.5")]
)
def test_coordinates_are_short(value: float, text: str) -> None:
    """A tenth of a pixel is enough."""
    assert text == coordinate(value)


def test_long_texts_end_in_an_ellipsis() -> None:
    """And are never longer than was asked for."""
    assert ("abcd", "abc…") == (shortened("abcd", 4), shortened("abcde", 4))
