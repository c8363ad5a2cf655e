"""Naive baselines of runs whose rows are split by time, beside the mean of the training split."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.metrics import mean_squared_error, r2_score

from nnrun.cli import cli
from nnrun.runs.catalog.index import look
from nnrun.runs.diagnosis import diagnose
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.execution.result import Ending, diagnosis_input
from nnrun.runs.lifecycle import train
from nnrun.runs.storage.validation import invalid_part
from nnrun.runs.verify import verify
from nnrun.sweeps.board.stored import stored_boards, stored_variants
from tests.forging import forge, revise, said

SERIES = """
name: load
dataset:
  path: load.csv
  columns: {target: load}
  task: regression
  split: {by: time, column: at}
  validation_size: 0.2
  features: standard
  target: standard
network: {layers: [{type: dense, units: 1}]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 20}
"""


@pytest.fixture
def loads(tmp_path, monkeypatch):
    """Writes hours of some shops in a drawn order, whose load follows the hour of the day."""
    monkeypatch.chdir(tmp_path)

    def write(shops=1, hours=240):
        rng = np.random.default_rng(5)
        frame = pd.MultiIndex.from_product(
            [pd.date_range("2024-01-01", periods=hours, freq="h"), range(shops)],
            names=["at", "shop"],
        ).to_frame(index=False)
        frame["warm"] = rng.normal(size=len(frame))
        daily = np.sin(2 * np.pi * frame["at"].dt.hour / 24)
        frame["load"] = 40 * frame["shop"] + 9 * daily + rng.normal(size=len(frame))
        frame["load"] += 0.1 * np.arange(len(frame)) / shops
        frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)
        frame.drop(columns=[] if shops > 1 else "shop").to_csv("load.csv", index=False)
        return frame

    return write


@pytest.fixture
def trained(prepared):
    """Trains the config and gives its result."""

    def make(*overrides):
        return Execution(prepared(SERIES, *overrides)).run(Listener())

    return make


@pytest.mark.parametrize(
    ("shops", "lags"), [(1, []), (3, ["dataset.lags={warm: {steps: [1], group: shop}}"])]
)
def test_they_are_the_values_one_step_and_one_season_before(loads, trained, shops, lags):
    """Of each row, be that row held out or not; those of its group where lags have groups."""
    frame, result = loads(shops), trained(*lags)
    record = result.record
    ordered = frame.sort_values("at", kind="stable").groupby("shop")["load"]
    times = pd.to_datetime(frame["at"])
    first, last = map(pd.Timestamp, record.dataset["split"]["times"]["test"])
    rows = frame[(times >= first) & (times <= last)].index
    assert ["1", "24"] == [*record.naive]
    assert record.dataset["n_test"] == len(rows)
    for steps, naive in record.naive.items():
        before = ordered.shift(int(steps)).sort_index()[rows]
        there = frame["load"][rows]
        assert mean_squared_error(there, before) == pytest.approx(naive["test"]["mse"])
        assert r2_score(there, before) == pytest.approx(naive["test"]["r2"])
        variance = record.baseline["test"]["mse"] / record.baseline["test"]["loss"]
        assert naive["test"]["mse"] / variance == pytest.approx(naive["test"]["loss"])


def test_nothing_looks_ahead(loads, trained, tmp_path):
    """Whatever the test rows hold, baselines of rows before them stay as they are."""
    frame = loads()
    before = trained().record
    first = pd.Timestamp(before.dataset["split"]["times"]["test"][0])
    frame.loc[frame["at"] >= first, "load"] = 1e6
    frame.drop(columns="shop").to_csv("load.csv", index=False)
    after = trained().record
    for steps in ("1", "24"):
        for split in ("train", "validation"):
            assert before.naive[steps][split] == after.naive[steps][split]


CLASSES = (
    "dataset.columns={target: high, drop: [load]}",
    "dataset.task=classification",
    "dataset.target=none",
    "network.layers=[{type: dense, units: 2, activation: softmax}]",
    "loss=cross_entropy",
)
AT_RANDOM = ("dataset.columns={target: load, drop: [at, high]}", "dataset.split=null")


@pytest.mark.parametrize("overrides", [CLASSES, AT_RANDOM])
def test_other_splits_and_classes_have_none(loads, trained, overrides):
    """Reports of such runs are as before."""
    frame = loads()
    frame["high"] = (frame["load"] > frame["load"].median()).map({True: "yes", False: "no"})
    frame.drop(columns="shop").to_csv("load.csv", index=False)
    assert "naive" not in trained(*overrides).record.to_dict()


def test_stored_runs_have_them(loads, prepared, store):
    """Their form is checked, and training again gives the same bits; a changed number is found,
    and that there is none.
    """
    loads()
    run = prepared(SERIES)
    record = train(run, store).record
    assert (None, "naive") == (
        invalid_part(record),
        invalid_part(replace(record, naive={"1": {"test": 3}})),
    )
    folder = store.folder(run.config.name, run.run_id)
    assert "same_bits" == verify(folder).finding
    naive = json.loads((folder / "report.json").read_text())["naive"]
    naive["24"]["test"]["mse"] *= 0.9
    revise(folder / "report.json", naive=naive)
    found = verify(folder)
    assert ("differs", "naive.24.test.mse") == (found.finding, found.differences[0].place)
    content = said(folder / "report.json")
    del content["naive"]
    forge(folder / "report.json", content)
    assert "differs" == verify(folder).finding


NAMES = ("last value", "24 steps before")


def test_every_page_has_them(loads):
    """Beside the mean: runs and boards in the terminal, Markdown, HTML, CSV and JSON."""
    loads()
    Path("load.yaml").write_text(SERIES)
    run = CliRunner().invoke(cli, ["train", "load.yaml"])
    board = CliRunner().invoke(cli, ["sweep", "load.yaml", "training.learning_rate=0.01,0.02"])
    page = CliRunner().invoke(cli, ["report", "--output", "page.html"])
    assert [0, 0, 0] == [run.exit_code, board.exit_code, page.exit_code], page.output
    texts = {
        "run": run.output,
        "board": board.output,
        "report.md": next(Path("results/load").glob("s*/report.md")).read_text(),
        "leaderboard.md": Path("results/leaderboard.md").read_text(),
        "page": Path("page.html").read_text(),
    }
    for name, text in texts.items():
        words = " ".join(text.split())
        assert all(naive in words for naive in NAMES), name
        column = "baseline (last value)" if "board" in name else "last value test"
        assert column in words, name
    row = json.loads(Path("results/leaderboard.json").read_text())["groups"][0]["rows"][0]
    assert ["1", "24"] == [*row["naive"]]
    (line, *_) = csv.DictReader(Path("results/leaderboard.csv").read_text().splitlines())
    assert row["naive"] == json.loads(line["naive"])


def test_boards_of_stored_runs_have_those_of_the_split_that_orders(loads):
    """From the reports, and again from the index of these."""
    loads()
    Path("load.yaml").write_text(SERIES)
    assert 0 == CliRunner().invoke(cli, ["sweep", "load.yaml", "--seeds", "2"]).exit_code
    (file, *_) = Path("results/load").glob("s*/report.json")
    naive = json.loads(file.read_text())["naive"]
    expected = {steps: pytest.approx(each["validation"]["mse"]) for steps, each in naive.items()}
    in_mae = {steps: pytest.approx(each["validation"]["mae"]) for steps, each in naive.items()}
    for order_by, numbers in ((None, expected), (None, expected), ("mae", in_mae)):
        runs = look(Path("results"), boards=True, order_by=order_by)
        (board,) = stored_boards(stored_variants(runs))
        assert numbers == board.group.rows[0].naive


def test_a_network_that_is_worse_than_they_are_has_a_warning(loads, trained):
    """It names what is better, on which rows, and what may help."""
    loads()
    record = trained().record
    (warning,) = (w for w in record.warnings if w["kind"] == "worse_than_naive")
    ours = record.metrics["validation"]["mse"]
    least = record.naive["1"]["validation"]["mse"]
    assert least < record.naive["24"]["validation"]["mse"] < ours  # the series rises
    assert (
        "worse than always predicting the value before, on validation and test data; "
        f"mse {ours:.4g} and {least:.4g} on validation data; earlier values as features may help, "
        "'dataset.lags={load: [1, 24]}', or, if new rows are not later ones, dataset.split=random"
    ) == warning["message"]


def test_lags_that_help_have_none(loads, trained):
    """The network has what the baselines have."""
    loads()
    words = ("dataset.lags={load: [1, 24]}", "training.iterations=3000")
    warnings = trained(*words).record.warnings
    assert not {"worse_than_naive", "worse_than_baseline", "negative_r2"} & {
        warning["kind"] for warning in warnings
    }


def test_an_r2_below_zero_has_a_warning(loads, prepared):
    """Where the mean of training rows is worse still, so that nothing else says it."""
    loads()
    execution = Execution(prepared(SERIES))
    metrics = execution.run(Listener()).record.metrics
    run = execution.prepared
    case = diagnosis_input(run, Ending.of(run, execution.trainer), metrics)
    known = {"mse": 0.9 * run.baseline["test"]["mse"], "r2": -4.9}
    metrics["validation"]["r2"] = -0.25
    case = replace(case, metrics={**metrics, "test": {**metrics["test"], **known}})
    found = {each.kind: each.message for each in diagnose(case)}
    kinds = ["worse_than_baseline", "worse_than_naive", "negative_r2"]
    assert kinds == [*found][:3]  # before causes
    assert found["negative_r2"].startswith(
        "R² is -0.25 and -4.9: worse than always predicting the mean of these rows, on validation "
        "and test data; earlier values"
    )
    assert "dataset.lags={load: [1, 24]}" in found["negative_r2"]
    worse = {"mse": 1.1 * run.baseline["test"]["mse"], "r2": -4.9}
    case = replace(case, metrics={**metrics, "test": {**metrics["test"], **worse}})
    found = {each.kind: each.message for each in diagnose(case)}
    assert "on validation data;" in found["negative_r2"]
    assert "dataset.lags={load: [1, 24]}" in found["worse_than_baseline"]
