"""A part of each kind, as a plugin file."""

import numpy as np

from nnrun.nn import Activation, Layer, Loss, Optimizer, Parameter
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import NonNegativeInt, PositiveFloat, PositiveInt
from nnrun.plugins import register


@register("layer", "squash")
class Squash(Layer):
    """y = g x / sqrt(1 + x²), with a factor g for each number.

    Args:
        start: The first value of g.
    """

    def __init__(self, start: PositiveFloat = 1.0) -> None:
        super().__init__()
        self.start = start

    def _connect(self, input_shape):
        self.g = Parameter("gain", input_shape, lambda rng: np.full(input_shape, self.start))
        self.parameters = [self.g]
        return input_shape

    def forward(self, x, rng=None):
        self.x = x
        self.s = 1 / np.sqrt(1 + x * x)
        return self.g.value * x * self.s

    def backward(self, dy, needs_dx=True):
        self.g.grad[...] = (dy * self.x * self.s).sum(axis=0)
        return dy * self.g.value * self.s**3


@register("activation", "bend")
class Bend(Activation):
    """f(x) = (sqrt(x² + 1) - 1) / 2 + x."""

    def value(self, x, y):
        y[...] = (np.sqrt(x * x + 1) - 1) / 2 + x

    def gradient(self, dy, x, y, dx):
        dx[...] = dy * (x / (2 * np.sqrt(x * x + 1)) + 1)


@register("loss", "fourth")
class Fourth(Loss):
    """L = mean (y - t)⁴."""

    def value(self, y, target):
        return float(np.mean((y - target) ** 4))

    def gradient(self, y, target):
        return 4 * (y - target) ** 3 / y.size


@register("optimizer", "signed")
class Signed(Optimizer):
    """θ ← θ - η sign(g)."""

    usual_limit = 0.01

    def step(self, theta, g, learning_rate):
        self.steps += 1
        theta -= learning_rate * np.sign(g)


@register("initializer", "small")
def small(shape, fans, *, rng):
    """N(0, 0.01²)."""
    return rng.normal(0.0, 0.01, shape)


@register("schedule", "halves")
class Halves(Schedule):
    """η(t) = initial / 2^⌊t / every⌋.

    Args:
        initial: The first rate.
        every: Iterations of each rate.
    """

    def __init__(self, initial: PositiveFloat, every: PositiveInt = 10) -> None:
        self.initial = initial
        self.every = every

    def rates(self, t, total):
        return self.initial * 0.5 ** np.floor(t / self.every)


@register("step", "root")
class Root:
    """sign(x) sqrt(|x|)."""

    def fit(self, rows):
        pass

    def apply(self, x):
        return np.sign(x) * np.sqrt(np.abs(x))

    def state(self):
        return {}


@register("metric", "worst_tenth")
def worst_tenth(y, predicted):
    """The mean absolute error of the worst tenth of rows."""
    errors = np.sort(np.abs(y - predicted).ravel())
    return errors[-max(1, len(errors) // 10) :].mean()


@register("dataset", "wave")
def wave(rows: NonNegativeInt = 60, noise: PositiveFloat = 0.1, seed: NonNegativeInt = 0):
    """A sine with noise.

    Args:
        rows: how many.
        noise: its deviation.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    x = np.linspace(-3, 3, rows)[:, None]
    return x, np.sin(x) + noise * rng.standard_normal(x.shape)
