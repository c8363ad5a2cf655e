"""The keys that a search varies: their values, hidden layers, and a trial's choice as settings.

They are the dense layers before the last one, each with what follows it up to the next. All are
copies of the first, with the units, the activation and the dropout that are chosen.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nnrun.config.load import Content, Experiment, config_to_dict, load_content
from nnrun.config.overrides import Override
from nnrun.config.schema.search import (
    DEPTH,
    Choice,
    Depth,
    Distribution,
    Range,
    holds_distribution,
    is_conditional,
)
from nnrun.config.settings import OF_STACK, flatten, setting_of, value_words, written_out
from nnrun.config.yaml_scalars import flow
from nnrun.errors import UsageError
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.preparation.prepared import Prepared
from nnrun.sweeps.planning.arguments import Seeds
from nnrun.sweeps.planning.grid import overrides_of
from nnrun.sweeps.planning.plan import Variant
from nnrun.sweeps.planning.variants import Datasets, folds_of, make_variant

Layers = Sequence[Mapping[str, Any]]
_KEPT = ("dense", "dropout", "batch_norm", "activation", "bias", "matmul")
_PLAIN = {"type": "dense", "activation": "relu", "initializer": "he_normal"}


def with_hidden(layers: Layers, depth: int, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers, of which the last is dense, with this many hidden ones.

    `chosen` has `units` of each of them, and `activation` and `dropout` of all, where these vary.

    Raises: UsageError if the last layer is not dense, or no layer says how many units there are.
    """
    head, block, last = _parts(layers)
    if not block:
        if "units" not in chosen:
            raise UsageError("the config has no hidden layer to copy; add 'units' to network.depth")
        block = [_PLAIN]
    hidden = []
    for number in range(depth):
        own = [dict(copy.deepcopy(layer)) for layer in block]
        if "units" in chosen:
            own[0]["units"] = chosen["units"][number]
        if "activation" in chosen:
            own[0]["activation"] = chosen["activation"]
        if "dropout" in chosen:
            own = [layer for layer in own if layer["type"] != "dropout"]
            rate = chosen["dropout"]
            own += [{"type": "dropout", "rate": rate}] if rate else []
        hidden += own
    return [*map(dict, head), *hidden, dict(last)]


def _parts(layers: Layers) -> tuple[Layers, Layers, Mapping[str, Any]]:
    """What comes before the hidden layers, the first hidden layer, and the last layer."""
    if not layers or layers[-1]["type"] != "dense":
        raise UsageError("network.depth counts dense layers before a last one that is dense")
    last = len(layers) - 1
    first = last
    while first and layers[first - 1]["type"] in _KEPT:
        first -= 1
    while first < last and layers[first]["type"] != "dense":
        first += 1
    end = first + 1
    while end < last and layers[end]["type"] != "dense":
        end += 1
    return layers[:first], layers[first : min(end, last)], layers[last]


def of_hidden(layers: Layers, names: Collection[str]) -> dict[str, Any]:
    """How many hidden layers there are, and what of them may vary, by dotted key."""
    head, _, _ = _parts(layers)
    inner = layers[len(head) : -1]
    dense = [layer for layer in inner if layer["type"] == "dense"]
    found: dict[str, Any] = {DEPTH: len(dense)}
    if "activation" in names and dense:
        found[f"{DEPTH}.activation"] = dense[0]["activation"]
    if "dropout" in names:
        rates = [layer["rate"] for layer in inner if layer["type"] == "dropout"]
        found[f"{DEPTH}.dropout"] = rates[0] if rates else 0.0
    if "units" in names:
        found[f"{DEPTH}.units"] = [layer["units"] for layer in dense]
    return found


# From what a search may choose to the choice of one trial.

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


# From proposals to configs that can be trained, judged without a look at test rows.

VALIDATION_SIZE = 0.2
"""The share of training rows that judge trials, where the config has no validation split."""


@dataclass(frozen=True)
class Setting:
    """A config that can be trained, resolved as plain values, with its runs; evaluations of a run
    are `evaluate_every` iterations apart.
    """

    variant: Variant
    iterations: int
    evaluate_every: int
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Judging:
    """How trials are judged.

    Args:
        split: by whose rows: `validation`, or with folds `test`.
        values: of keys of the config, by which no trial evaluates test rows.
        revealed: the same for the winner, which evaluates them.
        note: what was assumed, in a sentence.
    """

    split: str
    values: Mapping[str, Any]
    revealed: Mapping[str, Any]
    note: str = ""

    @property
    def has_test(self) -> bool:
        """Whether test rows are set aside."""
        return bool(self.values.get("dataset.hide_test"))

    @classmethod
    def of(cls, prepared: Prepared) -> Judging:
        """Judging for a config that is prepared.

        Test rows are drawn by the seed of the config, and the same in all runs. Each seed of a run
        draws validation rows among the rest, or folds.
        """
        block = prepared.config.dataset
        values = _drawn_by_runs(prepared)
        if block.folds is not None and not block.validation_size:
            return cls("test", values, values)
        note = ""
        if not block.validation_size:
            values["dataset.validation_size"] = VALIDATION_SIZE
            note = (
                f"{VALIDATION_SIZE:.0%} of the training rows judge the trials, since the config "
                "has no validation split (dataset.validation_size)"
            )
        hidden = {"dataset.hide_test": True} if prepared.split.test is not None else {}
        return cls("validation", values | hidden, values, note)


def _drawn_by_runs(prepared: Prepared) -> dict[str, Any]:
    """The split without a seed of its own, but for one of test rows that a seed draws."""
    block = prepared.config.dataset
    split, drawn = block.split, prepared.split.test_size != "given" and block.folds is None
    found = {"by": split.by, "column": split.column, "test_seed": split.test_seed}
    if drawn and split.by != "time" and prepared.split.test is not None:
        own = prepared.config.seed if split.seed is None else split.seed
        found["test_seed"] = own if split.test_seed is None else split.test_seed
    elif split.seed is None:
        return {}
    return {"dataset.split": {key: value for key, value in found.items() if value is not None}}


@dataclass
class Settings:
    """Makes settings of one config, whose `content` is without what it varies.

    `overrides` are the arguments of the command; `iterations` as for `load_config`.
    """

    content: Content
    overrides: Sequence[Override]
    iterations: int | None
    judging: Judging
    datasets: Datasets
    _cache: GridCache = field(default_factory=GridCache)

    def make(
        self,
        number: int,
        choice: Mapping[str, Any],
        values: Mapping[str, Any],
        seeds: Sequence[int],
        *,
        revealed: bool = False,
    ) -> Setting:
        """A setting with its runs, by this number in its plan.

        `choice` has the value of each dotted key that was chosen, `values` what replaces parts of
        the config; `revealed` is whether test rows are evaluated.

        Raises: ConfigError if the config is invalid with these values.
        """
        own = self.judging.revealed if revealed else self.judging.values
        experiment = self._load({**own, **values})
        runs = folds_of(experiment, self.datasets.load, self._cache)
        prepared = next(iter(runs.values()))
        variant = make_variant(number, str(self.content.file), dict(choice), runs, Seeds([*seeds]))
        return Setting(
            variant, prepared.planned_iterations, prepared.evaluate_every,
            config_to_dict(prepared.config),
        )  # fmt: skip

    def _load(self, values: Mapping[str, Any]) -> Experiment:
        given = [copy.deepcopy(override) for override in self.overrides]
        return load_content(self.content, [*given, *overrides_of(values)], self.iterations)
