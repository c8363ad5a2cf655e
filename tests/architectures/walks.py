"""Random networks that fit together: walks from one kind of layer to the next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace

from nnrun.nn import LOSSES, Flatten, Residual, dense
from nnrun.nn.signature import Shape
from tests.architectures.dealing import Deal
from tests.architectures.kinds import END, MAPS, START, VECTORS, followers, form_of, is_valid
from tests.architectures.plan import Architecture, Block, shape_after
from tests.architectures.settings import POINTWISE, SETTINGS, Place, Space

DEPTH = 2  # residuals within residuals
Pair = tuple[str, str, str]  # (first, form of the rows between, second)
LAST = {name: loss.needs for name, loss in LOSSES.items() if loss.needs}
# Layers with settings of their own come up more often than others.
MORE = {"conv2d": 3, "residual": 1, "dense": 2}
MAKES = {"dense", "matmul", "conv2d", "convolution"}  # its channels or units itself
OUTPUTS = (2, 3, 5, 10)
INNER = (0, 1, 2)  # layers of a residual before its last one


@dataclass(frozen=True)
class Walk:
    """Draws layers one after the other.

    Args:
        deal: chooses.
        space: how large networks become.
        without: kinds that are left out.
        missing: pairs of kinds that are preferred.
        lasts: activations that a network may end with where its loss leaves the choice.
    """

    deal: Deal
    space: Space
    without: Collection[str] = ()
    missing: Collection[Pair] = ()
    lasts: Sequence[str] = (*POINTWISE, "softmax")

    def network(self, opening: Pair, length: int) -> Architecture:
        """A network that begins with this pair of kinds, and this many blocks after that.

        Rows of the pair's form are what the network takes. A pair with `END` becomes a residual.
        """
        first, form, second = opening
        shape = input_shape = self._input(form, {first, second})
        blocks: list[Block] = []
        if second == END:
            blocks.append(self._residual(self._place(shape), depth=1, last=first))
            kind = "residual"
        else:
            for kind in (first, second)[first == START :]:
                place = replace(self._place(shape), keeps=kind == first)
                blocks.append(self._block(kind, place, depth=0))
                shape = shape_after(blocks[-1], shape)
        for _ in range(length):
            kind = self._next(kind, form_of(shape), depth=0)
            blocks.append(self._block(kind, self._place(shape), depth=0))
            shape = shape_after(blocks[-1], shape)
        return self._ended(blocks, shape, input_shape)

    def any_network(self, form: str, length: int) -> Architecture:
        """A network of this many blocks on rows of this form, and its last layer."""
        return self.network((START, form, self._next(START, form, depth=0)), length - 1)

    def _ended(self, blocks: list[Block], shape: Shape, input_shape: Shape) -> Architecture:
        """The network, with a loss and a last layer that suits it."""
        if len(shape) == 3:
            blocks.append((Flatten, {}))
        loss = self.deal("loss", sorted(LOSSES))
        outputs = self.deal("outputs", OUTPUTS)
        activation = LAST.get(loss) or self.deal("last", self.lasts)
        blocks.append((dense, {"units": outputs, "activation": activation}))
        return Architecture(tuple(blocks), loss, input_shape, outputs)

    def _input(self, form: str, kinds: set[str]) -> Shape:
        makes = not kinds.isdisjoint(MAKES)
        if form == VECTORS:
            return (self.deal(("features", makes), self.space.units),)
        channels = self.deal(("input channels", makes), self.space.channels)
        height, width = form.split("×")
        return channels, self._side("height", height), self._side("width", width)

    def _side(self, name: str, text: str) -> int:
        side: int = 1 if text == "1" else self.deal(name, self.space.sides)
        return side

    def _place(self, shape: Shape) -> Place:
        return Place(self.deal, self.space, shape)

    def _next(self, before: str, form: str, depth: int) -> str:
        """The kind after this one; `depth` is how many residuals it is in."""
        return self._kind(("after", before), form, depth, lambda kind: (before, form, kind))

    def _last(self, form: str, depth: int) -> str:
        """The kind of a residual's last layer."""
        return self._kind("ends", form, depth, lambda kind: (kind, form, END))

    def _kind(self, name: Hashable, form: str, depth: int, pair: Callable[[str], Pair]) -> str:
        kinds = [kind for kind in followers(form) if kind in SETTINGS or kind == "residual"]
        more = [kind for kind in kinds for _ in range(MORE.get(kind, 0))]

        def fits(kind: str) -> bool:
            closed = kind == "residual" and depth >= DEPTH
            # Whatever follows it in a residual takes rows of the same form.
            leaves = depth and not is_valid(kind, form, "activation")
            return not closed and not leaves and kind not in self.without

        wanted = {kind for kind in kinds if fits(kind) and pair(kind) in self.missing}
        fit = wanted.__contains__ if wanted else fits
        kind: str = self.deal((name, form), (*kinds, *more), fit)
        return kind

    def _block(self, kind: str, place: Place, depth: int) -> Block:
        if kind == "residual":
            last = self._last(form_of(place.shape), depth + 1)
            return self._residual(place, depth + 1, last)
        return SETTINGS[kind](place)

    def _residual(self, place: Place, depth: int, last: str) -> Block:
        """A residual whose last layer is of this kind; `depth` is 1 for one in no other."""
        shape, form, wanted = place.shape, form_of(place.shape), place.shape[0]
        blocks: list[Block] = []
        kind = START

        def add(kind: str, outputs: int | None = None) -> None:
            nonlocal shape
            place = replace(self._place(shape), keeps=True, outputs=outputs)
            blocks.append(self._block(kind, place, depth))
            shape = shape_after(blocks[-1], shape)

        for _ in range(self.deal(("inner", form), INNER)):
            kind = self._next(kind, form, depth)
            add(kind)
        if last not in MAKES and shape[0] != wanted:
            add("dense" if form == VECTORS else "conv2d", wanted)
        add(last, wanted)
        return Residual, {"layers": tuple(blocks)}


# What is small enough for examples by the hundred, and cannot be dead as a whole.
SMALL = Space(channels=(1, 2, 3), units=(2, 3, 5), sides=(2, 5, 6, 7), largest=8)
ALIVE = ("linear", "sigmoid", "tanh", "leaky_relu", "gelu", "softmax")


def draw(
    deal: Deal, *, images: bool, batch_norm: bool = False, dropout: bool = False
) -> Architecture:
    """One to three small blocks and an output, each setting from `deal`."""
    allowed = {"batch_norm": batch_norm, "dropout": dropout}
    without = [kind for kind, wanted in allowed.items() if not wanted]
    walk = Walk(deal, SMALL, without, lasts=ALIVE)
    form = deal("form", MAPS) if images else VECTORS
    return walk.any_network(form, deal("length", (1, 2, 3)))
