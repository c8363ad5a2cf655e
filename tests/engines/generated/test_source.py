"""The generated source is made to be read."""

from __future__ import annotations

import ast

from nnrun.engines.generated.generate import emit, generate
from nnrun.nn import (
    SGD,
    Adam,
    CrossEntropy,
    Dropout,
    Flatten,
    MaxPool2d,
    MeanSquared,
    Network,
    conv2d,
    dense,
)

SMALLEST = """\
    w0 = view(theta, 0, (2,))
    b0 = view(theta, 8, (1,))
    w0_0_0 = w0[0]
    w0_1_0 = w0[1]
    b0_0 = b0[0]
    for k in range(count):
        rate = real(rates[k])
        if not evaluating:
            # draw a row of the next block while the update is computed
            if bound > 1:
                fresh[k] = below(stream, bound)
        n, r = 1, 0
        row = rows[k]
        t = view(targets, row * 1, (1,))
        out = view(outputs, row * 1, (1,))
        x = view(inputs, row * 8, (8,))
        # 0.weight: z = x w, 2 -> 1
        x_0 = x[0]
        x_1 = x[1]
        z0_0 = ((x_0 * w0_0_0 + x_1 * w0_1_0) + b0_0)
        if evaluating:
            # the loss, mean_squared
            cost = (z0_0 - t[0]) * (z0_0 - t[0])
            losses[k] = double(cost) / 1
            out[0] = z0_0
        if not evaluating:
            # the gradient of mean_squared
            scale = rate * real(2.0 / double(n * 1))
            dz0_0 = (z0_0 - t[0]) * scale
            # 0.bias: db = Σ dy
            b0_0 -= dz0_0
            # 0.weight: dx = dz wᵀ, w -= xᵀ dz
            w0_0_0 -= x_0 * dz0_0
            w0_1_0 -= x_1 * dz0_0
    w0[0] = w0_0_0
    w0[1] = w0_1_0
    b0[0] = b0_0
"""


def test_smallest_network() -> None:
    """Two inputs, one output: the function is what one would write by hand."""
    network = Network([dense(1)], MeanSquared(), (2,))
    source = generate(network, SGD(), clip_norm=None, single=True).source
    assert source[source.index("    w0 = ") :] == SMALLEST


def test_every_layer_is_named() -> None:
    """A comment with its index in the config stands before what each layer does."""
    blocks = [
        conv2d(4, activation="tanh"),
        MaxPool2d(),
        Dropout(0.5),
        Flatten(),
        dense(3, "softmax"),
    ]
    network = Network(blocks, CrossEntropy(), (1, 8, 8))
    source = emit(network, Adam(), clip_norm=1.0, batch_size=16)
    ast.parse(source)
    for comment in (
        "# 0.weight: z = w * x, 1 -> 4 of 3 x 3",
        "# 0: tanh, y = tanh(x)",
        "# 1: max_pool2d",
        "# 2: dropout at rate 0.5",
        "# 4.weight: z = x w, 36 -> 3",
        "# the loss, softmax_cross_entropy",
        "# the gradient of softmax_cross_entropy",
        "# clip the gradient to a length of 1.0",
        "# adam",
    ):
        assert comment in source


def test_same_network_same_source() -> None:
    """The source depends on nothing but the network and the settings."""
    sources = {
        generate(
            Network([dense(5, "elu"), dense(2)], MeanSquared(), (3,)),
            SGD(0.9),
            clip_norm=None,
            single=False,
        ).source
        for _ in range(3)
    }
    assert len(sources) == 1
