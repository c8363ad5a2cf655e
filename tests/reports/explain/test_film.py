"""The output of a network over training in the terminal, and its charts."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from nnrun.config.load import load_config
from nnrun.explain.surfaces import Film, Surfaces, filmed_training
from nnrun.reports.explain.terminal import FilmLines
from nnrun.reports.numbers import number
from nnrun.reports.watched import film_charts
from nnrun.runs.preparation.prepare import prepare


def film(data: str, *, units: int = 2, activation: str = "softmax", loss: str = "cross_entropy"):
    """Of a network with two hidden layers."""
    return filmed_training(prepare(load_config({
        "name": "plane",
        "dataset": {"name": data, "rows": 60, "features": "standard"},
        "network": {"layers": [
            {"type": "dense", "units": 5, "activation": "tanh"},
            {"type": "dense", "units": 3, "activation": "relu"},
            {"type": "dense", "units": units, "activation": activation},
        ]},
        "loss": loss,
        "training": {"learning_rate": 0.1, "iterations": 400, "batch_size": 4, "engine": "numpy"},
    })))  # fmt: skip


@pytest.fixture(scope="module")
def moons():
    return film("moons")


@pytest.fixture(scope="module")
def sine():
    return film("sine", units=1, activation="linear", loss="mean_squared")


def shown(found, width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width, no_color=True)
    console.print(FilmLines(found))
    return console.file.getvalue().splitlines()


def test_two_classes_are_half_blocks(moons):
    """Sixteen by sixteen points from top to bottom, two in a character: those of the class."""
    legend, axes, heads, *lines = shown(moons)
    last = np.array([[*line[61:77]] for line in lines[1:9]])
    upper, lower = np.isin(last, ["█", "▀"]), np.isin(last, ["█", "▄"])
    classes = np.stack([upper, lower], axis=1).reshape(16, 16)
    places = np.arange(16) * 2 + 1
    expected = moons.frames[-1][1].classes[::-1][np.ix_(places, places)]
    assert expected.tolist() == classes.astype(int).tolist()
    assert 0 < expected.mean() < 1
    assert ("blank: outer, █: inner", 10) == (legend, len(lines))
    assert axes.startswith("x1 from -")
    assert ["0", "60", "240", "400"] == heads.replace("iteration", "").split()
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("width", "moments"), [(60, 3), (40, 2), (20, 1), (120, 6)])
def test_as_many_moments_as_there_is_room_for(moons, width, moments):
    """In a narrow terminal the last one alone."""
    lines = shown(moons, width)
    heads = next(line for line in lines if line.startswith("iteration"))
    assert moments == heads.count("iteration")
    assert heads.endswith("iteration 400")
    assert max(map(len, lines)) <= width


def test_values_are_in_five_shades():
    """From the smallest value of all moments to the largest."""
    ramp = np.broadcast_to(np.linspace(-1, 1, 32), (1, 32, 32))
    frames = [(k, Surfaces((0.0, 1.0, 0.0, 2.0), [], ramp * k, None, False)) for k in (0, 1)]
    lines = shown(Film(["a", "b"], ["height"], np.zeros((1, 2)), np.zeros((1, 1)), frames))
    expected = "".join(" ░▒▓█"[min(4, int((2 * k + 1) / 31 * 5))] for k in range(16))
    assert "height: from blank at -1.000 to █ at 1.000" == lines[0]
    assert "a from 0 to 1.000, b upwards from 0 to 2.000" == lines[1]
    assert {f"│{'▒' * 16}│  │{expected}│"} == set(lines[4:12])


@pytest.mark.parametrize(
    ("values", "signs"),
    [((0, np.nan), "▒ "), ((np.nan,) * 2, "  "), ((np.inf, 1), "█▒"), ((1e308, -1e308), "█ ")],
)
def test_values_of_diverging_networks_are_drawn(values, signs):
    """What is no number is blank; the scale has the finite ones, and a single one in its middle."""
    frames = [
        (k, Surfaces((0.0, 1.0, 0.0, 2.0), [], np.full((1, 32, 32), float(value)), None, False))
        for k, value in enumerate(values)
    ]
    found = Film(["a", "b"], ["height"], np.zeros((1, 2)), np.zeros((1, 1)), frames)
    lines, (charts, _) = shown(found), film_charts(found, 16)
    assert "  ".join(f"│{sign * 16}│" for sign in signs) == lines[4]
    assert 2 == charts[0].drawing.count("<image")


def test_three_classes_are_shades():
    """The signs of the last picture are those of its classes."""
    blobs = film("blobs", units=3)
    legend, _, _, _, *lines = shown(blobs)
    places = np.arange(8) * 4 + 2, np.arange(16) * 2 + 1
    signs = np.array([*" ▒█"])
    expected = signs[blobs.frames[-1][1].classes[::-1][np.ix_(*places)]]
    assert ["".join(line) for line in expected] == [line[61:77] for line in lines[:8]]
    assert "blank: blob 1, ▒: blob 2, █: blob 3" == legend


def test_a_function_of_one_number_is_a_plot(sine):
    """The first, a middle and the last curve, over the range of the feature."""
    lines = shown(sine)
    middle = sine.frames[4][0]
    assert f"y   █ iteration 400   • iteration {middle}   · iteration 0" == lines[0]
    left, right = map(number, sine.extent)
    assert [left, "x", right] == lines[-1].split()


def test_probabilities_are_plotted_on_a_linear_scale(sine):
    """Even where they are over many powers of ten."""
    p = np.logspace(-8, 0, 32)
    one = Surfaces(sine.extent, [], np.stack([1 - p, p]), np.zeros(32), True)
    found = Film(["x"], ["no", "yes"], sine.x, sine.y, [(0, one)])
    title, *lines = shown(found)
    assert "p of yes   █ iteration 0" == title
    assert "0 │ █" in lines[9]


def test_the_chart_of_classes_has_their_areas(moons):
    """The table has the share of the grid with each class, at each moment."""
    (chart, *_), _ = film_charts(moons, 16)
    expected = [
        [f"{iteration:,}", *(f"{100 * np.mean(one.classes == k):.1f}%" for k in (0, 1))]
        for iteration, one in moons.frames
    ]
    assert ["iteration", "area of outer", "area of inner"] == chart.table.header
    assert expected == chart.table.rows
    assert 100 == sum(float(cell.rstrip("%")) for cell in expected[-1][1:])


def test_the_chart_of_a_layer_has_the_ends_of_each_unit(moons):
    """A row for each unit, a column for each moment: from its smallest to its largest value."""
    (_, first, second), notes = film_charts(moons, 16)
    last = moons.frames[-1][1].layers[0].units
    cells = [row[-1].split(" … ") for row in first.table.rows]
    assert last.min(axis=(1, 2)).tolist() == pytest.approx([float(a) for a, _ in cells], rel=1e-3)
    assert last.max(axis=(1, 2)).tolist() == pytest.approx([float(b) for _, b in cells], rel=1e-3)
    titles = [chart.title for chart in (first, second)]
    assert [
        f"Units of layer {k} over training" for k in ("0 (dense, tanh)", "1 (dense, relu)")
    ] == titles
    assert [] == notes


def test_what_is_left_out_of_charts_is_said(moons):
    """Of each layer the first units, and not all of many layers."""
    charts, notes = film_charts(moons, 4)
    assert [2, 2] == [len(chart.table.rows) for chart in charts[1:]]
    assert [
        "the first 2 of 5 units of layer 0 are drawn", "the first 2 of 3 units of layer 1 are drawn"
    ] == notes  # fmt: skip
    charts, notes = film_charts(moons, 2)
    assert (2, "layers from 1 on are not drawn") == (len(charts), notes[-1])


def test_the_chart_of_a_function_of_one_number(sine):
    """Its scale has the targets, too, which are dots in each picture; the table has the ends."""
    (chart, *_), _ = film_charts(sine, 16)
    outputs = [one.outputs for _, one in sine.frames]
    low = min(sine.y.min(), *(one.min() for one in outputs))
    high = max(sine.y.max(), *(one.max() for one in outputs))
    assert f"up the output from {number(low)} to {number(high)}" in chart.drawing
    dots = chart.drawing.partition('class="spots')[0].rpartition('d="')[2]
    assert len(sine.y) * len(sine.frames) == dots.count("h0")
    expected = [f"{number(one.min())} … {number(one.max())}" for one in outputs]
    assert [["y", *expected]] == chart.table.rows
