"""Workers of a cluster, and what goes over the wire."""

from __future__ import annotations

import json
import os
import pickle
import signal
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import nnrun
from nnrun.config.load import load_config
from nnrun.errors import ConfigError, NnrunError, Problem
from nnrun.models.load import pack, unpack
from nnrun.pool import CrashError, WorkerLostError
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps.workers import dask_tasks
from nnrun.sweeps.workers.dask import Batch
from nnrun.sweeps.workers.job import (
    Job,
    OtherVersionError,
    pack_error,
    pack_message,
    pack_result,
    unpack_message,
    unpack_result,
    versions,
)
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress
from tests.plugins.conftest import ALL, HERE, install
from tests.search.helpers import config as searched
from tests.search.helpers import outcome, search
from tests.sweeps.cluster import DASK, Cluster
from tests.sweeps.helpers import (
    BOSTON,
    IRIS,
    WILD,
    Shell,
    children_of,
    in_session,
    large,
    lasting,
    weights_of,
)
from tests.sweeps.test_campaign import Campaign
from tests.waiting import ended, printed, until

# Sweeps on a Dask cluster of real processes, some of which are killed.

WORKER_MOMENTS = range(20) if large() else [1]
SCHEDULER_KILLS = 5 if large() else 1


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A cluster for all tests, since its processes take longer to start than most sweeps."""
    running = Cluster(tmp_path_factory.mktemp("cluster"), workers=0)
    yield running
    running.close()


@pytest.fixture
def shell(tmp_path):
    """Commands that have imported Dask, which takes as long as nnrun."""
    running = Shell(tmp_path, DASK)
    yield running
    running.close()


@pytest.fixture
def scheduler(shared):
    """A scheduler without workers."""
    shared.restore(workers=0)
    yield shared
    shared.restore(workers=0)


@pytest.fixture
def cluster(shared):
    """A scheduler and two workers."""
    shared.restore(workers=2)
    return shared


def test_workers_of_unlike_arithmetic_are_reported(shell, scheduler, write, tmp_path):
    """A row whose runs two workers share is marked, where bits depend on whose they are."""
    write("by_numpy", lasting(12_000))  # so long that none of the two does all of them
    write("compiled", lasting(200_000).replace("engine: numpy", "engine: compiled"))
    for kernel in ("Prescott", "Haswell"):
        scheduler.add_worker(OPENBLAS_CORETYPE=kernel)
    scheduler.wait_for_workers()
    code, out, err = shell.run("sweep", "configs", "--seeds", 9, "--dask", scheduler.address)
    assert 0 == code, err
    board = json.loads((tmp_path / "results/leaderboard.json").read_text())
    marked = {row["name"]: row["elsewhere"] for row in board["groups"][0]["rows"]}
    few = {name: min(kernels_of(tmp_path, name).values()) for name in marked}
    assert {"compiled": {}, "by_numpy": [few["by_numpy"]]} == {
        name: [*found.values()] or {} for name, found in marked.items()
    }
    assert 1 == out.count("9 ≠")
    assert f"by_numpy ({few['by_numpy']} of 9)" in out


def test_a_plugin_that_is_installed_trains_to_the_same_bits(
    shell, scheduler, write, tmp_path, monkeypatch
):
    """Workers find it among their packages; one without it says so."""
    site = tmp_path / "site"
    site.mkdir()
    install(site, "nnrun_parts", (HERE / "parts.py").read_text())
    write("all", ALL)
    scheduler.add_worker(PYTHONPATH=str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    words = ("sweep", "configs", "--seeds", 3)
    for results, more in (("here", ("-j", 1)), ("there", ("--dask", scheduler.address))):
        code, _, err = shell.run(*words, "--results", results, *more)
        assert 0 == code, err
    here, there = (weights_of(tmp_path / name) for name in ("here", "there"))
    assert (3, here) == (len(here), there)
    scheduler.kill_worker()
    scheduler.add_worker(PYTHONPATH="")
    code, _, err = shell.run(*words, "--results", "none", "--dask", scheduler.address)
    says = "the plugin nnrun-parts 1.0 is not installed here; pip install nnrun-parts brings it"
    assert (1, True) == (code, says in err), err


def kernels_of(root, name):
    """How many runs were trained with each of the two kernels of BLAS."""
    reports = [json.loads(p.read_text()) for p in root.glob(f"results/{name}/*/report.json")]
    kernels = Counter(report["environment"]["blas_kernel"] for report in reports)
    assert (2, 9) == (len(kernels), kernels.total())
    return kernels


def test_a_run_that_dask_repeats_goes_on_instead(shell, scheduler, write):
    """Under a nanny Dask repeats what its worker was at; the client knows better where from."""
    scheduler.add_worker(nanny=True)
    write("iris", lasting(100_000_000))
    process = shell.start("sweep", "configs", "--dask", scheduler.address)
    scheduler.wait_for_training(1, process)
    (worker,) = (
        pid
        for pid in children_of(scheduler.workers[0].pid)
        if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(worker, signal.SIGKILL)
    printed(process.stderr.fileno(), "iris seed=3: its worker was lost; trying again\n")
    scheduler.wait_for_training(1, process)
    process.send_signal(signal.SIGTERM)
    _, err = ended(process)
    assert (143, 0) == (process.returncode, err.count("trying again"))


def test_data_given_in_python_are_sent_to_the_workers(cluster, tmp_path):
    """A table in memory is there for runs on a cluster, which have the bits of a run here."""
    from distributed import Client

    frame = pd.DataFrame({"a": range(40), "b": ["x", "y"] * 20, "y": np.linspace(0, 1, 40)})
    config = {
        "name": "given",
        "dataset": {"columns": {"target": "y", "categorical": ["b"]}, "features": "standard"},
        "network": {"sizes": [3, 1], "activations": ["tanh", "linear"]},
        "loss": "mean_squared",
        "training": {"learning_rate": 0.01, "iterations": 20, "engine": "numpy"},
    }
    with Client(cluster.address) as client:
        board = nnrun.sweep(config, data=frame, seeds=2, executor=client, results=tmp_path)
    alone = nnrun.train(config, data=frame, results=None)
    weights = {run.run_id: run.network.theta.tobytes() for run in board.runs()}
    assert (2, alone.network.theta.tobytes()) == (len(weights), weights[alone.run_id])


def test_a_signal_ends_a_sweep_on_a_cluster(shell, cluster, write, tmp_path):
    """The runs in hand come back with their checkpoints, within 5 seconds."""
    write("iris", lasting(100_000_000))
    process = shell.start("sweep", "configs", "--seeds", 4, "--dask", cluster.address)
    until(lambda: len(list(tmp_path.glob("results/iris/*"))) == 4)
    cluster.wait_for_training(2, process)
    process.send_signal(signal.SIGTERM)
    _, err = ended(process)
    assert 143 == process.returncode
    assert [] == in_session(process.pid)
    assert f"nnrun sweep configs --seeds 4 --dask {cluster.address}\n" in err
    assert 2 == len(list(tmp_path.glob("results/iris/*/checkpoint.safetensors")))
    assert 2 == len(list(tmp_path.glob("results/iris/*")))


def configs(write):
    for number, text in enumerate((IRIS, lasting(1000), lasting(2000), lasting(4000))):
        write(f"config{number}", text)


@pytest.mark.campaign
def test_a_killed_worker_of_the_cluster(shell, cluster, write):
    """Its run is taken over by another one, and the sweep finishes."""
    configs(write)
    words = ["sweep", "configs", "--seeds", 5, "--dask", cluster.address]
    campaign = Campaign(shell, words, seed=5)
    for moment in WORKER_MOMENTS:
        process, root = campaign.start(moment)
        cluster.kill_worker()
        cluster.add_worker()
        _, err = shell.end(process)
        assert 0 == process.returncode, err
        campaign.hold(root)


def test_a_lost_worker_is_reported(shell, cluster, write):
    """With its address, while the sweep goes on."""
    write("iris", lasting(100_000_000))
    cluster.wait_for_workers()  # the sweep has to know both
    process = shell.start("sweep", "configs", "--dask", cluster.address)
    cluster.wait_for_training(1, process)
    cluster.kill_worker()
    err = printed(process.stderr.fileno(), "the Dask worker at tcp://127.0.0.1:")
    cluster.wait_for_training(1, process)
    process.send_signal(signal.SIGTERM)
    err += ended(process)[1]
    assert (143, 1) == (process.returncode, err.count("the Dask worker at "))
    assert "Traceback" not in err


@pytest.mark.campaign
def test_a_killed_scheduler(shell, shared, write):
    """The sweep ends with 1 and the command that goes on; what was finished is kept."""
    configs(write)
    for moment in range(SCHEDULER_KILLS):
        shared.restore(workers=2)
        words = ["sweep", "configs", "--seeds", 5, "--dask", shared.address]
        campaign = Campaign(shell, words, seed=moment)
        process, root = campaign.start(moment)
        shared.kill_scheduler()
        _, err = shell.end(process)
        if process.returncode:  # else it had just finished
            assert 1 == process.returncode, err
            assert any(text in err for text in ("is gone;", "no Dask scheduler answers")), err
            assert "Traceback" not in err
        # On another cluster, or on none: where a run is trained makes no difference.
        campaign.words = ["sweep", "configs", "--seeds", 5, "-j", 2]
        campaign.finish(root)


def test_a_search_on_a_cluster(shell, cluster, write, tmp_path):
    """Its trials, their bits and the winner are those of a search in this process."""
    config = write("iris", json.dumps(searched(pruning="asynchronous_halving", trials=8)))
    code, _, err = shell.run(
        "search", config, "--dask", cluster.address, "--results", "there", "-q"
    )
    assert 0 == code, err
    search(config, tmp_path / "here")
    there, here = outcome(tmp_path / "there"), outcome(tmp_path / "here")
    assert here[1] == there[1]
    assert here[0]["trials"] == there[0]["trials"]
    assert here[0]["winner"] == there[0]["winner"]


# What comes back from a cluster is data, and believed only as far as it can be checked.


@pytest.fixture
def result(write):
    """What training a config gives, and the key of its run."""

    def train(text=IRIS, **control):
        prepared = prepare(load_config(write("config", text)))
        found = execute(prepared, None, Listener(**control))
        return found, f"{prepared.config.name}/{prepared.run_id}"

    return train


ADAM = BOSTON.replace("iterations: 60", "iterations: 60, optimizer: adam")


WATCHED = IRIS.replace("iterations: 60", "iterations: 60, watch: true")


@pytest.mark.parametrize("text", [IRIS, ADAM, WILD, WATCHED, "interrupted"])
def test_a_result_is_the_same_after_the_way(result, text):
    """Record, history and arrays, to the last bit."""
    if text == "interrupted":
        sent, key = result(IRIS.replace("60", "60000"), stop=lambda: True)
        assert sent.checkpoint is not None
    else:
        sent, key = result(text)
    got = unpack_result(pack_result(sent), key)
    for name in ("record", "history", "metadata"):
        assert getattr(sent, name) == getattr(got, name)
    for name in ("checkpoint", "ending"):
        ours, theirs = getattr(sent, name), getattr(got, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.values == theirs.values
            same_arrays(ours.arrays, theirs.arrays)
    same_arrays(sent.weights or {}, got.weights or {})
    assert (text == WATCHED) == (got.watched is not None)
    if got.watched is not None:
        assert sent.watched.values == got.watched.values
        same_arrays(sent.watched.arrays, got.watched.arrays)
    assert (sent.weights is None) == (got.weights is None)
    assert unpack_result(pack_result(None), key) is None


def same_arrays(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
        assert array.dtype == theirs[name].dtype


class Evil:
    """Would leave a file if it were unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize(
    "damage", ["pickle", "cut", "other", "record", "weights", "text", "list", "looks"]
)
def test_what_is_no_result_of_the_run_is_refused(result, tmp_path, damage, write):
    """And nothing in it is executed."""
    sent, key = result(WATCHED)
    content = pack_result(sent)
    arrays, values = unpack(tmp_path, content)
    if damage == "pickle":
        content = pickle.dumps(Evil(tmp_path / "executed"))
    elif damage == "cut":
        content = content[:-9]
    elif damage == "other":
        content = pack_result(replace(sent, record=replace(sent.record, run_id="s3-0123456789")))
    elif damage == "record":
        content = pack(arrays, {**values, "record": {**values["record"], "dataset": {}}})
    elif damage == "weights":
        arrays["weights/0.weight"] = arrays["weights/0.weight"] + 1
        content = pack(arrays, values)
    elif damage == "text":
        content = pack(arrays, "a text")
    elif damage == "looks":
        arrays["watched/losses"] = arrays["watched/losses"][1:]
        content = pack(arrays, values)
    else:
        content = pack(arrays, {**values, "history": None})
    with pytest.raises(NnrunError):
        unpack_result(content, key)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ConfigError([Problem("is wrong", "seed")]), NnrunError, "seed: is wrong"),
        (MemoryError(), NnrunError, "there is not enough memory"),
        (ZeroDivisionError("by 0"), CrashError, "ZeroDivisionError: by 0"),
        (WorkerLostError("its worker was lost"), WorkerLostError, "its worker was lost"),
        (OtherVersionError("it has NumPy 1.0"), OtherVersionError, "it has NumPy 1.0"),
    ],
)
def test_errors_come_back_as_texts(error, kind, message):
    """Whatever was raised: with its sentence, and the traceback of what nobody foresaw."""
    with pytest.raises(NnrunError) as caught:
        unpack_result(pack_error(error), "iris/s3-1")
    assert (kind, message) == (type(caught.value), str(caught.value))
    assert b"pickle" not in pack_error(error)
    if kind is CrashError:
        assert caught.value.traceback.endswith(f"{message}\n")


def test_an_error_on_a_worker_is_packed(monkeypatch, result):
    """The function that Dask calls gives bytes, and raises nothing that it would pickle."""
    monkeypatch.setattr(dask_tasks, "_once", lambda name: nullcontext())
    here = SimpleNamespace(get_worker=lambda: SimpleNamespace(address="here"))
    monkeypatch.setattr(dask_tasks, "import_module", lambda _: here)
    monkeypatch.setattr(dask_tasks, "execute_job", lambda *_: 1 / 0)
    jobs = [Job(f"iris/s{seed}-1", "{}", seed, f"s{seed}-1", "data") for seed in (3, 4)]
    for packed in dask_tasks.execute_jobs_on_dask("token", 0, jobs, versions(), None):
        with pytest.raises(CrashError, match="ZeroDivisionError: division by zero"):
            unpack_result(packed, "iris/s3-1")


def test_messages_are_the_same_after_the_way_or_left_out():
    """Progress and checkpoints; nonsense is not shown to anyone."""
    rows = [{"iteration": 2, "train_loss": 0.5, "test_loss": None}]
    progress = Progress(3, 10, None, 0.5, rows)
    assert progress == unpack_message(pack_message(progress, "iris/s3-1"), "iris/s3-1")
    values = {
        "iteration": 3, "optimizer_steps": 3, "train_seconds": 0.1, "evaluation_seconds": 0.1,
        "rate": 0.1, "history": [], "environments": [],
    }  # fmt: skip
    state = TrainingState({"theta": np.arange(3.0)}, values)
    packed = pack_message(state, "iris/s3-1")
    assert values == unpack_message(packed, "iris/s3-1").values
    assert unpack_message(packed, "iris/s3-2") is None
    for nonsense in (b"", b"x", None, [1], [1, 0, 0.1, 0.1], [-1, 2, 0.1, 0.1], ["a", 2, 3, 4],
                     [1, 2, float("nan"), 0.1], {"iteration": 1}):  # fmt: skip
        assert unpack_message(nonsense, "iris/s3-1") is None


def test_a_future_of_a_task_gives_what_was_checked(result):
    """The result; or the error of one that is none."""
    sent, key = result()
    runs = Batch(None)
    futures = [runs.add(Job(key, "{}", 3, "s3-1", "data")) for _ in range(2)]
    runs.receive([pack_result(sent), b"nonsense"])
    assert sent.record == futures[0].result(1).record
    with pytest.raises(NnrunError, match="what the worker gave back"):
        futures[1].result(1)
