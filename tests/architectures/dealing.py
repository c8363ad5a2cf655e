"""Ways to choose between options: at random, or each as often as the others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import numpy as np

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
