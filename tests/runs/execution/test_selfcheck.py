"""The self-check of runs, the tape engine, the recorded environment."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import nnrun
from nnrun.engines.tape.network import training
from nnrun.engines.tape.plan import ExecutionPlan
from nnrun.errors import EngineFaultError
from nnrun.nn import SGD
from nnrun.runs.events import Listener
from nnrun.runs.execution import execute
from nnrun.runs.execution import execute as run_checks
from nnrun.runs.execution.descriptions import environment, libraries, run_arithmetic
from nnrun.runs.execution.execute import execute as execute_run
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.record import Replicate
from nnrun.runs.verify import verify
from nnrun.sklearn import NetworkClassifier
from nnrun.sweeps.workers.job import Job, execute_job
from tests.lab import invoke

# Runs whose engine is checked before it trains, and ends them where it is wrong.

# A network for kernels: a function is generated for none with residual connections.
KERNELS = """
name: kernels
dataset: {name: iris, validation_size: 0.2, features: standard}
network:
  layers:
    - {type: residual, layers: [{type: dense, units: 4, activation: tanh}, {type: batch_norm}]}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 200, batch_size: 8, engine: compiled}
seed: 3
"""
FUNCTION = KERNELS.replace(
    "type: residual, layers: [{type: dense, units: 4, activation: tanh}, {type: batch_norm}]",
    "type: dense, units: 4, activation: tanh",
).replace("kernels", "function")


@pytest.fixture
def wrong(monkeypatch):
    """A wrong stride in the plans of kernels: every row of a batch is the first row of the data."""
    right = ExecutionPlan.by_rows

    def by_rows(self, kernel, /, **values):
        right(self, kernel, **(values | ({"data_row": 0} if kernel == "gather" else {})))

    monkeypatch.setattr(ExecutionPlan, "by_rows", by_rows)


@pytest.fixture
def checks(monkeypatch):
    """The engines that were checked."""
    seen, right = [], run_checks.compare_engines

    def compare(engine, *arguments, **more):
        seen.append(engine)
        return right(engine, *arguments, **more)

    monkeypatch.setattr(run_checks, "compare_engines", compare)
    return seen


@pytest.mark.usefixtures("wrong")
def test_a_wrong_engine_ends_the_run(prepared, store):
    """It is kept as failed, without anything that looks like a result; NumPy trains it."""
    run = prepared(KERNELS)
    with pytest.raises(EngineFaultError) as error:
        train(run, store)
    record = store.run(run.config.name, run.run_id).read().record
    assert ("failed", str(error.value), None) == (
        record.status,
        record.error,
        record.weights_sha256,
    )
    assert {"train": None, "validation": None, "test": None} == record.metrics
    folder = store.folder(run.config.name, run.run_id)
    assert not (folder / "model.safetensors").exists()
    assert "completed" == train(prepared(KERNELS, "training.engine=numpy"), store).record.status


@pytest.mark.usefixtures("wrong")
def test_the_error_says_what_to_do(prepared):
    """Which number differs, by how much, what trains the network, and what to report."""
    with pytest.raises(EngineFaultError) as error:
        train(prepared(KERNELS), None)
    for part in (
        "the compiled engine does not train this network as NumPy does",
        "in the first batch loss is ",
        "training.engine=numpy",
        "please report it",
        f"nnrun {nnrun.__version__}",
        f"NumPy {np.__version__}",
    ):
        assert part in str(error.value)


@pytest.mark.usefixtures("wrong")
def test_a_failed_run_is_tried_again(prepared, store, monkeypatch):
    """It is not complete: by an engine that is right, the same command trains it."""
    with pytest.raises(EngineFaultError):
        train(prepared(KERNELS), store)
    monkeypatch.undo()
    outcome = train(prepared(KERNELS), store)
    assert ("completed", True) == (outcome.record.status, outcome.trained)
    assert "same_bits" == verify(outcome.folder).finding


@pytest.mark.usefixtures("wrong")
def test_a_wrong_engine_ends_the_command(tmp_path):
    """Exit code 1 and the text on stderr, with --json as well."""
    config = tmp_path / "kernels.yaml"
    config.write_text(KERNELS)
    for more in ([], ["--json"]):
        arguments = ["train", str(config), "--results", str(tmp_path / "results"), *more]
        result = invoke(*arguments)
        assert 1 == result.code
        assert result.err.startswith("error: the compiled engine does not train this network")
        (report,) = (tmp_path / "results").glob("kernels/*/report.json")
        assert "failed" == json.loads(report.read_text())["status"]


@pytest.mark.usefixtures("wrong")
def test_a_wrong_engine_ends_the_call(tmp_path):
    """From Python it is an error, whose text the report has."""
    config = tmp_path / "kernels.yaml"
    config.write_text(KERNELS)
    with pytest.raises(EngineFaultError) as error:
        nnrun.train(config, results=tmp_path / "results")
    (run,) = (tmp_path / "results" / "kernels").iterdir()
    assert ("failed", str(error.value)) == (nnrun.load(run).status, nnrun.load(run).error)


@pytest.mark.usefixtures("wrong")
def test_a_wrong_engine_ends_the_fit():
    """An estimator is not fitted."""
    rng = np.random.default_rng(0)
    layers = [
        {"type": "residual", "layers": [{"type": "dense", "units": 4, "activation": "tanh"}]},
        {"type": "dense", "units": 5, "activation": "relu"},
    ]
    estimator = NetworkClassifier(layers, engine="compiled", random_state=0)
    with pytest.raises(EngineFaultError):
        estimator.fit(rng.standard_normal((60, 4)), np.arange(60) % 3)
    assert not hasattr(estimator, "model_")


def test_partial_fits_are_checked_once(checks):
    """An estimator goes on with the network that was checked."""
    rng = np.random.default_rng(0)
    estimator = NetworkClassifier((5,), engine="compiled", random_state=0)
    for _ in range(3):
        estimator.partial_fit(rng.standard_normal((60, 4)), np.arange(60) % 3, classes=[0, 1, 2])
    assert 1 == len(checks)


@pytest.mark.parametrize("text", [KERNELS, FUNCTION])
@pytest.mark.parametrize(
    "override",
    [
        "training.batch_size=8",
        "training.dtype=float32",
        "training.optimizer={type: sgd, momentum: 0.9}",
        "training.optimizer=adam",
        "training.clip_norm=0.1",
        "training.sampling=with_replacement",
    ],
)
def test_a_run_that_is_checked_has_the_bits_of_one_that_is_not(
    prepared, monkeypatch, checks, text, override
):
    """Of its weights, its metrics and its history."""
    run = prepared(text, override)
    ours = train(run, None).result
    monkeypatch.setattr(execute, "check_engine", lambda *_: None)
    alone = train(prepared(text, override), None).result
    assert 1 == len(checks)
    assert alone.record.weights_sha256 == ours.record.weights_sha256
    assert (alone.record.metrics, alone.history) == (ours.record.metrics, ours.history)


def test_a_run_that_goes_on_is_checked_and_has_the_same_bits(prepared, store, checks):
    """From a checkpoint: the process may be another, on another machine."""
    stops = iter([False, True])
    run = prepared(KERNELS, "training.evaluate_every=20")
    callbacks = Listener(stop=lambda: next(stops))
    assert "interrupted" == train(run, store, callbacks).record.status
    again = train(prepared(KERNELS, "training.evaluate_every=20"), store).record
    alone = train(prepared(KERNELS, "training.evaluate_every=20"), None).record
    assert ("completed", alone.weights_sha256) == (again.status, again.weights_sha256)
    assert 3 == len(checks)


def test_numpy_is_not_checked(prepared, checks):
    """It is what others are held against."""
    train(prepared(KERNELS, "training.engine=numpy"), None)
    assert [] == checks


# Runs that kernels train: the same bits for any number of threads, and across interruptions.

IMAGES = """
name: images
dataset: {name: digits, features: minmax, validation_size: 0.1}
network:
  layers:
    - {type: conv2d, channels: 20, kernel: 3, padding: same, bias: none}
    - {type: batch_norm}
    - {type: activation, name: tanh}
    - {type: max_pool2d, size: 2}
    - {type: residual, layers: [{type: dropout, rate: 0.2}, {type: batch_norm}]}
    - {type: conv2d, channels: 9, kernel: 3, activation: relu}
    - {type: flatten}
    - {type: dense, units: 50, activation: relu}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training:
  optimizer: {type: sgd, momentum: 0.9}
  learning_rate: 0.01
  iterations: 60
  batch_size: 33
  dtype: float32
  engine: compiled
"""


def test_threads_change_no_bit(prepared):
    """Weights, history and the run's id are the same; the report says how many there were."""
    run = prepared(IMAGES, "training.iterations=20")
    found = [train(run, None, threads=count) for count in (1, 2, 16)]
    assert 1 == len({outcome.record.weights_sha256 for outcome in found})
    assert 1 == len({outcome.record.run_id for outcome in found})
    assert found[0].result.history == found[1].result.history == found[2].result.history
    assert [1, 2, 16] == [outcome.record.environment["threads"] for outcome in found]
    assert "convolve, " in found[0].record.environment["kernels"]


def test_interrupted_is_uninterrupted(prepared, store):
    """A run that goes on from its checkpoint, with other threads, ends with the same bits."""
    run = prepared(IMAGES)
    whole = train(run, None).record
    stops = iter([False, True])
    train(run, store, Listener(stop=lambda: next(stops, True)))
    ended = train(run, store, threads=3).record
    assert "completed" == ended.status
    assert whole.weights_sha256 == ended.weights_sha256
    assert whole.metrics == ended.metrics


def test_extended_is_longer(prepared, store):
    """A completed run that goes on has the bits of one that was asked for more from the start."""
    first = train(prepared(IMAGES), store)
    longer = extend(first.folder, 30)
    extended = train(longer.prepared, store, extension=longer)
    whole = train(prepared(IMAGES, "training.iterations=90"), None)
    assert whole.record.weights_sha256 == extended.record.weights_sha256
    assert whole.record.metrics == extended.record.metrics


@pytest.mark.parametrize("batch_size", [2, 33])
def test_what_kernels_take_is_counted(prepared, batch_size):
    """The estimate that refuses a run knows the sums of tasks and the weights in other forms."""
    layers = ["{type: conv2d, channels: 64, kernel: 3, padding: same}", "{type: batch_norm}"] * 3
    layers += ["{type: flatten}", "{type: dense, units: 10, activation: softmax}"]
    given = (f"training.batch_size={batch_size}", f"network.layers=[{', '.join(layers)}]")
    run = prepared(IMAGES, *given)
    network = run.network
    plan = training(network, SGD(0.9), clip_norm=None, batch_size=batch_size)
    taken = sum(plan.blocks[one.gradient] for one in plan.placed if one.parts)
    taken += sum(plan.blocks[name] for name in ("u2", "u4", "turned2", "turned4"))
    counted = run.memory.parameters
    by_numpy = prepared(IMAGES, *given, "training.engine=numpy").memory.parameters
    assert taken * 4 <= counted - by_numpy <= taken * 4 * 2


def test_a_sweeps_worker_uses_its_threads(prepared):
    """A job says how many, and its numbers are those of any other number."""
    run = prepared(IMAGES)
    job = Job("a", run.config_json, Replicate(run.config.seed), run.run_id, "")

    class Channel:
        stopped = staticmethod(lambda: False)
        send = staticmethod(lambda _: None)

    found = [
        execute_job(replace(job, threads=count), Channel(), run.dataset).record for count in (1, 4)
    ]
    assert [1, 4] == [record.environment["threads"] for record in found]
    assert found[0].weights_sha256 == found[1].weights_sha256


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_run_beyond_numbers_says_so_and_numpy_does_not_warn(prepared, engine, optimizer, dtype):
    """Rates, moments and weights may all overflow: the run has diverged, without other messages."""
    layers = (
        "{type: dense, units: 8, activation: gelu}",
        "{type: batch_norm}",
        "{type: dense, units: 3, activation: softmax}",
    )
    normalized = f"network={{layers: [{', '.join(layers)}]}}"
    settings = [
        f"training.{k}={v}"
        for k, v in (
            ("engine", engine),
            ("optimizer", optimizer),
            ("dtype", dtype),
            ("learning_rate", 1e308),
            ("watch", "true"),
        )
    ]
    found = execute_run(prepared(None, normalized, *settings), None, Listener())
    assert "diverged" == found.record.status
    assert "try training.learning_rate=" in found.record.error


# What a report says of the machine is what the run was computed with.

# Kernels that every processor of the kind can run, and that few would choose by themselves.
OTHER_KERNELS = {"x86_64": ["Nehalem"], "aarch64": ["ARMV8"]}.get(platform.machine(), [])
SCRIPT = (
    "import json; from nnrun.runs.execution.descriptions import environment as e; "
    "print(json.dumps(e()))"
)


@pytest.mark.parametrize("kernel", OTHER_KERNELS)
def test_the_kernel_is_the_one_in_use(kernel: str):
    """Not the one that the processor would get: another that the BLAS is configured to use."""
    variables = {**os.environ, "OPENBLAS_CORETYPE": kernel}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=variables, capture_output=True, text=True, check=True
    )
    there, here = json.loads(done.stdout), environment()
    assert kernel == there["blas_kernel"]
    assert {"blas_kernel"} >= {key for key in here if here[key] != there[key]}


def test_the_kernel_is_what_the_library_says():
    """The BLAS that NumPy brought is asked, and NumPy for the vectors that it found."""
    known = {library.get("architecture") for library in threadpool_info()}
    assert environment()["blas_kernel"] in known
    assert environment()["vectors"].split()


def test_a_run_has_one_thread_of_blas_and_gives_the_others_back():
    """One thread means one order of sums."""

    def threads() -> set[int]:
        return {blas.num_threads for blas in libraries().lib_controllers}

    with threadpool_limits(2, user_api="blas"):
        assert {2} == threads()
        with run_arithmetic():
            assert {1} == threads()
        assert {2} == threads()


PLATFORM = """
import sys
from nnrun.runs.execution import descriptions

sys.addaudithook(lambda event, _: event == "subprocess.Popen" and print("a process"))
print(descriptions._platform())
"""


def test_the_platform_is_what_python_says_but_no_process_is_started():
    """Python starts one for the processor's name, which takes longer than most runs."""
    done = subprocess.run(
        [sys.executable, "-c", PLATFORM], capture_output=True, text=True, check=True
    )
    assert f"{platform.platform()}\n" == done.stdout
    assert platform.platform() == environment()["platform"]
