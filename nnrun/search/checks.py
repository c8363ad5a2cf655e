"""Mistakes in what a search may choose that show when its settings are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, takewhile
from typing import Any

from nnrun.config.load import Experiment
from nnrun.config.schema.search.distributions import DEPTH, Choice, Depth, Distribution, Range
from nnrun.config.yaml.parse import KeyPath
from nnrun.errors import ConfigError, DataError, UsageError
from nnrun.search.settings import Settings
from nnrun.search.spaces.choices import Draw, Space, parameters_of
from nnrun.search.spaces.spread import drawn_with

# An option is refused if this many settings that have it are.
_MOST_SETTINGS = 50
# By this share of its range a depth is one of the deepest: an activation needs a layer.
_DEEP = 0.99
# By this share of its range a number is the largest one, or next to it.
_LARGEST = 1 - 1e-9


def check_space(experiment: Experiment, space: Space, settings: Settings) -> None:
    """Refuse a space with values that cannot be trained, each at its place.

    Raises: ConfigError.
    """
    _check_depth(experiment, space)
    _check_largest(experiment, space, settings)
    refused = [*_useless_options(space, settings)]
    if refused:
        raise ConfigError(
            experiment.problem(("search", *path), f"no setting with it can be trained: {reason}")
            for path, reason in refused
        )


def _check_depth(experiment: Experiment, space: Space) -> None:
    """Find a network that cannot have another number of hidden layers."""
    if DEPTH not in space.keys:
        return
    for key in space.keys:
        if key.startswith(("network.layers", "network.sizes", "network.activations")):
            message = f"{DEPTH} makes all hidden layers; remove one of the two"
            raise ConfigError([experiment.problem(("search", key), message)])
    try:
        Space({DEPTH: space.keys[DEPTH]}, space.layers).draw(_Largest())
    except UsageError as error:
        raise ConfigError([experiment.problem(("search", DEPTH), str(error))]) from None


def _check_largest(experiment: Experiment, space: Space, settings: Settings) -> None:
    """Find values that are too large to train, at the key that is so by itself.

    Of networks it is the first key if none is; other keys may fit together, as the iterations of
    a warm-up and those of the run.
    """
    networks = {key: among for key, among in space.keys.items() if key.startswith("network.")}
    numbers = {
        key: among
        for key, among in space.keys.items()
        if key not in networks and isinstance(among, Range)
    }
    for keys, what in ((networks, "network of this search"), (numbers, "value")):
        reason = _largest_refused(keys, space, settings)
        if reason is None:
            continue
        alone = [key for key in keys if _largest_refused({key: keys[key]}, space, settings)]
        if alone or keys is networks:
            message = f"the largest {what} is refused: {reason}"
            raise ConfigError([experiment.problem(("search", [*alone, *keys][0]), message)])


def _largest_refused(
    keys: Mapping[str, Distribution], space: Space, settings: Settings
) -> str | None:
    """Why the largest numbers of these keys are refused, if they are with all options tried.

    Those that do not go with the first options may go with others, and with other keys.
    """
    alone = Space(keys, space.layers)
    reason = _refusal(alone.draw(_Largest()), settings)
    if reason is None:
        return None
    ranges = (name for name, among in parameters_of(alone).items() if isinstance(among, Range))
    others = drawn_with(dict.fromkeys(ranges, _LARGEST), space, _MOST_SETTINGS)
    return reason if all(_refusal(draw, settings) for draw in others) else None


def _useless_options(space: Space, settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Options of choices with which no setting can be trained: their places, and why.

    One that does not go with the config's own values may go with others of the space.
    """
    for name, path, choice in _choices(space):
        key = str(path[0])
        alone = Space({key: space.keys[key]}, space.layers)
        for at in range(len(choice.options)):
            fixed = {name: (at + 0.5) / len(choice.options)}
            if key == DEPTH:
                fixed[DEPTH] = _DEEP
            tried = chain(drawn_with(fixed, alone, 1), drawn_with(fixed, space, _MOST_SETTINGS))
            reasons = [*takewhile(bool, (_refusal(draw, settings) for draw in tried))]
            if len(reasons) > _MOST_SETTINGS:
                yield (*path, "choice", at), str(reasons[0])


def _choices(space: Space) -> Iterator[tuple[str, KeyPath, Choice]]:
    """The name of each choice, as of a parameter, and its place in the block."""
    for key, among in space.keys.items():
        if isinstance(among, Choice):
            yield key, (key,), among
        elif isinstance(among, Depth):
            inner = among.inner.items()
            yield from ((f"{key}.{n}", (key, n), c) for n, c in inner if isinstance(c, Choice))


def _refusal(draw: Draw, settings: Settings) -> str | None:
    """Why a config with these values is refused, if it is."""
    try:
        settings.make(-1, {}, draw.values, (0,))
    except ConfigError as error:
        return error.problems[0].message
    except DataError as error:
        return str(error)
    return None


class _Largest:
    """Chooses the largest numbers, and what comes first."""

    def number(self, name: str, among: Range) -> float | int:
        return among.high

    def option(self, name: str, labels: Sequence[Any]) -> int:
        return 0
