"""JAX: one jitted `lax.scan` over the samples of W1 to W5."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.benchmarks.timing import Stretch
from tests.benchmarks.works import Conv, Dense, Work

ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "linear": lambda z: z}


def initial(work: Work) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    shape, parameters = work.input_shape, []
    for layer in work.layers:
        if isinstance(layer, Dense):
            (inputs,) = shape
            w = rng.standard_normal((inputs, layer.units)) / np.sqrt(inputs)
            shape = (layer.units,)
            parameters.append((jnp.asarray(w), jnp.zeros(shape)))
        elif isinstance(layer, Conv):
            w = rng.standard_normal((layer.channels, shape[0], 3, 3)) / 3
            shape = (layer.channels, shape[1] - 2, shape[2] - 2)
            parameters.append((jnp.asarray(w), jnp.zeros(shape)))
        else:
            shape = (int(np.prod(shape)),)
    return parameters


def prepare(work: Work) -> Stretch | None:
    if work.batch_size > 1:
        return None
    jax.config.update("jax_enable_x64", True)
    weighted = [layer for layer in work.layers if isinstance(layer, Dense | Conv)]

    def loss(parameters: Any, x: Any, target: Any) -> Any:
        for layer, (w, b) in zip(weighted, parameters, strict=True):
            if isinstance(layer, Conv):
                x = lax.conv(x[None], w, (1, 1), "VALID")[0] + b
            else:
                x = x.reshape(-1) @ w + b
            if layer.activation != "softmax":
                x = ACTIVATIONS[layer.activation](x)
        if work.loss == "mean_squared":
            return jnp.mean((x - target) ** 2)
        return -jnp.sum(target * jax.nn.log_softmax(x))

    def update(parameters: Any, sample: Any) -> tuple[Any, None]:
        gradient = jax.grad(loss)(parameters, *sample)
        return jax.tree.map(lambda p, g: p - work.rate * g, parameters, gradient), None

    @jax.jit
    def train(parameters: Any, x: Any, target: Any, rows: Any) -> Any:
        def step(parameters: Any, row: Any) -> tuple[Any, None]:
            return update(parameters, (x[row], target[row]))

        return lax.scan(step, parameters, rows)[0]

    parameters = initial(work)
    x, target = (jnp.asarray(array) for array in work.data)
    rows = jnp.asarray(work.order)
    return Stretch(
        lambda: jax.block_until_ready(train(parameters, x, target, rows)), work.iterations
    )
