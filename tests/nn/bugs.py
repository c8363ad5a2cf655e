"""Gradient bugs, each a change of one piece of text in the source of a method.

`BUGS` is for every test that wants to see a gradient check fail: `plant` puts one in for the time
of a test, and its network is written as a config writes it, all but the output layer (dense, with
the activation `last`).
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from nnrun import nn
from nnrun.nn import activations, layers, losses
from nnrun.nn.signature import Array, Shape

LayerConfig = dict[str, Any]
LAST = {name: loss.needs for name, loss in nn.LOSSES.items() if loss.needs}
PLACES = (nn, layers, activations, losses)


@dataclass(frozen=True)
class Bug:
    """In the method `where`, `old` becomes `new`; the network is one that shows it."""

    name: str
    where: str
    old: str
    new: str
    layers: tuple[LayerConfig, ...]
    loss: str
    last: str

    @property
    def images(self) -> bool:
        """Whether the network takes images (of any number of channels) and not vectors."""
        return nn.Sequential([built(layer) for layer in self.layers]).input_kind == "images"

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the method by one with the bug, until the test ends."""
        class_name, method = self.where.split(".")
        owner = next(getattr(m, class_name) for m in PLACES if hasattr(m, class_name))
        source = dedent(inspect.getsource(getattr(owner, method)))
        source = source.replace("super()", f"super({class_name}, self)")
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: not exactly once in {self.where}: {self.old}")
        namespace = dict(vars(sys.modules[owner.__module__]))
        exec(compile(source.replace(self.old, self.new), self.name, "exec"), namespace)
        monkeypatch.setattr(owner, method, namespace[method])

    def network(self, outputs: int = 4) -> tuple[nn.Network, Array, Array]:
        """A small network of these layers, with four rows and their targets."""
        shape: Shape = (2, 5, 5) if self.images else (3,)
        output = {"type": "dense", "units": outputs, "activation": self.last}
        blocks = [built(layer) for layer in (*self.layers, output)]
        network = nn.Network(blocks, nn.LOSSES[self.loss](), shape)
        network.initialize(rng=np.random.default_rng(1))
        rng = np.random.default_rng(2)
        target = rng.normal(0, 3, (4, outputs))
        if self.loss == "poisson":
            target = np.abs(target)
        elif self.loss in LAST:
            target = np.eye(outputs)[rng.integers(outputs, size=4)]
        return network, rng.standard_normal((4, *shape)), target


def built(layer: LayerConfig) -> Any:
    """What the config makes of such a layer."""
    arguments = {
        name: [built(inner) for inner in value] if isinstance(value, list) else value
        for name, value in layer.items()
        if name != "type"
    }
    return nn.LAYERS[layer["type"]](**arguments)


def dense(activation: str = "tanh", **more: Any) -> LayerConfig:
    """Four units, as many as there are rows: what is transposed wrongly may still fit."""
    return {"type": "dense", "units": 4, "activation": activation, **more}


def conv(**more: Any) -> LayerConfig:
    """Two channels, as many as the image has."""
    return {"type": "conv2d", "channels": 2, "kernel": 2, "activation": "tanh", **more}


def bugs(
    where: str,
    layers: tuple[LayerConfig, ...],
    changes: dict[str, tuple[str, str]],
    loss: str = "mean_squared",
    last: str = "linear",
) -> list[Bug]:
    """Changes of one method, by name."""
    last = LAST.get(loss, last)
    return [
        Bug(f"{where}-{name}", where, old, new, layers, loss, last)
        for name, (old, new) in changes.items()
    ]


def slope(class_name: str, activation: str, changes: dict[str, tuple[str, str]]) -> list[Bug]:
    """Changes of an activation's gradient, in a network of two such layers."""
    return bugs(f"{class_name}.gradient", (dense(activation), dense(activation)), changes)


FLAT: LayerConfig = {"type": "flatten"}
TWO = (dense(), dense())
CONVS = (conv(padding=1), conv(stride=2), FLAT)
NORM = (dense(), {"type": "batch_norm"}, dense())
DROPOUT = (dense(), {"type": "dropout", "rate": 0.3}, dense())
RESIDUAL = (dense(), {"type": "residual", "layers": [dense(), dense("linear")]})
SHIFTED = ("kh - 1 : kh - 1 + oh * sh : sh", "kh - 2 : kh - 2 + oh * sh : sh")
SUMMED = "np.bincount(flat, weights=dy.ravel(), minlength=planes * pixels)"
WINS = "np.maximum(np.bincount(flat, minlength=planes * pixels), 1)"

BUGS: tuple[Bug, ...] = (
    *bugs(
        "MatMul.backward",
        TWO,
        {
            "sign": ("(self.x.T", "(-self.x.T"),
            "dw_not_transposed": ("self.x.T", "self.x"),
            "dx_not_transposed": ("value.T", "value"),
            "mean_for_sum": ("self.x.T", "self.x.T / len(dy)"),
        },
    ),
    *bugs(
        "Bias.backward",
        TWO,
        {
            "mean_for_sum": ("np.add.reduce", "np.mean"),
            "wrong_axis": ("axis=self.summed", "axis=1"),
            "row_left_out": ("(dy,", "(dy[1:],"),
            "nan": ("return dy", "self.b.grad[-1:] = np.nan; return dy"),
        },
    ),
    *bugs(
        "Convolution.backward",
        CONVS,
        {
            "kernel_not_turned": ("::-1, ::-1", ":, :"),
            "kernel_turned_half": ("::-1, ::-1", "::-1, :"),
            "channels_not_exchanged": ("(1, 0, 2, 3)", "(0, 1, 2, 3)"),
            "mean_for_sum": ("np.add.reduce", "np.mean"),
            "row_left_out": ("(per_row,", "(per_row[1:],"),
            "patches_reversed": ("patches.tr", "patches[:, ::-1].tr"),
        },
    ),
    *bugs(
        "Convolution.backward",
        (conv(), conv(padding=1), FLAT),
        {"padding_kept": ("[self.inside]", "[:, :, : self.padded[1] - 2, : self.padded[2] - 2]")},
    ),
    *bugs(
        "Convolution._spread",
        CONVS,
        {"stride_off_by_one": SHIFTED, "stride_forgotten": ("oh * sh : sh", "oh : 1")},
    ),
    *bugs(
        "MaxPool2d.backward",
        (conv(), {"type": "max_pool2d", "size": 3, "stride": 1}, FLAT),
        {"first_pixel": (", winner]", ", 0 * winner]"), "mean": (SUMMED, f"{SUMMED} / {WINS}")},
    ),
    *bugs(
        "AvgPool2d.backward",
        (conv(), {"type": "avg_pool2d"}, FLAT),
        {"factor": ("np.mean", "np.sum"), "stride_off_by_one": SHIFTED},
    ),
    *bugs(
        "GlobalAvgPool.backward",
        (conv(), {"type": "global_avg_pool"}, FLAT),
        {"factor": (" / prod(self.size)", " / 2")},
    ),
    *bugs(
        "Flatten.backward",
        (conv(), FLAT),
        {"order": ("*self.input_shape)", "*self.input_shape, order='F')")},
    ),
    *bugs(
        "Dropout.backward",
        DROPOUT,
        {
            "mask_forgotten": ("dy * self.mask", "dy"),
            "factor": ("* self.mask", "* (self.mask > 0)"),
        },
    ),
    *bugs(
        "BatchNorm.backward",
        NORM,
        {
            "mean_term": ("dx -= ", "dx -= 0 * "),
            "variance_term": ("dx: Array = self.x_hat *", "dx: Array = 0 * self.x_hat *"),
            "gamma_forgotten": ("scale = self.inverse *", "scale = self.inverse + 0 *"),
            "dgamma_of_centred": ("dy * self.x_hat", "dy * self.x_hat / self.inverse"),
        },
    ),
    *bugs(
        "BatchNorm.backward",
        (conv(), {"type": "batch_norm"}, FLAT),
        {"pixels_not_counted": ("dy.size // len(self.beta.grad)", "len(dy)")},
    ),
    *bugs(
        "Residual.backward",
        RESIDUAL,
        {
            "input_forgotten": ("dy + dx", "dx"),
            "layers_forgotten": ("dy + dx", "dy"),
            "dx_asked_for_too_seldom": ("backward(dy, needs_dx)", "backward(dy, False)"),
        },
    ),
    *slope("Sigmoid", "sigmoid", {"of_x": ("(1, y,", "(1, x,")}),
    *slope("Tanh", "tanh", {"not_squared": ("multiply(y, y,", "multiply(y, 1,")}),
    *slope("ReLU", "relu", {"at_output": ("x > 0", "y >= 0")}),
    *slope("LeakyReLU", "leaky_relu", {"no_leak": ("self.slope", "0"), "swap": ("x > 0", "x < 0")}),
    *slope("ELU", "elu", {"of_y": ("minimum(x,", "minimum(y,")}),
    *slope("Softplus", "softplus", {"sign": ("(x, dx)", "(-x, dx)")}),
    *slope("GELU", "gelu", {"factor": ("2 * pi", "pi"), "sign": ("(x, density", "(-x, density")}),
    *slope("SiLU", "silu", {"swap": ("(x, y)", "(y, x)")}),
    *slope("Mish", "mish", {"of_y": ("(x, y)", "(y, y)")}),
    *slope("HardTanh", "hard_tanh", {"dy_forgotten": ("dy * ", "1 * ")}),
    *slope("Square", "square", {"of_y": ("(x, y)", "(y, y)")}),
    *bugs(
        "Softmax.gradient",
        TWO,
        {"jacobian_term": ("dx.sum(", "0 * dx.sum("), "factor": ("dx *= y", "dx *= 1")},
        last="softmax",
    ),
    *bugs(
        "MeanSquared.gradient",
        TWO,
        {"factor": ("2 / y.size", "1 / y.size"), "mean_over_rows_alone": ("y.size", "len(y)")},
    ),
    *bugs("MeanAbsolute.gradient", TWO, {"rows_alone": ("y.size", "len(y)")}, "mean_absolute"),
    *bugs("Pinball.gradient", TWO, {"turned": ("y > target", "y < target")}, "pinball"),
    *bugs("Poisson.gradient", TWO, {"sign": ("1 - np.div", "1 + np.div")}, "poisson"),
    *bugs("Huber.gradient", TWO, {"not_held": (", self.delta)", ", 9.0)")}, "huber"),
    *bugs(
        "SoftmaxCrossEntropy.gradient",
        TWO,
        {"sum_over_rows": ("/= len(y)", "/= 1"), "sign": ("-= target", "+= target")},
        "cross_entropy",
    ),
    *bugs(
        "SigmoidBinaryCrossEntropy.gradient",
        TWO,
        {"target_turned": ("-= target", "-= 1 - target")},
        "binary_cross_entropy",
    ),
    *bugs(
        "Sequential._list_backward",
        (dense(bias=False), dense()),
        {
            "layer_skipped": ("steps[first:][::-1]", "steps[first:-1][::-1]"),
            "dx_not_asked_for": ("> first", "> first + 1"),
        },
    ),
)
# Several bugs have the same network.
NETWORKS = [*{(str(bug.layers), bug.loss, bug.last): bug for bug in BUGS}.values()]
"""For each network that a bug is in, one of its bugs."""
