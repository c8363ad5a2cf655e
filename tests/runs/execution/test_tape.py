"""Runs that kernels train: the same bits for any number of threads, and across interruptions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnrun.engines.tape.network import training
from nnrun.nn import SGD
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.record import Replicate
from nnrun.sweeps.workers.job import Job, execute_job

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
    found = execute(prepared(None, normalized, *settings), None, Listener())
    assert "diverged" == found.record.status
    assert "try training.learning_rate=" in found.record.error
