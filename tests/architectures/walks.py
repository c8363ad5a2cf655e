"""Random networks that fit together: choices, settings of each kind, walks from kind to kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from inspect import isclass
from math import prod
from typing import Any, Protocol, get_type_hints

import numpy as np

from nnrun.nn import (
    ACTIVATIONS,
    LAYERS,
    LOSSES,
    AvgPool2d,
    BatchNorm,
    Bias,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Initializer,
    MatMul,
    MaxPool2d,
    Residual,
    activation,
    conv1d,
    conv2d,
    dense,
    max_pool1d,
)
from nnrun.nn.layers.windows import output_size, padding_of
from nnrun.nn.sequential import Layers
from nnrun.nn.signature import Shape, Sides, Zeros, pair
from tests.architectures.trial import Architecture, Block, shape_after

Fits = Callable[[Any], bool]


def always(option: Any) -> bool:
    """Every option fits."""
    return True


class Deal(Protocol):
    """Chooses one of the options that fit; `name` says what for."""

    def __call__(self, name: Hashable, options: Sequence[Any], fits: Fits = always) -> Any: ...


def at_random(seed: int) -> Deal:
    """Choices from a seeded stream."""
    rng = np.random.default_rng(seed)
    return choosing(lambda options: options[rng.integers(len(options))])


def choosing(choose: Callable[[Sequence[Any]], Any]) -> Deal:
    """Choices by a function of the options."""

    def deal(name: Hashable, options: Sequence[Any], fits: Fits = always) -> Any:
        return choose([option for option in options if fits(option)])

    return deal


class Decks:
    """Chooses every option of a name once, in random order, before any of them again.

    Options that do not fit are kept for the next choice of that name.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._decks: dict[tuple[Hashable, tuple[Any, ...]], list[Any]] = {}

    def __call__(self, name: Hashable, options: Sequence[Any], fits: Fits = always) -> Any:
        deck = self._decks.setdefault((name, tuple(options)), [])
        if not any(map(fits, deck)):
            shuffled = [options[place] for place in self._rng.permutation(len(options))]
            deck += [option for option in shuffled if option not in deck] if deck else shuffled
        return deck.pop(next(place for place, option in enumerate(deck) if fits(option)))


# The settings of each kind of layer, for rows of any shape.

POINTWISE = tuple(name for name in ACTIVATIONS if name != "softmax")
KERNELS: tuple[Sides, ...] = (1, 2, 3, 3, 4, 5, (1, 3), (3, 1), (2, 3))
STRIDES: tuple[Sides, ...] = (1, 1, 2, 3, (1, 2), (2, 1))
PADDINGS: tuple[str | Zeros, ...] = ("valid", "same", "same", 0, 1, 2, (0, 1), (1, 0))
BIASES = ("none", "per_channel", "per_position")
POOLS: tuple[Sides, ...] = (1, 2, 3, (1, 2), (2, 1))
POOL_STRIDES = (None, 1, 2, (1, 2), (2, 1))
RATES = (0.0, 0.2, 0.5)
MOMENTA = (0.1, 0.4)
DRAWN = ("glorot_uniform", "glorot_normal", "he_uniform", "lecun_normal")


@dataclass(frozen=True)
class Space:
    """How large networks become.

    Args:
        channels: that a convolution puts out, or images come with.
        units: of dense layers, and features of vectors.
        sides: of the maps that images come with, where they are more than 1.
        largest: side that a convolution puts out.
        operations: that a layer may take for a row.
    """

    channels: Sequence[int] = range(1, 65)
    units: Sequence[int] = range(1, 65)
    sides: Sequence[int] = range(2, 10)
    largest: int = 9
    operations: int = 600_000


@dataclass(frozen=True)
class Place:
    """Where a layer is drawn for.

    Args:
        deal: chooses.
        space: how large networks become.
        shape: of a row that reaches it.
        keeps: whether height and width must stay.
        outputs: channels or units that must come out, if that is fixed.
    """

    deal: Deal
    space: Space
    shape: Shape
    keeps: bool = False
    outputs: int | None = None

    def of(self, name: str, options: Sequence[Any], fits: Callable[[Any], bool] | None = None):
        """A setting; all of them come up on rows of each form."""
        key = (name, form_of(self.shape))
        return self.deal(key, options, *([] if fits is None else [fits]))


def _dense(place: Place) -> Block:
    arguments = {"activation": place.of("dense", tuple(ACTIVATIONS))}
    arguments |= {"bias": place.of("bias", (True, True, False)), **_drawn(place)}
    return dense, {"units": _units(place), **arguments}


def _matmul(place: Place) -> Block:
    return MatMul, {"units": _units(place), **_drawn(place)}


def _units(place: Place) -> int:
    return place.outputs or place.of("units", place.space.units)


def _drawn(place: Place) -> dict[str, Initializer]:
    return {"initializer": Initializer(place.of("drawn", DRAWN))}


def _conv2d(place: Place) -> Block:
    make, arguments = _convolution(place)
    bias = place.of("biases", BIASES)
    return make, arguments | {"bias": bias, "activation": place.of("conv2d", POINTWISE)}


def _convolution(place: Place) -> Block:
    inputs, *sides = place.shape
    channels = place.outputs or place.of("channels", place.space.channels)
    stride = 1 if place.keeps else place.of("stride", STRIDES)

    def fits(kernel: Sides, rule: str | Zeros) -> bool:
        size = _output(sides, kernel, stride, rule)
        if size is None or (place.keeps and list(size) != sides):
            return False
        operations = 2 * inputs * channels * prod(pair(kernel)) * prod(size)
        small = operations <= place.space.operations or kernel == 1
        return small and max(size) <= max(place.space.largest, *sides)

    kernel = place.of("kernel", KERNELS, lambda one: any(fits(one, rule) for rule in PADDINGS))
    padding = place.of("padding", PADDINGS, lambda rule: fits(kernel, rule))
    arguments = {"kernel": kernel, "stride": stride, "padding": padding, "bias": "none"}
    return conv2d, {"channels": channels, **arguments, **_drawn(place)}


def _conv1d(place: Place) -> Block:
    _, arguments = _convolution(place)
    arguments["bias"] = place.of("biases", BIASES)
    if isinstance(arguments["padding"], tuple):
        arguments["padding"] = arguments["padding"][1]
    line = {name: pair(arguments[name])[1] for name in ("kernel", "stride")}
    return conv1d, arguments | line | {"activation": place.of("conv1d", POINTWISE)}


def _max_pool1d(place: Place) -> Block:
    _, arguments = _pool(MaxPool2d)(place)
    return max_pool1d, {name: value and pair(value)[1] for name, value in arguments.items()}


def _output(
    sides: Sequence[int], kernel: Sides, stride: Sides, rule: str | Zeros
) -> tuple[int, int] | None:
    """Height and width of what a convolution puts out, or None where it cannot be."""
    size, window, steps = pair(sides), pair(kernel), pair(stride)
    added = padding_of(rule, size, window, steps)
    padded = size[0] + sum(added[0]), size[1] + sum(added[1])
    if window[0] > padded[0] or window[1] > padded[1]:
        return None
    return output_size(padded, window, steps, "kernel")


def _pool(kind: type) -> Callable[[Place], Block]:
    def draw(place: Place) -> Block:
        height, width = place.shape[1:]

        def fits(size: Sides) -> bool:
            return pair(size)[0] <= height and pair(size)[1] <= width

        size = 1 if place.keeps else place.of(kind.type, POOLS, fits)
        stride = 1 if place.keeps else place.of(f"{kind.type} stride", POOL_STRIDES)
        return kind, {"size": size, "stride": stride}

    return draw


def _batch_norm(place: Place) -> Block:
    return BatchNorm, {"momentum": place.of("momentum", MOMENTA)}


def _bias(place: Place) -> Block:
    return Bias, {"per": place.of("per", ("position", "channel"))}


# What draws a layer of each kind; residuals are drawn by `Walk`.
SETTINGS: dict[str, Callable[[Place], Block]] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "convolution": _convolution,
    "conv1d": _conv1d,
    "max_pool2d": _pool(MaxPool2d),
    "max_pool1d": _max_pool1d,
    "global_avg_pool": lambda place: (GlobalAvgPool, {}),
    "avg_pool2d": _pool(AvgPool2d),
    "flatten": lambda place: (Flatten, {}),
    "dropout": lambda place: (Dropout, {"rate": place.of("rate", RATES)}),
    "batch_norm": _batch_norm,
    "matmul": _matmul,
    "bias": _bias,
    **{name: lambda place, name=name: (activation, {"name": name}) for name in ACTIVATIONS},  # type: ignore[misc]
}


# Random networks that fit together: walks from one kind of layer to the next.

DEPTH = 2  # residuals within residuals
Pair = tuple[str, str, str]  # (first, form of the rows between, second)
LAST = {name: loss.needs for name, loss in LOSSES.items() if loss.needs}
# Layers with settings of their own come up more often than others.
MORE = {"conv2d": 3, "residual": 1, "dense": 2}
MAKES = {"dense", "matmul", "conv1d", "conv2d", "convolution"}  # its channels or units itself
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
ALIVE = ("linear", "sigmoid", "tanh", "leaky_relu", "gelu", "silu", "mish", "softmax")


def draw(
    deal: Deal, *, images: bool, batch_norm: bool = False, dropout: bool = False
) -> Architecture:
    """One to three small blocks and an output, each setting from `deal`."""
    allowed = {"batch_norm": batch_norm, "dropout": dropout}
    without = [kind for kind, wanted in allowed.items() if not wanted]
    walk = Walk(deal, SMALL, without, lasts=ALIVE)
    form = deal("form", MAPS) if images else VECTORS
    return walk.any_network(form, deal("length", (1, 2, 3)))


VECTORS = "vectors"
MAPS = ("1×1", "1×n", "n×1", "n×m")
FORMS = (VECTORS, *MAPS)
START, END = "start", "end"  # of the layers of a residual; networks begin with START too


def form_of(shape: Shape) -> str:
    """The form of rows: vectors, or images by the sides of their maps."""
    if len(shape) == 1:
        return VECTORS
    return f"{'1' if shape[1] == 1 else 'n'}×{_second(shape)}"


def _second(shape: Shape) -> str:
    if shape[2] == 1:
        return "1"
    return "n" if shape[1] == 1 else "m"


def holds_layers(name: str) -> bool:
    """Whether layers are an argument of this layer."""
    return _takes_layers(LAYERS[name])


@cache
def _takes_layers(entry: Callable[..., Any]) -> bool:
    # Asked for each layer that is drawn, and slow to find out.
    return Layers in get_type_hints(entry.__init__ if isclass(entry) else entry).values()


def all_kinds() -> tuple[str, ...]:
    """All kinds, from the tables as they are at the call; of layers with layers only residuals."""
    names = [name for name in LAYERS if name == "residual" or not holds_layers(name)]
    return (*(name for name in names if name != "activation"), "convolution", *ACTIVATIONS)


def with_attribute(name: str, value: Any) -> tuple[str, ...]:
    """The layers whose classes have this value of an attribute."""
    return tuple(kind for kind, cls in LAYERS.items() if getattr(cls, name, None) == value)


@dataclass(frozen=True)
class Rule:
    """Pairs that no network can have: (first, second), with rows of one of the forms between."""

    reason: str
    forms: tuple[str, ...]
    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()

    def forbids(self, first: str, form: str, second: str) -> bool:
        """Whether this pair is one of them."""
        return form in self.forms and (first in self.first or second in self.second)


TAKE_VECTORS = ("dense", "softmax", *with_attribute("input_kind", "vectors"))
SERIES = ("conv1d", "max_pool1d")
TAKE_IMAGES = ("conv2d", "convolution", *SERIES, *with_attribute("input_kind", "images"))
MAKE_VECTORS = with_attribute("makes_vectors", True)
INVALID = (
    Rule("takes vectors, not images", MAPS, second=TAKE_VECTORS),
    Rule("takes images, not vectors", (VECTORS,), second=TAKE_IMAGES),
    Rule("puts out vectors, not images", MAPS, first=(*TAKE_VECTORS, *MAKE_VECTORS)),
    Rule("puts out images, not vectors", (VECTORS,), first=TAKE_IMAGES),
    Rule("takes and puts out series", ("n×1", "n×m"), first=SERIES, second=SERIES),
    Rule("puts out one pixel", MAPS[1:], first=("global_avg_pool",)),
)


def is_valid(first: str, form: str, second: str) -> bool:
    """Whether the second kind can follow the first with rows of this form between."""
    return not any(rule.forbids(first, form, second) for rule in INVALID)


def valid_pairs() -> Iterator[tuple[str, str, str]]:
    """All of them: (first, form, second), the start and the end of residuals included."""
    kinds = all_kinds()
    for form in FORMS:
        for first in (START, *kinds):
            for second in (*kinds, END):
                if (first, second) != (START, END) and is_valid(first, form, second):
                    yield first, form, second


def followers(form: str) -> tuple[str, ...]:
    """The kinds that take rows of this form."""
    return tuple(kind for kind in all_kinds() if is_valid(START, form, kind))
