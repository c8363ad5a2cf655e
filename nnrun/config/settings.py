"""Settings of configs by dotted keys: flattened and compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from nnrun.config.short_blocks import KINDS, filled, in_short, same

# Mappings whose keys are always settings of their own.
_BLOCKS = ("dataset", "network", "training")
INITIAL = ".initial"
"""The end of a key: a learning rate that is a number in a config is that of a schedule."""
# What a config may give in place of a block.
_NAMING = (".type", INITIAL)
_LAYERS = "network.layers"
OF_STACK = {"network.sizes": "units", "network.activations": "activation"}
"""The lists of a plain stack, and what each of its layers has of them."""
BESIDE = "beside"
"""The key that models of scikit-learn have and networks have not."""
ASIDE = ("dataset.hide_test", "dataset.split.test_seed")
"""How a search sets test rows aside, which tells no more of a setting than that it is of one."""


def flatten(value: Any, key: str = "") -> dict[str, Any]:
    """Nested mappings, and lists of them, as one mapping by dotted keys."""
    if isinstance(value, Mapping) and value:
        parts: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        parts = enumerate(value)
    else:
        return {key: value}
    flat: dict[str, Any] = {}
    for name, part in parts:
        flat |= flatten(part, f"{key}.{name}" if key else str(name))
    return flat


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys in which some of these differ, in the order of their first appearance.

    A mapping that is a value or another kind of mapping elsewhere is one setting under its own key;
    `setting_of` gives its value. So is a layer that only some have. A missing key counts as null.
    Networks differ from models of scikit-learn in `beside`, and not in all that only they have.
    """
    models = [mapping for mapping in settings if BESIDE in mapping]
    if models and len(models) < len(settings):
        common = {key for mapping in models for key in mapping} - {BESIDE}
        shared = [{key: m[key] for key in m if key in common} for m in settings]
        networks = differing([mapping for mapping in settings if BESIDE not in mapping])
        return outermost([*networks, BESIDE, *differing(shared)])
    first, *others = settings or [{}]
    found = {
        key if key in first and key in other else _whole(key, first, other)
        for other in others
        if other != first
        for key in _unlike(first, other)
    }
    keys = dict.fromkeys(chain.from_iterable(settings))
    return outermost(whole for key in keys for whole in _wholes(key) if whole in found)


def outermost(keys: Iterable[str]) -> list[str]:
    """These keys, each once, without those that are inside another of them."""
    known = dict.fromkeys(keys)
    return [key for key in known if next(whole for whole in _wholes(key) if whole in known) == key]


def choice_of(settings: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The values of these keys, without those that another kind of model or network has."""
    if BESIDE not in settings:
        return {
            key: value
            for key in keys
            if key != BESIDE
            and ((value := setting_of(settings, key)) is not None or key in settings)
        }
    found = ((key, setting_of(settings, key)) for key in keys)
    return {key: value for key, value in found if value is not None}


def setting_of(settings: Mapping[str, Any], key: str) -> Any:
    """The value of a key, rebuilt if it is a mapping or a list; None if it is missing."""
    if key in settings:
        return settings[key]
    start = f"{key}."
    tree: dict[str, Any] = {}
    for name, value in settings.items():
        if name.startswith(start):
            *path, last = name.removeprefix(start).split(".")
            place = tree
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
    return _with_lists(tree) if tree else None


def written_out(key: str) -> str:
    """The key in resolved configs: `network.layers.0.units` for `network.sizes.0`."""
    block, _, index = key.rpartition(".")
    return f"{_LAYERS}.{index}.{OF_STACK[block]}" if block in OF_STACK and index.isdigit() else key


def _with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict) or not tree:
        return tree
    parts = {key: _with_lists(value) for key, value in tree.items()}
    return list(parts.values()) if all(map(str.isdigit, parts)) else parts


def _wholes(key: str) -> Iterator[str]:
    """The keys around a key, outermost first, and the key itself."""
    parts = key.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _whole(key: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The outermost key around one that only one of two has, where they differ in kind."""
    for whole in _wholes(key):
        if whole in one or whole in other:
            return whole
        names = [_names_within(whole, settings) for settings in (one, other)]
        listed = whole.rpartition(".")[2].isdigit()
        if whole not in _BLOCKS and (all(names) or listed) and names[0] != names[1]:
            return whole
    return key


def _names_within(key: str, settings: Mapping[str, Any]) -> set[str]:
    """The keys of a mapping; lists have none."""
    start = f"{key}."
    names = {k.removeprefix(start).split(".")[0] for k in settings if k.startswith(start)}
    return {name for name in names if not name.isdigit()}


def _unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The keys in which two differ; most values are of one type and equal, which is soon seen."""
    if [*one] == [*other]:  # as nearly all are
        pairs: Iterable[tuple[str, Any, Any]] = zip(one, one.values(), other.values(), strict=True)
    else:
        pairs = ((key, one.get(key), other.get(key)) for key in {**one, **other})
    return [key for key, a, b in pairs if (a != b or type(a) is not type(b)) and not same(a, b)]


def told_apart(choices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each of these choices without the settings that all of them share.

    A key stays if those that have it differ in it. One that only some have, all with one value,
    stays if no earlier key tells these from the others.
    """
    if len(choices) < 2:
        return [dict(choice) for choice in choices]
    texts = [{key: as_text(value) for key, value in choice.items()} for choice in choices]
    keys = dict.fromkeys(chain.from_iterable(choices))
    values = {key: [found.get(key) for found in texts] for key in keys}
    kept = {key for key, found in values.items() if key == BESIDE or len({*found} - {None}) > 1}
    alike: list[tuple[Any, ...]] = [*zip(*(values[k] for k in keys if k in kept), strict=True)]
    alike = alike or [()] * len(choices)
    for key in [k for k in keys if k not in kept and None in values[k]]:
        told = [*zip(alike, values[key], strict=True)]
        if len({*told}) > len({*alike}):
            kept.add(key)
            alike = told
    return [
        {key: choice[key] for key in keys if key in kept and key in choice} for choice in choices
    ]


def told_within(choices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """These choices with only those parts of blocks that differ: `beta1=0.5`, where all have Adam.

    A block without such a part has its first one, and its kind beside values without one; a block
    that all share is left as it is. What other keys of a choice replace is no part of its blocks.
    """
    found: list[dict[str, dict[str, Any]]] = [{} for _ in choices]
    for key in dict.fromkeys(chain.from_iterable(choices)):
        own = [place for place, choice in enumerate(choices) if key in choice]
        values = [choices[place][key] for place in own]
        if any(isinstance(value, Mapping) for value in values):
            values = [filled(value) for value in values]
        pairs = zip(own, values, strict=True)
        flat = [_unreplaced(key, flatten(v, key), choices[place]) for place, v in pairs]
        named = (f"{key}{end}" for end in _NAMING if any(f"{key}{end}" in one for one in flat))
        name = next(named, key)  # `adam` is the type of a block elsewhere
        told = told_apart([{name: one[key]} if key in one else one for one in flat])
        alike = all(one == flat[0] for one in flat)
        kinds = [f"{key}.{kind}" for kind in KINDS]
        mixed = [kind for kind in kinds if not all(kind in one for one in flat)]
        for place, one, parts in zip(own, flat, told, strict=True):
            first = dict([*one.items()][:1])
            more = {kind: one[kind] for kind in mixed if kind in one}
            found[place][key] = {key: choices[place][key]} if alike else more | parts or first
    ordered = zip(choices, found, strict=True)
    return [{k: v for key in choice for k, v in parts[key].items()} for choice, parts in ordered]


def _unreplaced(key: str, parts: dict[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of the block with a key that no other key of the choice replaces."""
    others = tuple([f"{other}." for other in choice if other.startswith(f"{key}.")])
    if not others:
        return parts
    return {name: v for name, v in parts.items() if not f"{name}.".startswith(others)}


def rebuilt(parts: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
    """Parts of the blocks of a choice as blocks, where the kind of these is among the parts.

    One with a type is whole, since `sgd` alone has no momentum; a schedule has some parts always.
    """
    kinds = (key.rpartition(".") for key in parts)
    blocks = {block for block, _, last in kinds if last in KINDS}
    keys = (next((whole for whole in _wholes(key) if whole in blocks), key) for key in parts)
    found = {key: setting_of(parts, key) for key in dict.fromkeys(keys)}
    for key in blocks & choice.keys():
        replaced = any(other.startswith(f"{key}.") for other in choice)
        if not replaced and "type" in found[key]:
            found[key] = choice[key]
    return found


def in_common(choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The settings that all of these have."""
    first, *others = choices or [{}]
    texts = {key: as_text(value) for key, value in first.items()}
    return {
        key: first[key]
        for key, text in texts.items()
        if all(key in other and as_text(other[key]) == text for other in others)
    }


def as_text(value: Any) -> str:
    """The same for values that are the same setting."""
    short = in_short(value)
    is_nested = isinstance(short, list | dict)
    return json.dumps(short, sort_keys=True, default=repr) if is_nested else repr(short)


def telling_first(choices: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of these choices, those with the most different values first, `ASIDE` last.

    For places that cut what is long: what tells settings apart is left.
    """
    values: dict[str, set[str]] = {}
    for choice in choices:
        for key, value in choice.items():
            values.setdefault(key, set()).add(repr(value))
    return sorted(values, key=lambda key: (key in ASIDE, -len(values[key])))
