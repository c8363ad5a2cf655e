"""Kernels: machine code for one step on a batch, compiled once for all networks.

`KERNELS` lists them; `build` compiles, `load` links machine code into the process. All have the
same arguments:

    kernel(p, task, n, k, start, rate, scratch)

    p        int64 pointer: the op's parameters in the order of the table, sizes and addresses
    task     the number of the task: a block of rows, or a strip of columns
    n        rows in this batch
    k        the iteration within the call
    start    the batch's first row among those of the call
    rate     float64, the learning rate
    scratch  the address of this thread's memory

`x, x_row, x_line, x_pixel` describe images: the address of a pixel's first channel in row 0, and
the distances, in numbers, to the next row, line and pixel. Vectors have one line and one pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from inspect import signature
from typing import Any

from nnrun.engines.base import UNITS
from nnrun.engines.formulas import (
    LOSSES,
    OPTIMIZERS,
    POINTWISE,
    SMOOTHED,
    LossFormula,
    OptimizerFormula,
    Pointwise,
)
from nnrun.engines.kernels import scratch
from nnrun.tables import Extended

# Modules whose kernels are compiled together, since they share subroutines.
TOGETHER = frozenset({"convolution", "matrix", "sparse_matrix", "winograd"})
Pieces = Callable[..., tuple[Any, ...]]
# Functions of integers and addresses alone, whatever the precision: the loop that calls kernels,
# and the one that calls generated functions.
RUNNER, DRIVE = "runner", "drive"
# Their modules.
LOOPS = {RUNNER: "loops", DRIVE: "loops"}


@dataclass(frozen=True)
class Kernel:
    """A kernel's function and parameters.

    Args:
        constants: values of names in the source.
        scratch: the function of `scratch` for its scratch memory, if it needs any.
    """

    module: str
    function: str
    parameters: tuple[str, ...]
    constants: dict[str, Any] = field(default_factory=dict)
    scratch: Pieces | None = field(default=None, repr=False)

    def pieces(self, known: dict[str, Any]) -> tuple[Any, ...]:
        """Bytes of its pieces of scratch memory.

        Args:
            known: its parameters, with `n` for the rows of a batch and `itemsize`.
        """
        if self.scratch is None:
            return ()
        return self.scratch(*(known[name] for name in _parameters(self.scratch)))


@cache
def _parameters(pieces: Pieces) -> tuple[str, ...]:
    return tuple(signature(pieces).parameters)


def _kernel(place: str, parameters: str, pieces: Pieces | None = None, **constants: Any) -> Kernel:
    module, _, function = place.rpartition(".")
    return Kernel(module, function, tuple(parameters.split()), constants, pieces)


def _image(name: str) -> str:
    return f"{name} {name}_row {name}_line {name}_pixel"


_X, _Y, _DX, _DY = (_image(name) for name in ("x", "y", "dx", "dy"))
_SIDES, _TASK = "channels height width rows", "size chunk"
_KERNEL, _OUTPUTS = "kh kw sh sw", "oh ow rows"
_DW = f"{_X} {_DY} dw dw_task channels units"
_PRODUCT = "x x_row w b z z_row inputs units rows"
_BACK = "dz dz_row w dx dx_row inputs units"
_UPDATE = "x x_row dz dz_row w stored inputs units descend"
_LINES = "lines numbers rows"

# Those whose name is that of the function.
_BY_FUNCTION = [
    _kernel("rows.gather", f"order data data_row {_X} {_SIDES}"),
    _kernel("rows.flatten", f"{_X} y y_row placed {_SIDES}"),
    _kernel("rows.flatten_back", f"dy dy_row {_DX} {_SIDES}"),
    _kernel("rows.clear", f"{_X} {_SIDES}"),
    _kernel("matrix.product", f"{_PRODUCT} counts counted"),
    _kernel("matrix.product_back", f"{_BACK} counts counted", scratch.product_back),
    _kernel("matrix.product_update", f"{_UPDATE} counts counted", scratch.product_update),
    _kernel("matrix.nonzeros", "x x_row size masks capacity counts rows"),
    _kernel(
        "sparse_matrix.sparse_product",
        f"{_PRODUCT} columns masks capacity counts counted",
        scratch.sparse_product,
    ),
    _kernel(
        "sparse_matrix.sparse_product_back",
        f"{_BACK} columns masks capacity counts counted",
        scratch.sparse_product,
    ),
    _kernel(
        "sparse_matrix.sparse_product_update",
        f"{_UPDATE} rows columns counts counted",
        scratch.sparse_product_update,
    ),
    _kernel(
        "convolution.convolve",
        f"{_X} w b b_line b_pixel {_Y} channels units {_KERNEL} {_OUTPUTS}",
        scratch.convolve,
    ),
    _kernel(
        "convolution.turn_weights",
        "w turned channels channels_stored units units_stored taps rows",
    ),
    _kernel(
        "convolution.convolve_back",
        f"{_DY} w {_DX} channels units {_KERNEL} top left height width {_OUTPUTS}",
        scratch.convolve_back,
    ),
    _kernel(
        "convolution.convolve_weights",
        f"{_DW} {_KERNEL} {_OUTPUTS} groups strip",
        scratch.convolve,
    ),
    _kernel(
        "winograd.winograd",
        f"{_X} u b b_line b_pixel {_Y} channels units top left height width {_OUTPUTS}",
        scratch.winograd,
    ),
    _kernel("winograd.winograd_weights", f"{_DW} {_OUTPUTS}", scratch.winograd_weights),
    _kernel("winograd.transform_weights", "w u channels units rows"),
    _kernel(
        "winograd.transform_turned",
        "w u channels channels_stored units units_stored rows",
    ),
    _kernel("pooling.max_pool", f"{_X} {_Y} place {_KERNEL} {_OUTPUTS}"),
    _kernel("pooling.avg_pool", f"{_X} {_Y} {_KERNEL} {_OUTPUTS}"),
    _kernel("pooling.max_pool_back", f"{_DY} {_DX} place {_KERNEL} height width {_OUTPUTS}"),
    _kernel("pooling.avg_pool_back", f"{_DY} {_DX} {_KERNEL} height width {_OUTPUTS}"),
    _kernel("rows.add_bias", f"{_X} b b_line b_pixel {_Y} {_SIDES}"),
    _kernel("batch_norm.sum_rows", f"{_DY} db db_task db_line db_pixel {_SIDES}"),
    _kernel("batch_norm.moments", f"{_X} sums squares part {_SIDES}"),
    _kernel(
        "batch_norm.statistics",
        f"sums squares part mean inverse running_mean running_variance {_TASK} rows pixels"
        " epsilon momentum",
    ),
    _kernel("batch_norm.inverses", f"variance inverse {_TASK} epsilon"),
    _kernel("batch_norm.normalise", f"{_X} mean inverse gamma beta {_Y} {_SIDES}"),
    _kernel("batch_norm.normalise_sums", f"{_X} mean inverse {_DY} dbeta dgamma part {_SIDES}"),
    _kernel(
        "batch_norm.normalise_back",
        f"{_X} mean inverse gamma {_DY} dbeta dgamma {_DX} {_SIDES}",
    ),
    _kernel("rows.dropout", f"uniforms drawn before share factor {_X} {_Y} {_SIDES}"),
    _kernel("rows.embed", "x x_row w y y_row entries dimensions rows"),
    _kernel("rows.copy", "x x_row y y_row numbers rows"),
    _kernel(
        "rows.embed_update",
        "x x_row dy dy_row w entries dimensions chunk descend",
    ),
    _kernel("pointwise.softmax", "x x_row y y_row size rows"),
    _kernel("pointwise.softmax_back", "y y_row dy dy_row dx dx_row size rows"),
    _kernel("pointwise.weigh", "w w_row dy dy_row size rows"),
    _kernel("pointwise.weigh_losses", "w w_row losses rows"),
    _kernel("update.reduce", f"buffers buffer_task total {_TASK} rows most"),
    _kernel("update.penalty", f"theta gradient {_TASK} alpha sums"),
    _kernel("update.penalty_value", "sums count half losses"),
    _kernel("update.average", f"source mean {_TASK} share"),
    _kernel("update.squares", f"gradient {_TASK} sums", units=UNITS),
    _kernel("update.clip", "sums count limit factors"),
    _kernel(
        "pointwise.add",
        f"a a_row a_line b b_row b_line y y_row y_line {_LINES}",
        scratch.pointwise,
    ),
]


def loss_kernels(name: str, loss: LossFormula) -> dict[str, Kernel]:
    """Two kernels for a loss: the gradient, and the losses of rows."""
    place = "pointwise." + ("softmax_" if name.startswith("softmax_cross_entropy") else "")
    given = {setting: f"settings.{setting}" for setting in loss.settings}
    more = " ".join(loss.settings)
    options: dict[str, Any] = {"names": loss.settings, "over_outputs": loss.over_outputs}
    gradient, value = (loss.written(text, "y", "t", given) for text in (loss.gradient, loss.value))
    return {
        name: _kernel(
            f"{place}gradient", f"y y_row t t_row dy dy_row size rows {more}",
            formula=gradient, factor=loss.factor, **options,
        ),
        f"{name}_value": _kernel(
            f"{place}value", f"y y_row t t_row losses size rows {more}", formula=value, **options
        ),
    }  # fmt: skip


def activation_kernels(name: str, pair: Pointwise) -> dict[str, Kernel]:
    """Two kernels for an activation: forward and backward."""
    forward, backward = pair.value.format(x="x"), pair.gradient.format(x="x", y="y", dy="dy")
    lines = "x x_row x_line y y_row y_line"
    return {
        name: _kernel("pointwise.forward", f"{lines} {_LINES}", scratch.pointwise, formula=forward),
        f"{name}_back": _kernel(
            "pointwise.backward",
            f"{lines} dy dy_row dy_line dx dx_row dx_line {_LINES}",
            scratch.pointwise,
            formula=backward,
        ),
    }


def optimizer_kernel(formula: OptimizerFormula) -> Kernel:
    """The kernel of an optimizer's step."""
    numbers, corrections = tuple(formula.settings), tuple(formula.corrections)
    names = (*formula.state, *numbers, *corrections)
    return _kernel(
        "update.step",
        f"theta gradient {_TASK} weight_decay factors {' '.join(names)}",
        names=names, update=formula.update, state=formula.state,
        numbers=numbers, corrections=corrections,
    )  # fmt: skip


def _of_plugin(name: str) -> Kernel | None:
    """A kernel of an activation or a loss that is given by formulas."""
    base = name.removesuffix("_back").removesuffix("_value")
    if base in POINTWISE:
        return activation_kernels(base, POINTWISE[base]).get(name)
    return loss_kernels(base, LOSSES[base]).get(name) if base in LOSSES else None


KERNELS: Extended[Kernel] = Extended(
    {kernel.function: kernel for kernel in _BY_FUNCTION}, _of_plugin
)
for _name, _loss in {**LOSSES, **SMOOTHED}.items():
    KERNELS |= loss_kernels(_name, _loss)
for _name, _formula in OPTIMIZERS.items():
    KERNELS[_name] = optimizer_kernel(_formula)
for _name, _pair in POINTWISE.items():
    KERNELS |= activation_kernels(_name, _pair)


def unit_of(name: str) -> str:
    """The unit that a kernel is compiled in: itself, or its module."""
    if name in LOOPS:
        return name
    module = KERNELS[name].module
    return module if module in TOGETHER else name


def members(unit: str) -> list[str]:
    """The kernels that are compiled together."""
    if unit not in TOGETHER:
        return [unit]
    return [name for name in KERNELS if unit_of(name) == unit]
