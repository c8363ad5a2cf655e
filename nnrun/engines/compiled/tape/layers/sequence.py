"""Layers one after the other: a network's, or those within a layer."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.engines.compiled.formulas.activations import POINTWISE
from nnrun.engines.compiled.tape.arrays import NO_BORDER, Border, Map
from nnrun.engines.compiled.tape.layers.base import EMITTERS, Emitter
from nnrun.engines.compiled.tape.layers.convolution import Convolution
from nnrun.engines.compiled.tape.layers.matmul import MatMul
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.nn.layer import Layer
from nnrun.nn.sequential import Sequential


@dataclass(frozen=True)
class Step:
    """A layer where it is computed.

    Args:
        in_place: whether y is x, overwritten or unchanged.
        kept: whether something else needs x unchanged.
    """

    layer: Layer
    tag: str
    in_place: bool
    kept: bool

    @property
    def emitter(self) -> type[Emitter]:
        """Its emitter."""
        return EMITTERS[self.layer.type]

    @property
    def is_bias(self) -> bool:
        """Whether it is a bias, which the layer before may merge."""
        return self.layer.type == "bias"

    @property
    def takes_bias(self) -> bool:
        """Whether it can merge a bias after it."""
        return issubclass(self.emitter, MatMul | Convolution)


def steps_of(
    layers: Sequential, training: bool, *, holder: str = "", kept: bool = False
) -> list[Step]:
    """The layers in the order in which they are computed.

    Max-pooling after a rising function is moved before it, so that the function has fewer numbers.

    `holder` is the tag of the layer that holds them; if `kept`, the input must stay unchanged.
    """
    tags = layers.tags
    active_layers = list(layers.active_layers)
    for i in range(len(active_layers) - 1):
        rises = active_layers[i].type in POINTWISE and POINTWISE[active_layers[i].type].rises
        if rises and active_layers[i + 1].type == "max_pool2d":
            active_layers[i : i + 2] = active_layers[i + 1], active_layers[i]
    steps: list[Step] = []
    for layer in active_layers:
        emitter = EMITTERS[layer.type]
        in_place = emitter.overwrites(layer, training) and not (emitter.changes and kept)
        steps.append(Step(layer, holder + tags[id(layer)], in_place, kept))
        kept = (emitter.needs_y and training) or (in_place and kept)
    return steps


def border_of(steps: list[Step], training: bool) -> Border:
    """The border that these steps need around their input."""
    for step in steps:
        if not step.in_place:
            return step.emitter.needed_border(step.layer, training)
    return NO_BORDER


class Sequence:
    """The emitters of layers, each with the output of the one before.

    Args:
        needs_dx: whether anything before them has parameters.
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        steps: list[Step],
        x: Map,
        *,
        needs_dx: bool = False,
    ) -> None:
        self.needs_dx = needs_dx
        self.y = x
        self._emitters: list[Emitter] = []
        learning = [step.layer.learns for step in steps]
        for index, step in enumerate(steps):
            last = self._emitters[-1] if self._emitters else None
            if step.is_bias and isinstance(last, MatMul | Convolution) and last.bias is None:
                last.merge(step.layer, step.tag)
                continue
            following = steps[index + 1 :]
            if step.takes_bias and following and following[0].is_bias:
                following = following[1:]
            emitter = step.emitter(
                plan,
                step.layer,
                step.tag,
                self.y,
                border=border_of(following, plan.training),
                in_place=step.in_place,
                kept=step.kept,
                needs_dx=needs_dx or any(learning[:index]),
            )
            self._emitters.append(emitter)
            self.y = emitter.y

    def forward(self) -> None:
        """Add the ops that compute y from x."""
        for emitter in self._emitters:
            emitter.label()
            emitter.forward()

    def backward(self, dy: Map) -> Map:
        """Add the ops that compute dx from dy, and the parameters' gradients; dx may be dy."""
        learning = [emitter.layer.learns for emitter in self._emitters]
        first = 0 if self.needs_dx else learning.index(True)
        for emitter in reversed(self._emitters[first:]):
            emitter.label()
            dy = emitter.backward(dy)
        return dy
