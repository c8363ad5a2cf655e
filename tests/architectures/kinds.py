"""The kinds of layers that random networks have, and what each can follow.

A kind is an entry of `nnrun.nn.LAYERS` (each activation is a kind of its own) or the convolution
without bias and activation. Pairs of kinds differ by the form of the rows between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import isclass
from typing import Any, get_type_hints

from nnrun.nn import ACTIVATIONS, LAYERS
from nnrun.nn.sequential import Layers
from nnrun.nn.signature import Shape

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
TAKE_IMAGES = ("conv2d", "convolution", *with_attribute("input_kind", "images"))
MAKE_VECTORS = with_attribute("makes_vectors", True)
INVALID = (
    Rule("takes vectors, not images", MAPS, second=TAKE_VECTORS),
    Rule("takes images, not vectors", (VECTORS,), second=TAKE_IMAGES),
    Rule("puts out vectors, not images", MAPS, first=(*TAKE_VECTORS, *MAKE_VECTORS)),
    Rule("puts out images, not vectors", (VECTORS,), first=TAKE_IMAGES),
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
