"""What all emitters of layers share."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.tape.arrays import NO_BORDER, Border, Map
from nnrun.engines.compiled.tape.plan import ExecutionPlan


class Emitter:
    """Adds one layer's ops to a tape, forward and backward.

    Args:
        plan: what is added to.
        layer: of the network.
        tag: the layer's index in the config; within layers `1.0`.
        x: what comes in.
        border: that what goes out needs, for the sake of a layer that follows.
        in_place: whether x is overwritten, or y is x as it is.
        kept: whether something still needs x as it is on the way back.
        needs_dx: whether a layer before this one has parameters.
    """

    y: Map
    any_channels = False  # whether x may have any number of channels stored, or one for registers
    needs_y = False  # whether the way back needs y, which then must not be overwritten
    changes = False  # whether y in the place of x is x overwritten, and not x as it is

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
        wanted = self.wants(layer, plan.training)
        assert all(has >= wants for has, wants in zip(x.border, wanted, strict=True))
        self.place()

    def label(self) -> None:
        """Say that the ops which are added next are about this layer."""
        self.plan.label = f"{self.tag}: {self.layer.type}"

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        """What of this layer there is no kernel for, as the end of "the compiled engine …"."""
        return None

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        """Whether y can be x itself, overwritten or as it is."""
        return False

    @classmethod
    def wants(cls, layer: Any, training: bool) -> Border:
        """The border of zeros that x must have."""
        return NO_BORDER

    def place(self) -> None:
        """Take memory, and say what `y` is."""
        raise NotImplementedError

    def forward(self) -> None:
        """Add the ops that make y from x."""
        raise NotImplementedError

    def backward(self, dy: Map) -> Map:
        """Add the ops that make dx from dy, and the parameters' gradients; dx may be dy.

        An op that overwrites dy takes its memory from `ExecutionPlan.free`. If dx is not needed,
        the returned value is not used.
        """
        raise NotImplementedError


# By the types of `nnrun.nn`; filled by `generated/layers/__init__.py`.
EMITTERS: dict[str, type[Emitter]] = {}
