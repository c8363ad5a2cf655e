"""An optimizer whose own arrays overflow has diverged, though the weights are finite."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, Adam

ENGINES = {
    "numpy": NumpyEngine,
    "generated": partial(CompiledEngine, batch_size=4),
    "tape": partial(TapeEngine, batch_size=4),
}
# The square of this number is in range, and that of the gradient is not.
OUTLIERS = {"float32": 3e10, "float64": 1e80}


def finish(run):
    for _ in run.run():
        pass
    return run


@pytest.mark.parametrize("dtype", OUTLIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_squares_of_gradients_that_overflow_are_divergence(trainer, engine, dtype):
    """Adam would take no step any more; the update and the parameter are named."""
    settings = {
        "linear": True,
        "dtype": dtype,
        "outlier": OUTLIERS[dtype],
        "engine": ENGINES[engine],
        "iterations": 30,
        "evaluate_every": 10,
    }
    found = finish(trainer(optimizer=Adam(), **settings)).divergence
    assert ("not_finite", "0.weight", "square") == (found.cause, found.parameter, found.memory)
    witness = trainer(optimizer=Adam(), **settings)
    witness.update(found.iteration - 1)
    assert np.isfinite(witness.optimizer.state["square"]).all()
    witness.update(1)
    assert not np.isfinite(witness.optimizer.state["square"]).all()
    assert np.isfinite(witness.network.theta).all()


@pytest.mark.parametrize("dtype", OUTLIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_whose_squares_are_in_range_are_no_divergence(trainer, engine, dtype):
    """A row a hundred times the size of the others, which Adam learns all the same."""
    settings = {"linear": True, "dtype": dtype, "outlier": 100.0, "engine": ENGINES[engine]}
    run = finish(trainer(optimizer=Adam(), **settings))
    assert None is run.divergence
    assert 60 == run.iteration


@pytest.mark.parametrize("engine", ENGINES)
def test_a_velocity_that_overflows_takes_the_weights_with_it(trainer, engine):
    """The weights step by the velocity itself, so the parameter is named and no array of SGD."""
    settings = {"linear": True, "outlier": 1e153, "engine": ENGINES[engine]}
    found = finish(trainer(optimizer=SGD(momentum=0.9), **settings)).divergence
    assert ("not_finite", "0.weight", None) == (found.cause, found.parameter, found.memory)
