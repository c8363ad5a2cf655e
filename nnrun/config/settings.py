"""Settings of configs by dotted keys: flattened, compared, and as short text."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from inspect import Parameter, signature
from itertools import chain
from typing import Any

# Mappings whose keys are always settings of their own.
_BLOCKS = ("dataset", "network", "training")
# A learning rate that is a number in a config is the initial one of a schedule.
_INITIAL = ".initial"
# What a config may give in place of a block.
_NAMING = (".type", _INITIAL)
# The keys that say of what kind a block is.
_KINDS = ("type", "schedule")
_LAYERS = "network.layers"
_UNITS = "network.depth.units"
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
    return [key for key, a, b in pairs if (a != b or type(a) is not type(b)) and not _same(a, b)]


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same setting: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


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
    that all share is left as it is.
    """
    found: list[dict[str, dict[str, Any]]] = [{} for _ in choices]
    for key in dict.fromkeys(chain.from_iterable(choices)):
        own = [place for place, choice in enumerate(choices) if key in choice]
        values = [choices[place][key] for place in own]
        if any(isinstance(value, Mapping) for value in values):
            values = [_filled(value) for value in values]
        flat = [flatten(value, key) for value in values]
        named = (f"{key}{end}" for end in _NAMING if any(f"{key}{end}" in one for one in flat))
        name = next(named, key)  # `adam` is the type of a block elsewhere
        told = told_apart([{name: one[key]} if key in one else one for one in flat])
        alike = all(one == flat[0] for one in flat)
        kinds = [f"{key}.{kind}" for kind in _KINDS]
        mixed = [kind for kind in kinds if not all(kind in one for one in flat)]
        for place, one, parts in zip(own, flat, told, strict=True):
            first = dict([*one.items()][:1])
            more = {kind: one[kind] for kind in mixed if kind in one}
            found[place][key] = {key: choices[place][key]} if alike else more | parts or first
    ordered = zip(choices, found, strict=True)
    return [{k: v for key in choice for k, v in parts[key].items()} for choice, parts in ordered]


def rebuilt(parts: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
    """Parts of the blocks of a choice as blocks, where the kind of these is among the parts.

    One with a type is whole, since `sgd` alone has no momentum; a schedule has some parts always.
    """
    kinds = (key.rpartition(".") for key in parts)
    blocks = {block for block, _, last in kinds if last in _KINDS}
    keys = (next((whole for whole in _wholes(key) if whole in blocks), key) for key in parts)
    found = {key: setting_of(parts, key) for key in dict.fromkeys(keys)}
    for key in blocks & choice.keys():
        if "type" in found[key]:
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
    short = _in_short(value)
    is_nested = isinstance(short, list | dict)
    return json.dumps(short, sort_keys=True, default=repr) if is_nested else repr(short)


def short_key(key: str, keys: Iterable[str]) -> str:
    """`units`; or `layers.0.units`, where another layer's are among the keys; `optimizer.type`.

    `type` and the parts of a schedule, `learning_rate.over`, say nothing by themselves; the initial
    rate, which a config may give as a number, is `learning_rate`, unless that is among the keys.
    """
    every = {key, *keys}
    key, *others = (
        each if (rate := each.removesuffix(_INITIAL)) in every else rate for each in (key, *keys)
    )
    parts = key.split(".")
    within = parts[-1] == "type" or parts[-2:-1] == ["learning_rate"]
    for start in range(len(parts) - (2 if within else 1), 0, -1):
        end = ".".join(parts[start:])
        alone = not any(f".{other}".endswith(f".{end}") for other in others if other != key)
        if alone and not parts[start].isdigit():
            return end
    return key


def choice_words(
    choice: Mapping[str, Any], keys: Collection[str] = (), short: bool = False
) -> list[str]:
    """Settings as `key=value`, each key as short as it stays unique, among these keys as well.

    With `short`, blocks are written as layers are: `adam(beta1=0.5)`.
    """
    every = {**choice, **dict.fromkeys(keys)}
    words = short_words if short else setting_words
    return [f"{short_key(key, every)}={words(key, value)}" for key, value in choice.items()]


def told_words(key: str, values: Sequence[Any]) -> list[str]:
    """These values of a key in short: of blocks, the kind and what differs between them.

    Where all are of one kind, that is left out: `beta1=0.5`.
    """
    found = []
    for value, parts in zip(values, told_within([{key: v} for v in values]), strict=True):
        whole = rebuilt(parts, {key: value})
        told = setting_of(whole, key) if isinstance(value, Mapping) else value
        nameless = isinstance(told, Mapping) and told and _kind_of(told) is None
        found.append(_block_words(_in_short(told)) if nameless else short_words(key, told))
    return found


def short_words(key: str, value: Any) -> str:
    """`adam(beta1=0.5)` for a block that is of a kind; else as `setting_words`."""
    if key.startswith(_LAYERS) or not isinstance(value, Mapping) or _kind_of(value) is None:
        return setting_words(key, value)
    said = _in_short(value)
    return said if isinstance(said, str) else _block_words(said)


def telling_first(choices: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of these choices, those with the most different values first, `ASIDE` last.

    For places that cut what is long: what tells settings apart is left.
    """
    values: dict[str, set[str]] = {}
    for choice in choices:
        for key, value in choice.items():
            values.setdefault(key, set()).add(repr(value))
    return sorted(values, key=lambda key: (key in ASIDE, -len(values[key])))


def setting_words(key: str, value: Any) -> str:
    """A value in the words of a config, without what is null in it or a layer's own default."""
    if key == "dataset.features" and isinstance(value, list) and len(value) < 2:
        return setting_words(key, value[0]) if value else "none"
    if key == _UNITS and isinstance(value, list):
        units = ",".join(setting_words(key, each) for each in value)  # a word that is not broken
        return units if len(value) == 1 else f"[{units}]"
    if key == "network" and isinstance(value, Mapping):
        parts = (f"{k}: {setting_words(f'{key}.{k}', part)}" for k, part in value.items())
        return f"{{{', '.join(parts)}}}"
    if key.startswith(_LAYERS):
        if isinstance(value, list):
            return f"[{', '.join(setting_words(key, layer) for layer in value)}]"
        if isinstance(value, Mapping) and _is_layer(value):
            return _layer_words(value)
    from nnrun.config.yaml.dump import flow  # noqa: PLC0415  # slow to import

    return flow(_in_short(value))


def _is_layer(value: Mapping[str, Any]) -> bool:
    from nnrun.nn import LAYERS  # noqa: PLC0415  # lists of runs do without NumPy where they can

    return value.get("type") in LAYERS


def _layer_words(layer: Mapping[str, Any]) -> str:
    """`dense(16, relu)`: its first argument and its activation without their names."""
    said = _in_short(layer)
    return said if isinstance(said, str) else _block_words(said, *[*_defaults(said["type"])][:1])


def _block_words(block: Mapping[str, Any], first: str = "activation") -> str:
    """`kind(key=value)`; the first argument and the activation of a layer without their names."""
    from nnrun.config.yaml.dump import flow  # noqa: PLC0415  # as above

    bare = (first, "activation")
    kind = "".join(str(block[key]) for key in _KINDS if key in block)
    parts = ", ".join(
        flow(value) if key in bare else f"{key}={flow(value)}"
        for key, value in block.items()
        if key not in _KINDS
    )
    return f"{kind}({parts})" if kind and parts else kind or parts


def _in_short(value: Any) -> Any:
    if isinstance(value, str | int):  # as most are
        return value
    if isinstance(value, list):
        return [_in_short(part) for part in value]
    if isinstance(value, float) and repr(value).endswith(".0"):
        return int(value)  # 100, however it was written
    if not isinstance(value, Mapping):
        return value
    parts = {key: _in_short(part) for key, part in value.items() if part is not None}
    kind = _kind_of(parts)
    if kind is None:
        return parts
    usual = _defaults(kind)
    said = {
        k: v for k, v in parts.items() if k in _KINDS or k not in usual or not _same(usual[k], v)
    }
    return kind if len(said) == 1 else said


def _kind_of(block: Mapping[str, Any]) -> str | None:
    found = block.get("type") or block.get("schedule")
    return found if isinstance(found, str) else None


def _filled(value: Any) -> Any:
    """A block, for which its kind may stand, with its defaults."""
    block = {"type": value} if isinstance(value, str) else value
    kind = _kind_of(block) if isinstance(block, Mapping) else None
    usual = {} if kind is None else _defaults(kind)
    given = {key: part for key, part in usual.items() if part is not Parameter.empty}
    return {**block, **given, **block} if given else value


def _defaults(kind: str) -> dict[str, Any]:
    """The defaults of a layer, loss, optimizer, schedule or initializer."""
    from nnrun.nn import INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, Initializer  # noqa: PLC0415  # lists of runs do without NumPy where they can

    if kind in INITIALIZERS:
        return _defaults_of(Initializer)
    tables: tuple[Mapping[str, Callable[..., Any]], ...] = LAYERS, LOSSES, OPTIMIZERS, SCHEDULES
    return next((_defaults_of(table[kind]) for table in tables if kind in table), {})


@cache
def _defaults_of(call: Callable[..., Any]) -> dict[str, Any]:
    from nnrun.nn import Initializer  # noqa: PLC0415  # as above

    found = {a.name: a.default for a in signature(call).parameters.values()}
    # A layer takes it from the network, whose default this is.
    return found | ({"initializer": Initializer().type} if "initializer" in found else {})
