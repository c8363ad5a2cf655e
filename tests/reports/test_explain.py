"""Pages that explain a network: its film, matrices, and origins of numbers."""

from __future__ import annotations

from io import StringIO
from itertools import product

import numpy as np
import pytest
from rich.console import Console

from nnrun.config.load import load_config
from nnrun.explain.surfaces import Film, Surfaces, filmed_training
from nnrun.explain.trace import LayerTrace, trace_update
from nnrun.nn import ACTIVATIONS, LOSSES, SGD, Network
from nnrun.nn.layers import (
    AvgPool2d,
    BatchNorm,
    Bias,
    Convolution,
    Dropout,
    Flatten,
    MatMul,
    MaxPool2d,
)
from nnrun.reports.explain.document import Numbers, Origin, Source, number_text, origins
from nnrun.reports.explain.terminal import FilmLines, matrix_lines
from nnrun.reports.numbers import number
from nnrun.reports.watched import film_charts
from nnrun.runs.preparation.prepare import prepare

# The output of a network over training in the terminal, and its charts.


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


# Arrays in the terminal.


def lines(array: np.ndarray, **options: bool) -> list[str]:
    return [line.plain for line in matrix_lines(Numbers("w", "w", array), **options)]


def test_small_arrays_are_shown_whole():
    """With their shape; columns are aligned."""
    assert ["w  2×2", "  0.5000  -12", "   1.234    0"] == lines(
        np.array([[0.5, -12], [1.2341, 0]])
    )


def test_large_ones_are_shortened():
    """The ends of each axis, and … between them."""
    found = lines(np.arange(100.0).reshape(10, 10))

    assert ["w  10×10", "   0   1   2   3  …   6   7   8   9", "  …"] == [*found[:2], found[5]]
    assert 10 == len(found)
    assert not any("…" in line for line in lines(np.arange(100.0).reshape(10, 10), full=True))


def test_wide_numbers_leave_room_for_fewer():
    """No line is longer than 80 characters, unless all numbers are asked for."""
    array = -np.geomspace(1e-3, 1e-1, 32).reshape(1, 32)
    found = lines(array)

    assert 80 >= max(map(len, found))
    assert (6, "…") == (len(found[1].split()) - 1, found[1].split()[3])
    assert 32 == len(lines(array, full=True)[1].split())


def test_stacks_of_matrices():
    """Two of them, with their indices, and how many there are more."""
    found = lines(np.zeros((1, 5, 2, 2)))

    assert ["  [0, 0]", "  [0, 1]", "  … and 3 more of 2×2"] == [found[1], found[4], found[7]]


@pytest.mark.parametrize(
    ("value", "text"), [(10445.0, "10,445"), (-0.0, "0"), (0.30051, "0.3005"), (np.nan, "–")]
)
def test_numbers(value: float, text: str):
    """Whole numbers as they are; – for what is not known."""
    assert text == number_text(value)


# Rules about where numbers come from, held against what changes when a number is changed.

IMAGE, VECTOR = (2, 5, 4), (4,)
LAYERS = {
    "matmul": (MatMul(3), VECTOR),
    "bias": (Bias(), VECTOR),
    "bias per channel": (Bias("channel"), IMAGE),
    "convolution": (Convolution(3, (2, 3)), IMAGE),
    "convolution, stride and padding": (Convolution(2, 3, stride=2, padding=1), IMAGE),
    "convolution, stride": (Convolution(2, (3, 2), stride=(1, 3)), IMAGE),
    "convolution, gaps": (Convolution(2, 1, stride=2), IMAGE),
    "average pooling": (AvgPool2d(2, 1), IMAGE),
    "flatten": (Flatten(), IMAGE),
    "batch norm": (BatchNorm(), IMAGE),
    "tanh": (ACTIVATIONS["tanh"](), VECTOR),
    "softmax": (ACTIVATIONS["softmax"](), VECTOR),
}


def traced(layer, shape) -> LayerTrace:
    network = Network([layer], LOSSES["mean_squared"](), shape)
    network.initialize(rng=np.random.default_rng(0))
    network.theta += np.random.default_rng(1).standard_normal(network.size)
    optimizer = SGD()
    optimizer.allocate(network.theta)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, *shape))
    target = rng.standard_normal((3, *network.output_shape))
    found = trace_update(network, optimizer, x, target, learning_rate=0.1)
    return found.layers[0]


def axis(step, at, length, other):
    """The indices that a step takes, as the script of the page reads it."""
    kind, *rest = step
    if kind == "is":
        return [at[rest[0]]]
    if kind == "window":
        k, stride, shift, size = rest
        return [at[k] * stride - shift + i for i in range(size)]
    if kind == "outputs":
        k, stride, shift, size = rest
        return [i for i in range(length) if 0 <= at[k] + shift - i * stride < size]
    if kind == "kernel":
        k, stride, shift, size = rest
        return [j for i in range(other) if 0 <= (j := at[k] + shift - i * stride) < size]
    if kind == "strided":
        k, stride, shift = rest
        return [at[k] - shift + i * stride for i in range(other)]
    return list(range(length))


def entries(source: Source, at, shapes, partner=None) -> list[tuple[int, ...] | None]:
    """The places of a source, in order; None where a window leaves the array."""
    shape = shapes[source.array]
    steps = source.steps or [["all"]] * len(shape)
    others = shapes[partner] if partner else shape
    taken = [axis(s, at, n, o) for s, n, o in zip(steps, shape, others, strict=False)]
    inside = [all(0 <= i < n for i, n in zip(index, shape, strict=True)) for index in
              product(*taken)]  # fmt: skip
    return [index if keep else None for index, keep in zip(product(*taken), inside, strict=True)]


def arrays_of(trace: LayerTrace) -> dict[str, np.ndarray]:
    own = {p.short: p.value for p in trace.parameters}
    return {"x": trace.x, "y": trace.y, "dy": trace.dy, "dx": trace.dx, **own}


def forward(trace: LayerTrace, changed: dict[str, np.ndarray]) -> np.ndarray:
    """y of the layer for a changed input or parameter."""
    layer = trace.layer
    for parameter in layer.parameters:
        parameter.value[...] = changed.get(parameter.name, {p.short: p.value for p in
                                           trace.parameters}[parameter.name])  # fmt: skip
    return layer.forward(changed.get("x", trace.x).copy(), np.random.default_rng(0)).copy()


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "flatten"])
def test_sources_of_the_output(name: str):
    """What changes y[...] is exactly what its rule names."""
    trace = traced(*LAYERS[name])
    arrays = arrays_of(trace)
    shapes = {key: array.shape for key, array in arrays.items()}
    y, rule = forward(trace, {}), origins(trace)["y"]

    for source in rule.sources:
        named = {at: _named(rule, source, at, shapes) for at in np.ndindex(*y.shape)}
        for place in np.ndindex(*shapes[source.array]):
            moved = arrays[source.array].copy()
            moved[place] += 0.01
            changed = forward(trace, {source.array: moved}) != y
            expected = np.array([place in named[at] for at in np.ndindex(*y.shape)])
            assert expected.tolist() == changed.ravel().tolist()


def _named(rule: Origin, source: Source, at, shapes) -> set[tuple[int, ...]]:
    """The entries of a source; in sums of products those that are multiplied with an entry."""
    if not rule.products:
        return {*entries(source, at, shapes)}
    (other,) = (each for each in rule.sources if each is not source)
    own = entries(source, at, shapes, other.array)
    return {a for a, b in zip(own, entries(other, at, shapes, source.array), strict=True) if b}


@pytest.mark.parametrize("name", [name for name in LAYERS if name.startswith("convolution")])
def test_sources_of_the_gradient_of_the_input(name: str):
    """What changes dx[...] of a convolution is exactly what its rule names."""
    trace = traced(*LAYERS[name])
    arrays = arrays_of(trace)
    shapes = {key: array.shape for key, array in arrays.items()}
    rule = origins(trace)["dx"]

    def back(changed):
        forward(trace, {key: value for key, value in changed.items() if key != "dy"})
        return trace.layer.backward(changed.get("dy", trace.dy).copy()).copy()

    dx = back({})
    for source in rule.sources:
        named = {at: _named(rule, source, at, shapes) for at in np.ndindex(*dx.shape)}
        for place in np.ndindex(*shapes[source.array]):
            moved = arrays[source.array].copy()
            moved[place] += 0.01
            changed = back({source.array: moved}) != dx
            expected = np.array([place in named[at] for at in np.ndindex(*dx.shape)])
            assert expected.tolist() == changed.ravel().tolist()


@pytest.mark.parametrize("name", LAYERS)
def test_sums_of_products(name: str):
    """Where a rule says so, entries are the sums of the products of their sources."""
    trace = traced(*LAYERS[name])
    arrays = arrays_of(trace)
    shapes = {key: array.shape for key, array in arrays.items()}
    results = {"y": trace.y, "dx": trace.dx} | {p.short: p.gradient for p in trace.parameters}

    for key, rule in origins(trace).items():
        if rule.products:
            for at in np.ndindex(*results[key].shape):
                actual = _sum(rule, at, arrays, shapes)
                assert results[key][at] == pytest.approx(actual, rel=1e-9, abs=1e-12)


def _sum(rule: Origin, at, arrays, shapes) -> float:
    first, second = rule.sources
    pairs = zip(
        entries(first, at, shapes, second.array),
        entries(second, at, shapes, first.array),
        strict=True,
    )
    return sum(arrays[first.array][a] * arrays[second.array][b] for a, b in pairs if a and b)


def test_every_rule_names_arrays_of_its_layer():
    """Also of layers that are not taken apart."""
    others = {"max pooling": (MaxPool2d(2), IMAGE), "dropout": (Dropout(), VECTOR)}
    for layer, shape in [*LAYERS.values(), *others.values()]:
        trace = traced(layer, shape)
        named = {s.array for rule in origins(trace).values() for s in rule.sources}
        assert named <= arrays_of(trace).keys()
        assert {"y", "dx", *(p.short for p in trace.parameters)} == origins(trace).keys()
