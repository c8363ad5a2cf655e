"""Slices of rows for which a network is worse: its error by categories and by fifths of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.characters import shortened
from nnrun.data.dataset import Dataset
from nnrun.data.encodings import UTF_8
from nnrun.data.inference.sources import read_carried
from nnrun.data.labels import number as number_of
from nnrun.errors import NnrunError, UsageError
from nnrun.models.load import load_model
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.scatter import strip, strip_scale
from nnrun.reports.document import Block, Cell, Folded, Grid, Note
from nnrun.reports.importance import places_of, siblings
from nnrun.reports.numbers import count, number, plural
from nnrun.reports.predictions import LoadData, Predictions, last_split, prepared_again
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import refuse_unusable_model

FEWEST = 10
"""Rows of a slice; smaller ones are left out."""
_FIFTHS, _MOST_VALUES, _PAIRED = 5, 20, 6
_MOST_READ, _MOST_CELLS = 50_000, 250_000  # in reports
_TIMES, _AT_ONCE, _LEVEL = 27, 37, 0.95  # 999 orders, some at a time for memory

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Slice:
    """Some of the rows, and how their error differs from that of the others.

    Args:
        name: `age > 61`, `sex = female`.
        rows: how many.
        error: their mean error.
        rest: that of all other rows.
        low: the lower end of the interval of the difference, which holds for all slices at once.
        high: its upper end.
    """

    name: str
    rows: int
    error: float
    rest: float
    low: float
    high: float

    @property
    def is_worse(self) -> bool:
        """Whether its error is larger than that of other rows, beyond chance."""
        return self.low > 0

    @property
    def is_better(self) -> bool:
        """Whether it is smaller, likewise."""
        return self.high < 0


@dataclass(frozen=True)
class Slices:
    """The slices of a setting's rows, the worst first.

    Args:
        name: of the experiment.
        run_id: of the run that was asked for.
        split: whose rows were predicted.
        error: `error rate`, or `absolute error` in units of the target.
        rows: how many different rows, each with the mean error of the runs that predict it.
        runs: how many runs.
        slices: all that were looked at.
    """

    name: str
    run_id: str
    split: str
    error: str
    rows: int
    runs: int
    slices: list[Slice]

    def to_dict(self) -> dict[str, Any]:
        """The slices as JSON data."""
        each = [
            {**asdict(one), "worse": one.is_worse, "better": one.is_better} for one in self.slices
        ]
        return {**vars(self), "slices": each}


def slices_of(
    folder: Path,
    record: RunRecord,
    load_data: LoadData,
    columns: Sequence[str] = (),
    *,
    pairs: bool = False,
) -> Slices:
    """The slices of a stored run and of the other seeds of its setting.

    Args:
        folder: of the run.
        record: its report.
        load_data: loads the data of a config.
        columns: by which rows are sliced, also such as no feature is made of; by default the
            features.
        pairs: whether also by two columns at once, of the first ones.

    Raises:
        UsageError: no model is kept of it, there is no such column, or its rows are images.
        NnrunError: its data are missing or have changed, or its predictions are not finite.
    """
    records = [record, *siblings(folder, record)]
    total: Array | None = None
    for each in records:
        place = folder.parent / each.run_id if each is not record else folder
        refuse_unusable_model(place, each)
        model, run = load_model(place), prepared_again(each, load_data)
        split, part = last_split(run.split)
        error = _errors(model, model.task.decode(model.evaluate(part.raw)), part.y)
        if total is None:
            rows = len(run.dataset.pooled_y)
            total, times = np.zeros(rows), np.zeros(rows, np.intp)
        total[part.rows] += error
        times[part.rows] += 1
    assert total is not None
    tested = np.flatnonzero(times)
    if not np.isfinite(total[tested]).all():
        raise NnrunError(f"{record.name}: predictions of its runs are not finite")
    whole = run.dataset.whole or run.dataset
    named = _values(whole, model, record, columns, tested)
    slices = {name: held for column in named.items() for name, held in _sliced(*column)}
    if pairs:
        first = dict([*named.items()][:_PAIRED])
        sliced = [[*_sliced(*column)] for column in first.items()]
        slices |= {
            f"{one}, {other}": held & also
            for left, right in combinations(sliced, 2)
            for one, held in left
            for other, also in right
        }
    found = compared(total[tested] / times[tested], slices)
    return _summed_up(record, split, len(tested), len(records), found)


def report_slices(record: RunRecord, model: Model, of: Predictions) -> Iterator[Block]:
    """The slices of a run that differ, for its page: nothing where none does, or for images.

    Of many rows and columns some rows are left out, and of large files all, since other orders of
    the errors and the cells of the file take time.
    """
    if len(model.layout.shape) > 1 or len(of.dataset.row_numbers) > _MOST_READ:
        return
    step = -(-len(of.part) * len(places_of(model)) // _MOST_CELLS)
    part, decoded = of.part.take(np.arange(0, len(of.part), step)), of.decoded[::step]
    try:
        named = _values(of.dataset.whole or of.dataset, model, record, (), part.rows)
    except (NnrunError, OSError):  # other sections say what is wrong with its data
        return
    error = _errors(model, decoded, part.y)
    if not np.isfinite(error).all():
        return
    sliced = {name: held for column in named.items() for name, held in _sliced(*column)}
    slices = _summed_up(record, of.split, len(error), 1, compared(error, sliced))
    differ = [one for one in slices.slices if one.is_worse or one.is_better]
    if differ and (first := differ[0]).is_worse:
        yield Note(
            f"For rows with {first.name} the {slices.error} is {number(first.error)}, for the "
            f"others {number(first.rest)}."
        )
    if differ:
        yield Folded("Slices", [*slices_blocks(slices)])


def _summed_up(record: RunRecord, split: str, rows: int, runs: int, found: list[Slice]) -> Slices:
    what = "error rate" if record.task == "classification" else "absolute error"
    return Slices(record.name, record.run_id, split, what, rows, runs, found)


def compared(error: Array, slices: Mapping[str, Bools]) -> list[Slice]:
    """Each slice beside all other rows, the one with the largest difference first.

    The differences over their standard errors have one bound, which the largest of them exceeds in
    5% of 999 tables with the errors in another order (Westfall and Young 1993).

    Args:
        error: of each row.
        slices: which rows are in each.
    """
    held = {
        name: rows for name, rows in slices.items() if FEWEST <= rows.sum() <= len(rows) - FEWEST
    }
    if not held:
        return []
    inside = np.stack([*held.values()]).astype(np.float64)
    rng = np.random.default_rng(0)
    difference, spread = _beside(inside, error[:, np.newaxis])
    largest = [
        _largest(inside, np.stack([rng.permutation(error) for _ in range(_AT_ONCE)], axis=1))
        for _ in range(_TIMES)
    ]
    bound = float(np.quantile(np.concatenate(largest), _LEVEL, method="higher"))
    mean = inside @ error / inside.sum(axis=1)
    found = [
        Slice(
            name,
            int(rows.sum()),
            float(mean[at]),
            float(mean[at] - difference[at, 0]),
            float(difference[at, 0] - bound * spread[at, 0]),
            float(difference[at, 0] + bound * spread[at, 0]),
        )
        for at, (name, rows) in enumerate(held.items())
    ]
    return sorted(found, key=lambda one: one.rest - one.error)


def _largest(inside: Array, errors: Array) -> Array:
    """The largest difference over its standard error, of each order; infinite without spread."""
    difference, spread = _beside(inside, errors)
    with np.errstate(all="ignore"):
        ratios: Array = np.nan_to_num(np.abs(difference / spread), posinf=np.inf).max(axis=0)
    return ratios


def _beside(inside: Array, errors: Array) -> tuple[Array, Array]:
    """The difference of means in and out of slices, and its standard error: (slices, orders)."""
    parts = []
    for members in (inside, 1 - inside):
        rows = members.sum(axis=1, keepdims=True)
        mean, squares = members @ errors / rows, members @ errors**2 / rows
        parts.append((mean, np.maximum(squares - mean**2, 0) / (rows - 1)))
    (within, one), (without, other) = parts
    return within - without, np.sqrt(one + other)


def _errors(model: Model, decoded: Array, y: Array) -> Array:
    if isinstance(model.task, Classification):
        return np.asarray(decoded != y, np.float64)
    return np.asarray(np.abs(decoded - y.reshape(decoded.shape)).mean(axis=1))


def _values(
    dataset: Dataset, model: Model, record: RunRecord, columns: Sequence[str], rows: Array
) -> dict[str, Array]:
    """The values of columns for these rows: numbers, or texts as objects."""
    if len(model.layout.shape) > 1:
        raise UsageError("--slices is for the columns of a table; this network takes images")
    source = record.config["dataset"]
    path = source.get("path") if source.get("name") is None else None
    if path is not None and Path(path).suffix.lower() != ".npz":
        names = columns or model.layout.columns.features
        encoding = source.get("encoding") or UTF_8
        cells = read_carried(Path(path), names, source.get("separator"), encoding)
        return {name: _typed(cells[name][dataset.row_numbers[rows] - 1]) for name in names}
    places = places_of(model)
    unknown = next((name for name in columns if name not in places), None)
    if unknown is not None:
        raise UsageError(f"there is no column '{unknown}'; there are {', '.join(places)}")
    x = np.concatenate([np.asarray(part) for part in dataset.parts])[rows]
    return {name: x[:, places[name].start] for name in columns or places}


def _typed(cells: Array) -> Array:
    """Cells as numbers, with NaN for blank ones, if all others are numbers; else as they are."""
    numbers = [number_of(cell) if cell else np.nan for cell in cells.tolist()]
    typed: Array = cells if None in numbers else np.array(numbers, np.float64)
    return typed


def _sliced(name: str, values: Array) -> Iterator[tuple[str, Bools]]:
    """The slices of one column, by their names."""
    short = shortened(name, 30)
    if values.dtype.kind == "O":
        different, numbers = np.unique(values.astype(str), return_inverse=True)
        if len(different) <= _MOST_VALUES:
            for at, value in enumerate(different):
                yield f"{short} = {shortened(value, 30) or '(blank)'}", numbers == at
        return
    if (blank := np.isnan(values)).any():
        yield f"{short} is blank", blank
    known = values[~blank]
    different = np.unique(known)
    if len(different) <= _FIFTHS:
        for value in different:
            yield f"{short} = {value:.6g}", values == value
        return
    ends = np.unique(np.quantile(known, np.arange(1, _FIFTHS) / _FIFTHS, method="lower"))
    edges = [-np.inf, *ends.tolist(), np.inf]
    for low, high in pairwise(edges):
        text = f"{short} ≤ {high:.6g}" if low == -np.inf else f"{short} > {low:.6g}"
        if -np.inf < low and high < np.inf:
            text = f"{low:.6g} < {short} ≤ {high:.6g}"
        yield text, (values > low) & (values <= high)


def slices_blocks(slices: Slices) -> Iterator[Block]:
    """The slices that differ from the rest, or that none does."""
    over = f"{plural(slices.runs, 'run')} of its setting" if slices.runs > 1 else "this run"
    yield Note(f"For whom it is worse: {slices.error} on {plural(slices.rows, 'row')} of the "
               f"{slices.split} split, by {over}.")  # fmt: skip
    differ = [one for one in slices.slices if one.is_worse or one.is_better]
    looked = plural(len(slices.slices), "slice")
    if not differ:
        yield Note(f"None of {looked} differs from the other rows beyond chance.")
        return
    scale = Linear.over([0.0, *(end for one in differ for end in (one.low, one.high))])
    rows = [
        [
            Cell(one.name),
            Cell(count(one.rows), one.rows),
            Cell(number(one.error), one.error),
            Cell(number(one.rest), one.rest),
            Cell(f"{number(one.low)} to {number(one.high)}",
                 drawing=strip([d := one.error - one.rest], scale, one.low, one.high, d)),
        ]
        for one in differ
    ]  # fmt: skip
    header = ["rows with", "rows", slices.error, "of the others", "difference"]
    yield Grid("Slices", header, rows, hidden=True, marks={"difference": strip_scale(scale)})
    yield Note(
        f"Of {looked}, those that differ: intervals hold at 95% for all of them at once. Worse is "
        "not unfair, nor the column its cause; few rows or other columns may be.",
        "small",
    )
