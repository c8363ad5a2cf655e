"""Runs in the HTML report: curves, inside the network, films, predictions."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from nnrun.explain.surfaces import extent_of, grid_rows
from nnrun.models.load import load_model as load
from nnrun.reports import watched
from nnrun.reports.charts.lines import Series
from nnrun.reports.charts.pictures import block_means
from nnrun.reports.document import Figures, Folded, Gallery, Grid, charts_of
from nnrun.reports.html.curves import shared_scale
from nnrun.reports.html.layers import _panels, chosen_rows, layer_blocks
from nnrun.reports.html.predictions import ClassCurves, agree, boundary_blocks, nearest_boundary
from nnrun.reports.html.runs import drawn
from nnrun.reports.predictions import layer_outputs, predictions_of
from nnrun.reports.run import run_parts
from nnrun.reports.watched import film_blocks
from nnrun.runs.storage.contents import frames
from nnrun.runs.storage.reading import WATCHED, read_run
from nnrun.sweeps.planning.variants import Datasets
from tests.forging import revise, said
from tests.reports.conftest import with_report
from tests.reports.test_html_report import by_split, full, notes, sections

# Pictures of the inside: chosen rows layer by layer, rows near the boundary, filters.


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


# Learning curves: four configs in colour, one loss in a chart, the moment of early stopping.

HISTORY = {"iteration": [10, 20, 30], "train_loss": [3, 2, 1]}


def ticks(chart) -> list[str]:
    return re.findall(r'class="end">([^<]*)<', chart.drawing)


def figures_of(results, make_report, tmp_path, count: int, changed) -> Figures:
    """The curves of a board of copies of one run, whose configs are changed by index."""
    source = next((results / "flowers").iterdir())
    record = json.loads((source / "report.json").read_text())
    for index in range(count):
        config = json.loads(json.dumps(record["config"]))
        changed(config, index)
        with_report(source, tmp_path / "many" / f"s1-000000000{index}", config=config)
    return by_split(sections(make_report(tmp_path))["Learning curves: iris"])


def test_the_best_four_are_in_colour(results, make_report, tmp_path) -> None:
    """The others are grey in every chart, and their names apart in the legend."""

    def changed(config, index) -> None:
        config["training"]["learning_rate"] = 0.1 * (index + 1)

    figures = figures_of(results, make_report, tmp_path, 6, changed)
    assert ([0, 1, 2, 3], [4, 5]) == tuple(
        [index for index, _ in part] for part in (figures.legend, figures.others)
    )
    counts = {(c.drawing.count('other"'), c.drawing.count('class="series')) for c in figures.charts}
    assert {(2, 6)} == counts


def test_what_diverged_crushes_no_other_curve(results, make_report, tmp_path) -> None:
    """The scale is that of the settings that did not; a diverged run is in no mean of others."""
    source = next((results / "flowers").iterdir())
    record = json.loads((source / "report.json").read_text())
    rows = (source / "history.csv").read_text().splitlines()
    lost = {"status": "diverged", "metrics": dict.fromkeys(record["metrics"]), "files": {}}
    for index, (rate, changes) in enumerate([(0.1, {}), (0.1, lost), (5.0, lost)]):
        config = json.loads(json.dumps(record["config"]))
        config["training"]["learning_rate"] = rate
        folder = tmp_path / "many" / f"s{index}-000000000{index}"
        with_report(source, folder, config=config, seed=index, **changes)
        if changes:
            head = [line.replace(line.split(",")[3], "1e250") for line in rows[1:]]
            (folder / "history.csv").write_text("\n".join([rows[0], *head]) + "\n")
    blocks = sections(make_report(tmp_path))["Learning curves: iris"]
    figures, *notes = next(block for block in blocks if isinstance(block, Folded)).blocks
    assert ([0], [1]) == tuple([n for n, _ in part] for part in (figures.legend, figures.others))
    assert not any("e2" in label for chart in figures.charts for label in ticks(chart))
    assert any("Grey lines end where" in note.text for note in notes)


@pytest.mark.parametrize(("log", "near"), [(False, [2.5, 0.02]), (True, [2.5, 15, 0.02])])
def test_a_grey_line_far_off_does_not_set_the_scale(log, near) -> None:
    """Its points count up to twice the range of the coloured lines away: 1.5, or a factor of 16."""
    best = Series("best", [0, 1], [1, 0.25])
    grey = Series("grey", [0, 1, 2, 3], [2.5, 15, None, 0.02], other=True)
    far = Series("far", [0, 1], [17, 1e250], other=True)
    assert [1, 0.25, *near] == shared_scale([best, grey, far], log)
    assert [17, 1e250] == shared_scale([far], log)


def test_one_chart_never_has_two_losses(results, make_report, tmp_path) -> None:
    """Nor losses of targets with other scales, or of other weights; other metrics share charts."""
    balanced = {"class_weight": "balanced"}
    changes = [{}, {"loss": {"type": "binary_cross_entropy"}}, {"training": balanced}]

    def changed(config, index) -> None:
        for key, change in changes[index].items():
            config[key] = {**config[key], **change}

    figures = figures_of(results, make_report, tmp_path, 3, changed)
    lines = {chart.title: chart.drawing.count('class="series') for chart in figures.charts}
    losses = {title: n for title, n in lines.items() if "loss" in title.split()[1]}
    assert (6, {1}) == (len(losses), set(losses.values()))
    assert {"train accuracy": 3, "test accuracy": 3}.items() <= lines.items()


@pytest.mark.parametrize(
    ("restored", "words"),
    [(True, "weights kept from iteration 20"), (False, ">best at iteration 20<"), (None, "")],
)
def test_early_stopping_marks_the_weights_that_it_kept(results, restored, words) -> None:
    """Those of the best evaluation; where it restores none, the mark says which was best."""
    record = read_run(next((results / "flowers").iterdir())).record
    if restored is not None:
        stopping = {"monitor": "validation_loss", "patience": 1, "restore_best": restored}
        training = {**record.config["training"], "early_stopping": stopping}
        config = {**record.config, "training": training}
        record = replace(record, config=config, best_iteration=20)
    figures, *_ = drawn(dict(run_parts(record, HISTORY))["Learning curves"]())
    assert all(words in chart.drawing for chart in figures.charts)
    assert {restored is not None} == {"moment" in chart.drawing for chart in figures.charts}


def test_a_single_loss_is_beside_its_logarithm(results) -> None:
    """The second column would be empty; of several charts, a button goes from one to the other."""
    record = read_run(next((results / "houses").iterdir())).record
    one = {**HISTORY, "train_mse": HISTORY["train_loss"]}
    found = []
    for history in (one, {**one, "train_mse": [4, 3, 2]}):
        figures, *_ = drawn(dict(run_parts(record, history))["Learning curves"]())
        found.append([(chart.title, chart.log is not None) for chart in figures.charts])
    assert [("loss", False), ("loss, logarithmic", False)] == found[0]
    assert [("loss", True), ("mse", True)] == found[1]


# The surfaces of a watched run over its training.


def blocks_of(folder):
    record, model = read_run(folder).record, load(folder)
    return list(film_blocks(record, folder, model, predictions_of(record, model, Datasets().load)))


@pytest.fixture(scope="module")
def moons(results):
    return next((results / "moons").iterdir())


def test_the_output_of_stored_frames(moons):
    """The last areas are those of the stored network's predictions over the grid."""
    figures, folded = blocks_of(moons)
    record, model = read_run(moons).record, load(moons)
    train = predictions_of(record, model, Datasets().load).train
    predicted = model.predict(grid_rows(extent_of(train.x), 32))
    areas = [f"{100 * np.mean(predicted == label):.1f}%" for label in "ab"]

    (chart,) = figures.charts
    iterations = [str(iteration) for iteration, _ in frames(moons, record)]
    assert ["60", *areas] == chart.table.rows[-1]
    assert {row[0] for row in chart.table.rows} <= set(iterations)
    assert iterations[0] == chart.table.rows[0][0] == "0"
    assert [(0, "a"), (1, "b")] == figures.legend
    assert isinstance(folded, Folded)
    (layers,) = (block for block in folded.blocks if isinstance(block, Figures))
    assert ["0 (dense, tanh)", "1.0 (dense, relu)", "1 (residual)"] == [
        chart.title.removeprefix("Units of layer ").removesuffix(" over training")
        for chart in layers.charts
    ]


def test_the_stored_network_is_left_as_it_is(moons):
    """Drawing earlier weights does not change the model that other sections show."""
    record, model = read_run(moons).record, load(moons)
    before = model.network.theta.tobytes()
    list(film_blocks(record, moons, model, predictions_of(record, model, Datasets().load)))
    assert before == model.network.theta.tobytes()


def test_other_runs_have_none(results):
    """Runs that were not watched."""
    assert [] == blocks_of(next((results / "houses").iterdir()))


def test_a_changed_file_is_not_drawn(moons, tmp_path):
    """A note says which."""
    changed = with_report(moons, tmp_path / "moons" / "changed")
    (changed / WATCHED).write_bytes(b"something else")
    (note,) = blocks_of(changed)
    assert "bad" == note.kind
    assert f"{changed / WATCHED}: not the file that was written" in note.text


def test_frames_of_another_network_are_not_drawn(moons, monkeypatch):
    """Nor are some of its weights alone."""
    monkeypatch.setattr(
        watched, "frames", lambda folder, record: [(0, {"0.weight": np.zeros((2, 6))})]
    )
    (note,) = blocks_of(moons)
    assert "the weights that were kept on the way are not those of its network" in note.text


# A network that is loaded again is that of its report where their errors agree to rounding.


@pytest.mark.parametrize(
    ("size", "moved", "expected"),
    [
        (1.0, 0.0, True),
        (1.0, 1e-7, True),  # the rounding of float32, which is 1e-3 of the error
        (1.0, 1e-2, False),
        (1e200, 1e-7, True),
        (1e200, 1e-2, False),
    ],
)
def test_errors_agree_to_the_rounding_of_predictions(size, moved, expected):
    """Of numbers whose squares overflow, too."""
    y = size * np.linspace(-1, 1, 20)[:, None]
    predicted = y + size * 1e-4
    record = SimpleNamespace(task="regression", metrics={"test": {"rmse": size * 1e-4}})
    part = SimpleNamespace(y=y, weight=None)
    predictions = SimpleNamespace(split="test", part=part, decoded=predicted + size * moved)
    assert expected == agree(record, predictions)


# Curves of classes, beside scikit-learn's.


@pytest.fixture(params=["distinct", "ties", "equal"])
def rows(request):
    """Whether rows are of a class, and its probability."""
    rng = np.random.default_rng(3)
    probability = rng.random(60)
    is_class = rng.random(60) < probability
    digits = {"distinct": 17, "ties": 1, "equal": 0}[request.param]
    return is_class, np.round(probability / (2 if digits == 0 else 1), digits)


def test_curves_are_those_of_scikit_learn(rows):
    """A point for each threshold, equal probabilities together."""
    found = ClassCurves.of(*rows)
    false_alarms, recall, _ = roc_curve(*rows, drop_intermediate=False)
    assert np.allclose([false_alarms, recall], [found.false_alarms, found.recall], atol=1e-15)
    precision, recall, _ = precision_recall_curve(*rows)
    expected = [precision[::-1], recall[::-1]]
    assert np.allclose(expected, [found.precision, found.recall], atol=1e-15)
    assert roc_auc_score(*rows) == pytest.approx(found.area, abs=1e-15)


def test_drawn_lines_go_through_the_corners(rows):
    """On the grid, all are reached at the right end; gains and recall do not fall."""
    recall, precision, gains = ClassCurves.of(*rows).on_grid()
    assert [1.0, 1.0] == [recall[-1], gains[-1]]
    assert precision[-1] >= np.mean(rows[0]) - 1e-15
    assert (np.diff(recall) >= 0).all()
    assert (np.diff(gains) >= 0).all()


def test_a_sure_class_has_a_square_curve():
    """All of its rows come before all others."""
    found = ClassCurves.of(np.array([1, 0, 1, 0]) == 1, np.array([0.9, 0.2, 0.8, 0.1]))
    recall, precision, _ = found.on_grid()
    assert ({1.0}, {1.0}) == (set(recall), set(precision))
