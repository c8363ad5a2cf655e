"""A run that began in one environment and went on in another is of both."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from nnrun.cli import cli
from nnrun.runs import verify as module
from nnrun.runs.catalog.summarize import line_of, summary_of
from nnrun.runs.events import Listener
from nnrun.runs.execution import execute, result
from nnrun.runs.execution.descriptions import environment
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.verify import verify
from tests.forging import revise, said

OVERRIDES = ("training.engine=numpy", "training.evaluate_every=50")


@pytest.fixture
def pretend(monkeypatch):
    """Makes the environment one with another version of NumPy, and of nothing else."""

    def make(numpy: str) -> None:
        here = environment()
        there = {**here, "packages": {**here["packages"], "numpy": numpy}}
        for place in (execute, result, module):
            monkeypatch.setattr(place, "environment", lambda: there)

    return make


@pytest.fixture
def run(prepared, store, pretend):
    """Trains a run to its middle by the first of several NumPys, which rounds otherwise than this
    one, and then to its end by the others, one after the other; returns its folder.
    """

    def other_rounding(run, iteration):
        run.network.theta *= 1 + 1e-12

    def make(first: str, *others: str, new=lambda: prepared(None, *OVERRIDES)):
        pretend(first)
        outcome = train(new(), store, Listener(started=other_rounding), until=50)
        assert "interrupted" == outcome.record.status
        for at, numpy in enumerate(others, start=2):
            pretend(numpy)
            outcome = train(new(), store, until=None if numpy is others[-1] else 50 * at)
        assert "completed" == outcome.record.status
        return outcome.folder

    return make


def earlier(folder):
    """The NumPys of the earlier updates, by its report."""
    environments = said(folder / "report.json")["environment"].get("earlier", [])
    return [each["packages"]["numpy"] for each in environments]


def test_a_report_names_all_environments_of_its_run(run):
    """Each once, by its last updates; the last one stands where that of other runs does."""
    folder = run("1.0", "2.0", "1.0", "3.0")
    assert ["2.0", "1.0"] == earlier(folder)
    assert "3.0" == said(folder / "report.json")["environment"]["packages"]["numpy"]
    assert "| earlier updates | numpy 2.0 |" in (folder / "report.md").read_text()


def test_a_run_of_one_environment_has_the_report_of_an_uncut_one(run, prepared):
    """An interruption leaves nothing in the environment of the report."""
    folder = run("1.0", "1.0")
    whole = train(prepared(None, *OVERRIDES), None)
    assert whole.record.environment == said(folder / "report.json")["environment"]
    assert "earlier" not in whole.record.environment


def test_an_environment_that_returns_is_no_earlier_one(run):
    """Only the one in between is."""
    assert ["2.0"] == earlier(run("1.0", "2.0", "1.0"))


def test_an_extended_run_has_the_environments_of_the_shorter_one(run, store, pretend):
    """The earlier ones of that too."""
    folder = run("1.0", "2.0")
    pretend("3.0")
    longer = extend(folder, 50)
    assert ["1.0", "2.0"] == earlier(train(longer.prepared, store, extension=longer).folder)


def test_verifying_counts_what_the_first_updates_had(run):
    """The last ones had the environment of now, which alone would have to give the same bits."""
    folder = run("1.0", "2.0")
    verdict = verify(folder)
    assert ("within_tolerance", 0) == (verdict.finding, verdict.exit_code)
    assert {"packages.numpy": (["1.0", "2.0"], "2.0")} == verdict.environment
    done = CliRunner().invoke(cli, ["verify", str(folder)])
    assert "packages.numpy: 1.0 and 2.0 then, 2.0 now" in done.stdout


def test_a_stopped_run_is_verified_wherever_its_first_updates_were_made(prepared, store, pretend):
    """The state to continue from has its environments, which are no numbers to compare."""
    stopped = Listener(decides=True, evaluated=lambda run, rows: rows[-1]["iteration"] >= 100)
    pretend("1.0")
    assert "stopped" == train(prepared(None, *OVERRIDES), store, stopped).record.status
    pretend("2.0")
    verdict = verify(store.folder("tiny", prepared(None, *OVERRIDES).run_id))
    assert ("same_bits", []) == (verdict.finding, verdict.differences)


def test_the_arithmetic_of_a_run_is_that_of_all_its_updates(run, prepared, store, pretend):
    """Boards mark runs by it; the index of the results folder has the same one."""
    folder = run("1.0", "2.0")
    record = train(prepared(None, *OVERRIDES), store).record
    whole = train(prepared(None, *OVERRIDES, "seed=4"), store).record
    begun = whole.numeric_backend.removeprefix("numpy, ").replace("numpy 2.0", "numpy 1.0")
    assert f"{whole.numeric_backend}, after {begun}" == record.numeric_backend
    assert record.numeric_backend == summary_of(record).arithmetic
    indexed = json.loads(line_of(folder, "now").record)
    assert record.numeric_backend == type(record).from_dict(indexed).numeric_backend


@pytest.mark.parametrize("forged", ["1.0", ["1.0"], [{"packages": "1.0"}], None], ids=str)
def test_earlier_environments_that_are_none_are_refused(run, forged):
    """A report that says so was not written by nnrun."""
    folder = run("1.0", "2.0")
    revise(folder / "report.json", environment={**environment(), "earlier": forged})
    verdict = verify(folder)
    assert ("damaged", 3) == (verdict.finding, verdict.exit_code)
