"""Scales, colours and the SVG of charts."""

from __future__ import annotations

import re
from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.characters import shortened
from nnrun.reports.charts.axes import Linear, Log, log_suits, tick_labels
from nnrun.reports.charts.chart import (
    BLUES,
    DARK,
    LIGHT,
    ON_DARK,
    PAGE,
    STANDALONE,
    amount_class,
    contrast,
    coordinate,
    element,
    ramp,
    series_class,
)

# Scales place every number there is, and nothing that is none.

TINY, HUGE = 1e-300, 1e300
ANY = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-HUGE, HUGE)


def test_equal_differences_have_equal_lengths() -> None:
    """The place of a value is its share of the way through the domain."""
    scale = Linear(2.0, 10.0)
    assert [0.0, 0.25, 0.5, 1.0] == [scale.place(v) for v in (2.0, 4.0, 6.0, 10.0)]


def test_equal_ratios_have_equal_lengths() -> None:
    """A hundred is half-way from one to ten thousand."""
    scale = Log(1.0, 1e4)
    assert [0.0, 0.25, 0.5, 1.0] == pytest.approx([scale.place(v) for v in (1, 10, 100, 1e4)])


@pytest.mark.parametrize("value", [None, nan, inf, -inf, 1.01 * HUGE, -1.01 * HUGE])
@pytest.mark.parametrize("scale", [Linear(0.0, 1.0), Log(1.0, 10.0)])
def test_what_is_no_number_has_no_place(scale: Linear | Log, value: float | None) -> None:
    """Missing, infinite, undefined and giant values leave a gap."""
    assert scale.place(value) is None


@pytest.mark.parametrize("value", [0.0, -1.0, -inf])
def test_zero_and_less_have_no_place_on_a_log_scale(value: float) -> None:
    """Their logarithm is no number."""
    assert Log.over([value, 1.0, 10.0]).place(value) is None


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, TINY, HUGE, -HUGE, 5e-324, 1e-310])
@pytest.mark.parametrize("count", [1, 7])
def test_one_point_and_a_constant_lie_inside(value: float, count: int) -> None:
    """A domain of a single value is widened around it."""
    scale = Linear.over([value] * count)
    assert scale.low < scale.high
    place = scale.place(value)
    assert place is not None
    assert 0 < place < 1


@pytest.mark.parametrize("value", [1.0, TINY, HUGE, 5e-324, 1e-310])
def test_one_point_lies_on_a_log_scale(value: float) -> None:
    """Likewise, on either side of it."""
    place = Log.over([value]).place(value)
    assert place is not None
    assert 0 <= place <= 1


def test_no_values_make_a_domain_too() -> None:
    """A chart without numbers has axes all the same."""
    assert (Linear(0.0, 1.0), Log(1.0, 10.0)) == (Linear.over([nan]), Log.over([0.0, None]))


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ([1.2, 9.7], Linear(0.0, 10.0)),
        ([0.31, 0.42], Linear(0.3, 0.45)),
        ([-0.031, 0.04], Linear(-0.04, 0.04)),
        ([TINY, HUGE], Linear(0.0, HUGE)),
        ([-HUGE, HUGE], Linear(-HUGE, HUGE)),
        ([1.0, 1.7e308], Linear(0.4, 1.6)),
    ],
)
def test_a_domain_has_round_ends(values: list[float], domain: Linear) -> None:
    """They are multiples of the step of its ticks, if those are numbers."""
    found = Linear.over(values)
    assert (domain.low, domain.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Linear(0.0, 1.0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (Linear(-3.0, 3.0), [-2.0, 0.0, 2.0]),
        (Linear(0.0, 5e-324), [0.0]),
        (Linear(0.0, HUGE), [0.0, 2e299, 4e299, 6e299, 8e299, 1e300]),
        (Log(1.0, 100.0), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]),
        (Log(1e-8, 1.0), [1e-8, 1e-6, 1e-4, 1e-2, 1.0]),
        (Log(TINY, HUGE), [1e-240, 1e-120, 1.0, 1e120, 1e240]),
        (Log(2.0, 3.0), [2.0, 2.2, 2.4, 2.6, 2.8, 3.0]),
    ],
)
def test_ticks_are_round(scale: Linear | Log, ticks: list[float]) -> None:
    """They are what people count in, to the last digit."""
    assert ticks == scale.ticks(5)


@given(st.lists(ANY, max_size=5))
def test_every_number_has_a_place_on_the_paper(values: list[float]) -> None:
    """Whatever the data, all that are numbers lie between the ends, in their order."""
    scale = Linear.over(values)
    places = [scale.place(value) for value in sorted(v for v in values if abs(v) <= HUGE)]
    known = [place for place in places if place is not None]
    assert len(places) == len(known)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in known)
    assert all(a <= b for a, b in pairwise(known))


@given(st.lists(ANY, max_size=5))
def test_every_positive_number_has_a_place_on_log_paper(values: list[float]) -> None:
    """Likewise on a logarithmic scale."""
    scale = Log.over(values)
    places = [scale.place(value) for value in values if 0 < value <= HUGE]
    assert all(place is not None and -1e-9 <= place <= 1 + 1e-9 for place in places)


@given(st.lists(ANY, max_size=5), st.integers(1, 10))
def test_ticks_are_few_and_lie_inside(values: list[float], count: int) -> None:
    """There are never so many that they could not be read, and each has a label of its own."""
    for scale in (Linear.over(values), Log.over(values)):
        ticks = scale.ticks(count)
        assert len(ticks) <= 3 * count + 4
        assert all(-1e-6 <= (scale.place(tick) or 0.0) <= 1 + 1e-6 for tick in ticks)
        assert len(ticks) == len(set(tick_labels(ticks)))


@pytest.mark.parametrize(
    ("values", "suits"),
    [([1.0, 99.0], False), ([1.0, 100.0], True), ([0.0, 100.0], False), ([nan], False)],
)
def test_a_log_scale_is_for_values_of_several_sizes(values: list[float], suits: bool) -> None:
    """Two decades at least, and nothing that would have no place."""
    assert suits == log_suits(values)


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0.0, 0.5, 1.0], ["0", "0.5", "1"]),
        ([-10000.0, 10000.0], ["−10,000", "10,000"]),
        ([1e-7, 1e-6], ["1e−7", "1e−6"]),
        ([1.00001, 1.00002], ["1.00001", "1.00002"]),
        ([2e6], ["2e6"]),
    ],
)
def test_labels_have_the_digits_that_tell_them_apart(ticks: list[float], labels: list[str]) -> None:
    """And no more of them."""
    assert labels == tick_labels(ticks)


# Colours that can be distinguished, and text on them read.


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


# SVG that no text can break out of.


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
