"""Settings of configs by dotted keys: flattened, compared, without defaults, hashed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from inspect import Parameter, signature
from itertools import chain
from typing import Any

# Settings of configs by dotted keys: flattened, compared, and without defaults.

# Mappings whose keys are always settings of their own.
_BLOCKS = ("dataset", "network", "training")
INITIAL = ".initial"
"""The end of a key: a learning rate that is a number in a config is that of a schedule."""
KINDS = ("type", "schedule")
"""The keys that say of what kind a block is."""
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


def parts_apart(choices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """These choices with only those parts of blocks that differ: `beta1=0.5`, where all have Adam.

    A block is whole where its kind differs, or where nothing in it does. What other keys of a
    choice replace is no part of its blocks.
    """
    blocks = {key for choice in choices for key in choice if isinstance(choice[key], Mapping)}
    flat = [_flat(choice, blocks) for choice in choices]
    apart = dict.fromkeys(_of_kind(key) for key in differing(flat))
    keys: list[str] = []
    for key in dict.fromkeys(chain.from_iterable(choices)):
        keys += [k for k in apart if f"{k}.".startswith(f"{key}.") or key.startswith(f"{k}.")] or [
            key
        ]
    keys = outermost(keys)
    return [choice_of(settings, keys) for settings in flat]


def _flat(choice: Mapping[str, Any], blocks: Collection[str]) -> dict[str, Any]:
    """A choice by dotted keys, with the defaults of these blocks; inner keys replace outer ones."""
    flat: dict[str, Any] = {}
    for key in sorted(choice, key=lambda key: any(key.startswith(f"{k}.") for k in choice)):
        flat = {k: value for k, value in flat.items() if not f"{k}.".startswith(f"{key}.")}
        is_kind = key in blocks and isinstance(choice[key], str)
        flat |= flatten({"type": choice[key]} if is_kind else choice[key], key)
    for key in blocks:
        kind = flat.get(f"{key}.type", flat.get(f"{key}.schedule"))
        for name, usual in defaults(kind).items() if isinstance(kind, str) else ():
            if usual is not Parameter.empty:
                flat.setdefault(f"{key}.{name}", usual)
    return flat


def _of_kind(key: str) -> str:
    """The block, for the key of its kind."""
    block, _, last = key.rpartition(".")
    return block if last in KINDS else key


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


def in_short(value: Any) -> Any:
    """A value with its blocks in short; a block with nothing but its kind is that word."""
    if isinstance(value, str | int):  # as most are
        return value
    if isinstance(value, list):
        return [in_short(part) for part in value]
    if isinstance(value, float) and repr(value).endswith(".0"):
        return int(value)  # 100, however it was written
    if not isinstance(value, Mapping):
        return value
    parts = {key: in_short(part) for key, part in value.items() if part not in (None, [])}
    kind = kind_of(parts)
    if kind is None:
        return parts
    usual = defaults(kind)
    said = {k: v for k, v in parts.items() if k in KINDS or k not in usual or not same(usual[k], v)}
    return kind if len(said) == 1 else said


def kind_of(block: Mapping[str, Any]) -> str | None:
    """Its `type` or its `schedule`; None for one that has no kind."""
    found = block.get("type") or block.get("schedule")
    return found if isinstance(found, str) else None


def defaults(kind: str) -> dict[str, Any]:
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


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same setting: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


# Settings in words.
#
# Rows of a list are named by the keys of their configs in which they differ, and by nothing else,
# in what people read and in what commands take:
#
#     optimizer adam(beta1=0.8) · 16 units
#     optimizer=adam(beta1=0.8) units=16
#
# - A key is shown by its shortest end that is no end of another key shown: `layers.0.units` where
#   another layer's vary, too. `type` and parts of a schedule need the block before them; the
#   initial rate is `learning_rate`, unless that is shown itself.
# - A value is written as in a config: a block as `kind(key=value)`, without what is null or has its
#   default; a layer as `dense(16, relu)`, its first argument and its activation without names.
# - A block that makes a name too long gives way to those of its parts that differ; a name that is
#   too long even so is cut, and has the number of its row.
# - What all rows have is said once, before them.

_UNITS = "network.depth.units"


def short_key(key: str, keys: Iterable[str]) -> str:
    """The shortest end of a key that is no end of the others among these."""
    every = {key, *keys}
    key, *others = (
        each if (rate := each.removesuffix(INITIAL)) in every else rate for each in (key, *keys)
    )
    parts = key.split(".")
    within = parts[-1] == "type" or parts[-2:-1] == ["learning_rate"]
    for start in range(len(parts) - (2 if within else 1), 0, -1):
        end = ".".join(parts[start:])
        alone = not any(f".{other}".endswith(f".{end}") for other in others if other != key)
        if alone and not parts[start].isdigit():
            return end
    return key


def choice_words(choice: Mapping[str, Any], keys: Iterable[str] = ()) -> list[str]:
    """Settings as `key=value`; `keys` are those of other rows beside them."""
    every = {**choice, **dict.fromkeys(keys)}
    return [f"{short_key(key, every)}={value_words(key, value)}" for key, value in choice.items()]


def setting_words(choice: Mapping[str, Any], keys: Iterable[str] = ()) -> str:
    """`32 units · learning rate 0.03`, for people; commands take what `choice_words` gives."""
    every, words = [*map(written_out, (*choice, *keys))], []
    for key, value in choice.items():
        name, text = short_key(written_out(key), every).replace("_", " "), value_words(key, value)
        is_number = name == "units" and isinstance(value, int)
        name = "reference model:" if key == BESIDE else name
        words.append(f"{text} {name}" if is_number else f"{name} {text}")
    return " · ".join(words)


def value_words(key: str, value: Any) -> str:
    """The value of a key."""
    if key == "dataset.features" and isinstance(value, list) and len(value) < 2:
        value = value[0] if value else "none"
    if key == _UNITS and isinstance(value, list):
        units = ",".join(map(_words, in_short(value)))  # a word that is not broken
        return units if len(value) == 1 else f"[{units}]"
    return _words(in_short(value))


def _words(value: Any) -> str:
    from nnrun.config.yaml_scalars import flow  # noqa: PLC0415  # slow to import

    if isinstance(value, list):
        return f"[{', '.join(map(_words, value))}]"
    if not isinstance(value, Mapping):
        return flow(value)
    kind = kind_of(value)
    if kind is None:
        return f"{{{', '.join(f'{flow(key)}: {_words(part)}' for key, part in value.items())}}}"
    bare = (*[*defaults(kind)][:1], "activation") if _is_layer(kind) else ()
    parts = ", ".join(
        _words(part) if key in bare else f"{key}={_words(part)}"
        for key, part in value.items()
        if key not in KINDS
    )
    return f"{kind}({parts})" if parts else kind


def _is_layer(kind: str) -> bool:
    from nnrun.nn import LAYERS  # noqa: PLC0415  # lists of runs do without NumPy where they can

    return kind in LAYERS


# Plain data as text that is compared and hashed.


def canonical_json(value: Any) -> str:
    """Equal values give equal text: sorted keys, no spaces, floats in their shortest exact form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
