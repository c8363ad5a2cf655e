"""JAX: one jitted `lax.scan` over the samples of W1 to W5, a jitted step for minibatches."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.benchmarks.contest import TimedRun
from tests.benchmarks.works import Conv, Dense, Layer, Pool, Work

ACTIVATIONS = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    # The loss has the softmax in it.
    "softmax": lambda z: z,
    "linear": lambda z: z,
}


def initial(work: Work) -> list[tuple[Any, Any] | None]:
    """Weights and bias of each layer, of those that have any."""
    rng = np.random.default_rng(0)
    shape: tuple[int, ...] = work.input_shape
    parameters: list[tuple[Any, Any] | None] = []
    for layer in work.layers:
        if isinstance(layer, Dense):
            w = rng.standard_normal((shape[0], layer.units)) / np.sqrt(shape[0])
            bias = shape = (layer.units,)
        elif isinstance(layer, Conv):
            w = rng.standard_normal((layer.channels, shape[0], layer.kernel, layer.kernel))
            w /= layer.kernel * np.sqrt(shape[0])
            sides = [side + 2 * layer.border - layer.kernel + 1 for side in shape[1:]]
            shape = (layer.channels, *sides)
            bias = (layer.channels, 1, 1) if layer.bias == "per_channel" else shape
        else:
            pooled = (shape[0], shape[1] // 2, shape[2] // 2)
            shape = pooled if isinstance(layer, Pool) else (int(np.prod(shape)),)
            parameters.append(None)
            continue
        parameters.append((jnp.asarray(w, work.dtype), jnp.zeros(bias, work.dtype)))
    return parameters


def forward(layer: Layer, parameters: tuple[Any, Any] | None, x: Any) -> Any:
    """One layer on a batch; images as (batch, channels, height, width)."""
    if parameters is None:
        return _pool(layer, x) if isinstance(layer, Pool) else x.reshape(len(x), -1)
    w, b = parameters
    convolved = isinstance(layer, Conv)
    z = lax.conv(x, w, (1, 1), layer.padding.upper()) if convolved else x @ w
    return ACTIVATIONS[layer.activation](z + b)


def _pool(layer: Pool, x: Any) -> Any:
    window = ((1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    if layer.kind == "max":
        return lax.reduce_window(x, -jnp.inf, lax.max, *window)
    return lax.reduce_window(x, 0.0, lax.add, *window) / 4


def prepare(work: Work) -> TimedRun:
    jax.config.update("jax_enable_x64", True)

    def loss(parameters: Any, x: Any, target: Any) -> Any:
        for layer, own in zip(work.layers, parameters, strict=True):
            x = forward(layer, own, x)
        if work.loss == "mean_squared":
            return jnp.mean((x - target) ** 2)
        return -jnp.mean(jnp.sum(target * jax.nn.log_softmax(x), axis=1))

    def update(parameters: Any, x: Any, target: Any) -> Any:
        gradient = jax.grad(loss)(parameters, x, target)
        return jax.tree.map(lambda p, g: p - work.rate * g, parameters, gradient)

    x, target = (jnp.asarray(array) for array in work.data)
    order = work.order.reshape(work.iterations, work.batch_size)
    if work.batch_size > 1:
        return _steps(update, initial(work), x, target, order[: work.few_iterations])
    return _scan(update, initial(work), x, target, order)


def _steps(update: Any, parameters: Any, x: Any, target: Any, order: np.ndarray) -> TimedRun:
    @partial(jax.jit, donate_argnums=0)
    def step(parameters: Any, x: Any, target: Any, rows: Any) -> Any:
        return update(parameters, x[rows], target[rows])

    batches = [jnp.asarray(rows) for rows in order]

    def run() -> None:
        nonlocal parameters
        for rows in batches:
            parameters = step(parameters, x, target, rows)
        jax.block_until_ready(parameters)

    return TimedRun(run, len(batches))


def _scan(update: Any, parameters: Any, x: Any, target: Any, order: np.ndarray) -> TimedRun:
    @jax.jit
    def train(parameters: Any, x: Any, target: Any, order: Any) -> Any:
        def step(parameters: Any, rows: Any) -> tuple[Any, None]:
            return update(parameters, x[rows], target[rows]), None

        return lax.scan(step, parameters, order)[0]

    rows = jnp.asarray(order)
    return TimedRun(lambda: jax.block_until_ready(train(parameters, x, target, rows)), len(rows))
