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
from inspect import signature
from typing import Any

from nnrun.engines.clipping import UNITS
from nnrun.engines.compiled.formulas.activations import POINTWISE
from nnrun.engines.compiled.formulas.losses import LOSSES, LossFormula
from nnrun.engines.compiled.formulas.optimizers import OPTIMIZERS, OptimizerFormula
from nnrun.engines.compiled.kernels.sizes import scratch

# Modules whose kernels are compiled together, since they share subroutines.
TOGETHER = frozenset({"conv.convolution", "dense.matrix", "dense.sparse_matrix", "conv.winograd"})
Pieces = Callable[..., tuple[Any, ...]]
# Functions of integers and addresses alone, whatever the precision: the loop that calls kernels,
# and the one that calls generated functions.
RUNNER, DRIVE = "runner", "drive"
# Their modules.
LOOPS = {RUNNER: "runner", DRIVE: "sampling.drive"}


@dataclass(frozen=True)
class Kernel:
    """A kernel's function and parameters.

    Args:
        module: its module, in this folder.
        function: in the module.
        parameters: their names, in order.
        constants: values of names in the source.
        scratch: the function of `sizes.scratch` for its scratch memory, if it needs any.
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
        return self.scratch(*(known[name] for name in signature(self.scratch).parameters))


def _kernel(
    module: str, function: str, parameters: str, pieces: Pieces | None = None, **constants: Any
) -> Kernel:
    return Kernel(module, function, tuple(parameters.split()), constants, pieces)


def _image(name: str) -> str:
    return f"{name} {name}_row {name}_line {name}_pixel"


_X, _Y, _DX, _DY = (_image(name) for name in ("x", "y", "dx", "dy"))


def loss_kernels(name: str, loss: LossFormula) -> dict[str, Kernel]:
    """Two kernels for a loss: the gradient, and the losses of rows."""
    kind = "softmax_" if name == "softmax_cross_entropy" else ""
    given = {setting: f"settings.{setting}" for setting in loss.settings}
    options: dict[str, Any] = {"names": loss.settings, "over_outputs": loss.over_outputs}
    more = " ".join(loss.settings)
    return {
        name: _kernel(
            "elementwise.losses",
            f"{kind}gradient",
            f"y y_row t t_row dy dy_row size rows {more}",
            formula=loss.written(loss.gradient, "y", "t", given),
            factor=loss.factor,
            **options,
        ),
        f"{name}_value": _kernel(
            "elementwise.losses",
            f"{kind}value",
            f"y y_row t t_row losses size rows {more}",
            formula=loss.written(loss.value, "y", "t", given),
            **options,
        ),
    }


def optimizer_kernel(formula: OptimizerFormula) -> Kernel:
    """The kernel of an optimizer's step."""
    numbers, corrections = tuple(formula.settings), tuple(formula.corrections)
    names = (*formula.state, *numbers, *corrections)
    return _kernel(
        "elementwise.update",
        "step",
        f"theta gradient size chunk weight_decay factors {' '.join(names)}",
        names=names,
        update=formula.update,
        state=formula.state,
        numbers=numbers,
        corrections=corrections,
    )


KERNELS: dict[str, Kernel] = {
    "gather": _kernel(
        "elementwise.rows", "gather", f"order data data_row {_X} channels height width rows"
    ),
    "flatten": _kernel(
        "elementwise.rows", "flatten", f"{_X} y y_row channels height width placed rows"
    ),
    "flatten_back": _kernel(
        "elementwise.rows", "flatten_back", f"dy dy_row {_DX} channels height width rows"
    ),
    "clear": _kernel("elementwise.rows", "clear", f"{_X} channels height width rows"),
    "product": _kernel(
        "dense.matrix", "product", "x x_row w b z z_row inputs units rows counts counted"
    ),
    "product_back": _kernel(
        "dense.matrix",
        "product_back",
        "dz dz_row w dx dx_row inputs units counts counted",
        scratch.product_back,
    ),
    "product_update": _kernel(
        "dense.matrix",
        "product_update",
        "x x_row dz dz_row w stored inputs units descend counts counted dz_counts",
        scratch.product_update,
    ),
    "nonzeros": _kernel("dense.nonzeros", "nonzeros", "x x_row size masks capacity counts rows"),
    "sparse_product": _kernel(
        "dense.sparse_matrix",
        "sparse_product",
        "x x_row w b z z_row inputs units rows columns masks capacity counts counted",
        scratch.sparse_product,
    ),
    "sparse_product_back": _kernel(
        "dense.sparse_matrix",
        "sparse_product_back",
        "dz dz_row w dx dx_row inputs units columns masks capacity counts counted",
        scratch.sparse_product,
    ),
    "sparse_product_update": _kernel(
        "dense.sparse_matrix",
        "sparse_product_update",
        "x x_row dz dz_row w stored inputs units descend rows columns counts counted",
        scratch.sparse_product_update,
    ),
    "sparse_product_turned": _kernel(
        "dense.sparse_matrix",
        "sparse_product_turned",
        "x x_row dz dz_row w stored inputs units descend rows columns counts counted dz_counts"
        " span",
        scratch.sparse_product_turned,
    ),
    "convolve": _kernel(
        "conv.convolution",
        "convolve",
        f"{_X} w b b_line b_pixel {_Y} channels units kh kw sh sw oh ow rows",
        scratch.convolve,
    ),
    "turn_weights": _kernel(
        "conv.convolution",
        "turn_weights",
        "w turned channels channels_stored units units_stored taps rows",
    ),
    "convolve_back": _kernel(
        "conv.convolution",
        "convolve_back",
        f"{_DY} w {_DX} channels units kh kw sh sw top left height width oh ow rows",
        scratch.convolve_back,
    ),
    "convolve_weights": _kernel(
        "conv.convolution",
        "convolve_weights",
        f"{_X} {_DY} dw dw_task channels units kh kw sh sw oh ow rows groups strip",
        scratch.convolve,
    ),
    "winograd": _kernel(
        "conv.winograd",
        "winograd",
        f"{_X} u b b_line b_pixel {_Y} channels units top left height width oh ow rows",
        scratch.winograd,
    ),
    "winograd_weights": _kernel(
        "conv.winograd",
        "winograd_weights",
        f"{_X} {_DY} dw dw_task channels units oh ow rows",
        scratch.winograd_weights,
    ),
    "transform_weights": _kernel("conv.winograd", "transform_weights", "w u channels units rows"),
    "transform_turned": _kernel(
        "conv.winograd", "transform_turned", "w u channels channels_stored units units_stored rows"
    ),
    "max_pool": _kernel("conv.pooling", "max_pool", f"{_X} {_Y} place kh kw sh sw oh ow rows"),
    "avg_pool": _kernel("conv.pooling", "avg_pool", f"{_X} {_Y} kh kw sh sw oh ow rows"),
    "max_pool_back": _kernel(
        "conv.pooling", "max_pool_back", f"{_DY} {_DX} place kh kw sh sw height width oh ow rows"
    ),
    "avg_pool_back": _kernel(
        "conv.pooling", "avg_pool_back", f"{_DY} {_DX} kh kw sh sw height width oh ow rows"
    ),
    "add_bias": _kernel(
        "elementwise.bias", "add_bias", f"{_X} b b_line b_pixel {_Y} channels height width rows"
    ),
    "sum_rows": _kernel(
        "conv.bias_gradient",
        "sum_rows",
        f"{_DY} db db_task db_line db_pixel channels height width rows",
    ),
    "moments": _kernel(
        "conv.batch_norm", "moments", f"{_X} sums squares part channels height width rows"
    ),
    "statistics": _kernel(
        "conv.batch_statistics",
        "statistics",
        "sums squares part mean inverse running_mean running_variance size chunk rows pixels"
        " epsilon momentum",
    ),
    "inverses": _kernel("conv.batch_statistics", "inverses", "variance inverse size chunk epsilon"),
    "normalise": _kernel(
        "conv.batch_norm",
        "normalise",
        f"{_X} mean inverse gamma beta {_Y} channels height width rows",
    ),
    "normalise_sums": _kernel(
        "conv.batch_norm",
        "gradients",
        f"{_X} mean inverse {_DY} dbeta dgamma part channels height width rows",
    ),
    "normalise_back": _kernel(
        "conv.batch_norm",
        "normalise_back",
        f"{_X} mean inverse gamma {_DY} dbeta dgamma {_DX} channels height width rows",
    ),
    "dropout": _kernel(
        "elementwise.dropout",
        "dropout",
        f"uniforms drawn before share factor {_X} {_Y} channels height width rows",
    ),
    "softmax": _kernel("elementwise.softmax", "softmax", "x x_row y y_row size rows"),
    "softmax_back": _kernel(
        "elementwise.softmax", "softmax_back", "y y_row dy dy_row dx dx_row size rows"
    ),
    "reduce": _kernel(
        "elementwise.update", "reduce", "buffers buffer_task total size chunk rows most"
    ),
    "penalty": _kernel(
        "elementwise.penalty", "penalty", "theta gradient size chunk alpha sums", scratch.squares
    ),
    "penalty_value": _kernel("elementwise.penalty", "penalty_value", "sums count half losses"),
    "squares": _kernel(
        "elementwise.update", "squares", "gradient size chunk sums", scratch.squares, units=UNITS
    ),
    "clip": _kernel("elementwise.update", "clip", "sums count limit factors"),
    **{name: optimizer_kernel(formula) for name, formula in OPTIMIZERS.items()},
    **{
        kernel: entry
        for name, loss in LOSSES.items()
        for kernel, entry in loss_kernels(name, loss).items()
    },
    **{
        name: _kernel(
            "elementwise.pointwise",
            "forward",
            "x x_row x_line y y_row y_line lines numbers rows columns",
            scratch.pointwise,
            formula=pair.value.format(x="x"),
        )
        for name, pair in POINTWISE.items()
    },
    **{
        f"{name}_back": _kernel(
            "elementwise.pointwise",
            "backward",
            "x x_row x_line y y_row y_line dy dy_row dy_line dx dx_row dx_line"
            " lines numbers rows columns",
            scratch.pointwise,
            formula=pair.gradient.format(x="x", y="y", dy="dy"),
        )
        for name, pair in POINTWISE.items()
    },
    "add": _kernel(
        "elementwise.pointwise",
        "add",
        "a a_row a_line b b_row b_line y y_row y_line lines numbers rows columns",
        scratch.pointwise,
    ),
}


def unit_of(name: str) -> str:
    """The unit that a kernel is compiled in: itself, or its module."""
    if name in LOOPS:
        return name
    module = KERNELS[name].module
    return module if module in TOGETHER else name


def members(unit: str) -> list[str]:
    """The kernels that are compiled together."""
    return [unit] if unit in LOOPS else [name for name in KERNELS if unit_of(name) == unit]
