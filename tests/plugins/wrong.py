"""Forty wrong layers, activations and losses, and what the checker must say of each.

They were written before the checker. Most have one mistake that students make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnrun.nn import Layer, Parameter
from tests.plugins.right import Conv, Dense, Drop, Gain, Mix, Quartic, Shares, Swish


@dataclass(frozen=True)
class Wrong:
    """A wrong part, the first check that it must fail, and the sentence that names the mistake."""

    part: type
    check: str
    says: str

    @property
    def kind(self) -> str:
        """Of the part."""
        names = [base.__name__ for base in self.part.__mro__]
        return next(n.lower() for n in names if n in ("Activation", "Loss", "Layer"))


WRONG: list[Wrong] = []


def wrong(check: str, says: str) -> Callable[[type], type]:
    def add(part: type) -> type:
        WRONG.append(Wrong(part, check, says))
        return part

    return add


SIGN = "it has the opposite sign"
TRANSPOSED = "it is the transpose of the right one"
DIVIDED = "it is divided by the number of rows, which the loss does"
TIMES_ROWS = "it is multiplied by the number of rows"
UNUSED = "it does not use dy, the gradient from above"
UNCHANGED = "dy is passed on unchanged: the layer's own derivative is missing"
ZERO = "it is zero: backward does not compute it"
STRIDE = "the stride is forgotten: it is that of a stride of 1"


@wrong("gradient of weight", SIGN)
class WeightSign(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.w.grad *= -1
        return dx


@wrong("gradient of x", SIGN)
class InputSign(Dense):
    def backward(self, dy, needs_dx=True):
        return -super().backward(dy)


@wrong("gradient of weight", TRANSPOSED)
class WeightTransposed(Mix):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.w.grad[...] = self.w.grad.T.copy()
        return dx


@wrong("gradient of x", "it is right with the transpose of weight")
class InputByWeight(Mix):
    def backward(self, dy, needs_dx=True):
        super().backward(dy)
        return dy @ self.w.value


@wrong("gradient of weight", DIVIDED)
class WeightMean(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.w.grad /= len(dy)
        return dx


@wrong("gradient of bias", DIVIDED)
class BiasMean(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.b.grad[...] = dy.mean(axis=0)
        return dx


@wrong("gradient of weight", TIMES_ROWS)
class WeightTimesRows(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.w.grad *= len(dy)
        return dx


@wrong("gradient of bias", "it is that of the first row alone")
class BiasFirstRow(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.b.grad[...] = dy[0]
        return dx


@wrong("gradient of weight", "it is that of the last row alone")
class WeightLastRow(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        for row, d in zip(self.x, dy, strict=True):
            self.w.grad[...] = np.outer(row, d)
        return dx


@wrong("gradient of bias", "every entry is the sum of all")
class BiasSummed(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.b.grad[...] = dy.sum()
        return dx


@wrong("gradient of bias", ZERO)
class BiasForgotten(Dense):
    def backward(self, dy, needs_dx=True):
        self.w.grad[...] = self.x.T @ dy
        return dy @ self.w.value.T


@wrong(
    "parameters",
    "backward puts a new array in the place of weight.grad; write into it: weight.grad[...] = …",
)
class GradReplaced(Dense):
    def backward(self, dy, needs_dx=True):
        self.w.grad = self.x.T @ dy
        self.b.grad[...] = dy.sum(axis=0)
        return dy @ self.w.value.T


@wrong("gradient of weight", "it is added to that of the call before; write it anew each time")
class GradAdded(Dense):
    def backward(self, dy, needs_dx=True):
        self.w.grad += self.x.T @ dy
        self.b.grad[...] = dy.sum(axis=0)
        return dy @ self.w.value.T


@wrong(
    "parameters",
    "backward changes weight: an update is the optimizer's, and dL/dx needs the old value",
)
class UpdatedFirst(Dense):
    def backward(self, dy, needs_dx=True):
        self.w.grad[...] = self.x.T @ dy
        self.b.grad[...] = dy.sum(axis=0)
        self.w.value -= 0.1 * self.w.grad
        return dy @ self.w.value.T


@wrong("parameters", "bias is not in self.parameters, so that it is never trained")
class BiasUnlisted(Dense):
    def _connect(self, input_shape):
        shape = super()._connect(input_shape)
        self.b.initialize(rng=np.random.default_rng(0))
        self.parameters = [self.w]
        return shape


@wrong("parameters", "two are called weight; each needs a name of its own")
class OneName(Dense):
    def _connect(self, input_shape):
        shape = super()._connect(input_shape)
        self.b.name = "weight"
        return shape


@wrong("parameters", "y does not depend on bias")
class BiasUnused(Dense):
    def forward(self, x, rng=None):
        self.x = x
        return x @ self.w.value


@wrong("gradient of gain", UNUSED)
class GainWithoutDy(Gain):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.g.grad[...] = self.t.sum(axis=0)
        return dx


@wrong("gradient of x", "gain is left out: it is right with 1 in its place")
class GainLeftOut(Gain):
    def backward(self, dy, needs_dx=True):
        super().backward(dy)
        return dy * (1 - self.t**2)


@wrong("gradient of x", UNUSED)
class InputWithoutDy(Gain):
    def backward(self, dy, needs_dx=True):
        super().backward(dy)
        return self.g.value * (1 - self.t**2)


@wrong("gradient of x", UNCHANGED)
class PassedOn(Gain):
    def backward(self, dy, needs_dx=True):
        super().backward(dy)
        return dy


@wrong("input", "forward overwrites its input x")
class InputOverwritten(Gain):
    def forward(self, x, rng=None):
        np.tanh(x, out=x)
        self.t = x
        return self.g.value * self.t


@wrong("input", "backward overwrites dy")
class DyOverwritten(Gain):
    def backward(self, dy, needs_dx=True):
        self.g.grad[...] = (dy * self.t).sum(axis=0)
        dy *= self.g.value
        dy *= 1 - self.t**2
        return dy


@wrong("calls", "the same input gives another result the second time: state is carried over")
class StateCarried(Gain):
    mean = 0.0

    def forward(self, x, rng=None):
        self.mean = 0.5 * self.mean + 0.5 * float(x.mean())
        return super().forward(x - self.mean)


@wrong("calls", "backward uses what an earlier call of forward kept")
class FirstInputKept(Dense):
    kept = None

    def forward(self, x, rng=None):
        if self.kept is None:
            self.kept = x
        self.x = x
        return x @ self.w.value + self.b.value

    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        if len(self.kept) == len(dy):
            self.w.grad[...] = self.kept.T @ dy
        return dx


@wrong("calls", "backward uses what an earlier call of forward kept")
class FirstMaskKept(Layer):
    """A layer without parameters, so that the mistake is in dL/dx alone."""

    kept = None

    def forward(self, x, rng=None):
        if self.kept is None:
            self.kept = x > 0
        return np.maximum(x, 0)

    def backward(self, dy, needs_dx=True):
        return dy * self.kept


@wrong("rows", "a row gives another result alone; if that is meant, say batch_dependent = True")
class Centred(Gain):
    def forward(self, x, rng=None):
        return super().forward(x - x.mean(axis=0))

    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        return dx - dx.mean(axis=0)


@wrong("float32", "float32 becomes float64; keep the dtype of x")
class Widened(Gain):
    def forward(self, x, rng=None):
        return super().forward(x) * np.float64(1) + np.zeros(x.shape)


@wrong("float32", "float64 does not stay float64; keep the dtype of x")
class Narrowed(Gain):
    def forward(self, x, rng=None):
        return super().forward(x).astype(np.float32)


@wrong("shapes", "_connect says that rows become 4, and forward gives 3")
class WrongShape(Dense):
    def _connect(self, input_shape):
        super()._connect(input_shape)
        return (self.units + 1,)


@wrong("shapes", "_connect returns nothing; it ends in return and the shape of a row of y")
class NoShape(Gain):
    def _connect(self, input_shape):
        super()._connect(input_shape)


@wrong("forward", "it returns nothing; it ends in return y")
class NothingReturned(Gain):
    def forward(self, x, rng=None):
        super().forward(x)


@wrong("gradient of x", "backward returns nothing; it ends in return dx")
class NoDx(Gain):
    def backward(self, dy, needs_dx=True):
        super().backward(dy)


@wrong("gradient of x", "its shape is 4, 5, and that of x 5, 4: it is the transpose")
class DxTransposed(Gain):
    input_kind = "vectors"

    def backward(self, dy, needs_dx=True):
        return super().backward(dy).T


@wrong("needs_dx", "without needs_dx the gradient of weight is not written")
class SkippedEarly(Dense):
    def backward(self, dy, needs_dx=True):
        if not needs_dx:
            return dy
        return super().backward(dy)


@wrong("gradient of x", STRIDE)
class StrideForgottenInX(Conv):
    def backward(self, dy, needs_dx=True):
        super().backward(dy)
        dx = np.zeros_like(self.x)
        for i, j in np.ndindex(*dy.shape[2:]):
            dx[:, :, i : i + 2, j : j + 3] += np.einsum(
                "no,ocab->ncab", dy[:, :, i, j], self.w.value
            )
        return dx


@wrong("gradient of weight", STRIDE)
class StrideForgottenInW(Conv):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.w.grad[...] = 0
        for i, j in np.ndindex(*dy.shape[2:]):
            self.w.grad += np.einsum(
                "no,ncab->ocab", dy[:, :, i, j], self.x[:, :, i : i + 2, j : j + 3]
            )
        return dx


@wrong("gradient of weight", "it is flipped in height and width")
class KernelFlipped(Conv):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.w.grad[...] = self.w.grad[:, :, ::-1, ::-1].copy()
        return dx


@wrong("gradient of x", "it is right with weight flipped in height and width")
class InputByFlipped(Conv):
    def backward(self, dy, needs_dx=True):
        super().backward(dy)
        dx = np.zeros_like(self.x)
        for i, j in np.ndindex(*dy.shape[2:]):
            dx[self.window(i, j)] += np.einsum(
                "no,ocab->ncab", dy[:, :, i, j], self.w.value[:, :, ::-1, ::-1]
            )
        return dx


@wrong("gradient of x", "overlapping parts are not added up: one replaces the other")
class Assigned(Conv):
    def __init__(self, channels=2, stride=1):
        super().__init__(channels, stride)

    def backward(self, dy, needs_dx=True):
        super().backward(dy)
        dx = np.zeros_like(self.x)
        for i, j in np.ndindex(*dy.shape[2:]):
            dx[self.window(i, j)] = np.einsum("no,ocab->ncab", dy[:, :, i, j], self.w.value)
        return dx


@wrong("gradient of x", UNCHANGED)
class MaskForgotten(Drop):
    def backward(self, dy, needs_dx=True):
        return dy


@wrong("gradient of x", "all of it is 0.5 times the right one")
class ScaleForgotten(Drop):
    def backward(self, dy, needs_dx=True):
        return super().backward(dy) * 0.5


@wrong("calls", "backward gives another result the second time, for the same dy")
class MaskRedrawn(Drop):
    rng = np.random.default_rng(0)

    def backward(self, dy, needs_dx=True):
        return dy * (self.rng.random(dy.shape) >= 0.5)


@wrong("gradient of x", UNCHANGED)
class SlopeMissing(Swish):
    def gradient(self, dy, x, y, dx):
        dx[...] = dy


@wrong("gradient of x", UNUSED)
class SlopeAlone(Swish):
    def gradient(self, dy, x, y, dx):
        super().gradient(np.ones_like(dy), x, y, dx)


@wrong("gradient of x", "the derivative is taken at y in place of x")
class SlopeAtY(Swish):
    def gradient(self, dy, x, y, dx):
        super().gradient(dy, y, y, dx)


@wrong("gradient of x", "it is dy · f(x): the value stands in place of the derivative")
class ValueForSlope(Swish):
    def gradient(self, dy, x, y, dx):
        dx[...] = dy * y


@wrong("forward", "value writes nothing into y; write y[...] = … and not y = …")
class ValueUnwritten(Swish):
    def value(self, x, y):
        y = x / (1 + np.exp(-x))


@wrong("gradient of x", "gradient writes nothing into dx; write dx[...] = … and not dx = …")
class SlopeUnwritten(Swish):
    def gradient(self, dy, x, y, dx):
        dx = dy * y


@wrong(
    "gradient of x",
    "only the diagonal of the derivative is there, and y depends on several numbers of x",
)
class DiagonalAlone(Shares):
    def gradient(self, dy, x, y, dx):
        dx[...] = dy * y * (1 - y)


@wrong("gradient of y", SIGN)
class LossSign(Quartic):
    def gradient(self, y, target):
        return 4 * (target - y) ** 3 / y.size


@wrong("gradient of y", "it is that of a sum over the rows, and the value is their mean")
class SumOverRows(Quartic):
    def gradient(self, y, target):
        return 4 * (y - target) ** 3 / y.shape[1]


@wrong("gradient of y", "it lacks the division by the number of outputs")
class SumOverOutputs(Quartic):
    def gradient(self, y, target):
        return 4 * (y - target) ** 3 / len(y)


@wrong("gradient of y", "it lacks the division by rows and outputs, since the value is a mean")
class SumOverAll(Quartic):
    def gradient(self, y, target):
        return 4 * (y - target) ** 3


@wrong("gradient of y", "all of it is 0.25 times the right one")
class FactorMissing(Quartic):
    def gradient(self, y, target):
        return (y - target) ** 3 / y.size


@wrong("mean", "of the same rows twice the value is twice as large: a loss is a mean over the rows")
class SumAsLoss(Quartic):
    def value(self, y, target):
        return float(np.sum((y - target) ** 4))

    def gradient(self, y, target):
        return 4 * (y - target) ** 3


@wrong("value", "it is an array of 5, 3; a loss is one number")
class ArrayAsLoss(Quartic):
    def value(self, y, target):
        return (y - target) ** 4


@wrong("input", "gradient overwrites y")
class PredictionsOverwritten(Quartic):
    def gradient(self, y, target):
        y -= target
        return 4 * y**3 / y.size


@wrong("gradient of weight", f"{SIGN}, and {DIVIDED.removeprefix('it ')}")
class TwoMistakes(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.w.grad /= -len(dy)
        return dx


@wrong("forward", "it returns a list, and no array of NumPy")
class ListReturned(Gain):
    def forward(self, x, rng=None):
        return [list(row) for row in super().forward(x)]


@wrong("shapes", "__init__ does not call super().__init__()")
class NoSuper(Layer):
    def __init__(self) -> None:
        self.factor = 2

    def forward(self, x, rng=None):
        return self.factor * x


@wrong(
    "backward",
    "ValueError: could not broadcast input array from shape (3,4) into shape (4,3); one is the "
    "transpose of the other",
)
class OtherSides(Dense):
    def backward(self, dy, needs_dx=True):
        self.w.grad[...] = dy.T @ self.x
        return dy @ self.w.value.T


@wrong(
    "backward",
    "ValueError: non-broadcastable output operand with shape (4,) doesn't match the broadcast "
    "shape (5,4); the sum over the rows is missing",
)
class RowsUnsummed(Gain):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.g.grad += dy * self.t
        return dx


@wrong("parameters", "forward changes weight: only the optimizer does; compute y from a new array")
class Normalized(Dense):
    def forward(self, x, rng=None):
        self.w.value /= np.linalg.norm(self.w.value)
        return super().forward(x)


@wrong("calls", "it fails for fewer rows than the call before had; batches differ in size")
class OneSize(Gain):
    kept = None

    def forward(self, x, rng=None):
        if self.kept is None:
            self.kept = np.empty_like(x)
        self.kept[: len(x)] = x
        return super().forward(x)

    def backward(self, dy, needs_dx=True):
        return super().backward(dy) + 0 * self.kept


@wrong(
    "gradient of bias",
    "it is divided by the number of entries of dy: a mean stands where a sum is needed",
)
class MeanOfAll(Conv):
    def _connect(self, input_shape):
        shape = super()._connect(input_shape)
        self.b = Parameter("bias", (1,), lambda rng: np.ones(1))
        self.parameters.append(self.b)
        return shape

    def forward(self, x, rng=None):
        return super().forward(x) + self.b.value

    def backward(self, dy, needs_dx=True):
        self.b.grad[...] = dy.mean()
        return super().backward(dy)


@wrong("gradient of bias", "every entry is the mean of all")
class BiasAveraged(Dense):
    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.b.grad[...] = dy.mean()
        return dx


@wrong("gradient of bias", "it is the sum of dy: the derivative of what follows is missing")
class SlopeMissingInBias(Dense):
    def forward(self, x, rng=None):
        self.t = np.tanh(super().forward(x))
        return self.t

    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy * (1 - self.t**2))
        self.b.grad[...] = dy.sum(axis=0)
        return dx


@wrong("gradient of x", "it is right with y in place of self.x")
class SlopeAtKeptX(Layer):
    def forward(self, x, rng=None):
        self.x = x
        return np.tanh(x)

    def backward(self, dy, needs_dx=True):
        return dy * (1 - self.x**2)


@wrong("gradient of weight", "it is right with x in place of self.y")
class WeightByY(Mix):
    def forward(self, x, rng=None):
        self.y = super().forward(x)
        return self.y

    def backward(self, dy, needs_dx=True):
        dx = super().backward(dy)
        self.w.grad[...] = self.y.T @ dy
        return dx


@wrong("gradient of x", "the term dy is missing: y has x itself as a term")
class PathMissing(Layer):
    def forward(self, x, rng=None):
        self.t = np.tanh(x)
        return x + self.t

    def backward(self, dy, needs_dx=True):
        return dy * (1 - self.t**2)


@wrong(
    "gradient of x",
    "each entry of dx uses one of dy, and an entry of x changes several of y, as through a mean",
)
class MeanTakenAsConstant(Layer):
    input_kind = "vectors"

    def forward(self, x, rng=None):
        self.s = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        return (x - x.mean(axis=1, keepdims=True)) / self.s

    def backward(self, dy, needs_dx=True):
        return dy / self.s


@wrong("gradient of x", "it is shifted by 1 along axis 2 and axis 3")
class PaddingForgotten(Layer):
    """Sums over windows of 3×3 of a padded image."""

    input_kind = "images"

    def forward(self, x, rng=None):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        height, width = x.shape[2:]
        places = np.ndindex(3, 3)
        return sum((i + 2 * j) * padded[:, :, i : i + height, j : j + width] for i, j in places)

    def backward(self, dy, needs_dx=True):
        height, width = dy.shape[2:]
        dx = np.zeros((*dy.shape[:2], height + 2, width + 2), dy.dtype)
        for i, j in np.ndindex(3, 3):
            dx[:, :, i : i + height, j : j + width] += (i + 2 * j) * dy
        return dx[:, :, :height, :width]


class Unfinished(Layer):
    """A layer of which backward is not written yet."""

    def _connect(self, input_shape):
        self.g = Parameter("gain", input_shape, lambda rng: np.ones(input_shape))
        self.parameters = [self.g]
        return input_shape

    def forward(self, x, rng=None):
        return self.g.value * x


wrong("backward", "it is not written yet")(Unfinished)
