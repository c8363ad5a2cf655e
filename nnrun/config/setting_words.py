"""Settings in words, the same in terminals, reports, legends and files.

Rows of a list are named by the keys of their configs in which they differ, and by nothing else:

    optimizer=sgd units=8
    optimizer=adam(beta1=0.8) units=16

- A key is shown by its shortest end that is no end of another key shown: `layers.0.units` where
  another layer's vary, too. `type` and parts of a schedule need the block before them; the initial
  rate is `learning_rate`, unless that is shown itself.
- A value is written as in a config: a block as `kind(key=value)`, without what is null or has its
  default; a layer as `dense(16, relu)`, its first argument and its activation without names.
- A block that makes a name too long gives way to those of its parts that differ; a name that is
  too long even so is cut, and has the number of its row.
- What all rows have is said once, before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nnrun.config.settings import INITIAL, KINDS, defaults, in_short, kind_of

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


def value_words(key: str, value: Any) -> str:
    """The value of a key."""
    if key == "dataset.features" and isinstance(value, list) and len(value) < 2:
        value = value[0] if value else "none"
    if key == _UNITS and isinstance(value, list):
        units = ",".join(map(_words, in_short(value)))  # a word that is not broken
        return units if len(value) == 1 else f"[{units}]"
    return _words(in_short(value))


def _words(value: Any) -> str:
    from nnrun.config.yaml.dump import flow  # noqa: PLC0415  # slow to import

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
