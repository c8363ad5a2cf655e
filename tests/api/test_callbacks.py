"""Functions that a caller has for the evaluations of runs, which may stop them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import nnrun
from nnrun.errors import UsageError

IRIS = {
    "name": "flowers",
    "dataset": {"name": "iris", "validation_size": 0.1},
    "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.05, "iterations": 100, "evaluate_every": 10},
}


pytestmark = pytest.mark.usefixtures("folder")


def weights(run):
    return run.record.weights_sha256


def stop_at(iteration, seed=None):
    def stopping(evaluation):
        if evaluation.iteration == iteration and seed in (None, evaluation.seed):
            evaluation.stop()

    return stopping


def mine(evaluation):
    if evaluation.iteration == 50:
        raise LookupError("mine")


def test_a_stopped_run_has_the_weights_of_that_evaluation():
    """The same bits as a run of this many iterations; it says what stopped it, and verifies."""
    run = nnrun.train(IRIS, on_evaluation=stop_at(40))
    short = nnrun.train(IRIS, iterations=40, results=None)
    assert ("stopped", 40) == (run.status, run.history["iteration"][-1])
    assert "on_evaluation stopped it at iteration 40 of 100" == run.error
    assert weights(short) == weights(run)
    assert "same_bits" == nnrun.verify(run).finding
    assert len(run.predict([[5.1, 3.5, 1.4, 0.2]])) == 1


def test_a_stopped_run_continues_without_a_callback_only():
    """The same call is answered from the results folder; one without the callback trains on, to
    the bits of a run that was not stopped; and a callback does not undo that.
    """
    seen = []

    def stopping(evaluation):
        seen.append(evaluation.iteration)
        stop_at(30)(evaluation)

    for _ in range(2):
        assert "stopped" == nnrun.train(IRIS, on_evaluation=stopping).status
    assert [10, 20, 30] == seen
    whole = nnrun.train(IRIS)
    assert "completed" == whole.status
    assert weights(nnrun.train(IRIS, results=None)) == weights(whole)
    assert "completed" == nnrun.train(IRIS, on_evaluation=stopping).status
    forced = nnrun.train(IRIS, on_evaluation=stop_at(30), force=True)
    assert ("stopped", "completed") == (forced.status, nnrun.load("flowers").status)


def test_a_callback_sees_every_evaluation():
    """Losses and metrics are those of the history; watching changes no bit, and a stop at the last
    evaluation nothing.
    """
    seen = []

    def watch(evaluation):
        seen.append(evaluation)
        stop_at(100)(evaluation)

    run = nnrun.train(IRIS, results=None, on_evaluation=watch)
    assert "completed" == run.status
    assert weights(nnrun.train(IRIS, results=None)) == weights(run)
    assert run.history["iteration"].tolist() == [one.iteration for one in seen]
    assert run.history["validation_loss"].tolist() == [one.losses["validation"] for one in seen]
    accuracy = [one.metrics["test"]["accuracy"] for one in seen]
    assert run.history["test_accuracy"].tolist() == accuracy
    assert {f"flowers/{run.run_id}"} == {one.run for one in seen}


def test_an_error_of_a_callback_ends_the_work():
    """It comes out as it is, of a run and of a sweep; what was reached is saved and continues."""
    with pytest.raises(LookupError, match="mine"):
        nnrun.train(IRIS, on_evaluation=mine)
    half = nnrun.load("flowers")
    assert ("interrupted", 50) == (half.status, half.record.timing["iterations"])
    assert weights(nnrun.train(IRIS, results=None)) == weights(nnrun.train(IRIS))
    with pytest.raises(LookupError, match="mine"):
        nnrun.sweep(IRIS, seeds=3, jobs=1, results="sweep", on_evaluation=mine)
    assert "interrupted" == nnrun.load("flowers/s42", results="sweep").status


def test_a_sweep_asks_in_this_process_whatever_the_jobs():
    """Each run waits for the answer, so that it stops at that evaluation; its row says so."""
    found = {}
    for jobs in (1, 2):
        seen = []

        def watch(evaluation, seen=seen):
            seen.append((evaluation.run, evaluation.iteration))
            stop_at(40, seed=43)(evaluation)

        board = nnrun.sweep(
            IRIS, {"training.learning_rate": [0.1, 0.01]},
            seeds=3, jobs=jobs, results=f"jobs{jobs}", on_evaluation=watch,
        )  # fmt: skip
        assert 4 * 10 + 2 * 4 == len(seen)
        assert [(2, 1)] * 2 == [(row["completed"], row["stopped"]) for row in board.rows()]
        assert ([], "<Board of 6 runs in 2 rows, 2 stopped>") == (board.failures, repr(board))
        found[jobs] = [(run.run_id, run.status, weights(run)) for run in board.runs()]
    assert found[1] == found[2]
    assert 2 == sum(status == "stopped" for _, status, _ in found[1])


def test_a_sweep_takes_stopped_runs_as_they_are():
    """With a callback they are not trained again; without one they are, to their end."""
    stopped = nnrun.sweep(IRIS, seeds=2, jobs=1, on_evaluation=stop_at(20))
    again = nnrun.sweep(IRIS, seeds=2, jobs=1, on_evaluation=stop_at(30))
    assert (2, 0) == (stopped.trained, again.trained)
    with pytest.raises(UsageError, match="no run of the sweep has completed"):
        _ = again.best
    whole = nnrun.sweep(IRIS, seeds=2, jobs=1)
    assert (2, 2) == (whole.trained, whole.best.completed)


def test_an_executor_cannot_ask():
    """It carries calls and results alone; the error says what does."""
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(UsageError, match=r"on_evaluation needs .*jobs=N"),
    ):
        nnrun.sweep(IRIS, executor=executor, on_evaluation=print)
