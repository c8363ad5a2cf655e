"""What training keeps in memory."""

from __future__ import annotations

import weakref

from nnrun.runs.execution.execute import Execution


def test_training_rows_are_in_memory_once(prepared):
    """Where the engine needs them in another layout, its copy takes their place."""
    settings = ("training.batch_size=1", "training.engine=compiled", "training.dtype=float32")
    run, expected = (prepared(None, *settings) for _ in range(2))
    given = weakref.ref(run.examples["train"].x)
    Execution(run)
    assert None is given()
    assert expected.examples["train"].x.tolist() == run.examples["train"].x.tolist()
