"""From what a search may choose to the choice of one trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nnrun.config.schema.search.distributions import (
    DEPTH,
    Choice,
    Depth,
    Distribution,
    Range,
    holds_distribution,
    is_conditional,
)
from nnrun.config.setting_words import value_words
from nnrun.config.settings import OF_STACK, flatten, setting_of, written_out
from nnrun.config.yaml.dump import flow
from nnrun.search.spaces.hidden import Layers, of_hidden, with_hidden

_DIGITS = 4
Label = str | int | float | bool | None


class Chooser(Protocol):
    """Chooses the value of one parameter after the other."""

    def number(self, name: str, among: Range) -> float | int:
        """A number of a range."""

    def option(self, name: str, labels: Sequence[Label]) -> int:
        """The index of an option."""


@dataclass
class Draw:
    """The choice of a trial.

    Args:
        choice: the value of each dotted key, for people.
        values: what replaces parts of the config, by dotted key.
        params: the parameters, as Optuna has them: numbers, and labels of options.
    """

    choice: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Label] = field(default_factory=dict)


@dataclass(frozen=True)
class Space:
    """What a search may choose: the distribution of each dotted key; and the layers of its
    config.
    """

    keys: Mapping[str, Distribution]
    layers: Layers = ()

    @property
    def is_conditional(self) -> bool:
        """Whether some parameters are drawn only for some values of others."""
        return any(map(is_conditional, self.keys.values()))

    def draw(self, chooser: Chooser) -> Draw:
        """One choice, parameter by parameter in the order of the config."""
        draw = Draw()
        drawing = _Drawing(chooser, draw)
        for key, found in self.keys.items():
            if isinstance(found, Depth):
                draw.values["network.layers"] = drawing.layers(found, self.layers)
            else:
                draw.choice[key] = draw.values[key] = drawing.value(key, found)
        return draw


@dataclass(frozen=True)
class _Drawing:
    """Asks for parameters, and keeps them."""

    chooser: Chooser
    draw: Draw

    def value(self, name: str, found: Any) -> Any:
        """A value of a distribution, or of what holds distributions."""
        if isinstance(found, Range):
            number = in_short(self.chooser.number(name, found), found)
            self.draw.params[name] = number
            return number
        if isinstance(found, Choice):
            labels = labels_of(found)
            index = self.chooser.option(name, labels)
            self.draw.params[name] = labels[index]
            return self.value(f"{name}.{labels[index]}", found.options[index])
        if isinstance(found, dict):
            return {key: self.value(f"{name}.{key}", part) for key, part in found.items()}
        if isinstance(found, list):
            return [self.value(f"{name}.{at}", part) for at, part in enumerate(found)]
        return found

    def layers(self, found: Depth, layers: Layers) -> list[dict[str, Any]]:
        """The network's layers, with the number of hidden ones that is drawn."""
        depth = int(self.value(DEPTH, found.layers))
        chosen: dict[str, Any] = {DEPTH: depth}
        for name in ("activation", "dropout"):
            if name in found.inner:
                chosen[f"{DEPTH}.{name}"] = self.value(f"{DEPTH}.{name}", found.inner[name])
        if "units" in found.inner:
            chosen[f"{DEPTH}.units"] = [
                self.value(f"{DEPTH}.units.{at}", found.inner["units"]) for at in range(depth)
            ]
        self.draw.choice |= chosen
        shared = {name.removeprefix(f"{DEPTH}."): value for name, value in chosen.items()}
        return with_hidden(layers, depth, shared)


def in_short(number: float | int, among: Range) -> float | int:
    """A number with as many digits as people read: what is shown is what is trained."""
    if among.whole:
        return number
    short = float(f"{number:.12g}" if among.step is not None else f"{number:.{_DIGITS}g}")
    return min(max(short, among.low), among.high)


def labels_of(choice: Choice) -> list[Label]:
    """What the options of a choice are called: single values, or their text."""
    plain = all(isinstance(option, str | int | float | bool | None) for option in choice.options)
    return [option if plain else _text(option) for option in choice.options]


def _text(option: Any) -> str:
    """An option without what is drawn in it."""
    if not isinstance(option, dict):
        return flow(option) if not isinstance(option, str) else option
    named = next((option[key] for key in ("type", "schedule", "name") if key in option), None)
    fixed = {key: value for key, value in option.items() if not isinstance(value, Range | Choice)}
    return named if isinstance(named, str) and set(fixed) == _named(option) else flow(fixed)


def _named(option: Mapping[str, Any]) -> set[str]:
    return {key for key in ("type", "schedule", "name") if key in option}


def present(keys: Mapping[str, Distribution], config: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a resolved config has where a search may choose."""
    layers = config["network"]["layers"]
    flat = {**flatten(config), **_lists_of_stack(layers)}
    found: dict[str, Any] = {}
    for key, among in keys.items():
        if isinstance(among, Depth):
            found |= of_hidden(layers, among.inner)
        else:
            found[key] = _as_option(key, setting_of(flat, written_out(key)), among)
    return found


def _lists_of_stack(layers: Layers) -> dict[str, Any]:
    """The lists of the short form, where the network has one."""
    if any(layer["type"] != "dense" for layer in layers):
        return {}
    return {key: [layer.get(name) for layer in layers] for key, name in OF_STACK.items()}


Parameters = Mapping[str, Range | Choice]


def parameters_of(space: Space) -> Parameters:
    """Each parameter that a trial may have, by its name, in the order in which they are drawn."""
    found: dict[str, Range | Choice] = {}
    for key, distribution in space.keys.items():
        if isinstance(distribution, Depth):
            _of_depth(distribution, found)
        else:
            _collect(key, distribution, found)
    return found


def _of_depth(depth: Depth, found: dict[str, Range | Choice]) -> None:
    found[DEPTH] = depth.layers
    for name in ("activation", "dropout"):
        if name in depth.inner:
            _collect(f"{DEPTH}.{name}", depth.inner[name], found)
    if "units" in depth.inner:
        for at in range(int(depth.layers.high)):
            _collect(f"{DEPTH}.units.{at}", depth.inner["units"], found)


def _collect(name: str, value: Any, found: dict[str, Range | Choice]) -> None:
    if isinstance(value, Range):
        found[name] = value
    elif isinstance(value, Choice):
        found[name] = value
        for label, option in zip(labels_of(value), value.options, strict=True):
            _collect(f"{name}.{label}", option, found)
    elif isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            _collect(f"{name}.{key}", part, found)


def _as_option(key: str, value: Any, among: Distribution) -> Any:
    """A value as the option of a choice that means the same: `standard` for `[standard]`."""
    options = among.options if isinstance(among, Choice) else ()
    fixed = (option for option in options if not holds_distribution(option))
    words = value_words(key, value)
    return next((option for option in fixed if value_words(key, option) == words), value)
