"""The base class of the tape's emitters."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.formulas.activations import POINTWISE
from nnrun.engines.compiled.tape.arrays import NO_BORDER, Border, Map
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.tables import Extended


class Emitter:
    """Adds one layer's ops to a tape, forward and backward.

    Args:
        tag: the layer's index in the config; within layers `1.0`.
        border: that the next layer needs around y.
        in_place: whether y is x, overwritten or unchanged.
        kept: whether the backward pass needs x unchanged.
        needs_dx: whether a layer before this one has parameters.
    """

    y: Map
    any_channels = False  # whether x needs no padding channels
    needs_y = False  # whether the backward pass needs y
    changes = False  # whether in place x is overwritten, and not left unchanged

    def __init__(
        self,
        plan: ExecutionPlan,
        layer: Any,
        tag: str,
        x: Map,
        *,
        border: Border,
        in_place: bool,
        kept: bool,
        needs_dx: bool,
    ) -> None:
        self.plan = plan
        self.layer = layer
        self.tag = tag
        self.x = x
        self.border = border
        self.in_place = in_place
        self.kept = kept
        self.needs_dx = needs_dx
        wanted = self.needed_border(layer, plan.training)
        assert all(has >= least for has, least in zip(x.border, wanted, strict=True))
        self.place()

    def label(self) -> None:
        """Label the ops that follow with this layer."""
        self.plan.label = f"{self.tag}: {self.layer.type}"

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        """Why there is no kernel for this layer, as the end of "the compiled engine …"."""
        return None

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        """Whether y can be x itself, overwritten or unchanged."""
        return False

    @classmethod
    def needed_border(cls, layer: Any, training: bool) -> Border:
        """The border of zeros that x must have."""
        return NO_BORDER

    def place(self) -> None:
        """Allocate memory and set `y`."""
        raise NotImplementedError

    def forward(self) -> None:
        """Add the ops that compute y from x."""
        raise NotImplementedError

    def backward(self, dy: Map) -> Map:
        """Add the ops that compute dx from dy, and the parameters' gradients; dx may be dy.

        An op that overwrites dy takes its memory from `ExecutionPlan.free`. If dx is not needed,
        the returned value is not used.
        """
        raise NotImplementedError


# By the types of `nnrun.nn`; filled by `tape/layers/__init__.py`.
def _of_plugin(name: str) -> type[Emitter] | None:
    """That of activations; for one that is given by formulas."""
    known = dict.get(EMITTERS, "sigmoid")
    return known if name in POINTWISE else None


EMITTERS: Extended[type[Emitter]] = Extended({}, _of_plugin)
