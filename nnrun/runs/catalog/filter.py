"""Some of many runs: those that a condition holds for, in an order, by the words of the config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.errors import UsageError
from nnrun.runs.catalog.summary import STATUSES, RunSummary
from nnrun.suggestions import suggestion

RESULT = "result"
_PLAIN = ("name", "status", "seed", "metric", *SPLITS, "started", "seconds", "iterations")
_RESULTS = (RESULT, *SPLITS)
_TYPE = ".type"


def where(runs: Sequence[RunSummary], conditions: Mapping[str, Sequence[Any]]) -> list[RunSummary]:
    """The runs for which each key has one of the values it is given.

    Args:
        runs: to choose from.
        conditions: values by key: a setting, in full or by its last words, or a column of the list.

    Raises:
        UsageError: there is no such key, or no such status.
    """
    kept = list(runs)
    for key, values in conditions.items():
        found = resolve(key, runs)
        if found == "status":
            _refuse_unknown(values)
        kept = [run for run in kept if any(_equal(value_of(run, found), v) for v in values)]
    return kept


def ordered(runs: Sequence[RunSummary], key: str, top: int | None = None) -> list[RunSummary]:
    """By a result, the best first, runs that can be compared together; else from the smallest on.

    What has no such value comes last.

    Args:
        runs: to order.
        key: a column of the list, or a setting.
        top: how many to keep; by a result, so many of those that can be compared.

    Raises:
        UsageError: there is no such key.
    """
    found = resolve(key, runs)
    if found not in _RESULTS:
        return sorted(runs, key=lambda run: _place(run, found))[:top]
    ranked: dict[tuple[Any, ...], list[RunSummary]] = {}
    for run in sorted(runs, key=lambda run: _place(run, found)):
        ranked.setdefault(run.kind if value_of(run, found) is not None else (), []).append(run)
    others = ranked.pop((), [])
    first = [run for alike in ranked.values() for run in alike[:top]]
    return first + (others if top is None or not first else [])[:top]


def resolve(key: str, runs: Sequence[RunSummary]) -> str:
    """The full key that a word stands for; a block with a type is called as its type is.

    Raises:
        UsageError: there is none, or there are several.
    """
    if key == RESULT or key in _PLAIN:
        return key
    known = dict.fromkeys(
        name for run in runs for setting in run.settings for name in _names_of(setting)
    )
    if key in known or not runs:
        return key
    found = [setting for setting in known if setting.endswith(f".{key}")]
    if len(found) > 1:
        raise UsageError(f"'{key}' may be {' or '.join(found)}; say which")
    if not found:
        names = [RESULT, *_PLAIN, *known, *(setting.rpartition(".")[2] for setting in known)]
        hint = suggestion(key, names) or "; settings are called as in configs, or by the last word"
        raise UsageError(f"no run has a '{key}'{hint}")
    return found[0]


def value_of(run: RunSummary, key: str) -> Any:
    """What a run has under a full key, a block's type among it; None for nothing."""
    if key == RESULT:
        return run.ranking[1] if run.ranking else None
    if key in _PLAIN:
        return getattr(run, key)
    value = run.settings.get(key)
    return run.settings.get(f"{key}{_TYPE}") if value is None else value


def _names_of(setting: str) -> tuple[str, ...]:
    """The key of a setting; that of the whole block where it is its type."""
    return (setting, setting.removesuffix(_TYPE)) if setting.endswith(_TYPE) else (setting,)


def _refuse_unknown(statuses: Sequence[Any]) -> None:
    for status in statuses:
        if status not in STATUSES:
            raise UsageError(f"'{status}' is not a status{suggestion(status, STATUSES)}")


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted or (isinstance(value, str) and value == str(wanted)))


def _place(run: RunSummary, key: str) -> tuple[Any, ...]:
    value = value_of(run, key)
    if value is None:
        return (3,)
    if key in _RESULTS:
        number = float(value)
        return (0, str(run.metric), -number if run.larger_is_better else number)
    if isinstance(value, bool | int | float):
        return (1, "", float(value))
    return (2, str(value), 0.0)
