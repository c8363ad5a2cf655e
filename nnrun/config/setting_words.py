"""Settings of configs as short text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from nnrun.config.settings import INITIAL, rebuilt, setting_of, told_within
from nnrun.config.short_blocks import KINDS, defaults, in_short, kind_of

_LAYERS = "network.layers"
_UNITS = "network.depth.units"


def short_key(key: str, keys: Iterable[str]) -> str:
    """`units`; or `layers.0.units`, where another layer's are among the keys; `optimizer.type`.

    `type` and the parts of a schedule, `learning_rate.over`, say nothing by themselves; the initial
    rate, which a config may give as a number, is `learning_rate`, unless that is among the keys.
    """
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
        nameless = isinstance(told, Mapping) and told and kind_of(told) is None
        found.append(_block_words(in_short(told)) if nameless else short_words(key, told))
    return found


def short_words(key: str, value: Any) -> str:
    """`adam(beta1=0.5)` for a block that is of a kind; else as `setting_words`."""
    if key.startswith(_LAYERS) or not isinstance(value, Mapping) or kind_of(value) is None:
        return setting_words(key, value)
    said = in_short(value)
    return said if isinstance(said, str) else _block_words(said)


def setting_words(key: str, value: Any) -> str:
    """A value in the words of a config; keys that are null or have their default are left out."""
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

    return flow(in_short(value))


def _is_layer(value: Mapping[str, Any]) -> bool:
    from nnrun.nn import LAYERS  # noqa: PLC0415  # lists of runs do without NumPy where they can

    return value.get("type") in LAYERS


def _layer_words(layer: Mapping[str, Any]) -> str:
    """`dense(16, relu)`: its first argument and its activation without their names."""
    said = in_short(layer)
    return said if isinstance(said, str) else _block_words(said, *[*defaults(said["type"])][:1])


def _block_words(block: Mapping[str, Any], first: str = "activation") -> str:
    """`kind(key=value)`; the first argument and the activation of a layer without their names."""
    from nnrun.config.yaml.dump import flow  # noqa: PLC0415  # as above

    bare = (first, "activation")
    kind = "".join(str(block[key]) for key in KINDS if key in block)
    parts = ", ".join(
        flow(value) if key in bare else f"{key}={flow(value)}"
        for key, value in block.items()
        if key not in KINDS
    )
    return f"{kind}({parts})" if kind and parts else kind or parts
