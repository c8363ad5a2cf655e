"""Sweeps on a Dask cluster of real processes, some of which are killed."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nnrun
from nnrun.sweeps.workers.base import InlineWorkers
from tests.plugins.conftest import ALL, HERE, install
from tests.search.helpers import config as searched
from tests.search.helpers import outcome, search
from tests.sweeps.campaign import Campaign
from tests.sweeps.cluster import DASK, Cluster
from tests.sweeps.helpers import (
    IRIS,
    Shell,
    children_of,
    in_session,
    large,
    lasting,
    make_store,
    weights_of,
)
from tests.waiting import ended, printed, until

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


def test_the_same_bits_on_a_cluster(shell, cluster, plan, sweep, write, tmp_path):
    """As in this process; the workers are sent the data, and write nothing."""
    files = [write("iris"), write("lasting", lasting(3000))]
    inline = sweep(plan(*files, seeds=4), make_store(tmp_path / "inline"))
    inline.run(InlineWorkers(inline.receive, inline.stopping))
    words = ["sweep", "configs", "--seeds", 4, "--dask", cluster.address, "--json"]
    code, out, err = shell.run(*words)
    assert 0 == code, err
    assert 8 == json.loads(out)["trained"]
    assert weights_of(tmp_path / "inline") == weights_of(tmp_path / "results")


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
