"""What a layer does besides its mathematics: shapes, arrays, calls, rows, parameters, dtypes."""

from __future__ import annotations

from collections import Counter

import numpy as np

from nnrun.nn.activations import Activation
from nnrun.nn.signature import Array, Shape
from nnrun.plugins.checker import samples
from nnrun.plugins.checker.findings import Failed, Finding, differing, shape_words
from nnrun.plugins.checker.subject import (
    Subject,
    Trial,
    backward,
    calling,
    inner_layers,
    unlisted,
)


def check_shapes(trial: Trial, taken: list[Shape]) -> Finding:
    """The shapes of y are those that `_connect` says; y are finite numbers."""
    words = []
    for shape in taken:
        subject = trial.subject(shape)
        y = subject.forward(samples.rows(shape))
        said, row = subject.network.output_shape, y.shape[1:]
        if row != said or len(y) != samples.ROWS:
            what = f"rows become {shape_words(said)}, and forward gives {shape_words(row)}"
            raise Failed("shapes", f"_connect says that {what}")
        if not np.isfinite(y).all():
            raise Failed("forward", "some numbers of y are not finite", str(y.ravel()[:3]))
        _check_written(subject, shape, y)
        words.append(f"{shape_words(shape)} → {shape_words(said)}")
    return Finding("shapes", True, "; ".join(words))


def _check_written(subject: Subject, shape: Shape, y: Array) -> None:
    layer = subject.layers[0]
    if not isinstance(layer, Activation) or y.any():
        return
    empty = np.full(y.shape, np.nan)
    with calling("forward"):
        layer.value(samples.rows(shape), empty)
    if np.isnan(empty).all():
        says = "value writes nothing into y; write y[...] = … and not y = …"
        raise Failed("forward", says)


def check_input(trial: Trial, shape: Shape) -> Finding:
    """Neither x nor dy is overwritten."""
    subject, x = trial.subject(shape), samples.rows(shape)
    given = x.copy()
    y = subject.forward(given)
    if differing(given, x).any():
        raise Failed("input", "forward overwrites its input x")
    dy = samples.rows(y.shape[1:], seed=3)
    given = dy.copy()
    dx = backward(subject, given, x)
    if differing(given, dy).any():
        raise Failed("input", "backward overwrites dy")
    if not y.dtype == dx.dtype == x.dtype:
        raise Failed("float32", "float64 does not stay float64; keep the dtype of x")
    return Finding("input", True, "x and dy keep their numbers")


def check_calls(trial: Trial, shape: Shape) -> Finding:
    """The result depends on this call alone."""
    subject, x = trial.subject(shape), samples.rows(shape)
    y = np.array(subject.forward(x))
    if differing(np.array(subject.forward(x)), y).any():
        says = "the same input gives another result the second time: state is carried over"
        raise Failed("calls", says)
    dy = samples.rows(y.shape[1:], seed=3)
    dx = np.array(backward(subject, dy, x))
    subject.forward(x)
    again = np.array(backward(subject, dy, x))
    if differing(again, dx).any():
        says = "backward gives another result the second time, for the same dy"
        raise Failed("calls", says)
    used = trial.subject(shape)
    used.forward(samples.rows(shape, seed=4))
    for count in (len(x), len(x) - 2):
        alone = _results(trial.subject(shape), x[:count], dy[:count])
        try:
            after_another = _results(used, x[:count], dy[:count])
        except Failed as error:
            says = "it fails for fewer rows than the call before had; batches differ in size"
            raise Failed("calls", says, error.finding.says) from error
        if any(differing(one, two).any() for one, two in zip(after_another, alone, strict=True)):
            raise Failed("calls", "backward uses what an earlier call of forward kept")
    return Finding("calls", True, "each gives what its own input asks for")


def _results(subject: Subject, x: Array, dy: Array) -> tuple[Array, Array]:
    """dL/dx, and the gradients of all parameters."""
    subject.network.gradient[...] = 0
    subject.forward(x)
    dx = np.array(backward(subject, dy, x))
    return dx, subject.network.gradient.copy()


def check_parameters(trial: Trial, shape: Shape) -> Finding:
    """Parameters are listed, named, used, and left to the optimizer."""
    subject, x = trial.subject(shape), samples.rows(shape)
    everywhere = inner_layers(subject.layers)
    for parameter in unlisted(everywhere):
        says = f"{parameter.name} is not in self.parameters, so that it is never trained"
        raise Failed("parameters", says)
    for layer in everywhere:
        for name, count in Counter(each.name for each in layer.parameters).items():
            if count > 1:
                says = f"two are called {name}; each needs a name of its own"
                raise Failed("parameters", says)
    before = {name: p.value.copy() for name, p in subject.parameters.items()}
    y = subject.forward(x)
    for name, parameter in subject.parameters.items():
        if differing(parameter.value, before[name]).any():
            what = "only the optimizer does; compute y from a new array"
            raise Failed("parameters", f"forward changes {name}: {what}")
    backward(subject, samples.rows(y.shape[1:], seed=3), x)
    for name, parameter in subject.parameters.items():
        if not np.shares_memory(parameter.grad, subject.network.gradient):
            place = f"write into it: {name}.grad[...] = …"
            says = f"backward puts a new array in the place of {name}.grad; {place}"
            raise Failed("parameters", says)
        if differing(parameter.value, before[name]).any():
            what = "an update is the optimizer's, and dL/dx needs the old value"
            raise Failed("parameters", f"backward changes {name}: {what}")
    names = ", ".join(before) or "it has none"
    return Finding("parameters", True, names)


def check_rows(trial: Trial, shape: Shape) -> Finding:
    """A row gives the same alone and in a batch."""
    subject, x = trial.subject(shape), samples.rows(shape)
    if any(layer.batch_dependent for layer in inner_layers(subject.layers)):
        return Finding("rows", True, "it says that they depend on each other")
    y = np.array(subject.forward(x, training=False))
    for row in range(len(x)):
        alone = subject.forward(x[row : row + 1], training=False)
        if alone.shape != y[:1].shape or differing(alone[0], y[row]).any():
            says = "a row gives another result alone"
            says += "; if that is meant, say batch_dependent = True"
            return Finding("rows", False, says, f"row {row} of {len(x)}")
    return Finding("rows", True, "each gives the same alone and in a batch")


def check_float32(trial: Trial, shape: Shape) -> Finding:
    """float32 stays float32, and gives nearly the same numbers."""
    double, single = trial.subject(shape), trial.subject(shape, np.float32)
    x = samples.rows(shape)
    dy = samples.rows(double.network.output_shape, seed=3)
    wide = [double.forward(x), backward(double, dy, x)]
    x, dy = x.astype(np.float32), dy.astype(np.float32)
    narrow = [single.forward(x), backward(single, dy, x)]
    if any(array.dtype != np.float32 for array in narrow):
        return Finding("float32", False, "float32 becomes float64; keep the dtype of x")
    for exact, near in zip(wide, narrow, strict=True):
        if (np.abs(exact - near) > 1e-3 * max(1.0, float(np.abs(exact).max()))).any():
            return Finding("float32", False, "in float32 the numbers are others")
    return Finding("float32", True, "it stays float32")


def check_needs_dx(trial: Trial, shape: Shape) -> Finding:
    """Gradients of parameters are written where dL/dx is not needed, too."""
    whole, short = trial.subject(shape), trial.subject(shape)
    x = samples.rows(shape)
    for each, needed in ((whole, True), (short, False)):
        y = each.forward(x)
        each.backward(samples.rows(y.shape[1:], seed=3), needs_dx=needed)
    for name, parameter in short.parameters.items():
        if differing(parameter.grad, whole.parameters[name].grad).any():
            says = f"without needs_dx the gradient of {name} is not written"
            return Finding("needs_dx", False, says)
    return Finding("needs_dx", True, "gradients of parameters do not depend on it")
