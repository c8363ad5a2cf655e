"""Learning curves: four configs in colour, one loss in a chart, the moment of early stopping."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from nnrun.reports.charts.lines import Series
from nnrun.reports.document import Figures
from nnrun.reports.html.curves import shared_scale
from nnrun.reports.html.runs import drawn
from nnrun.reports.run import run_parts
from nnrun.runs.storage.reading import read_run
from tests.reports.html.conftest import with_report
from tests.reports.html.test_report import sections

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
    return sections(make_report(tmp_path))["Learning curves: iris"][0]


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
    figures, *notes = sections(make_report(tmp_path))["Learning curves: iris"]
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
