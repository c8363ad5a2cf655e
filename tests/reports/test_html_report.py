"""A report shows what is there, says what it leaves out, and what is not as it should be."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from nnrun.reports.document import Figures, Folded, Grid, Mistakes, Note, Settings, charts_of
from nnrun.reports.html.curves import board_curves
from nnrun.reports.html.overview import find_runs
from nnrun.reports.html.report import Report, render
from nnrun.reports.html.runs import config_blocks
from nnrun.runs.storage.reading import read_run
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.sweeps.planning.variants import Datasets
from tests.forging import forge, revise, said
from tests.reports.conftest import with_report
from tests.reports.test_html_page import Page


def sections(report: Report) -> dict[str, list]:
    return {section.title: list(section.blocks) for section in report.sections()}


def full(report: Report, name: str) -> dict[str, list]:
    """The sections of the first run of this name."""
    run = next(run for run in report.runs() if run.name.startswith(f"{name}/"))
    return {section.title: list(section.blocks) for section in run.sections}


def notes(blocks: list) -> str:
    return " ".join(block.text for block in blocks if isinstance(block, Note))


def by_split(blocks: list) -> Figures:
    """The charts of the curves of a board in which configs meet."""
    return next(b for b in blocks if isinstance(b, Folded) and "By split" in b.title).blocks[0]


def titles(blocks: list) -> list[str]:
    figures = [f for block in blocks if isinstance(block, Figures) for f in block.charts]
    figures += [block for block in blocks if hasattr(block, "chart")]
    return [figure.title for figure in figures]


def counts(report) -> dict[str, int]:
    return {mark.text: number for mark, number in report.counts}


def test_every_kind_of_run_appears_as_what_it_is(results, make_report, page) -> None:
    """And the rest is shown."""
    report = make_report(results)
    expected = {"completed": 9, "completed with warnings": 2, "diverged": 1, "failed": 1}
    expected |= {"damaged": 2, "interrupted": 2}
    assert expected == counts(report)
    listed = notes(sections(report)["All runs"])
    assert (
        "broken/s3-00000000cc is damaged: report.json is not the file that was written; nnrun"
        in listed
    )
    assert "broken/s4-00000000dd is damaged: the 'config' of report.json is not what" in listed
    assert "broken/s5-00000000ee: it continues from its checkpoint" in listed
    text = Page(page).text
    assert "The disk is full." in text
    assert 'File "a.py", line 1, in <module> ValueError: <b>"' in " ".join(text.split())
    assert "\x1b" not in page
    assert "Diverged: " in text


def test_a_run_in_progress_is_running(results, make_report, tmp_path) -> None:
    """Its folder is held by the process that is at it."""
    from nnrun.runs.storage.durable import acquire

    folder = tmp_path / "results" / "broken" / "s5-00000000ee"
    shutil.copytree(results / "broken" / "s5-00000000ee", folder)
    lock = acquire(folder, wait=False)
    assert lock is not None
    assert {"running": 1} == counts(make_report(tmp_path / "results"))
    # Until its first checkpoint, a run leaves nothing but its lock.
    (folder / "checkpoint.safetensors").unlink()
    assert {"running": 1} == counts(make_report(tmp_path / "results"))
    assert "broken/s5-00000000ee: it is in progress" in notes(
        sections(make_report(tmp_path / "results"))["All runs"]
    )
    (folder / "checkpoint.safetensors").touch()
    lock.close()
    assert {"interrupted": 1} == counts(make_report(tmp_path / "results"))


def test_a_sweep_in_progress_is_counted(results) -> None:
    """Its next runs have no folder yet; they are still to come."""
    found = find_runs(["flowers"], results)
    sweep = SweepCounts(["flowers"], total=20, done=8, failed=0, running=2)
    report = Report(found, Datasets().load, sweeps=[sweep])
    assert "still to come: 10 queued" in report.verdict.lines[1].text
    (now,) = sections(report)["In progress"]
    assert "Sweep of flowers: 8 of 20 done, 2 running, 10 queued." == now.text


def test_the_leaderboard_has_the_numbers_of_the_runs(results, make_report) -> None:
    """Of each config: the mean over its seeds, with its best run linked."""
    blocks = sections(make_report(results))[
        "flowers on iris: accuracy, ordered by the test split: 4 settings"
    ]
    grid = blocks[0]
    found: dict[str, list[float]] = {}
    for path in (results / "flowers").glob("*/report.json"):
        record = json.loads(path.read_text())
        training, layers = record["config"]["training"], record["config"]["network"]["layers"]
        key = f"{layers[0]['units']} units · learning rate {training['learning_rate']}"
        found.setdefault(key, []).append(record["metrics"]["test"]["accuracy"])
    means = {key: sum(values) / len(values) for key, values in found.items()}
    shown = {row[1].text: row[2].value for row in grid.rows}
    assert means == pytest.approx(shown)
    assert sorted(means.values(), reverse=True) == pytest.approx([r[2].value for r in grid.rows])
    assert all(row[3].drawing.count("<circle") == 2 for row in grid.rows)


def test_rows_that_are_left_out_change_no_other(results, make_report) -> None:
    """What is not shown of them is not computed; all else is as in a report of all rows.

    But for the digits of the last column: seconds have those of the rows that are shown.
    """
    whole, first = (sections(make_report(results, rows=n)) for n in (1000, 2))
    title = "flowers on iris: accuracy, ordered by the test split: 4 settings"
    (board, *_), (cut, *_) = whole.pop(title), first.pop(title)
    for row, alone in zip(board.rows, cut.rows, strict=False):
        assert [cell.text for cell in row[:-1]] == [cell.text for cell in alone[:-1]]
        assert [cell.value for cell in row] == [cell.value for cell in alone]
    assert 2 == len(cut.rows)
    for title in (title for title in whole if "ordered by" not in title):
        assert whole[title] == first[title]


@pytest.mark.parametrize(
    ("published", "columns", "note"),
    [
        ((0.9, 0.9), [], "baseline {}, published test 0.9000"),
        ((0.9, 0.8), ["published test"], "baseline {}"),
    ],
)
def test_what_is_the_same_in_every_row_is_shown_once(
    results, make_report, tmp_path, published, columns, note
) -> None:
    """Below the table and not in a column; where rows differ in it, it is a column."""
    source = next((results / "flowers").iterdir())
    record = json.loads((source / "report.json").read_text())
    for index, number in enumerate(published):
        config = json.loads(json.dumps(record["config"]))
        config["training"]["learning_rate"] = 0.1 * (index + 1)
        config["published"] = {"source": "a book", "test_accuracy": number}
        place = tmp_path / "grid" / f"s1-000000000{index}"
        with_report(source, place, config=config)
    grid, *rest = sections(make_report(tmp_path))[
        "iris: accuracy, ordered by the test split: 2 settings"
    ]
    assert columns == [n for n in grid.header if n.startswith(("baseline", "published"))]
    assert {len(grid.header)} == {len(row) for row in grid.rows}
    baseline = f"{record['baseline']['test']['accuracy']:.4f}"
    expected = [f"The same in every row: {note.format(baseline)}."]
    assert expected == [block.text for block in rest if block.text.startswith("The same")]


def test_rows_are_named_by_what_differs_in_their_own_table(results, make_report, tmp_path) -> None:
    """And not by settings that differ only from those of another board; so are curves."""
    source = next((results / "flowers").iterdir())
    record = json.loads((source / "report.json").read_text())
    for index in range(4):
        config = json.loads(json.dumps(record["config"]))
        config["training"]["learning_rate"] = 0.1 * (index % 2 + 1)
        changes = {"config": config}
        if index > 1:
            config["dataset"] |= {"test_size": 0.4, "validation_size": 0.2}
            changes |= {
                "metrics": {**record["metrics"], "validation": record["metrics"]["test"]},
                "dataset": {**record["dataset"], "n_validation": 20},
            }
        with_report(source, tmp_path / "both" / f"s1-000000000{index}", **changes)
    report = make_report(tmp_path)
    for split in ("test", "validation"):
        title = f"iris: accuracy, ordered by the {split} split"
        found = sections(report)
        grid, figures = (
            found[f"{title}: 2 settings"][0],
            by_split(found[f"Learning curves: {title}"]),
        )
        expected = ["learning rate 0.1", "learning rate 0.2"]
        assert expected == sorted(row[1].text for row in grid.rows)
        assert expected == sorted(name for _, name in figures.legend)


def test_a_grid_of_two_keys_has_a_heat_map(results, make_report) -> None:
    """And the metric against each of the two."""
    blocks = sections(make_report(results))["Settings of flowers"]
    expected = [
        "test accuracy against units",
        "test accuracy against learning_rate",
        "test accuracy by units and learning_rate",
    ]
    assert expected == titles(blocks)


def test_a_grid_of_three_keys_has_parallel_coordinates(results, make_report, tmp_path) -> None:
    """One axis for each, and one for the metric."""
    source = next((results / "flowers").iterdir())
    config = json.loads((source / "report.json").read_text())["config"]
    for index in range(4):
        changed = json.loads(json.dumps(config))
        changed["training"] |= {"learning_rate": 0.1 * (index + 1), "batch_size": 4 + index % 2}
        changed["training"]["sampling"] = ["shuffle", "with_replacement"][index // 2]
        with_report(source, tmp_path / "grid" / f"s1-000000000{index}", config=changed)
    blocks = sections(make_report(tmp_path))["Settings of grid"]
    chart = [b for b in blocks if isinstance(b, Figures)][-1].charts[0]
    assert "test accuracy of every config" == chart.title
    expected = ["learning_rate", "batch_size", "sampling", "test accuracy"]
    assert expected == list(chart.table.header)


def test_learning_curves_are_means_over_seeds(results, make_report) -> None:
    """With a band from the lowest to the highest; the loss can be seen on a log scale."""
    figures = by_split(sections(make_report(results))["Learning curves: iris"])
    expected = ["train loss", "test loss", "train accuracy", "test accuracy"]
    assert expected == [chart.title for chart in figures.charts]
    assert [True, True, False, False] == [chart.log is not None for chart in figures.charts]
    assert 4 == len(figures.legend)
    assert 4 == figures.charts[0].drawing.count('class="area')


@pytest.mark.parametrize(("split", "color"), [("validation", 1), ("test", 2)])
def test_training_meets_the_split_that_decides(results, make_report, tmp_path, split, color):
    """In a chart of each config, as a thin line beside a strong one with its band.

    They have one scale; of one or two configs there is the loss as well.
    """
    source = next((results / "flowers").iterdir())
    record = json.loads((source / "report.json").read_text())
    for index in range(8):
        config = json.loads(json.dumps(record["config"]))
        config["training"]["learning_rate"] = 0.1 * (index // 2 + 1)
        changes = {"config": config, "seed": index}
        if split == "validation":
            changes["metrics"] = {**record["metrics"], "validation": record["metrics"]["test"]}
            changes["dataset"] = {**record["dataset"], "n_validation": 20}
        with_report(source, tmp_path / "many" / f"s{index}-0000000000", **changes)
    (board,) = make_report(tmp_path).boards
    keys = [run.key for standing in board.standings for run in standing.variant.runs]
    columns = [f"{part}_{what}" for part in ("train", split) for what in ("loss", "accuracy")]
    histories = {
        key: {"iteration": [1, 2], **{column: [place / 10, len(column)] for column in columns}}
        for place, key in enumerate(keys)
    }
    figures = next(iter(board_curves(board, histories)))
    assert [(0, "train"), (color, split)] == figures.legend
    groups = {tuple(re.findall('class="(series[^"]*)"', chart.drawing)) for chart in figures.charts}
    assert {("series s0 thin", f"series s{color}")} == groups
    assert {1} == {chart.drawing.count('class="area') for chart in figures.charts}
    assert 1 == len({str(re.findall('class="end">[^<]*<', c.drawing)) for c in figures.charts})
    assert ["accuracy"] * 4 == [chart.title.split(": ")[-1] for chart in figures.charts]
    two = next(iter(board_curves(board, {key: histories[key] for key in keys[:4]})))
    assert ["loss"] * 2 + ["accuracy"] * 2 == [chart.title.split(": ")[-1] for chart in two.charts]


def test_curves_of_one_data_set_are_distinguished(results, make_report, tmp_path) -> None:
    """Where runs have a validation split, and others of the same data have none."""
    for folder in (results / "flowers").iterdir():
        with_report(folder, tmp_path / "flowers" / folder.name)
        record = json.loads((folder / "report.json").read_text())
        metrics = {**record["metrics"], "validation": record["metrics"]["test"]}
        dataset = {**record["dataset"], "n_validation": 20}
        changes = {"metrics": metrics, "dataset": dataset}
        with_report(folder, tmp_path / "tulips" / folder.name, **changes)
    found = [title for title in sections(make_report(tmp_path)) if "curves" in title]
    wanted = [("flowers", "test"), ("tulips", "validation")]
    titles = [f"{name} on iris: accuracy, ordered by the {split} split" for name, split in wanted]
    assert [f"Learning curves: {title}" for title in titles] == found


def test_misclassified_rows_are_those_that_the_report_counts(results, make_report) -> None:
    """Every cell off the diagonal has as many pictures as it has rows, up to eight."""
    report = make_report(results, "pictures")
    record = json.loads(next((results / "pictures").glob("*/report.json")).read_text())
    matrix = record["metrics"]["test"]["confusion"]
    answers = full(report, "pictures")["Predictions"]
    (cells,) = [block.cells for block in answers if isinstance(block, Mistakes)]
    for cell in cells:
        true, said = map(int, cell.id.split("-")[-2:])
        assert cell.rows <= min(8, matrix[true][said])
        assert cell.title.endswith(f"{matrix[true][said]} row" + "s" * (matrix[true][said] > 1))
        assert all(f": {true} → {said}" in caption for _, caption in cell.content.pictures)
    assert "Confusion matrix, test split" == titles(answers)[0]


def test_misclassified_rows_of_a_table_show_its_values(results, make_report) -> None:
    """By the names of its columns."""
    answers = full(make_report(results, "moons"), "moons")["Predictions"]
    (cells,) = [block.cells for block in answers if isinstance(block, Mistakes)]
    assert ["row", "probability", "left", "up"] == list(cells[0].content.header)


def test_regression_shows_how_far_it_is_off(results, make_report) -> None:
    """Predicted against true, residuals, and how often each occurs: of all test rows."""
    answers = full(make_report(results, "houses"), "houses")["Predictions"]
    expected = [
        "Predicted against true of MEDV, test",
        "Residuals of MEDV, test",
        "How often each residual of MEDV occurs, test",
    ]
    assert expected == titles(answers)
    (figures,) = [block for block in answers if isinstance(block, Figures)]
    assert 102 == figures.charts[0].drawing.count("<circle")


def test_two_features_have_a_decision_surface(results, make_report) -> None:
    """Only two features have one."""
    report = make_report(results, "moons", "houses")
    assert "Decision surface" in full(report, "moons")
    assert "Decision surface" not in full(report, "houses")


def test_weights_and_units_are_shown(results, make_report) -> None:
    """Filters as pictures, every parameter's histogram, dead units by layer."""
    run = full(make_report(results, "pictures"), "pictures")
    gallery, weights, biases = run["Weights"]
    assert ["filter 0", "filter 1"] == [caption for _, caption in gallery.pictures]
    assert (2, 2) == (len(weights.charts), len(charts_of(biases)))
    grid = next(block for block in run["Units"] if isinstance(block, Grid))
    assert ["2", "72", "10"] == [row[2].text for row in grid.rows]


def test_every_feature_of_the_first_layer_is_named(results, make_report) -> None:
    """In a map of weights beside their histograms."""
    weights, _ = full(make_report(results, "houses"), "houses")["Weights"]
    rows = [row[0] for row in weights.charts[0].table.rows]
    assert (13, "CRIM", "LSTAT") == (len(rows), rows[0], rows[-1])


def test_a_single_weight_is_given_in_words(results, make_report) -> None:
    """One bar as wide as its chart would show nothing of it; nor would one for equal weights."""
    _, folded = full(make_report(results, "houses"), "houses")["Weights"]
    figures, note = folded.blocks
    assert 1 == len(figures.charts)
    assert re.fullmatch(r"1\.bias \(bias of dense\), 1 value: -?0\.\d+\.", note.text)


def test_a_seed_of_ones_own_is_not_dimmed_as_a_default(results) -> None:
    """Among the seeds of a sweep, only the first is what a config has without it."""
    dimmed = {}
    for folder in (results / "flowers").iterdir():
        record = read_run(folder).record
        settings = next(block for block in config_blocks(record, []) if isinstance(block, Settings))
        every = [*settings.chosen, *settings.default]
        dimmed[record.seed] = next(one.default for one in every if one.key == "seed")
    assert {42: True, 43: False} == dimmed


def test_the_config_shows_what_was_chosen(results, make_report) -> None:
    """Defaults are folded and dimmed, keys that differ between runs of one name are marked."""
    report = make_report(results)
    run = full(report, "flowers")
    (block,) = [block for block in run["Config"] if isinstance(block, Settings)]
    settings = [*block.chosen, *block.default]
    assert all(one.default and not one.differs for one in block.default)
    assert f"{len(block.default)} defaults" == block.folded
    by_key = {one.key: one for one in settings}
    found = {key: (by_key[key].default, by_key[key].differs) for key in by_key}
    assert (False, True) == found["training.learning_rate"]
    assert (False, True) == found["network.layers.0.units"]
    assert (False, False) == found["training.batch_size"]
    assert (True, False) == found["training.optimizer.momentum"]


def test_changed_data_are_reported(results, make_report, tmp_path) -> None:
    """What needs them says why it is missing; all else is shown."""
    source = next((results / "moons").iterdir())
    folder = with_report(source, tmp_path / "moons" / source.name)
    report = folder / "report.json"
    revise(report, dataset={**said(report)["dataset"], "sha256": "00" * 32})
    run = full(make_report(tmp_path), "moons")
    assert "moons.csv (SHA-256 0000000000…), are not there" in notes(run["Predictions"])
    assert "Confusion matrix, test split" in titles(run["Predictions"])
    assert "Weights" in run


def test_numbers_that_the_network_does_not_give_are_reported(
    results, make_report, tmp_path
) -> None:
    """A report whose metrics are not those of the weights beside it says so."""
    for name, change in (("houses", {"rmse": 1.0}), ("moons", {"confusion": [[8, 0], [0, 8]]})):
        source = next((results / name).iterdir())
        metrics = json.loads((source / "report.json").read_text())["metrics"]
        metrics["test"] |= change
        with_report(source, tmp_path / name / source.name, metrics=metrics)
        note = "Its network, loaded again, gives other metrics than its report"
        assert note in notes(full(make_report(tmp_path), name)["Predictions"])
        assert note not in notes(full(make_report(results, name), name)["Predictions"])


def test_missing_data_are_reported(results, make_report, tmp_path, monkeypatch) -> None:
    """Likewise, where no list of this user says where they are."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path / "cache"))
    source = next((results / "moons").iterdir())
    config = json.loads((source / "report.json").read_text())["config"]
    config["dataset"]["path"] = str(tmp_path / "gone.csv")
    with_report(source, tmp_path / "moons" / source.name, config=config)
    assert "its data, gone.csv (SHA-256 " in notes(
        full(make_report(tmp_path), "moons")["Predictions"]
    )


def test_a_damaged_curve_is_reported(results, make_report, tmp_path) -> None:
    """Where the curves of several runs are drawn, too; the first run, and the number of others."""
    shutil.copytree(results / "flowers", tmp_path / "flowers")
    folders = sorted((tmp_path / "flowers").iterdir())

    def note():
        return notes(sections(make_report(tmp_path))["Learning curves: iris"])

    assert "Without" not in note()
    (folders[0] / "history.csv").write_text("iteration\n1\n")
    why = "history.csv is not the file that was written"
    assert note().endswith(f"Without flowers/{folders[0].name}: {why}.")
    for folder in folders:
        (folder / "history.csv").write_text("iteration\n1\n")
    assert note().endswith(f": {why} ({len(folders) - 1} more like it).")


@pytest.mark.parametrize("damage", [b"", b"\x00" * 100], ids=["empty", "zeros"])
def test_a_damaged_model_is_reported(results, make_report, tmp_path, damage) -> None:
    """The numbers of the run are shown all the same."""
    source = next((results / "houses").iterdir())
    folder = with_report(source, tmp_path / "houses" / source.name)
    (folder / "model.safetensors").write_bytes(damage)
    run = full(make_report(tmp_path), "houses")
    assert "Its network cannot be shown" in notes(run["Predictions"])
    assert "Result" in run


@pytest.mark.parametrize("key", ["metrics", "network", "timing", "environment", "baseline"])
def test_a_damaged_part_of_a_report_spoils_nothing_else(
    results, make_report, tmp_path, key
) -> None:
    """Whatever is in the place of a block, the page is made."""
    source = next((results / "flowers").iterdir())
    for index, value in enumerate([{}, {"train": []}, {"packages": 3}]):
        with_report(source, tmp_path / "odd" / f"s1-000000000{index}", **{key: value})
    with_report(source, tmp_path / "odd" / "s2-0000000000")
    assert "completed" in counts(make_report(tmp_path))
    assert "s2-0000000000" in render(make_report(tmp_path))


def test_what_is_left_out_is_said(results, make_report) -> None:
    """Of leaderboards, of the list, and of what is shown in full."""
    report = make_report(results, rows=1, runs=5, in_full=2)
    found = sections(report)
    assert "3 more rows, all ranked below these, are left out." in notes(
        found["flowers on iris: accuracy, ordered by the test split: 4 settings"]
    )
    assert "12 more runs are left out of this list." in notes(found["All runs"])
    assert "Details of 2 runs of 14 are above" in notes(found["All runs"])
    assert 2 == len(list(report.runs()))
    page = Page(render(make_report(results), most_bytes=1))
    assert "Details of more than 1 run would make this file too large to mail" in page.text
    assert "Details of 1 run of 14 are above" in page.text
    assert "`" not in "".join(notes(found["All runs"]))
    assert set() == {v[1:] for v in page.of("href") if v[0] == "#"} - set(page.of("id"))


def test_charts_of_many_settings_say_what_they_leave_out(results, make_report, monkeypatch) -> None:
    """Those drawn are spread over the ranks, from the first to the last."""
    monkeypatch.setattr("nnrun.reports.html.curves._MOST_DOTS", 4)
    monkeypatch.setattr("nnrun.reports.html.curves._MOST_CELLS", 1)
    blocks = sections(make_report(results))["Settings of flowers"]
    expected = "4 runs of 8 are drawn as dots, evenly spread over the ranks; means and tables are"
    assert f"{expected} of all runs." in notes(blocks)
    assert "A map of all pairs is drawn of up to 1 values of each key." in notes(blocks)
    (figures,) = (block for block in blocks if isinstance(block, Figures))
    dots_and_means = {4 + 2}
    assert dots_and_means == {chart.svg.count("<circle") for chart in figures.charts}


def test_means_of_a_setting_are_over_all_runs(results, make_report, monkeypatch) -> None:
    """Also of those without a dot of their own: numbers, range and counts are the same."""

    def numbers() -> list[tuple[object, str]]:
        blocks = sections(make_report(results))["Settings of flowers"]
        found = [chart for b in blocks if isinstance(b, Figures) for chart in b.charts[:2]]
        return [(chart.table.rows, chart.alternative) for chart in found]

    every = numbers()
    assert [["4", "4"]] * 2 == [[row[1] for row in rows] for rows, _ in every]
    monkeypatch.setattr("nnrun.reports.html.curves._MOST_DOTS", 2)
    assert every == numbers()


def test_strips_of_many_seeds_say_what_they_leave_out(results, make_report, monkeypatch) -> None:
    """Below the board, once."""
    title = "flowers on iris: accuracy, ordered by the test split: 4 settings"
    words = "Dots are of the first 1 runs of each config, numbers of all."
    assert words.replace("1", "60") not in notes(sections(make_report(results))[title])
    monkeypatch.setattr("nnrun.reports.boards.MOST_DOTS", 1)
    assert 1 == notes(sections(make_report(results))[title]).count(words)


def test_curves_of_many_seeds_say_what_they_leave_out(results, make_report) -> None:
    """This many histories are read for each config."""
    blocks = sections(make_report(results, seeds=1))["Learning curves: iris"]
    assert "Curves are of the first 1 runs of each config." in notes(blocks)
    assert "Curves are of the first" not in notes(
        sections(make_report(results))["Learning curves: iris"]
    )


def test_a_report_by_the_index_is_what_reading_every_run_gives(
    results, tmp_path, monkeypatch, make_report
) -> None:
    """The same bytes, and the reports of runs that are listed alone are not read."""
    root = tmp_path / "results"
    shutil.copytree(results, root)
    expected = render(make_report(root))
    monkeypatch.setattr("nnrun.runs.catalog.index.WORTH", 1)
    assert expected == render(make_report(root))
    reading = []
    monkeypatch.setattr(
        "nnrun.runs.catalog.summarize.read_run",
        lambda folder, **_: reading.append(folder.parent.name),
    )
    make_report(root)
    assert {"broken"} == set(reading)


def test_a_thousand_runs_are_few_bytes(results, make_report, tmp_path) -> None:
    """Under five million, with a row for each config; the header counts them with a comma."""
    source = next((results / "flowers").iterdir())
    report = said(source / "report.json")
    for index in range(1000):
        folder = tmp_path / "many" / f"s{index}-{index:010x}"
        others = shutil.ignore_patterns("report.json")
        shutil.copytree(source, folder, ignore=others, copy_function=os.link)
        training = {**report["config"]["training"], "learning_rate": 0.001 * (index + 1)}
        config = {**report["config"], "training": training}
        changed = {**report, "name": "many", "run_id": folder.name, "config": config}
        forge(folder / "report.json", changed)
    text = render(make_report(tmp_path))
    assert len(text.encode()) < 5_000_000
    assert ">1,000 completed" in text
    board = next(iter(sections(make_report(tmp_path)).values()))[0]
    assert 1000 == len(board.rows)


def test_one_run_is_a_report_too(results, make_report) -> None:
    """Without a leaderboard, open from the start."""
    text = render(make_report(results, "houses"))
    assert (1, 1) == (text.count('class="run"'), text.count(" open>"))


def test_a_run_has_the_name_of_the_folder_it_lies_in(results, make_report, tmp_path) -> None:
    """Whichever it had before its experiment was renamed."""
    source = next((results / "houses").iterdir())
    shutil.copytree(source, tmp_path / "other" / source.name)
    report = make_report(tmp_path)
    assert {"completed": 1} == counts(report)
    assert [f"other/{source.name}"] == list(report.in_full)


def test_paths_of_this_machine_are_not_needed(page) -> None:
    """The page is about runs, wherever they lie."""
    assert str(Path(__file__).parents[2]) not in page
