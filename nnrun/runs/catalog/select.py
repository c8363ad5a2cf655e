"""Finding the runs that words and filters of the command line name."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nnrun.config.names import SPLITS, is_name
from nnrun.config.settings import (
    BESIDE,
    as_text,
    choice_words,
    differing,
    in_short,
    setting_of,
    value_words,
    written_out,
)
from nnrun.errors import UsageError, clipped
from nnrun.metrics.table import LOSS, find, larger_is_better
from nnrun.models import MODEL
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.summary import FAULTY, STATUSES, RunSummary, varied
from nnrun.runs.record import among_equals, is_run_id
from nnrun.runs.sharing import refuse_packed
from nnrun.runs.storage.reading import CHECKPOINT, REPORT, read_run
from nnrun.runs.storage.sweep_progress import folders, is_held
from nnrun.suggestions import suggestion

LATEST, BEST = "latest", "best"
_SHOWN = 8
# The most characters of a run's settings in a message.
_WORDS = 80


def select_run(run: str, root: Path, passed_over: Collection[str] = ()) -> Path:
    """The folder of one run.

    Args:
        run: a run's folder anywhere; `name`, for the newest run of that name; `name/ID-PREFIX`;
            either with the results folder before it; or `latest`, for the newest of all.
        root: the results folder in which names are looked up.
        passed_over: statuses of runs that `name` alone does not mean where there are others.

    Raises: UsageError if there is no such run, or several.
    """
    if is_run_folder(Path(run)):
        return Path(run)
    refuse_packed(run)
    if not root.is_dir():
        raise UsageError(
            f"'{run}' is no run folder, and there is no results folder {root}; nnrun train and "
            "sweep make one"
        )
    name, _, prefix = named(run, root).rstrip("/").partition("/")
    if run == LATEST:
        return _newest(root, None)
    if not is_name(name) or "/" in prefix:
        raise UsageError(
            f"'{run}' is no run folder; a run is also named by its experiment (its newest run), by "
            f"experiment/{BEST}, by experiment/ID-PREFIX, or by '{LATEST}'"
        )
    return _by_prefix(root, name, prefix) if prefix else _newest(root, name, passed_over)


def named(run: str, root: Path) -> str:
    """A word for a run, with "/", without the results folder that shells complete before it."""
    place = Path(run)
    if not place.is_relative_to(root) or place == root:
        return run.replace(os.sep, "/")
    # An experiment may be called as the folder of all of them is.
    is_name_itself = not place.is_absolute() and (root / place.parts[0]).is_dir()
    return (run if is_name_itself else str(place.relative_to(root))).replace(os.sep, "/")


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is of a run, damaged or just begun ones included."""
    if any(os.path.lexists(folder / file) for file in (REPORT, MODEL, CHECKPOINT)):
        return True
    if not is_run_id(folder.name):
        return False
    return is_held(folder) or read_run(folder, placed=True) is not None


def lies_in(folder: Path, root: Path) -> bool:
    """Whether a run's folder is in this results folder, where its path names the run."""
    try:
        return folder.absolute().parent.parent.samefile(root)
    except OSError:
        return False


def name_in(folder: Path, root: Path) -> str | None:
    """The name of the parent folder for a run in the results folder; None for others."""
    return folder.absolute().parent.name if lies_in(folder, root) else None


def _newest(root: Path, name: str | None, passed_over: Collection[str] = ()) -> Path:
    """The run that was started last; of runs that were started together, the last by name and id.

    Runs without metrics, being damaged or just begun, count only if there is no other; so do models
    of scikit-learn, since most commands want a network.
    """
    found = look(root, () if name is None else (name,))
    if not found:
        raise _unknown(root, name)
    found = [run for run in found if run.status not in passed_over] or found
    return root / max(found, key=_newness).label


def _newness(run: RunSummary) -> tuple[bool, bool, str, str, str]:
    known = run.metric is not None
    return BESIDE not in run.settings, known, run.started or "", run.name, run.run_id


def _by_prefix(root: Path, name: str, prefix: str) -> Path:
    folder = root / name
    ids = folders(folder)
    if not any(is_run_folder(folder / run_id) for run_id in ids):
        raise _unknown(root, name)
    # A whole seed comes before the seeds that only start like it: s3 is not s31.
    tests = (prefix.__eq__, lambda i: i.startswith(f"{prefix}-"), lambda i: i.startswith(prefix))
    chosen = ([i for i in ids if test(i) and is_run_folder(folder / i)] for test in tests)
    found = next(filter(None, chosen), [])
    if not found:
        ids = [run_id for run_id in ids if is_run_folder(folder / run_id)]
        raise UsageError(f"no run of {name} in {root} starts with '{prefix}'; {_listed(ids)}")
    if len(found) > 1:
        listed = _listed(_with_differences(root, name, found))
        raise UsageError(f"'{name}/{prefix}' is the start of {len(found)} runs; {listed}")
    return folder / found[0]


def _with_differences(root: Path, name: str, ids: list[str]) -> list[str]:
    """Each of these runs with the settings that differ."""
    runs = {run.run_id: run.settings for run in look(root, (name,)) if run.run_id in ids}
    keys = differing([settings for settings in runs.values() if settings])
    described = []
    for run_id in ids:
        settings: Mapping[str, Any] = runs.get(run_id, {})
        words = choice_words({key: settings[key] for key in keys if key in settings})
        described.append(f"{run_id} ({clipped(' '.join(words), _WORDS)})" if words else run_id)
    return described


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"there {'is' if len(ids) == 1 else 'are'} {', '.join(ids[:_SHOWN])}{more}"


def _unknown(root: Path, name: str | None) -> UsageError:
    if name is None:
        return UsageError(f"there is no run in {root}; nnrun train and sweep put them there")
    from nnrun.suggestions import suggestion  # noqa: PLC0415  # for mistakes only

    names = sorted({run.name for run in look(root)})
    return UsageError(f"no run in {root} is called '{name}'{suggestion(name, names)}")


# Filtering and sorting runs by their settings and results.

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
    "commit",
    "note",
    "tag",
)
_RESULTS = (RESULT, *SPLITS)
# A block is called by its own key as what these say of it: its type, or a schedule's first rate.
_ENDS = (".type", ".initial")


@dataclass(frozen=True)
class Condition:
    """What a run must have.

    Args:
        key: a column of the list, or a setting, in full or by its last words.
        operator: `=`, `!=`, `<`, `<=`, `>`, `>=`, or `~` for a part of the text.
        values: one of which it must have, for `=`; or must not, for `!=`.
    """

    key: str
    operator: str
    values: Sequence[Any]

    @classmethod
    def parsed(cls, text: str) -> list[Self]:
        """The alternatives in a text such as `status=failed or accuracy<0.5`.

        Raises: UsageError, or ConfigError for what is no `KEY=VALUE`.
        """
        parts = [part.strip() for part in _OR.split(f"{text} ")]
        if len(parts) > 1 and not all(parts):
            raise UsageError(f"--where '{text}': nothing stands beside `or`")
        return [each for part in parts for each in cls._parsed(part)]

    @classmethod
    def _parsed(cls, part: str) -> Iterator[Self]:
        from nnrun.config.overrides import parse_grid  # noqa: PLC0415  # slow to import

        found = _COMPARISON.match(part)
        key, operator, value = found.groups() if found else ("", "=", "")
        grid = parse_grid([f"{key}={value}" if found else part])
        for name, values in grid.items():
            ordered_by = operator in _ORDERS
            if ordered_by and (len(values) != 1 or not _is_number(values[0])):
                raise UsageError(f"--where {part}: '{value}' is no number to compare with")
            yield cls(name, operator, [value] if operator == "~" else values)

    def holds(self, run: RunSummary, key: str) -> bool:
        """Whether a run has it; `key` is the full one."""
        if self.operator in ("=", "!="):
            return (self.operator == "=") == any(_has(run, key, value) for value in self.values)
        value, (wanted,) = value_of(run, key), self.values
        if self.operator == "~":
            texts = [value_words(key, each) for each in _each(value) if each is not None]
            return any(wanted.lower() in text.lower() for text in texts)
        return _is_number(value) and _ORDERS[self.operator](value, wanted)


_OR = re.compile(r"\s+or\s+")
_COMPARISON = re.compile(r"([\w.]+)\s*(>=|<=|!=|>|<|~)\s*(.*)", re.DOTALL)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def where(
    runs: Sequence[RunSummary], conditions: Sequence[Sequence[Condition]]
) -> list[RunSummary]:
    """The runs for which one of the alternatives of each condition holds.

    Raises: UsageError if there is no such key, or no such status.
    """
    kept = list(runs)
    for alternatives in conditions:
        full = [(each, resolve(each.key, runs)) for each in alternatives]
        for each, key in full:
            if key == "status" and each.operator in ("=", "!="):
                _refuse_unknown(each.values)
        kept = [run for run in kept if any(each.holds(run, key) for each, key in full)]
    return kept


def unmatched(
    runs: Sequence[RunSummary], conditions: Sequence[Sequence[Condition]]
) -> Iterator[str]:
    """A line for each value of `where` that no run has, with the nearest one that some have."""
    for each in (each for alternatives in conditions for each in alternatives):
        found = resolve(each.key, runs)
        if found == "status" or not runs or each.operator not in ("=", "!="):
            continue
        for value in each.values:
            if not any(_has(run, found, value) for run in runs):
                near = _nearest(found, value, [_value_like(run, found, value) for run in runs])
                yield f"no run has {each.key}={_typed(found, value)}{near}"


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
    if key == "tag":
        return run.tags or None
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
    if isinstance(value, tuple):  # a tag may look like a number
        return value_words(key, wanted) in value
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
    words = (_typed(key, each) for value in known for each in _each(value) if each is not None)
    return suggestion(_typed(key, wanted), dict.fromkeys(words))


def _each(value: Any) -> tuple[Any, ...]:
    """The values of a run for a key: of `tag` there may be several."""
    return value if isinstance(value, tuple) else (value,)


def _typed(key: str, value: Any) -> str:
    """A value as `--where` takes it."""
    from nnrun.config.yaml_scalars import flow  # noqa: PLC0415  # slow to import, for mistakes only

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
