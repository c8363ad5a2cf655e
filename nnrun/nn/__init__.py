"""Networks from scratch in NumPy: layers, activations, losses, optimizers. Usable alone.

>>> import numpy as np
>>> from nnrun.nn import MeanSquared, Network, dense
>>> network = Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), input_shape=(4,))
>>> network.initialize(rng=np.random.default_rng(0))
>>> network.predict(np.ones((2, 4))).shape
(2, 1)
"""

from __future__ import annotations

# Each package lists its own public names, so that a new layer or loss is named in one place.
from nnrun.nn import activations, layers, losses, optimizers
from nnrun.nn.activations import *  # noqa: F403  # see above
from nnrun.nn.gradient_check import check_gradients
from nnrun.nn.initializers import INITIALIZERS, Initializer
from nnrun.nn.layers import *  # noqa: F403  # see above
from nnrun.nn.losses import *  # noqa: F403  # see above
from nnrun.nn.network import LayerError, Network
from nnrun.nn.optimizers import *  # noqa: F403  # see above
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.schedules import SCHEDULES
from nnrun.nn.sequential import Sequential

__all__ = [
    "INITIALIZERS",
    "SCHEDULES",
    "Initializer",
    "L2Penalty",
    "LayerError",
    "Network",
    "Sequential",
    "check_gradients",
]
__all__ += activations.__all__
__all__ += layers.__all__
__all__ += losses.__all__
__all__ += optimizers.__all__
