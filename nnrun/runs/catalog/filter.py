"""Filtering and sorting runs by their settings and results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.config.setting_words import value_words
from nnrun.config.settings import as_text, in_short, setting_of, written_out
from nnrun.errors import UsageError
from nnrun.metrics.table import LOSS, find, larger_is_better
from nnrun.runs.catalog.summary import FAULTY, STATUSES, RunSummary, varied
from nnrun.runs.replicate import among_equals
from nnrun.suggestions import suggestion

RESULT = "result"
_PLAIN = (
    "name",
    "status",
    "warnings",
    "seed",
    "split_seed",
    "fold",
    "metric",
    *SPLITS,
    "started",
    "seconds",
    "iterations",
)
_RESULTS = (RESULT, *SPLITS)
# A block is called by its own key as what these say of it: its type, or a schedule's first rate.
_ENDS = (".type", ".initial")


def where(runs: Sequence[RunSummary], conditions: Mapping[str, Sequence[Any]]) -> list[RunSummary]:
    """The runs that have one of the given values for each key.

    A key is a column of the list, or a setting, in full or by its last words.

    Raises: UsageError if there is no such key, or no such status.
    """
    kept = list(runs)
    for key, values in conditions.items():
        found = resolve(key, runs)
        if found == "status":
            _refuse_unknown(values)
        kept = [run for run in kept if any(_has(run, found, value) for value in values)]
    return kept


def unmatched(runs: Sequence[RunSummary], conditions: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """A line for each value of `where` that no run has, with the nearest one that some have."""
    for key, values in conditions.items():
        found = resolve(key, runs)
        if found == "status" or not runs:
            continue
        for value in values:
            if not any(_has(run, found, value) for run in runs):
                near = _nearest(found, value, [_value_like(run, found, value) for run in runs])
                yield f"no run has {key}={_typed(found, value)}{near}"


def ordered(runs: Sequence[RunSummary], key: str, top: int | None = None) -> list[RunSummary]:
    """Runs sorted by a result, the best first and grouped by metric; or by a setting, ascending.

    Equal results are in the order of a leaderboard whose networks are of one size. Runs without the
    value come last. `top` is how many to keep: by a result, of those that can be compared.

    Raises: UsageError if there is no such key.
    """
    found = resolve(key, runs)
    if found not in _RESULTS and metric_in(found) is None:
        return sorted(runs, key=lambda run: _place(run, found))[:top]
    ranked: dict[tuple[Any, ...], list[RunSummary]] = {}
    equals = sorted(runs, key=lambda run: among_equals(run.seed or 0, run.run_id))
    for run in sorted(equals, key=lambda run: _place(run, found)):
        ranked.setdefault(run.kind if value_of(run, found) is not None else (), []).append(run)
    others = ranked.pop((), [])
    first = [run for alike in ranked.values() for run in alike[:top]]
    if top is not None and first:  # a run that is damaged or unreadable is in every list
        others = [run for run in others if run.status in FAULTY]
    return first + others[:top]


def resolve(key: str, runs: Sequence[RunSummary]) -> str:
    """The full key for a short one; the key of a block stands for its type, or its initial rate.

    Of several that end so, it is the one in which runs differ: lists show it by its short name.

    Raises: UsageError if there is none, or there are several.
    """
    if key == RESULT or key in _PLAIN or metric_in(key) is not None:
        return key
    known = dict.fromkeys(
        name for run in runs for setting in run.settings for name in _names_of(setting)
    )
    key = written_out(key)
    if key in known or not runs:
        return key
    found = [setting for setting in known if setting.endswith(f".{key}")]
    if len(found) > 1:
        shown = {setting for keys in varied(runs).values() for setting in keys}
        found = [setting for setting in found if setting in shown] or found
    if len(found) > 1:
        raise UsageError(f"'{key}' may be {' or '.join(found)}; say which")
    if not found:
        names = [RESULT, *_PLAIN, *known, *(setting.rpartition(".")[2] for setting in known)]
        hint = suggestion(key, names) or "; settings are called as in configs, or by the last word"
        raise UsageError(f"no run has a '{key}'{hint}")
    return found[0]


def metric_in(key: str) -> str | None:
    """The metric that a key names, alone or as `test_roc_auc`; None where it is another key."""
    split, _, rest = key.partition("_")
    name = rest if split in SPLITS else key
    return name if name == LOSS or find(name) is not None else None


def value_of(run: RunSummary, key: str) -> Any:
    """A run's value for a full key, or what names that block; None if it has none.

    A metric without a split is that of the split that leaderboards are ordered by.
    """
    if key == RESULT:
        return run.ranking[1] if run.ranking else None
    if metric_in(key) is not None:
        split = key.partition("_")[0]
        return run.metrics.get(key if split in SPLITS else f"{run.choosing}_{key}")
    if key in _PLAIN:
        return getattr(run, key)
    named = (run.settings.get(f"{key}{end}") for end in ("", *_ENDS))
    return next((value for value in named if value is not None), None)


def _names_of(setting: str) -> tuple[str, ...]:
    """The names of a setting: what names a block is also known by the block's key."""
    return (setting, *(setting.removesuffix(end) for end in _ENDS if setting.endswith(end)))


def _refuse_unknown(statuses: Sequence[Any]) -> None:
    for status in statuses:
        if status not in STATUSES:
            raise UsageError(f"'{status}' is not a status{suggestion(status, STATUSES)}")


def _has(run: RunSummary, key: str, wanted: Any) -> bool:
    value = _value_like(run, key, wanted)
    if isinstance(wanted, Mapping):  # what is its default may be left out
        return as_text(value) == as_text(wanted)
    return _equal(value, wanted)


def _value_like(run: RunSummary, key: str, wanted: Any) -> Any:
    """A run's value for a full key: the whole block, where a block is wanted."""
    return setting_of(run.settings, key) if isinstance(wanted, Mapping) else value_of(run, key)


def _nearest(key: str, wanted: Any, known: Sequence[Any]) -> str:
    """The end of a sentence: the nearest of the values that there are."""
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        numbers = [value for value in known if isinstance(value, int | float)]
        near = min(numbers, key=lambda value: abs(value - wanted), default=None)
        return "" if near is None else f"; did you mean {_typed(key, near)}?"
    words = (_typed(key, value) for value in known if value is not None)
    return suggestion(_typed(key, wanted), dict.fromkeys(words))


def _typed(key: str, value: Any) -> str:
    """A value as `--where` takes it."""
    from nnrun.config.yaml.dump import flow  # noqa: PLC0415  # slow to import, for mistakes only

    return flow(in_short(value)) if isinstance(value, Mapping) else value_words(key, value)


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted or (isinstance(value, str) and value == str(wanted)))


def _place(run: RunSummary, key: str) -> tuple[Any, ...]:
    value = value_of(run, key)
    if value is None:
        return (3,)
    metric = metric_in(key) or (str(run.metric) if key in _RESULTS else None)
    if metric is not None:
        number = float(value)
        return (0, metric, -number if larger_is_better(metric) else number)
    if isinstance(value, bool | int | float):
        return (1, "", float(value))
    return (2, str(value), 0.0)
