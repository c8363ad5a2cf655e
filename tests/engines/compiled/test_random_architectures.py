"""Networks that nobody chose: both engines train them alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from nnrun.engines.compiled.tape.engine import TapeEngine
from nnrun.nn import (
    ACTIVATIONS,
    SGD,
    Adam,
    AvgPool2d,
    BatchNorm,
    BinaryCrossEntropy,
    CrossEntropy,
    Dropout,
    Flatten,
    Huber,
    MaxPool2d,
    MeanAbsolute,
    MeanSquared,
    Residual,
    Sequential,
    activation,
    conv2d,
    dense,
)

EXAMPLES = 500 if os.environ.get("NNRUN_TEST_LARGE", "0") not in ("", "0") else 30
PARTS = 5  # which may run side by side
POINTWISE = st.sampled_from([name for name in ACTIVATIONS if name != "softmax"])
Maker = Callable[[], Any]

DENSE = st.builds(
    lambda units, name, bias: lambda: dense(units, name, bias),
    st.integers(1, 40),
    st.sampled_from(list(ACTIVATIONS)),
    st.booleans(),
)
ANYWHERE = st.one_of(
    st.builds(lambda rate: lambda: Dropout(rate), st.sampled_from([0.0, 0.2, 0.5])),
    st.just(BatchNorm),
)
IMAGE = st.one_of(
    st.builds(
        lambda channels, kernel, stride, padding, bias, name: (
            lambda: conv2d(channels, kernel, stride, padding, bias, name)
        ),
        st.sampled_from([1, 3, 8, 11]),
        st.sampled_from([1, 2, 3, (1, 3)]),
        st.sampled_from([1, 2, (2, 1)]),
        st.sampled_from(["same", 1]),
        st.sampled_from(["none", "per_channel", "per_position"]),
        POINTWISE,
    ),
    st.builds(
        lambda kind, size, stride: lambda: kind(size, stride),
        st.sampled_from([MaxPool2d, AvgPool2d]),
        st.sampled_from([1, 2]),
        st.sampled_from([None, 1]),
    ),
)
LOSSES = st.sampled_from(
    [
        (MeanSquared, "linear"),
        (MeanAbsolute, "tanh"),
        (lambda: Huber(0.3), "linear"),
        (CrossEntropy, "softmax"),
        (BinaryCrossEntropy, "sigmoid"),
    ]
)
OPTIMIZERS = st.sampled_from(
    [
        SGD,
        SGD,
        lambda: SGD(0.9),
        lambda: SGD(0.5, True, 1e-3),
        lambda: SGD(weight_decay=1e-2),
        Adam,
        lambda: Adam(0.5, 0.9, 1e-4, 1e-3),
    ]
)


@st.composite
def with_residuals(draw: st.DrawFn, makers: list[Maker], shape: tuple[int, ...]) -> list[Maker]:
    """The layers, some of which have a residual before them, of the shape that reaches them."""
    found: list[Maker] = []
    for make in makers:
        if draw(st.booleans()):
            found.append(draw(residuals(shape)))
        found.append(make)
        shape = Sequential([make()]).connect(shape)
    return found


@st.composite
def residuals(draw: st.DrawFn, shape: tuple[int, ...], depth: int = 0) -> Maker:
    """A residual of what leaves any shape as it is, and perhaps of layers that come back to it."""
    steps = st.one_of(ANYWHERE, POINTWISE.map(lambda name: lambda: activation(name)))
    inner: list[Maker] = draw(st.lists(steps, max_size=2))
    if draw(st.booleans()):
        if len(shape) == 3:
            wide, padding = draw(st.sampled_from([1, 3, 16])), draw(st.sampled_from(["same", 1]))
            inner.append(lambda: conv2d(wide, 3, padding=padding, bias="none"))
            inner += draw(st.lists(steps, max_size=2))
            inner.append(lambda: conv2d(shape[0], 3, padding=padding))
        else:
            units = draw(st.integers(1, 40))
            inner.append(lambda: dense(units, "tanh"))
            inner.append(lambda: dense(shape[0]))
    if depth < 2 and draw(st.booleans()):
        inner.append(draw(residuals(shape, depth + 1)))
    inner += draw(st.lists(steps, min_size=not inner, max_size=1))
    return lambda: Residual([make() for make in inner])


@st.composite
def tasks(draw: st.DrawFn, task: Any, *, branches: bool = False) -> Any:
    """A network of up to five layers, images or vectors, and a way to train it; with branches, up
    to as many residuals among them.
    """
    makers: list[Maker] = []
    shape: tuple[int, ...] = (draw(st.integers(1, 20)),)
    if draw(st.booleans()):
        shape = (draw(st.integers(1, 3)), draw(st.integers(5, 8)), draw(st.integers(5, 8)))
        makers += draw(st.lists(st.one_of(IMAGE, IMAGE, ANYWHERE), min_size=1, max_size=2))
        makers.append(Flatten)
    makers += draw(st.lists(st.one_of(DENSE, DENSE, ANYWHERE), max_size=2))
    loss, last = draw(LOSSES)
    outputs = draw(st.integers(2, 12))
    makers.append(lambda: dense(outputs, last))
    if branches:
        makers = draw(with_residuals(makers, shape))
    optimizer = draw(OPTIMIZERS)
    adam = optimizer().type == "adam"
    return task(
        lambda: [make() for make in makers],
        shape,
        loss(),
        optimizer,
        batch_size=draw(st.sampled_from([1, 1, 4, 7])),
        iterations=200,
        rate=0.002 if adam else draw(st.sampled_from([0.001, 0.01])),
        clip_norm=draw(st.sampled_from([None, None, 0.5])),
    )


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_random_architectures(part: int, task: Any, agree: Any) -> None:
    """30 random networks agree between the engines, 500 with `-m campaign`."""
    run(part, tasks(task), agree)


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_random_tapes(part: int, task: Any, agree: Any) -> None:
    """Likewise by kernels, with residuals among the layers."""
    run(PARTS + part, tasks(task, branches=True), partial(agree, kind=TapeEngine))


def run(number: int, drawn: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Check the examples of one part of a test."""

    @seed(number)
    @settings(
        max_examples=EXAMPLES // PARTS,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # to shrink an example would compile hundreds of others
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def each(one: Any) -> None:
        check(one)

    each()
