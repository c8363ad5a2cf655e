"""Searches, the best setting, and lists of runs, from Python."""

from __future__ import annotations

import inspect
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import nnrun
from nnrun.config.yaml import Text, parse
from nnrun.config.yaml_scalars import dump
from nnrun.errors import UsageError
from tests.lab import CARS

RATES = {"training.learning_rate": {"log_uniform": [1e-3, 0.1]}}


def searched():
    """A config with a space of learning rates, and validation rows to judge by."""
    config = parse(Text(CARS, "cars.yaml")).data
    config["dataset"]["validation_size"] = 0.2
    config["training"]["iterations"] = 40
    return {**config, "search": {**RATES, "trials": 3, "random": False, "fresh_seeds": 2}}


@pytest.fixture
def swept(lab):
    """Two settings on two seeds."""
    lab.begin(
        {"cars.yaml": CARS},
        "sweep cars.yaml training.learning_rate=0.01,0.0001 dataset.validation_size=0.2 "
        "--seeds 2 -j1 -q",
    )


def test_the_best_is_that_of_the_command(lab, swept):
    """Its config, its median run, and the board's first row."""
    best, said = nnrun.best("cars"), lab.json("best", "cars")
    assert said["config"] == best.config
    assert (said["run_id"], 0.01) == (best.run.run_id, best.row.choice["training.learning_rate"])
    assert said["run_id"] in repr(best)
    assert "test" == nnrun.best("cars/best", by="test").choice.group.ordered_by
    with pytest.raises(UsageError, match="is called 'carz'; did you mean 'cars'"):
        nnrun.best("carz")


def test_the_best_is_trained_on_all_rows(lab, swept):
    """As the same run as by the command."""
    run = nnrun.best("cars").final()
    assert "is the estimate, of training on 64% of them" in run.record.description
    assert "already trained" in lab.ok("best", "cars", "--final").err
    assert run.run_id == lab.json("show", "cars-final")["run_id"]


def test_data_in_memory_are_given_again(lab):
    """For the last training, which else says so."""
    rows = range(40)
    frame = pd.DataFrame({"x": rows, "y": [row * 2.0 for row in rows]})
    config = parse(Text(CARS, "cars.yaml")).data
    config["dataset"] = {"columns": {"target": "y"}, "features": ["standard"]}
    nnrun.train(config, data=frame)
    assert 40 == nnrun.best("cars").final(data=frame).record.dataset["n_train"]
    with pytest.raises(UsageError, match="pass them again as `data`"):
        nnrun.best("cars").final()


def test_runs_are_a_table(lab, swept):
    """With a column for each setting and metric, and rows in the order of their start."""
    nnrun.best("cars").final()
    runs = nnrun.runs("cars")
    frame = runs.to_frame()
    assert ({"cars"}, 5) == ({*frame["name"]}, len(nnrun.runs()))
    assert frame["started"].is_monotonic_increasing
    assert [run.run_id for run in runs] == frame["run_id"].tolist()
    assert [run.metrics["test"]["mse"] for run in runs] == frame["test_mse"].tolist()
    assert [3, 3, 4, 4] == sorted(frame["seed"])
    assert {"sgd"} == {*frame["training.optimizer.type"]}
    assert {"validation_r2", "seconds", "status"} <= {*frame}
    settings = [name for name in nnrun.runs("cars").to_frame(varied_only=True) if "." in name]
    assert ["training.learning_rate"] == settings
    assert (4, 2, runs[-1].run_id) == (len(runs), len(runs[:2]), runs[3].run_id)
    with pytest.raises(UsageError, match="no run in results is called 'carz'; did you mean 'cars'"):
        nnrun.runs("carz")


@pytest.mark.parametrize("threads", [False, True])
def test_a_search_is_that_of_the_command(lab, threads):
    """The same trials, winner and test, whoever trains them; a second call trains nothing."""
    with ThreadPoolExecutor(2) as executor:
        workers = {"executor": executor} if threads else {"jobs": 1}
        found = nnrun.search(searched(), **workers)
    assert found.ended
    values = [trial["value"] for trial in found.trials]
    assert values == nnrun.search(searched(), jobs=1).to_frame()["value"].tolist()
    Path("cars.yaml").write_text(dump(searched()))
    said = lab.json("search", "cars.yaml", "-j1", "--results", "others")
    assert (said["winner"]["choice"], said["test"]) == (found.winner["choice"], found.test)
    assert [trial["value"] for trial in said["trials"]] == values
    assert found.best.run.run_id in found.test["run_ids"]
    assert 392 == found.best.final().record.dataset["n_train"]


def test_a_search_takes_what_the_command_takes(lab):
    """Its options as arguments, data files, and mistakes in the words of the command line."""
    rows = "\n".join(f"{row},{row % 5},{row % 5 + row / 50}" for row in range(60))
    Path("sales.csv").write_text(f"a,b,price\n{rows}\n")
    found = nnrun.search("sales.csv", target="price", trials=1, random=False, iterations=5, jobs=1)
    assert ("sales", 1) == (found.name, len(found.trials))
    with pytest.raises(UsageError, match="target='y': it is for data files"):
        nnrun.search(searched(), target="y")
    with pytest.raises(UsageError, match="there is nothing to choose from"):
        nnrun.search({**searched(), "search": None})
    with pytest.raises(TypeError, match=r"nnrun\.search has no argument 'trial'; did you mean"):
        nnrun.search(searched(), trial=3)


def test_packages_that_are_functions_are_both():
    """However they are imported, and whatever was imported before."""
    code = """
        from nnrun import runs, search
        import nnrun, nnrun.search.plan, nnrun.runs.record
        assert nnrun.search is search and callable(search) and nnrun.search.plan.plan_search
        assert nnrun.runs is runs and callable(runs) and nnrun.runs.record.RunRecord
    """
    subprocess.run([sys.executable, "-c", inspect.cleandoc(code)], check=True)
    assert {"trials", "jobs", "data"} <= {*inspect.signature(nnrun.search).parameters}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nnrun.init("t.csv", "zz"), "target='zz': there is no column 'zz'"),
        (lambda: nnrun.init(".", "zz"), "target names a column of a table; images have"),
        (lambda: nnrun.best("cars", order_by="f1"), "order_by='f1': no run here has it"),
    ],
)
def test_errors_name_arguments_and_no_options(lab, swept, call, message):
    """As Python has them."""
    pd.DataFrame({"x": range(40), "y": range(40)}).to_csv("t.csv", index=False)
    with pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value).startswith(message)
