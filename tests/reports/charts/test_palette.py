"""Colours that can be distinguished, and text on them read."""

from __future__ import annotations

import re

import pytest

from nnrun.reports.charts.chart import (
    BLUES,
    DARK,
    LIGHT,
    ON_DARK,
    PAGE,
    STANDALONE,
    amount_class,
    contrast,
    ramp,
    series_class,
)


def test_contrast_is_that_of_the_guidelines() -> None:
    """Black on white is 21 to 1; WCAG's own example of a grey that just suffices is 4.54."""
    found = contrast("#000000", "#ffffff"), contrast("#767676", "#ffffff")
    assert (21.0, 4.54) == pytest.approx(found, abs=0.005)


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_text_can_be_read(page: dict[str, str]) -> None:
    """Ink and soft ink have the 4.5 to 1 that WCAG AA asks for."""
    assert min(contrast(page[name], page["paper"]) for name in ("ink", "soft")) >= 4.5


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_the_colours_of_series_stand_out(page: dict[str, str]) -> None:
    """WCAG AA asks for 3 to 1 of graphics."""
    assert min(contrast(page[f"c{index}"], page["paper"]) for index in range(6)) >= 3


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_grey_lines_can_be_seen(page: dict[str, str]) -> None:
    """Soft ink at the opacity of the style, on the page: 3 to 1 likewise."""
    share = float(re.findall(r"\.other \.line[^}]*stroke-opacity:([.\d]+)", PAGE)[0])
    mixed = ramp((page["paper"], page["soft"]), share) or ""
    assert contrast(mixed, page["paper"]) >= 3


@pytest.mark.parametrize("letter", ["q", "w", "v"])
@pytest.mark.parametrize("style", [PAGE, ON_DARK], ids=["light", "dark"])
def test_numbers_in_cells_can_be_read(style: str, letter: str) -> None:
    """On every colour of a ramp, the ink that the style gives has 4.5 to 1."""
    rule = rf"\.{letter}(\d+)\{{fill:(#\w+)\}}\.chart \.{letter}\1~text\{{fill:(#\w+)\}}"
    rules = re.findall(rule, style)
    assert [*map(str, range(17))] == [step for step, _, _ in rules]
    assert min(contrast(colour, ink) for _, colour, ink in rules) >= 4.5


@pytest.mark.parametrize(("page", "style"), [(LIGHT, PAGE), (DARK, ON_DARK)], ids=["light", "dark"])
def test_numbers_of_both_signs_stand_out_from_zero(page: dict[str, str], style: str) -> None:
    """Zero is near the page's colour, and the further from zero, the further from that."""
    colours = re.findall(r"\.w\d+\{fill:(#\w+)\}", style)
    found = [contrast(colour, page["paper"]) for colour in colours]
    assert found[:9] == sorted(found[:9], reverse=True)
    assert found[8:] == sorted(found[8:])
    assert (True, True) == (found[8] < 1.3, min(found[0], found[-1]) > 4.5)


def test_the_largest_amount_strikes_the_eye_on_dark_pages_too() -> None:
    """The more, the further from the page's colour."""
    colours = re.findall(r"\.q\d+\{fill:(#\w+)\}", ON_DARK)
    distances = [contrast(colour, DARK["paper"]) for colour in colours]
    assert distances == sorted(distances)
    assert ["q0", "q8", "q16", "q0"] == [amount_class(BLUES, v) for v in (0.0, 0.5, 1.0, None)]


def test_a_ramp_begins_and_ends_with_its_colours() -> None:
    """And mixes them in between; what is no number has no colour."""
    ends = ramp(("#000000", "#ffffff"), -1), ramp(("#000000", "#ffffff"), 2)
    assert ("#000000", "#ffffff") == ends
    assert ("#808080", None) == (ramp(("#000000", "#ffffff"), 0.5), ramp(BLUES, float("nan")))


def test_many_series_differ_in_colour_or_dash() -> None:
    """Twenty-four of them have looks of their own."""
    assert 24 == len({series_class(index) for index in range(24)})


def test_files_need_no_variables() -> None:
    """Programs that draw papers do not know them; pages have them for light and dark."""
    assert ("var(" in PAGE, "var(" in STANDALONE) == (True, False)
