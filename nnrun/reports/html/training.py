"""What was seen of a network while it trained: numbers of its layers, and its surfaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nnrun.characters import shortened
from nnrun.errors import NnrunError
from nnrun.explain.surfaces import film_of
from nnrun.models.load import weights_shapes
from nnrun.models.model import Model
from nnrun.nn.signature import Array
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.lines import Series, lines
from nnrun.reports.document import Block, Figures, Folded, Note
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import count, number
from nnrun.reports.predictions import Predictions
from nnrun.reports.watched import (
    film_charts,
    inside_table,
    layer_kind_of,
    layer_places,
    looks_line,
    main_parameter,
)
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents import frames, read_watched
from nnrun.training.watched import Watched

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
        return lines(title, series, x_label="iteration", y_label=label, log=log, domain=domain)

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
    """For each layer its weights, their gradients, and its outputs, from the histograms."""
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
    found = [
        Series.thinned(title, watched.iterations, values.tolist(), 0, _MOST_POINTS)
        for values in drawn
    ]
    x, columns = found[0].x, [one.y for one in found]
    least, low, middle, high, most = columns
    series = [
        Series("median and 90%", x, middle, low, high),
        Series("all", x, [None] * len(x), least, most),
    ]
    label = name.removesuffix("s")
    chart = lines(title, series, x_label="iteration", y_label=label, size=_SIZE)
    rows = [[count(int(k)), *map(number, line)] for k, *line in zip(x, *columns, strict=True)]
    header = ["iteration", "least", "5%", "median", "95%", "most"]
    return replace(chart, table=replace(chart.table, header=header, rows=rows))


def _quantiles(counts: Array, ends: Array) -> list[Array]:
    """Numbers below which these shares lie, as if each bin were evenly filled: (looks) each."""
    found = []
    for share in _SHARES:
        line = []
        for bins, (low, high) in zip(counts, ends, strict=True):
            total = bins.sum()
            edges = np.linspace(0.0, 1.0, len(bins) + 1)
            reached = np.concatenate([[0.0], np.cumsum(bins)]) / total if total else edges
            place = float(np.interp(share, reached, edges))
            line.append(low * (1 - place) + high * place if total else np.nan)
        found.append(np.array(line))
    return found


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
