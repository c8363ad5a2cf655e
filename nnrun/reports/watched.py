"""What was recorded of a network while it trained: a table, and charts of its surfaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path

import numpy as np

from nnrun.characters import shortened
from nnrun.errors import NnrunError
from nnrun.explain.surfaces import Film, LayerSurfaces, Surfaces, film_of
from nnrun.models.load import weights_shapes
from nnrun.models.model import Model
from nnrun.nn.signature import Array
from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.chart import BLUES, CIVIDIS, RED_BLUE, SERIES, Chart, Ramp, Table, rgb
from nnrun.reports.charts.lines import Series, lines
from nnrun.reports.charts.surface import LARGE, SMALL, Dots, Strips, filmstrip
from nnrun.reports.document import ASKED, Block, Cell, Figures, Folded, Grid, Note
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import MISSING, count, number, plural, spread
from nnrun.reports.predictions import Predictions
from nnrun.reports.summary import layer_kind, layers_by_name
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents import frames, read_watched
from nnrun.training.watched import Watched

# The charts of a network's surfaces over training: its output, and each hidden layer.

_COLOURS = 16  # of a picture
_PALEST, _STRONGEST = 0.06, 0.5
_LONGEST = 24


def film_charts(film: Film, most_units: int) -> tuple[list[Chart], list[str]]:
    """A chart of the output and one of each hidden layer, and what is left out.

    Of each layer the first units are drawn, so that all layers together have at most about
    `most_units`.
    """
    hidden = film.frames[-1][1].layers
    most = max(2, most_units // max(1, len(hidden)))
    charts, notes = [_output_chart(film)], [*film.notes]
    if len(film.outputs) > _COLOURS and film.frames[-1][1].classes is not None:
        notes.append(f"classes after the first {_COLOURS} have colours of earlier ones")
    for place, layer in enumerate(hidden[: most_units // 2]):
        charts.append(_layer_chart(film, place, most))
        if len(layer.units) > most:
            units = plural(len(layer.units), "unit")
            notes.append(f"the first {most} of {units} of layer {layer.place} are drawn")
    if len(hidden) > most_units // 2:
        notes.append(f"layers from {hidden[most_units // 2].place} on are not drawn")
    return charts, notes


def _output_chart(film: Film) -> Chart:
    """What is predicted: classes in tones by their probability, values on a scale."""
    if film.frames[-1][1].classes is not None and len(film.features) == 2:
        return _class_chart(film)
    shown, names = [s.outputs for _, s in film.frames], film.outputs
    probabilistic = film.frames[-1][1].probabilistic
    if probabilistic and len(names) == 2:
        shown, names = [s[1:] for s in shown], names[1:]
    scale = Linear(0, 1) if probabilistic else _scale_of([*shown, _targets(film)], signed=False)
    what = "p of " if probabilistic else ""
    return filmstrip(
        "Output over training",
        f"{_over(film)}; from {number(scale.low)} to {number(scale.high)}.",
        Strips(
            _moments(film),
            [(f"{what}{name}", [s[row] for s in shown]) for row, name in enumerate(names)],
            CIVIDIS, scale, LARGE, axes=_axes(film, scale),
            dots=_curve_dots(film, scale),
        ),
        _ranges(film, "output", [f"{what}{name}" for name in names], shown),
    )  # fmt: skip


def _class_chart(film: Film) -> Chart:
    classes, frames = film.outputs, [s for _, s in film.frames]
    tones = _COLOURS // len(classes) or 1
    x, y = _shares(film)
    dots = [
        Dots(label, x[film.y == label].tolist(), y[film.y == label].tolist())
        for label in range(min(len(classes), _COLOURS))
    ]
    legend = [(label, shortened(name, _LONGEST)) for label, name in enumerate(classes[:_COLOURS])]
    area = [[float(np.mean(s.classes == k)) for k in range(len(classes))] for s in frames]
    last = ", ".join(
        f"{shortened(name, _LONGEST)} in {100 * share:.0f}%"
        for name, share in zip(classes[:8], area[-1], strict=False)
    )
    rows = [
        [moment, *(f"{100 * share:.1f}%" for share in shares)]
        for moment, shares in zip(_moments(film), area, strict=True)
    ]
    return filmstrip(
        "Output over training",
        f"{_over(film)}, with {plural(len(film.y), 'training row')}; at the end {last} of the "
        "area. The stronger a colour, the more probable the class.",
        Strips(
            _moments(film),
            [("class", [_toned(s, tones, len(classes)) for s in frames])],
            _palette(min(len(classes), _COLOURS), tones), None, LARGE,
            axes=_axes(film, None), dots=dots, legend=legend,
        ),
        Table(["iteration", *(f"area of {shortened(name, _LONGEST)}" for name in classes)], rows),
    )  # fmt: skip


def _toned(s: Surfaces, tones: int, classes: int) -> Array:
    """The place of each point's colour: that of its class, stronger with the probability."""
    assert s.classes is not None
    tone = np.full(s.classes.shape, tones - 1)
    if s.probabilistic:
        p = np.nan_to_num(np.take_along_axis(s.outputs, s.classes[None], axis=0)[0]).clip(0, 1)
        certainty = (p * classes - 1) / (classes - 1)
        tone = np.clip((certainty * tones).astype(np.int64), 0, tones - 1)
    places: Array = (s.classes % _COLOURS) * tones + tone
    return places


def _palette(classes: int, tones: int) -> Ramp:
    """Each class's colour on white, from pale to strong."""
    strengths = np.linspace(_PALEST, _STRONGEST, tones) if tones > 1 else [0.4]
    return tuple(
        "#" + "".join(f"{round(255 - (255 - part) * strength):02x}" for part in rgb(colour))
        for colour in (SERIES[label % len(SERIES)] for label in range(classes))
        for strength in strengths
    )


def _layer_chart(film: Film, place: int, most: int) -> Chart:
    layers: list[LayerSurfaces] = [s.layers[place] for _, s in film.frames]
    last, shown = layers[-1], [layer.units[:most] for layer in layers]
    scale = _scale_of(shown, signed=True)
    names = [str(unit) for unit in range(len(shown[-1]))]
    return filmstrip(
        f"Units of layer {last.place} ({last.kind}) over training",
        f"{_over(film)}; {plural(len(last.units), 'unit')}, from {number(scale.low)} to "
        f"{number(scale.high)}.",
        Strips(
            _moments(film),
            [(name, [s[unit] for s in shown]) for unit, name in enumerate(names)],
            RED_BLUE if scale.low < 0 else BLUES, scale, SMALL, row_label="unit",
        ),
        _ranges(film, "unit", names, shown),
    )  # fmt: skip


def _scale_of(arrays: Sequence[Array], *, signed: bool) -> Linear:
    """All finite values; `signed`: from 0, or with 0 in the middle if some are negative."""
    finite = [array[np.isfinite(array)] for array in arrays]
    low = min((float(values.min()) for values in finite if values.size), default=0.0)
    high = max((float(values.max()) for values in finite if values.size), default=1.0)
    if signed:
        largest = max(abs(low), abs(high)) or 1.0
        low, high = -largest if low < 0 else 0.0, largest
    return Linear.between([low, high])


def _moments(film: Film) -> list[str]:
    return [count(iteration) for iteration, _ in film.frames]


def _over(film: Film) -> str:
    first, last = film.frames[0][0], film.frames[-1][0]
    names = " and ".join(shortened(name, _LONGEST) for name in film.features)
    return (
        f"Over {names}, at {plural(len(film.frames), 'moment')} of training from iteration "
        f"{count(first)} to {count(last)}"
    )


def _axes(film: Film, scale: Linear | None) -> str:
    left, right = map(number, film.extent[:2])
    names = [shortened(name, _LONGEST) for name in film.features]
    words = f"across {names[0]} from {left} to {right}"
    if len(names) == 2:
        bottom, top = map(number, film.extent[2:])
        return f"{words}, up {names[1]} from {bottom} to {top}; a column for each iteration"
    ends = f" from {number(scale.low)} to {number(scale.high)}" if scale else ""
    return f"{words}, up the output{ends}; a column for each iteration"


def _shares(film: Film) -> tuple[Array, Array]:
    """The places of rows in a picture, from left and from the bottom."""
    left, right, bottom, top = film.extent
    return (film.x[:, 0] - left) / (right - left), (film.x[:, 1] - bottom) / (top - bottom)


def _targets(film: Film) -> Array:
    """The targets that are drawn beside a curve."""
    return film.y if len(film.features) == 1 and film.frames[-1][1].classes is None else np.empty(0)


def _curve_dots(film: Film, scale: Linear) -> list[Dots]:
    y = _targets(film)
    if not y.size:
        return []
    left, right = film.extent
    up = (y.reshape(len(y), -1)[:, 0] - scale.low) / (scale.high - scale.low)
    return [Dots(1, ((film.x[:, 0] - left) / (right - left)).tolist(), up.tolist())]


def _ranges(film: Film, what: str, names: Sequence[str], shown: Sequence[Array]) -> Table:
    rows = [[name, *(_range(values[row]) for values in shown)] for row, name in enumerate(names)]
    return Table([f"{what} \\ iteration", *_moments(film)], rows)


def _range(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return number(low) if low == high else f"{number(low)} … {number(high)}"


# What was recorded of a network while it trained, in a table.


def looks_line(watched: Watched) -> str:
    """How often it was looked at, and with what."""
    rows = plural(watched.rows, "training row")
    return f"Looked at {plural(len(watched.iterations), 'time')}, each time with {rows}"


def inside_table(watched: Watched, record: RunRecord) -> Grid:
    """A row for each layer: its gradients at both ends of the run, its updates and its units."""
    sizes, ratios = watched.size("output_gradients"), watched.ratios
    units = {unit["layer"]: place for place, unit in enumerate(watched.units)}
    rows = []
    for column, place in enumerate(layer_places(watched)):
        main = main_parameter(watched, place)
        share = units.get(place)
        rows.append(
            [
                Cell(place),
                Cell(layer_kind_of(record, place)),
                _size(sizes[:1, column]),
                _size(sizes[-1:, column]),
                _size(ratios[:, main]) if main is not None else Cell(MISSING),
                *(
                    Cell("")
                    if share is None
                    else _share(float(watched.arrays[f"units.{name}"][-1, share]))
                    for name in ("dead", "saturated")
                ),
            ]
        )
    header = ["#", "layer", "gradient, first", "last", "update/weight", "dead", "saturated"]
    return Grid("Inside while it trained", header, rows, texts=2, hidden=True, level=ASKED)


def layer_places(watched: Watched) -> list[str]:
    """The names of the layers that were looked at."""
    return [str(layer["layer"]) for layer in watched.layers]


def layer_kind_of(record: RunRecord, place: str) -> str:
    """The type of a layer, with its activation; empty where the report has no such layer."""
    layer = layers_by_name(record.network).get(place)
    return "" if layer is None else layer_kind(layer)


def main_parameter(watched: Watched, place: str) -> int | None:
    """The number of a layer's largest parameter, such as its weights; None if it has none."""
    sizes = [
        (parameter["size"], -number_)
        for number_, parameter in enumerate(watched.parameters)
        if parameter["name"].rpartition(".")[0] == place
    ]
    return -max(sizes)[1] if sizes else None


def _size(values: Array) -> Cell:
    """The median of the numbers that are known."""
    finite = values[np.isfinite(values)]
    value = float(np.median(finite)) if finite.size else np.nan
    return Cell(spread(value), value) if isfinite(value) else Cell(MISSING)


def _share(value: float) -> Cell:
    shown = f"{100 * value:.0f}%" if isfinite(value) else MISSING
    return Cell(shown, value if isfinite(value) else None, kind="strong" if value >= 0.5 else "")


# Both on a page: numbers of the layers as charts, and the surfaces.

_MOST_POINTS = 30
_COLOURED = 6
_SIZE = (360.0, 200.0)  # of the charts of a layer, which are three in a row
# Layers with charts of their numbers: the first and the last ones.
_MOST_LAYERS = 6
_SHARES = (0.05, 0.5, 0.95)
_NOTE = (
    "A gradient is that of the loss in a layer's outputs, its root mean square over rows and "
    "units. An update is the one after each look: |update| / |weights|."
)
_UNITS = (
    "A unit is dead if the slope of its activation is 0 for all rows, saturated if it is below 5% "
    "of the largest for 95% of the rows or more."
)


def training_blocks(record: RunRecord, folder: Path) -> Iterator[Block]:
    """Gradients, updates, units and distributions of a watched run; nothing for another one."""
    try:
        watched = read_watched(folder, record)
    except NnrunError as error:
        yield Note(f"What was recorded cannot be shown: {shortened(str(error))}.", "bad")
        return
    if watched is None or not watched.iterations:
        return
    yield Note(f"{looks_line(watched)}.")
    yield replace(inside_table(watched, record), hidden=True)
    yield Note(_NOTE, "small")
    if watched.units:
        yield Note(_UNITS, "small")
    names = [_title(record, place) for place in layer_places(watched)]
    legend = [*enumerate(names)]
    yield Figures([*_overall(watched, names)], legend[:_COLOURED], others=legend[_COLOURED:])
    charts = [*_distributions(watched, record)]
    if charts:
        text = "The line is the median; the bands hold 90% of the numbers, and all of them."
        if len(names) > _MOST_LAYERS:
            text += f" Of the layers, the first and the last {_MOST_LAYERS // 2} are shown."
        yield Folded("Numbers in each layer", [Note(text), Figures(charts, columns=3)])


def _overall(watched: Watched, names: Sequence[str]) -> Iterator[Chart]:
    x = watched.iterations

    def chart(
        title: str, label: str, values: Array, columns: Sequence[int | None], *, log: bool = True
    ) -> Chart:
        series = [
            replace(
                Series.thinned(names[index], x, values[:, column].tolist(), index, _MOST_POINTS),
                other=index >= _COLOURED,
            )
            for index, column in enumerate(columns)
            if column is not None
        ]
        domain = () if log else (0.0, 1.0)
        return lines(title, series, y_label=label, log=log, domain=domain)

    places = layer_places(watched)
    every, main = [*range(len(places))], [main_parameter(watched, place) for place in places]
    yield chart("Gradients", "gradient", watched.size("output_gradients"), every)
    yield chart("Updates", "update/weight", watched.ratios, main)
    yield chart("Outputs", "output", watched.size("outputs"), every)
    yield chart("Weights", "weight", watched.size("weights"), main)
    units = {unit["layer"]: column for column, unit in enumerate(watched.units)}
    columns = [units.get(place) for place in places]
    for what in ("dead", "saturated"):
        shares = watched.arrays[f"units.{what}"]
        if (shares > 0).any():
            yield chart(f"{what.capitalize()} units", "share of units", shares, columns, log=False)


def _distributions(watched: Watched, record: RunRecord) -> Iterator[Chart]:
    """Weights of each layer, their gradients, and its outputs, from the histograms."""
    places = layer_places(watched)
    half = _MOST_LAYERS // 2
    for place in places if len(places) <= _MOST_LAYERS else [*places[:half], *places[-half:]]:
        main, title = main_parameter(watched, place), _title(record, place).capitalize()
        if main is not None:
            yield _fan(f"{title}: weights", watched, "weights", main)
            yield _fan(f"{title}: gradients of weights", watched, "gradients", main)
        yield _fan(f"{title}: outputs", watched, "outputs", places.index(place))


def _fan(title: str, watched: Watched, name: str, column: int) -> Chart:
    """The median, the middle 90% and the range over the iterations."""
    counts = watched.arrays[f"{name}.histogram"][:, column].astype(np.float64)
    ends = watched.arrays[f"{name}.range"][:, column]
    drawn = (ends[:, 0], *_quantiles(counts, ends), ends[:, 1])
    thinned = [
        Series.thinned(title, watched.iterations, values.tolist(), 0, _MOST_POINTS)
        for values in drawn
    ]
    x, columns = thinned[0].x, [s.y for s in thinned]
    least, low, middle, high, most = columns
    series = [
        Series("median and 90%", x, middle, low, high),
        Series("all", x, [None] * len(x), least, most),
    ]
    label = name.removesuffix("s")
    chart = lines(title, series, y_label=label, size=_SIZE)
    rows = [[count(int(k)), *map(number, line)] for k, *line in zip(x, *columns, strict=True)]
    header = ["iteration", "least", "5%", "median", "95%", "most"]
    return replace(chart, table=replace(chart.table, header=header, rows=rows))


def _quantiles(counts: Array, ends: Array) -> list[Array]:
    """Numbers below which these shares lie, as if each bin were evenly filled: (looks) each."""
    quantiles = []
    for share in _SHARES:
        line = []
        for bins, (low, high) in zip(counts, ends, strict=True):
            total = bins.sum()
            edges = np.linspace(0.0, 1.0, len(bins) + 1)
            reached = np.concatenate([[0.0], np.cumsum(bins)]) / total if total else edges
            place = float(np.interp(share, reached, edges))
            line.append(low * (1 - place) + high * place if total else np.nan)
        quantiles.append(np.array(line))
    return quantiles


def _title(record: RunRecord, place: str) -> str:
    kind = layer_kind_of(record, place)
    return f"layer {place} ({shortened(kind, 40)})" if kind else f"layer {place}"


_MOST_UNITS = 16


def film_blocks(
    record: RunRecord, folder: Path, model: Model, predictions: Predictions
) -> Iterator[Block]:
    """The surfaces of a run that was trained with `training.watch`, if rows are one or two numbers.

    Hidden units are closed until a reader opens them.
    """
    try:
        stored = frames(folder, record)
        wanted = weights_shapes(model.network)
        if any({n: a.shape for n, a in weights.items()} != wanted for _, weights in stored):
            raise NnrunError("the weights that were kept on the way are not those of its network")
    except NnrunError as error:
        yield Note(f"How it came about cannot be shown: {shortened(str(error))}.", "bad")
        return
    twin = Model(model.network.copy(), model.preprocessing, model.layout)
    twin.task = model.task
    film = film_of(twin, predictions.dataset, predictions.train, stored)
    if film is None:
        return
    (output, *layers), notes = film_charts(film, _MOST_UNITS)
    yield Figures([output], output.legend)
    if layers:
        left_out = [Note(sentence(note)) for note in notes]
        yield Folded("Hidden units over training", [Figures(layers), *left_out])
