"""Runs verified, also from other environments and processors."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nnrun.cli import cli
from nnrun.errors import NnrunError, UsageError
from nnrun.models.load import pack, unpack, weights_sha256
from nnrun.reports.run import report_markdown
from nnrun.runs import verify as module
from nnrun.runs import verify as parallel
from nnrun.runs.catalog.summarize import line_of, summary_of
from nnrun.runs.events import Listener
from nnrun.runs.execution import execute, result
from nnrun.runs.execution.descriptions import environment
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.verify import Difference, verify
from tests import forked
from tests.forging import altered, forge, forged, leaves, redo, revise, said
from tests.lab import invoke, invoke_well
from tests.runs.conftest import WILD
from tests.sweeps.helpers import wait_for_workers
from tests.waiting import PATIENCE_SECONDS

# A run is what it says it is: its files, its numbers, its weights; or it is said what is not.


def rewrite(folder, **changes):
    """Change what a report says."""
    revise(folder / "report.json", **changes)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["training.optimizer=adam", "training.dtype=float32"],
        ["training.early_stopping={patience: 2}"],
        ["training.engine=numpy", "training.sampling=with_replacement"],
    ],
    ids=str,
)
def test_a_run_has_the_same_bits_again(prepared, store, overrides):
    """And nothing in its folder is touched."""
    folder = train(prepared(None, *overrides), store).folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    verdict = verify(folder)
    assert ("same_bits", None, [], {}) == (
        verdict.finding,
        verdict.reason,
        verdict.differences,
        verdict.environment,
    )
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_interrupted_extended_and_diverged_runs_have_them_too(prepared, store):
    """However they came about: the generators of random numbers included, and the whole report."""
    run = prepared(None, "training.optimizer=adam", "training.batch_size=7")
    train(run, store, Listener(stop=lambda: True))
    whole = train(run, store)
    assert "same_bits" == verify(whole.folder, render=report_markdown).finding
    longer = extend(whole.folder, 50)
    extended = train(longer.prepared, store, extension=longer)
    assert "same_bits" == verify(extended.folder, render=report_markdown).finding
    assert "same_bits" == verify(train(prepared(WILD), store).folder).finding


def test_one_flipped_bit_is_named_with_its_file(prepared, store):
    """In whatever file beside the report, wherever in it."""
    folder = train(prepared(None, "training.optimizer=adam"), store).folder
    chance = random.Random(0)
    names = ["config.yaml", "history.csv", "model.safetensors", "report.md", "state.safetensors"]
    for name in names:
        content = (folder / name).read_bytes()
        for _ in range(5):
            spoilt = bytearray(content)
            place = chance.randrange(8 * len(content))
            spoilt[place // 8] ^= 1 << place % 8
            (folder / name).write_bytes(spoilt)
            verdict = verify(folder)
            expected = ("damaged", f"{name} is not the file that was written", 3)
            assert expected == (verdict.finding, verdict.reason, verdict.exit_code)
        (folder / name).write_bytes(content)
    assert "same_bits" == verify(folder).finding
    (folder / "report.md").unlink()
    assert "report.md is missing" == verify(folder).reason
    rewrite(folder, files={"../../other": "0"})
    assert "names a file in another folder" in verify(folder).reason


def test_forged_numbers_are_found(prepared, store):
    """Where files and digests agree with each other, training tells what differs first."""
    folder = train(prepared(), store).folder
    lines = (folder / "history.csv").read_text().splitlines()
    cells = lines[7].split(",")
    true = float(cells[3])
    cells[3] = repr(np.nextafter(true, 1.0).item())
    forged = "\n".join([*lines[:7], ",".join(cells), *lines[8:], ""]).encode()
    redo(folder, "history.csv", forged)
    verdict = verify(folder)
    name = lines[0].split(",")[3]
    first = Difference(f"{name} at iteration 70", float(cells[3]), true)
    assert ("differs", [first], {}) == (verdict.finding, verdict.differences, verdict.environment)


def test_a_forged_weight_is_found(prepared, store):
    """By its place in its array."""
    folder = train(prepared(), store).folder
    arrays, values = unpack(folder / "model.safetensors")
    true = arrays["0.weight"][3, 2].item()
    arrays["0.weight"][3, 2] = np.nextafter(true, 9.0)
    redo(folder, "model.safetensors", pack(arrays, values))
    assert "are not those of the report" in verify(folder).reason
    rewrite(folder, weights_sha256=weights_sha256(arrays))
    verdict = verify(folder)
    first = Difference("weights 0.weight[3, 2]", np.nextafter(true, 9.0).item(), true)
    assert ("differs", [first]) == (verdict.finding, verdict.differences)


STOPPED = """
name: tiny
dataset: {name: iris, validation_size: 0.2}
network: {sizes: [2, 3], activations: [tanh, softmax]}
loss: cross_entropy
published: {source: a book, test_accuracy: 0.9}
training:
  learning_rate: 0.5
  iterations: 40
  evaluate_every: 5
  early_stopping: {patience: 1}
  engine: numpy
"""
# What only the machine and the moment of training have said.
ONCE = ("started", "environment", "nnrun_version", "extended_from", "timing.train_seconds")
ONCE += ("timing.evaluation_seconds", "timing.iterations_per_second")


@pytest.mark.parametrize("text", [STOPPED, WILD], ids=["stopped early", "diverged"])
def test_whatever_is_forged_in_a_report_is_found(prepared, store, monkeypatch, text):
    """One by one, all that it says but for when and where it was trained, and how fast."""
    folder = train(prepared(text), store).folder
    report = folder / "report.json"
    content = said(report)
    believed, outcomes = [], {}

    def once(run, *none):
        """Runs of the same config and seeds that end at the same iteration are trained once."""
        stop = none[-1] and [n for n in range(0, 41, 5) if none[-1].evaluated({"iteration": n})]
        key = f"{run.run_id} {run.config} {stop}"
        if key not in outcomes:
            outcomes[key] = train(run, *none)
        return outcomes[key]

    monkeypatch.setattr(module, "train", once)
    for path in leaves(content):
        forge(report, altered(content, path, forged))
        if verify(folder).agrees:
            believed.append(".".join(map(str, path)))
    assert [] == [place for place in believed if not place.startswith(ONCE)]
    forge(report, content)
    assert "same_bits" == verify(folder).finding


def test_what_a_report_says_is_named(prepared, store):
    """With both values, and a reason; the environment is as it was."""
    folder = train(prepared(), store).folder
    config = said(folder / "report.json")["config"]
    training = {**config["training"], "learning_rate": 0.07}
    rewrite(folder, config={**config, "training": training})
    verdict = verify(folder)
    found = [Difference("config.training.learning_rate", 0.07, 0.05)]
    expected = ("differs", "its report has values that training does not reproduce", found, {}, 3)
    assert expected == (
        *(verdict.finding, verdict.reason, verdict.differences),
        *(verdict.environment, verdict.exit_code),
    )


def test_elsewhere_words_may_be_others_and_data_may_not(prepared, store, monkeypatch):
    """Sentences hold numbers that are rounded otherwise; what is counted is the same everywhere."""
    folder = train(prepared(), store).folder
    content = said(folder / "report.json")
    here = module.environment()
    monkeypatch.setattr(module, "environment", lambda: {**here, "cpu": "another"})
    rewrite(folder, warnings=[{"kind": "scale", "message": "a sentence"}])
    assert "within_tolerance" == verify(folder).finding
    forge(folder / "report.json", {**content, "seed": 4})
    assert [Difference("seed", 4, 3)] == verify(folder).differences
    assert "differs" == verify(folder).finding


def test_a_run_of_other_numerics_is_compared_by_its_numbers(prepared, store, monkeypatch):
    """Its id is another one then, and so is no difference."""
    folder = train(prepared(), store).folder
    monkeypatch.setattr("nnrun.runs.record.NUMERICS_VERSION", 10**6)
    here = module.environment()
    monkeypatch.setattr(module, "environment", lambda: {**here, "numerics": 10**6})
    verdict = verify(folder)
    assert ("same_bits", []) == (verdict.finding, verdict.differences)
    assert {"numerics": (here["numerics"], 10**6)} == verdict.environment


def test_elsewhere_a_tolerance_decides(prepared, store, monkeypatch):
    """Only where the environment differs, and only as far as it says."""
    run = prepared()
    folder = train(run, store).folder
    arrays, values = unpack(folder / "model.safetensors")

    def stored(factor):
        changed = {name: array * factor for name, array in arrays.items()}
        redo(folder, "model.safetensors", pack(changed, values))
        rewrite(folder, weights_sha256=weights_sha256(changed))
        return verify(folder)

    close = 1 + 1e-9
    assert "differs" == stored(close).finding
    here = module.environment()
    monkeypatch.setattr(module, "environment", lambda: {**here, "cpu": "another"})
    verdict = stored(close)
    assert ("within_tolerance", True, 0) == (verdict.finding, verdict.agrees, verdict.exit_code)
    assert {"cpu": (here["cpu"], "another")} == verdict.environment
    assert verdict.differences[0].place.startswith("weights 0.weight[0, 0]")
    assert ("differs", 3) == (stored(1 + 1e-4).finding, stored(1 + 1e-4).exit_code)


def test_what_cannot_be_verified_is_reported(prepared, store, tmp_path):
    """No run, half a run, other data; and a report that is damaged."""
    with pytest.raises(UsageError, match="there is no run"):
        verify(tmp_path)
    half = train(prepared(None, "seed=8"), store, Listener(stop=lambda: True))
    with pytest.raises(UsageError, match="only complete runs are verified; this is interrupted"):
        verify(half.folder)
    folder = train(prepared(), store).folder
    dataset = json.loads((folder / "report.json").read_text())["dataset"]
    rewrite(folder, dataset={**dataset, "sha256": "0" * 64})
    assert "its data have changed since it was trained" == verify(folder).reason
    (folder / "report.json").write_text("{")
    assert ("damaged", 3) == (verify(folder).finding, verify(folder).exit_code)


@pytest.fixture
def results(lab):
    """Three runs in a results folder of the command line."""
    flowers = (
        "dataset: {name: iris}\nnetwork: {sizes: [3], activations: [softmax]}\n"
        "loss: cross_entropy\ntraining: {learning_rate: 0.05, iterations: 100, engine: numpy}\n"
    )
    lab.begin({"flowers.yaml": flowers}, "sweep flowers.yaml --seeds 3 -j 1")
    return sorted(Path("results/flowers").iterdir())


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_command_verifies_all_of_a_folder(results, jobs):
    """In this process or in several; exit 3 names the run and the file."""
    done = invoke_well("verify", "-j", str(jobs))
    assert 3 == done.out.count("the same bits\n") - done.out.count("3 with the same bits\n")
    assert "3 runs: 3 with the same bits" in done.out
    (results[1] / "history.csv").write_text("iteration\n")
    done = invoke("verify", "-j", str(jobs), "--json")
    assert 3 == done.code
    data = done.json
    assert [False, ["same_bits", "damaged", "same_bits"]] == [
        data["agree"],
        [run["finding"] for run in data["runs"]],
    ]
    name = results[1].name
    assert f"error: flowers/{name} is damaged: history.csv is not the file that " in done.err
    invoke_well("verify", f"flowers/{results[0].name}")
    assert 2 == invoke("verify", "folwers").code


def test_ctrl_c_ends_it_and_its_processes(results):
    """Exit 130, in time, without a traceback."""
    for folder in results:  # as if they had been trained for hours
        config, report = folder / "config.yaml", folder / "report.json"
        config.write_text(
            re.sub("iterations: 100\n", "iterations: 100000000\n", config.read_text())
        )
        digest = sha256(config.read_bytes()).hexdigest()
        revise(report, files=said(report)["files"] | {config.name: digest})
    options = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = forked.nnrun("verify", "-j", "2", **options)
    wait_for_workers(process.pid, 2)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert 130 == process.returncode
    assert "Traceback" not in err


DYING = """
import os
from nnrun.pool import main
from nnrun.runs import verify as parallel

parallel.verify = lambda folder, **_: os._exit(3)
"""


def test_a_process_that_ends_is_said(results, monkeypatch):
    """With the run that it verified; the command does not wait for it."""
    Path("dying.py").write_text(DYING)
    monkeypatch.syspath_prepend(Path.cwd())
    monkeypatch.setattr(parallel, "__name__", "dying")
    with pytest.raises(NnrunError, match=r"the process that verified it has ended$"):
        list(parallel.verify_all(results, 2))


def test_a_run_that_cannot_be_verified_is_a_usage_error(results, tmp_path):
    """From a process as from this one."""
    with pytest.raises(UsageError, match="there is no run"):
        list(parallel.verify_all([results[0], tmp_path / "none"], 2))


def test_a_launcher_needs_no_guard(results):
    """The processes do not run again the script that called the command."""
    script = Path("launch.py")
    script.write_text(
        "print('once')\nfrom nnrun.cli import cli\ncli(['verify', '-j', '2', '-q'])\n"
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, 1) == (done.returncode, done.stdout.count("once"))
    assert "once" not in done.stderr


# A run that began in one environment and went on in another is of both.

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


# Whole runs as on other processors: what has the same bits there, and what has not.

CONFIGS = {
    "flowers": """
dataset: {name: wine, features: standard, validation_size: 20}
network:
  layers:
    - {type: dense, units: 20, activation: tanh}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {optimizer: adam, learning_rate: 0.01, epochs: 9, batch_size: 7}
""",
    "houses": """
dataset: {name: boston, features: [minmax, l2], target: standard}
network: {sizes: [13, 1], activations: [gelu, linear], initializer: he_normal}
loss: mean_squared
training: {learning_rate: {schedule: cosine, initial: 0.01}, iterations: 900}
""",
}


def feature_sets() -> str:
    """The sets of vector instructions that NumPy can be made not to use."""
    details: Any = np.show_config(mode="dicts")
    return " ".join(details["SIMD Extensions"]["found"])


# Kernels of OpenBLAS for two processors, and NumPy's loops as on the oldest that it knows. Each
# kernel is named, since an OpenBLAS that does not know this processor takes the old one by itself.
MACHINES = {
    "new": {"OPENBLAS_CORETYPE": "Haswell"},
    "old": {"OPENBLAS_CORETYPE": "Prescott"},
    "other": {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": feature_sets()},
}


ENGINES = ("compiled", "numpy")
Made = dict[str, dict[str, dict[str, Any]]]  # reports by machine and config


def trained(folder: Path, settings: dict[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Reports and histories by engine and config, each machine's in a process of its own."""
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)
    command = [
        sys.executable, "-m", "nnrun", "sweep", str(folder), f"training.engine={','.join(ENGINES)}",
        "-j", "1", "--results", str(folder / "results"),
    ]  # fmt: skip
    subprocess.run(command, env={**os.environ, **settings}, capture_output=True, check=True)
    found = {}
    for path in (folder / "results").glob("*/*/report.json"):
        report = json.loads(path.read_text())
        history = (path.parent / "history.csv").read_text()
        found[report["engine"], report["name"]] = {**report, "history": history}
    return found


@pytest.fixture(scope="module")
def all_made(tmp_path_factory) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    """What both engines make on each machine of each config."""
    return {
        name: trained(tmp_path_factory.mktemp(name), settings)
        for name, settings in MACHINES.items()
    }


@pytest.fixture(params=ENGINES)
def machines(request, all_made) -> tuple[str, Made]:
    """An engine, and what it makes on each machine of each config."""
    made = {
        machine: {name: reports[request.param, name] for name in CONFIGS}
        for machine, reports in all_made.items()
    }
    return request.param, made


def test_bits_on_other_processors(machines) -> None:
    """Weights, history, metrics: by the compiled engine the same; by NumPy's arithmetic not."""
    engine, made = machines
    parts = ("weights_sha256", "history", "metrics", "baseline")
    for name in CONFIGS:
        first, *others = ([made[m][name][part] for part in parts] for m in MACHINES)
        same = [[*map(bool, first)] and other == first for other in others]
        assert ([True, True] if engine == "compiled" else [False, False]) == same


def test_reports_say_what_bits_depend_on(machines) -> None:
    """The kernel of the BLAS, NumPy's vectors, and what machine code was made for."""
    engine, made = machines
    environments = [made[machine]["houses"]["environment"] for machine in MACHINES]
    assert 3 == len({(each["blas_kernel"], each["vectors"]) for each in environments})
    assert [engine == "compiled"] * 3 == ["machine_code" in each for each in environments]
