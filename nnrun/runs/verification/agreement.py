"""The stored values of a run compared with those of training it again.

In the same environment all values must be equal to the last bit. In another one, sums may be
rounded differently, and so may the numbers in sentences.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.settings import flatten
from nnrun.metrics.table import METRICS
from nnrun.models.files import MODEL
from nnrun.models.tensors import unpack
from nnrun.nn.signature import Array
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.contents.history import load_history
from nnrun.runs.storage.contents.strict_json import strict_json
from nnrun.runs.storage.contents.watched import read_watched
from nnrun.training.state import HistoryRow

# Losses, errors and weights, relative to the larger of the two, by the precision of training.
_RELATIVE = {"float64": 1e-6, "float32": 1e-3}
# Shares of rows, such as accuracies.
_SHARE = 0.01
_MEASURED = (
    *("loss", "learning_rate", "epoch", "iteration", "r2"),
    *(name for name, metric in METRICS.items() if metric.high == inf),
)
_SCORES = ("metrics", "baseline")
# Values that training does not produce again, or that are compared separately.
_SKIPPED = {
    *("schema_version", "nnrun_version", "environment", "started", "files", "extended_from"),
    "search",
    *("name", "config", "weights_sha256", *_SCORES),
    *(f"timing.{key}" for key in ("train_seconds", "evaluation_seconds", "iterations_per_second")),
}
# Where the record of a watched run differs. Other rounding moves numbers between bins.
_WATCHED = "watched"
# Values that depend on numbers with a tolerance, or whose wording may change.
_DERIVED = {
    *("error", "warnings", "divergence", "best_iteration", "stopped_early", "published"),
    "decision",
    *("dataset.description", "dataset.note", "dataset.task_from"),
    *("dataset.left_out", "dataset.dropped"),
}


@dataclass(frozen=True)
class Difference:
    """One value, as stored and as computed again; None where it is missing.

    Places are `train_loss at iteration 250`, `weights 0.weight[3, 2]`, `seed`.
    """

    place: str
    stored: Any
    again: Any


def pairs(
    folder: Path,
    record: RunRecord,
    result: RunResult,
    config: Mapping[str, Any],
    changed: Container[str],
) -> Iterator[list[Difference]]:
    """All values, stored and computed again: history, metrics, weights, what was recorded on the
    way if the run was watched, the rest of the report.

    `config` is the content of `config.yaml`; `changed` has the parts of the environment that
    differ.
    """
    again = json.loads(strict_json(result.record.to_dict()))
    yield list(_history(load_history(folder), result.history))
    yield [pair for key in _SCORES for pair in _scores(key, getattr(record, key), again[key])]
    weights = {} if record.weights_sha256 is None else unpack(folder / MODEL)[0]
    yield list(_arrays("weights", weights, result.weights or {}))
    watched, now = read_watched(folder, record), result.watched
    looked_at = ({} if one is None else one.arrays for one in (watched, now))
    yield list(_arrays(_WATCHED, *looked_at))
    yield [*_flat("config", record.config, config), *_report(record.to_dict(), again, changed)]


def first(found: list[Difference]) -> Difference | None:
    """The first value that differs."""
    # As text, since 0 and -0 are equal numbers with different bits.
    return next((pair for pair in found if repr(pair.stored) != repr(pair.again)), None)


def is_tolerable(pair: Difference, dtype: str) -> bool:
    """Whether two values of a run of this dtype are close enough in another environment."""
    stored, again = pair.stored, pair.again
    place, _, row = pair.place.partition(" at iteration ")
    if _within(place, _DERIVED) or place.startswith(_WATCHED):
        return True
    computed = row or place.startswith("weights ") or place.startswith(_SCORES)
    if not computed or not isinstance(stored, float) or not isinstance(again, float):
        return bool(stored == again)
    measured = place.startswith("weights ") or place.endswith(_MEASURED)
    allowed = _SHARE
    if measured:
        allowed = _RELATIVE[dtype] * max(abs(stored), abs(again), 1e-3)
    elif "confusion" in place:
        allowed = max(1.0, _SHARE * max(stored, again))
    return abs(stored - again) <= allowed


def _within(place: str, wholes: Container[str]) -> bool:
    parts = place.split(".")
    return any(".".join(parts[:end]) in wholes for end in range(1, len(parts) + 1))


def _history(stored: list[HistoryRow], again: list[HistoryRow]) -> Iterator[Difference]:
    nothing: HistoryRow = {}
    for old, new in zip_longest(stored, again, fillvalue=nothing):
        for name in dict.fromkeys([*old, *new]):
            place = f"{name} at iteration {(old or new)['iteration']}"
            yield Difference(place, _float(old.get(name)), _float(new.get(name)))


def _scores(key: str, stored: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[Difference]:
    """Numbers by split; each number of a list."""
    before, now = flatten(stored, key), flatten(again, key)
    for place in dict.fromkeys([*before, *now]):
        values = list(_numbers(before.get(place), now.get(place)))
        for index, pair in enumerate(values):
            yield Difference(f"{place}[{index}]" if len(values) > 1 else place, *pair)


def _report(
    stored: Mapping[str, Any], again: Mapping[str, Any], changed: Container[str]
) -> Iterator[Difference]:
    """The other values of a report that training produces again."""
    for key in dict.fromkeys([*stored, *again]):
        # Another version of nnrun may choose another engine; other numerics give another run id.
        another = (key == "engine" and "nnrun" in changed) or (
            key == "run_id" and "numerics" in changed
        )
        if key not in _SKIPPED and not another:
            yield from _flat(key, stored.get(key), again.get(key))


def _flat(key: str, stored: Any, again: Any) -> Iterator[Difference]:
    before, now = flatten(stored, key), flatten(again, key)
    for place in dict.fromkeys([*before, *now]):
        if place not in _SKIPPED:
            yield Difference(place, before.get(place), now.get(place))


def _numbers(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of the numbers in two values, which may be lists."""
    lists = (value if isinstance(value, list) else [value] for value in (one, other))
    for left, right in zip_longest(*lists):
        yield _float(left), _float(right)


def _float(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _arrays(
    kind: str, stored: Mapping[str, Array], again: Mapping[str, Array]
) -> Iterator[Difference]:
    """The first number of each array that differs, and the one that differs most."""
    for name in dict.fromkeys([*again, *stored]):
        old, new = stored.get(name), again.get(name)
        if old is None or new is None or old.shape != new.shape or old.dtype != new.dtype:
            yield Difference(f"{kind} {name}", None, None if new is None else float(new.size))
            continue
        bits = f"u{old.dtype.itemsize}"
        unequal = np.argwhere(old.view(bits) != new.view(bits))
        if not len(unequal):
            continue
        gap = np.abs(old.astype(np.float64) - new.astype(np.float64))
        worst = np.unravel_index(int(gap.argmax()), gap.shape)
        for place in dict.fromkeys(tuple(map(int, found)) for found in (unequal[0], worst)):
            shown = ", ".join(map(str, place))
            yield Difference(f"{kind} {name}[{shown}]", float(old[place]), float(new[place]))
