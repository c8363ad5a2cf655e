"""Pictures of the inside: chosen rows layer by layer, rows near the boundary, filters."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.models.load import load_model as load
from nnrun.reports.charts.pictures import block_means
from nnrun.reports.document import Figures, Gallery, Grid, charts_of
from nnrun.reports.html.layers import _panels, chosen_rows, layer_blocks
from nnrun.reports.html.predictions import boundary_blocks, nearest_boundary
from nnrun.reports.predictions import layer_outputs, predictions_of
from nnrun.runs.storage.reading import read_run
from nnrun.sweeps.planning.variants import Datasets
from tests.forging import revise, said
from tests.reports.html.conftest import with_report
from tests.reports.html.test_report import full, notes


@pytest.fixture(scope="module")
def examined(results):
    """The record, the network and the predictions of runs by name."""
    found = {}
    for name in ("pictures", "houses", "moons"):
        folder = next((results / name).iterdir())
        record, model = read_run(folder).record, load(folder)
        found[name] = record, model, predictions_of(record, model, Datasets().load)
    return found


def test_rows_are_chosen_by_class(examined) -> None:
    """The first of each class, in the order of classes; the rule is said."""
    record, _, predictions = examined["pictures"]
    rows, rule = chosen_rows(record, predictions)
    y = predictions.part.y
    assert [int(np.flatnonzero(y == k)[0]) for k in range(10)] == rows.tolist()
    assert "The first row of each class in the test split" == rule


def test_rows_of_a_regression_are_chosen_by_value(examined) -> None:
    """The smallest, the median and the largest."""
    record, _, predictions = examined["houses"]
    rows, rule = chosen_rows(record, predictions)
    values = np.sort(predictions.part.y[:, 0])
    expected = [values[0], values[len(values) // 2], values[-1]]
    assert expected == predictions.part.y[rows, 0].tolist()
    assert "The rows of the test split with the smallest, the median and the largest MEDV" == rule


@pytest.mark.parametrize("name", ["pictures", "houses", "moons"])
def test_outputs_of_layers_end_in_the_predictions(examined, name) -> None:
    """What the last layer gives for rows is what the network gives for them."""
    _, model, predictions = examined[name]
    x = predictions.part.raw.between(0, 5)
    *_, last = layer_outputs(model, x)
    with np.errstate(all="ignore"):
        expected = model.evaluate(predictions.part.raw)[:5]
    assert np.allclose(expected, last, rtol=0, atol=1e-12)


def test_layers_of_images_are_maps_then_numbers(examined) -> None:
    """The rows, the maps of the convolution for each of them, and the outputs by class."""
    blocks = list(layer_blocks(*examined["pictures"]))
    rows, folded = blocks[1:]
    maps = next(block for block in folded.blocks if isinstance(block, Gallery))
    assert [10, 10] == [len(rows.pictures), len(maps.pictures)]
    assert (13, 6) == (maps.pictures[0][0].width, maps.pictures[0][0].height)
    assert "For each row, 2 maps of 6×6." == maps.note
    (chart,) = [chart for block in blocks for chart in charts_of(block)]
    assert [f"{digit}" for digit in range(10)] == list(chart.table.header)[1:]
    assert "layer 1 (flatten)" in notes(folded.blocks)


def test_layers_of_a_table_begin_with_its_columns(examined) -> None:
    """As they go into the network; the last outputs of classes have their names."""
    blocks = list(layer_blocks(*examined["moons"]))
    charts = [chart for block in blocks for chart in charts_of(block)]
    assert ["row \\ input", "left", "up"] == list(charts[0].table.header)
    assert ["row \\ class", "a", "b"] == list(charts[-1].table.header)
    assert [2, 6, 6, 2] == [len(chart.table.rows[0]) - 1 for chart in charts]


def test_rows_near_the_boundary_have_the_smallest_margins(examined) -> None:
    """The least differences of the two largest probabilities among all rows, in order."""
    _, model, predictions = examined["pictures"]
    rows, margins, _ = nearest_boundary(model, predictions)
    every = []
    for p in predictions.probabilities:
        *_, second, first = sorted(map(float, p))
        every.append(first - second)
    assert sorted(every)[:12] == margins.tolist() == [every[row] for row in rows]


def test_rows_near_the_boundary_are_shown_as_what_they_are(examined) -> None:
    """Images as pictures, rows of a table with their values; each with its true class."""
    note, gallery = boundary_blocks(*examined["pictures"][1:])
    assert "12 rows of the test split whose two largest probabilities" in note.text
    _, model, predictions = examined["pictures"]
    rows, *_ = nearest_boundary(model, predictions)
    numbers = [f"row {number}, true " for number in predictions.part.rows[rows]]
    captions = [caption for _, caption in gallery.pictures]
    assert [True] * 12 == [c.startswith(n) for c, n in zip(captions, numbers, strict=True)]
    _, grid = boundary_blocks(*examined["moons"][1:])
    assert ["row", "true", "most probable", "next", "margin", "left", "up"] == list(grid.header)
    margins = [row[4].value for row in grid.rows]
    assert margins == sorted(margins)


def test_values_have_no_boundary(examined) -> None:
    """A regression has no classes to lie between."""
    assert [] == list(boundary_blocks(*examined["houses"][1:]))


@pytest.mark.parametrize("sides", [(100, 81), (120, 1), (40, 40)])
def test_large_maps_are_means(sides) -> None:
    """Of blocks of outputs, at most 40 a side; a small map is as it is."""
    maps = np.arange(2 * 3 * np.prod(sides), dtype=float).reshape(2, 3, *sides)
    found, block = block_means(maps, 40)
    assert max(found.shape[2:]) <= 40
    down, across = (min(block, side) for side in sides)
    assert maps[1, 2, :down, :across].mean() == pytest.approx(found[1, 2, 0, 0])
    assert (block == 1) == np.array_equal(maps, found)


def test_without_its_data_the_inside_is_left_out(results, make_report, tmp_path) -> None:
    """In one sentence; weights need no data."""
    source = next((results / "moons").iterdir())
    folder = with_report(source, tmp_path / "moons" / source.name)
    report = folder / "report.json"
    revise(report, dataset={**said(report)["dataset"], "sha256": "00" * 32})
    run = full(make_report(tmp_path), "moons")
    expected = (
        "The outputs of its layers and the rows near its boundary are left out, since its data "
        "cannot be used."
    )
    assert ([expected], False) == (
        [block.text for block in run["Inside"]],
        "Near the boundary" in run,
    )
    assert isinstance(run["Weights"][0], Figures)


def test_channels_of_a_filter_are_side_by_side() -> None:
    """Each of them with its own picture; of more than four, the mean."""
    w = np.arange(2 * 3 * 2 * 2, dtype=float).reshape(2, 3, 2, 2)
    panels = _panels(w)
    assert (2, 2, 8) == panels.shape
    for channel in range(3):
        assert np.array_equal(w[:, channel], panels[:, :, 3 * channel : 3 * channel + 2])
    assert np.isnan(panels[:, :, [2, 5]]).all()
    many = np.ones((2, 5, 2, 2))
    assert np.array_equal(many.mean(axis=1), _panels(many))


def test_misclassified_rows_and_rows_near_the_boundary_agree(examined) -> None:
    """Both name a row by its number in the data set."""
    _, grid = boundary_blocks(*examined["moons"][1:])
    assert isinstance(grid, Grid)
    part = examined["moons"][2].part
    assert {row[0].text for row in grid.rows} <= {str(number) for number in part.rows}
