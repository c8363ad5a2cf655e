"""The columns or pixels that a stored run's predictions depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from math import inf, nan, prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun import __version__
from nnrun.characters import shortened
from nnrun.data.split_rows import SplitData
from nnrun.errors import DamageError, NnrunError
from nnrun.metrics.table import LOSS, larger_is_better
from nnrun.models.load import load_model
from nnrun.models.model import Model
from nnrun.models.scores import measured
from nnrun.models.task import Classification
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array
from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.chart import BLUES, Chart
from nnrun.reports.charts.lines import Heat, Series, heatmap, lines
from nnrun.reports.charts.pictures import signed_picture
from nnrun.reports.charts.scatter import strip, strip_scale
from nnrun.reports.document import AT_ONCE, WHOLE, Block, Cell, Figures, Gallery, Grid, Note
from nnrun.reports.numbers import count, difference, duration, number, plural
from nnrun.reports.predictions import LoadData, last_split, prepared_again
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.summarize import settings_of, summary_of
from nnrun.runs.diagnosis.data import identifiers
from nnrun.runs.record import Replicate, RunRecord
from nnrun.runs.storage.durable import write_atomically
from nnrun.runs.storage.reading import read_run, refuse_unusable_model
from nnrun.runs.storage.sealed import read_sealed, sealed_json
from nnrun.runs.storage.sweep_progress import ids_in
from nnrun.sweeps.board.means import summarize
from nnrun.sweeps.board.stored import stored_variants
from nnrun.sweeps.board.verdicts import design_of
from nnrun.sweeps.planning.estimate import seconds_per_row

# Permutation importance and partial dependence of the columns of a table, and pixels that count.
#
# A column is shuffled, or set to a value, as it stands in the file: its one-hot columns together.
# Of pixels there are the mean gradient of the input, and occlusion.

_MOST_SEEDS = 2**32
_MOST_ROWS = 500
_POINTS = 20
_MOST_CHOICES = 50
# The range of a partial dependence is that of scikit-learn.
_RANGE = (0.05, 0.95)


@dataclass(frozen=True)
class Dependence:
    """The mean predictions for rows whose column is set to one value after the other.

    `outputs` are what is predicted: classes, by their probability or share, or targets.
    """

    column: str
    values: list[float] | list[str]
    outputs: list[str]
    means: list[list[float]]


def places_of(model: Model) -> Mapping[str, range]:
    """The places in x of each column that the network takes."""
    columns = model.layout.columns
    if columns.features:
        return columns.places
    return {f"column {i + 1}": range(i, i + 1) for i in range(model.layout.shape[0])}


def permutation_importance(
    model: Model, part: SplitData, metric: str, repeats: int, seed: int
) -> Array:
    """What a metric loses, or an error gains, when one column is shuffled: (columns, repeats).

    Breiman, Machine Learning 45 (2001). Rows have their weights in the metric, as in the report.
    """
    from sklearn import inspection  # noqa: PLC0415  # slow to import

    places = [*places_of(model).values()]
    # Each column has the number of the row that its value comes from.
    origin = np.repeat(np.arange(len(part))[:, None], len(places), axis=1)
    result = inspection.permutation_importance(
        _Shuffled(model, part, places),
        origin,
        part.y,
        scoring=partial(_score, metric),
        n_repeats=repeats,
        random_state=seed % _MOST_SEEDS,
    )
    importances: Array = result.importances
    return importances


class _Shuffled:
    """A network as an estimator whose input says, for each column, from which row it is."""

    def __init__(self, model: Model, part: SplitData, places: list[range]) -> None:
        self.model, self.part, self.places = model, part, places
        self.x = part.x

    def fit(self, x: Array, y: Array) -> _Shuffled:
        """Nothing is left to fit; scikit-learn looks for the method."""
        return self

    def outputs(self, origin: npt.NDArray[np.intp]) -> Array:
        """The network's outputs for rows that are put together so."""
        rows, places = self.x.copy(), np.arange(len(self.part))
        for place, rows_of in zip(self.places, origin.T, strict=True):
            if (rows_of != places).any():
                rows[:, place.start : place.stop] = self.x[rows_of, place.start : place.stop]
        return self.model.evaluate(rows)


def _score(metric: str, estimator: _Shuffled, origin: npt.NDArray[np.intp], y: Array) -> float:
    """The metric, larger is better; NaN where it is undefined."""
    task, outputs = estimator.model.task, estimator.outputs(origin)
    weight = estimator.part.weight
    quick = task.quick_metrics(outputs, y, weight)
    if metric in quick:
        value = quick[metric]
    else:
        value = measured(task, outputs, y, [metric], weight)[metric]
    if value is None:
        return nan
    return float(value) if larger_is_better(metric) else -float(value)


def can_be_set(model: Model, column: str) -> bool:
    """Whether a column can have one value in all rows; dates and earlier values cannot."""
    kinds = {kind.name: kind for kind in model.layout.columns}
    return column not in kinds or kinds[column].choices() != []


def partial_dependence(model: Model, part: SplitData, column: str) -> Dependence:
    """The partial dependence on a column, over the first rows of a split.

    Of many categories it has those that most of these rows have. Friedman, Annals of Statistics 29
    (2001).
    """
    place = places_of(model)[column]
    rows = part.raw.between(0, _MOST_ROWS)
    kinds = {kind.name: kind for kind in model.layout.columns}
    choices = kinds[column].choices() if kinds else None
    if choices is None:
        column_values = rows[:, place.start].astype(np.float64)
        numbers = _grid(column_values[np.isfinite(column_values)])
        settings = [np.array([value]) for value in numbers]
        values: Any = numbers
    else:
        choices = _most_frequent(choices, rows[:, place.start : place.stop])
        settings, values = [features for _, features in choices], [label for label, _ in choices]
    means = []
    for setting in settings:
        changed = rows.astype(np.float64)
        changed[:, place.start : place.stop] = setting
        means.append([float(mean) for mean in predicted(model, changed).mean(axis=0)])
    return Dependence(column, values, output_names(model, len(means[0])), means)


def _most_frequent(choices: list[tuple[str, Array]], x: Array) -> list[tuple[str, Array]]:
    """Choices that most rows have, if there are many; in their own order."""
    counts = np.array([(x == features).all(axis=1).sum() for _, features in choices])
    first = np.argsort(-counts, kind="stable")[:_MOST_CHOICES]
    return [choices[index] for index in sorted(first)]


def _grid(values: Array) -> list[float]:
    """All values if they are few, else values at equal steps between two quantiles."""
    different = np.unique(values)
    if len(different) <= _POINTS:
        return [float(value) for value in different]
    low, high = np.quantile(values, _RANGE)
    return [float(value) for value in np.linspace(low, high, _POINTS)]


def predicted(model: Model, rows: Array) -> Array:
    """Probabilities (rows, classes), shares of classes, or values (rows, targets)."""
    outputs = model.evaluate(rows)
    if not isinstance(model.task, Classification):
        return model.task.decode(outputs)
    chances = model.task.probabilities(outputs)
    return np.eye(model.task.classes)[model.task.decode(outputs)] if chances is None else chances


def output_names(model: Model, outputs: int) -> list[str]:
    """The names of classes or targets, or numbers where there are none."""
    names = model.layout.classes or model.layout.target_names
    return [*names] if len(names) == outputs else [f"output {i}" for i in range(outputs)]


MOST_ROWS = 500
_MOST_CLASSES = 10


@dataclass(frozen=True, eq=False)
class PixelMap:
    """Two pictures of the pixels that count for one class, or for the value of a regression.

    Args:
        name: of the class; "value" for a regression.
        rows: how many images of the class they are the mean of.
        gradient: (height, width), of the output for the class with respect to the prepared pixels,
            summed over channels.
        occlusion: (height, width), what the probability of the class loses where a patch has the
            mean pixels of these images; for a regression, how far the value moves.
    """

    name: str
    rows: int
    gradient: Array
    occlusion: Array


def pixel_maps(model: Model, part: SplitData) -> list[PixelMap]:
    """The maps of the first classes, from the first images of a split."""
    x, y = part.raw.between(0, MOST_ROWS), part.y[:MOST_ROWS]
    if isinstance(model.task, Classification):
        names = model.layout.classes[:_MOST_CLASSES]
        groups = [(name, label, y == label) for label, name in enumerate(names)]
    else:
        groups = [("value", 0, np.ones(len(y), np.bool_))]
    lost = _occluded(model, x, y)
    return [
        PixelMap(name, int(rows.sum()), _gradient(model, x[rows], output), lost[rows].mean(axis=0))
        for name, output, rows in groups
        if rows.any()
    ]


def _gradient(model: Model, x: Array, output: int) -> Array:
    """The mean gradient of one output; of two classes with one output, that of the second."""
    network, total = model.network, np.zeros(model.layout.shape)
    sign = 1.0 / len(model.networks)
    if network.output_shape[0] == 1 and isinstance(model.task, Classification):
        sign, output = (sign if output else -sign), 0
    for start in range(0, len(x), step := chunk_rows(network)):
        ready = model.preprocessing.transform_x(x[start : start + step])
        rows = np.ascontiguousarray(ready.reshape(-1, *network.input_shape), network.dtype)
        for each in model.networks:
            dy = np.zeros_like(each.forward(rows))
            dy[:, output] = sign
            total += each.backward(dy).sum(axis=0, dtype=np.float64).reshape(total.shape)
    mean: Array = total.sum(axis=0) / len(x)
    return mean


def _occluded(model: Model, x: Array, y: Array) -> Array:
    """What each image loses where a patch is covered: (rows, height, width)."""
    height, width = x.shape[2:]
    side = max(1, min(height, width) // 4)
    step = max(1, side // 2)
    mean, before = x.mean(axis=0, dtype=np.float64), _of_target(model, x, y)
    lost, covered = np.zeros((len(x), height, width)), np.zeros((height, width))
    for top in range(0, height - side + 1, step):
        for left in range(0, width - side + 1, step):
            place = (slice(top, top + side), slice(left, left + side))
            changed = x.astype(np.float64)
            changed[:, :, *place] = mean[:, *place]
            lost[:, *place] += (before - _of_target(model, changed, y))[:, None, None]
            covered[place] += 1
    return np.asarray(lost / np.maximum(covered, 1))


def _of_target(model: Model, x: Array, y: Array) -> Array:
    """The probability of the true class, or the output for it; the value of a regression."""
    outputs, task = model.evaluate(x), model.task
    if not isinstance(task, Classification):
        return task.decode(outputs)[:, 0]
    chances = task.probabilities(outputs)
    chances = outputs if chances is None else chances
    if chances.shape[1] == 1:
        return np.where(y == 1, chances[:, 0], -chances[:, 0])
    return np.asarray(chances[np.arange(len(y)), y])


# The importance of columns or pixels for a stored run, and for its other seeds.

REPEATS = 10
# Of an evaluation besides its rows, and of a number in one; measured as in `estimate.py`.
_SECONDS_EACH, _SECONDS_PER_CELL = 1e-3, 1e-8
_MOST_PATCHES = 64
_MOST_DEPENDENCES = 3
# A column of row numbers is warned about among as many.
_FIRST = 3


@dataclass(frozen=True)
class ColumnImportance:
    """What the metric loses without the information of one column.

    The 95% interval of the mean is from `low` to `high`, None for a single value. There is a value
    for each seed, the mean over repeats; of a single seed one for each repeat.
    """

    column: str
    mean: float
    low: float | None
    high: float | None
    values: list[float]

    @property
    def counts(self) -> bool:
        """Whether it can be told from 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, eq=False)
class Importance:
    """The importance of the columns of a table for a run, the largest first; or maps of pixels.

    Args:
        split: whose rows, this many, are predicted.
        metric: that the run is shown by; of errors the importance is what they gain.
        repeats: how often each column is shuffled.
        seeds: of the runs of its setting; without others, that of the run.
        columns: with their importance; empty for images.
        dependence: the partial dependence on the first columns, of this run.
        identifiers: the columns among the most important ones that only number the rows.
    """

    name: str
    run_id: str
    split: str
    rows: int
    metric: str
    repeats: int
    seeds: list[int]
    columns: list[ColumnImportance]
    dependence: list[Dependence]
    pixels: list[PixelMap]
    identifiers: Sequence[str] = ()

    @property
    def several(self) -> bool:
        """Whether intervals are over runs, not over repeats."""
        return len(self.seeds) > 1

    def to_dict(self) -> dict[str, Any]:
        """The importance as JSON data."""
        columns = [{**asdict(column), "counts": column.counts} for column in self.columns]
        pixels = [
            {
                "name": entry.name,
                "rows": entry.rows,
                "gradient": entry.gradient.tolist(),
                "occlusion": entry.occlusion.tolist(),
            }
            for entry in self.pixels
        ]
        data = {**vars(self), "columns": columns, "pixels": pixels}
        return {**data, "dependence": [asdict(entry) for entry in self.dependence]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Importance:
        """The importance with this JSON data, in which types are not checked."""
        columns = [{k: v for k, v in each.items() if k != "counts"} for each in data["columns"]]
        pixels = [
            PixelMap(p["name"], p["rows"], np.array(p["gradient"]), np.array(p["occlusion"]))
            for p in data["pixels"]
        ]
        return cls(
            **{**data, "columns": [ColumnImportance(**each) for each in columns],
               "dependence": [Dependence(**each) for each in data["dependence"]],
               "pixels": pixels}
        )  # fmt: skip


def importance_of(
    folder: Path, record: RunRecord, load_data: LoadData, repeats: int = REPEATS, most: float = inf
) -> Importance:
    """The importance for a stored run; shuffles are drawn from the seeds of the runs.

    Raises:
        UsageError: no model is kept of it.
        NnrunError: its data are missing or have changed, its predictions are not finite, or this
            would take more than `most` seconds, by an estimate.
    """
    refuse_unusable_model(folder, record)
    model = load_model(folder)
    prepared = prepared_again(record, load_data)
    split, part = last_split(prepared.split)
    columns: list[ColumnImportance] = []
    records = [record] if len(model.layout.shape) > 1 else _alike(folder, record)
    if (seconds := _estimate(model, len(part), len(records) * repeats)) > most:
        raise NnrunError(f"{_command(record)} in about {duration(seconds)}")
    dependence: list[Dependence] = []
    pixels: list[PixelMap] = []
    with np.errstate(all="ignore"):
        if len(model.layout.shape) > 1:
            pixels = pixel_maps(model, part)
        else:
            tables = [
                _measured_table(folder.parent / each.run_id, each, load_data, repeats)
                for each in records
            ]
            columns = _summed(records, tables, [*places_of(model)], split)
            varied = [each.column for each in columns if can_be_set(model, each.column)]
            first = varied[:_MOST_DEPENDENCES]
            dependence = [partial_dependence(model, part, column) for column in first]
    return Importance(
        record.name, record.run_id, split, len(part), _metric_of(record, model), repeats,
        [each.seed for each in records], columns, dependence, pixels,
        [each.column for each in columns[:_FIRST]
         if each.counts and each.column in identifiers(prepared.dataset)],
    )  # fmt: skip


def _alike(folder: Path, record: RunRecord) -> list[RunRecord]:
    """The completed runs of a setting."""
    records = [record, *siblings(folder, record)]
    return sorted(records, key=lambda each: Replicate.of(each.config, each.seed).order)


def _estimate(model: Model, rows: int, shuffles: int) -> float:
    """Seconds for this many shuffles of each column, or for the patches of images.

    It depends on the run alone, so that the same runs give the same pages.
    """
    networks, shape = len(model.networks), model.layout.shape
    if len(shape) > 1:
        evaluations, rows = _MOST_PATCHES, min(rows, MOST_ROWS)
    else:
        evaluations = shuffles * len(places_of(model))
    row = networks * seconds_per_row(model.network) + prod(shape) * _SECONDS_PER_CELL
    return evaluations * (networks * _SECONDS_EACH + rows * row)


def _command(record: RunRecord) -> str:
    return f"nnrun show {record.name}/{record.run_id} --importance computes it"


FILE = "importance.json"
_MOST_BYTES = 2**26


def known_importance(
    folder: Path, record: RunRecord, load_data: LoadData, most: float = inf
) -> Importance:
    """The importance that is stored beside the report; else it is computed, and stored.

    What was stored by another version, or of other runs or data, is computed again. Nothing is
    stored where this raises an error, as `importance_of` does.
    """
    file, stored = folder / FILE, {}
    with suppress(FileNotFoundError, DamageError):
        stored = read_sealed(file, _MOST_BYTES)
    if not stored and not most:  # before reports of other runs are read
        raise NnrunError(_command(record))
    runs = [[r.run_id, r.weights_sha256, r.dataset["sha256"]] for r in _alike(folder, record)]
    origin = {"nnrun": __version__, "metric": record.main_metric, "runs": runs}
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        if stored["of"] == origin:
            return Importance.from_dict(stored["importance"])
    importance = importance_of(folder, record, load_data, most=most)
    with suppress(OSError, ValueError):  # the folder is for reading, or numbers are not finite
        write_atomically(file, sealed_json({"of": origin, "importance": importance.to_dict()}))
    return importance


def siblings(folder: Path, record: RunRecord) -> Iterator[RunRecord]:
    """The other completed runs of the same setting."""
    settings, parent = settings_of(record), folder.absolute().parent
    for run_id in ids_in(parent.parent, parent.name) if record.status == "completed" else ():
        run = read_run(parent / run_id, placed=True) if run_id != folder.name else None
        other = None if run is None or run.problem else run.record
        if other is not None and other.status == "completed" and settings_of(other) == settings:
            yield other


def _metric_of(record: RunRecord, model: Model) -> str:
    """The metric that the run is shown by; that of its task where it is shown by the loss."""
    return model.task.main_metric if record.main_metric == LOSS else record.main_metric


def _measured_table(folder: Path, record: RunRecord, load_data: LoadData, repeats: int) -> Array:
    refuse_unusable_model(folder, record)
    model: Model = load_model(folder)
    split, part = last_split(prepared_again(record, load_data).split)
    metric = _metric_of(record, model)
    table = permutation_importance(model, part, metric, repeats, record.seed)
    if not np.isfinite(table).all():
        reasons = (record.metrics[split] or {}).get("undefined", {})
        why = f": {reasons[metric]}" if metric in reasons else ""
        of = f"{record.name}/{record.run_id}: {metric} of its predictions"
        raise NnrunError(f"{of} is undefined{why}")
    return table


def _summed(
    records: Sequence[RunRecord], tables: Sequence[Array], columns: Sequence[str], split: str
) -> list[ColumnImportance]:
    (variant,) = stored_variants(map(summary_of, records))
    replicates = [
        Replicate.of(record.config, record.seed).resolved(drawn=variant.drawn) for record in records
    ]
    several = len(records) > 1
    overlap = variant.overlap.get(split, 0.0) if several else 0.0
    design = design_of(replicates) if several else None
    summed = []
    for index, column in enumerate(columns):
        values = (
            [float(table[index].mean()) for table in tables] if several else [*tables[0][index]]
        )
        summary = summarize(values, overlap, design=design)
        assert summary is not None
        ends = summary.mean, summary.ci_low, summary.ci_high
        summed.append(ColumnImportance(column, *ends, [float(value) for value in values]))
    return sorted(summed, key=lambda column: -column.mean)


# Which columns or pixels count, as blocks: a table with its spread, dependence, pictures.

_MOST_LINES = 8
_GRADIENT = (
    "Where a brighter pixel raises the output for the class, it is blue; red where it lowers it."
)
_OCCLUSION = (
    "Where a patch of mean pixels takes from the probability of the class, it is blue; red where "
    "it adds."
)


def importance_blocks(importance: Importance) -> Iterator[Block]:
    """The table of columns with the partial dependence on the first; or maps of pixels."""
    yield Note(f"{_heading(importance)}.")
    if importance.pixels:
        gradients = [d.gradient for d in importance.pixels]
        yield _gallery(importance, gradients, "Mean gradient of the input", _GRADIENT)
        occlusions = [d.occlusion for d in importance.pixels]
        yield _gallery(importance, occlusions, "Occlusion", _OCCLUSION)
        return
    yield _table(importance)
    for column in importance.identifiers:
        yield Note(
            f"the column {shortened(column, 60)} is one of the most important, and looks like "
            "numbers of rows: what the network learned from it says nothing about new rows; name "
            "it in dataset.columns.drop",
            "warning", "warning",
        )  # fmt: skip
    if not importance.several:
        yield Note(
            "The intervals are of this run's shuffles alone; runs with other seeds, as by nnrun "
            "sweep --seeds 10, show how far networks differ.",
            "small",
        )
    yield Note(
        "Each interval is at 95% by itself: of 20 columns that say nothing, one may be told from "
        "0. Columns that say the same share what they lose, since shuffling one leaves the other.",
        "small",
    )
    if importance.dependence:
        yield Note(
            "Partial dependence: the mean prediction for the same rows, where all of them have one "
            "value in this column.",
            level=WHOLE,
        )
        names = importance.dependence[0].outputs[:_MOST_LINES]
        legend = [(i, shortened(name, 40)) for i, name in enumerate(names)]
        charts = [_chart(d) for d in importance.dependence]
        yield Figures(charts, legend if len(names) > 1 else (), columns=3)


def _heading(of: Importance) -> str:
    """What was measured, and on which rows."""
    rows = plural(of.rows, f"{of.split} row")
    if of.pixels:
        some = "" if of.rows <= MOST_ROWS else f"the first {MOST_ROWS} of "
        return f"Which pixels count, on {some}{rows}"
    over = f"{count(len(of.seeds))} seeds of its setting" if of.several else "its shuffles"
    loses = "loses" if larger_is_better(of.metric) else "gains"
    return (
        f"What {of.split} {metric_label(of.metric)} {loses} when one column is "
        f"shuffled, {of.repeats} times each, on {rows}; 95% intervals over {over}"
    )


def _table(of: Importance) -> Grid:
    values = (value for column in of.columns for value in (*column.values, column.low, column.high))
    scale, each = Linear.over([0.0, *values]), f"each {'seed' if of.several else 'shuffle'}"
    lost = "lost" if larger_is_better(of.metric) else "gained"
    rows = [
        [
            Cell(shortened(column.column, 60)),
            Cell(_value_text(column), column.mean),
            Cell(
                f"{number(min(column.values))} – {number(max(column.values))}",
                column.mean,
                strip(column.values, scale, column.low, column.high, column.mean),
            ),
            Cell(_remark(column), kind="soft"),
        ]
        for column in of.columns
    ]
    return Grid(
        "Importance of the columns", ["column", f"{metric_label(of.metric)} {lost}", each, ""],
        rows, sortable=len(rows) > 3, marks={each: strip_scale(scale)}, needs=[0, 0, 2, 1],
        narrow=[0, 1, 3], level=AT_ONCE,
    )  # fmt: skip


def _value_text(column: ColumnImportance) -> str:
    """The mean with its interval."""
    if column.low is None or column.high is None:
        return number(column.mean)
    return difference(column.mean, column.low, column.high, plus=False)


def _remark(column: ColumnImportance) -> str:
    """What to know of a column that may not count, or that misleads the network."""
    if not column.counts:
        return "cannot be told from 0"
    return "" if column.mean > 0 else "better when shuffled"


def _chart(dependence: Dependence) -> Chart:
    name, outputs = shortened(dependence.column, 40), dependence.outputs[:_MOST_LINES]
    what = "prediction" if len(dependence.outputs) == 1 else "probability"
    of = [shortened(output, 40) for output in outputs]
    columns = [[means[index] for means in dependence.means] for index in range(len(outputs))]
    numbers = [value for value in dependence.values if isinstance(value, float)]
    if len(numbers) == len(dependence.values):
        series = [Series(of[i], numbers, line, index=i) for i, line in enumerate(columns)]
        return lines(f"Partial dependence on {name}", series, x_label=name, y_label=f"mean {what}")
    return heatmap(
        f"Partial dependence on {name}",
        f"The mean {what} for each category of {name}.",
        columns,
        of,
        [shortened(str(value), 40) for value in dependence.values],
        row_label="",
        column_label=name,
        heat=Heat(BLUES, number),
    )


def _gallery(importance: Importance, images: Sequence[Array], name: str, note: str) -> Gallery:
    largest = max(float(np.abs(image).max()) for image in images)
    pictures = [
        (
            signed_picture(image, f"{name}, {shortened(pixels.name, 40)}", largest),
            f"{shortened(pixels.name, 40)}, {plural(pixels.rows, 'row')}",
        )
        for pixels, image in zip(importance.pixels, images, strict=True)
    ]
    return Gallery(name, pictures, f"{note} The strongest colours are ±{number(largest)}.")
