"""Validation of a report, which others may have written."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, get_args

from nnrun.config.names import SPLITS
from nnrun.metrics.table import find
from nnrun.models.calibration_form import is_calibration
from nnrun.runs.record import EARLIER, RunRecord, Status


def invalid_part(record: RunRecord) -> str | None:
    """The first invalid part of a report; None if it is valid."""
    for name, form in _REPORT.items():
        if not _has_form(getattr(record, name), form):
            return name
    trained = record.metrics["train"] or {}
    known = _is_number(trained.get(record.main_metric))
    undefined = record.main_metric in (trained.get("undefined") or {})
    if record.status == "completed" and not (known or undefined):
        return "metrics"
    return None


def are_environments(value: Any) -> bool:
    """Whether these are environments of updates."""
    return _has_form(value, [_ENVIRONMENT])


def _has_form(value: Any, form: Any) -> bool:
    """Whether a value has a form.

    A form is a type; a function, which decides; a dictionary of forms, for a mapping with these
    keys and perhaps others, or with one form for the values of all keys (`...`); a list of one
    form, for a list of any length; a tuple, for one of several forms; None; or `_MISSING`, for a
    key that may be missing.
    """
    if isinstance(form, type):
        return isinstance(value, form)
    if isinstance(form, dict) and ... in form:
        return isinstance(value, Mapping) and _has_form([*value.values()], [form[...]])
    if isinstance(form, dict):
        return isinstance(value, Mapping) and all(
            _has_form(value.get(key, _MISSING), part) for key, part in form.items()
        )
    if isinstance(form, list):
        return isinstance(value, list | tuple) and all(_has_form(part, form[0]) for part in value)
    if isinstance(form, tuple):
        return any(_has_form(value, one) for one in form)
    return bool(form(value)) if callable(form) else value is form


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _is_square(value: Any) -> bool:
    return _has_form(value, [[_is_count]]) and all(len(row) == len(value) for row in value)


def _are_counts_by_split(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        split in _UNTRAINED and _is_count(rows) for split, rows in value.items()
    )


def _are_weights(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _has_form(part, dict.fromkeys(("sum", "min", "max"), _is_number))
        for name, part in value.items()
        if name in SPLITS
    )


def _is_decision(value: Any) -> bool:
    if not _has_form(value, _DECISION):
        return False
    measured = {
        **dict.fromkeys(("tp", "fp", "fn", "tn"), _is_count),
        **dict.fromkeys(("precision", "recall", value["objective"]), _is_number),
    }
    both = dict.fromkeys(("fitted", "default"), measured)
    return all(split in SPLITS and _has_form(one, both) for split, one in value["splits"].items())


def _is_calibration(value: Any) -> bool:
    sound = _has_form(value, _CALIBRATION)
    return sound and is_calibration(value["method"], value["numbers"])


def _is_range(value: Any) -> bool:
    return _has_form(value, [(str, _is_number)]) and len(value) == 2


def _is_split(value: Any) -> bool:
    """How rows were split; empty for those split once at random."""
    return value == {} or (
        _has_form(value, _SPLIT)
        and ("folds" in value) == ("fold" in value)
        and ("column" in value or not (value.get("groups") or value.get("times")))
    )


def _are_metrics(value: Any) -> bool:
    return _has_form(value, dict.fromkeys(SPLITS, (dict, None))) and all(
        metrics is None
        or (_has_form(metrics, _METRICS) and _are_named_metrics(metrics) and _fit(metrics))
        for metrics in value.values()
    )


def _fit(metrics: Mapping[str, Any]) -> bool:
    """Whether there are all numbers of classes or none, each for as many classes."""
    return len({len(metrics.get(key) or ()) for key in _OF_CLASSES}) == 1


def _are_named_metrics(value: Mapping[str, Any]) -> bool:
    """Whether all metrics that a config may have asked for are numbers, or undefined."""
    numbers = (number for name, number in value.items() if find(name) is not None)
    return all(number is None or _is_number(number) for number in numbers)


_MISSING = object()
_UNTRAINED = (*SPLITS, "calibration")
_OF_CLASSES = ("confusion", "support", "precision", "recall", "f1")
_MAYBE_NUMBER = (_is_number, None, _MISSING)
_METRICS = {
    "loss": _MAYBE_NUMBER,
    "undefined": ({...: str}, _MISSING),
    "confusion": (_is_square, None, _MISSING),
    "support": ([_is_count], None, _MISSING),
    **dict.fromkeys(("precision", "recall", "f1"), ([(_is_number, None)], None, _MISSING)),
}
_SPLIT = {
    "by": str,
    "stratified": bool,
    "column": (str, _MISSING),
    **dict.fromkeys(("folds", "fold"), (_is_count, _MISSING)),
    "groups": ({...: _is_count}, _MISSING),
    "times": ({...: _is_range}, _MISSING),
}
_DECISION = {
    **dict.fromkeys(("objective", "positive"), str),
    "precision": (_is_number, _MISSING),
    "threshold": _is_number,
    "fitted": bool,
    "note": (str, None),
    "calibrated": (bool, _MISSING),
    "splits": dict,
}
_MEMBERS = {
    "number": _is_count,
    "validation": str,
    "rows_judged": (_is_count, _MISSING),
    "iterations": [_is_count],
    "metrics": {...: {...: {"mean": _is_number, "sd": (_is_number, None)}}},
}
_COVERED = {
    "rows": _is_count,
    **dict.fromkeys(("covered", "low", "high"), _is_number),
    "size": (_is_number, [_is_number]),
}
_COVERAGE = {
    "source": str,
    "rows": _is_count,
    "groups": (_is_count, _MISSING),
    "levels": [{"promised": _is_number, **_COVERED}],
    "fifths": ([{"from": _is_number, "to": _is_number, **_COVERED}], _MISSING),
}
_SCORES = dict.fromkeys(("log_loss", "brier", "calibration_error"), _is_number)
_CALIBRATION = {
    **dict.fromkeys(("source", "method"), str),
    "numbers": [_is_number],
    "rows": _is_count,
    "used": bool,
    "cross_validated": {...: _is_number},
    "test": ({"rows": _is_count, "before": _SCORES, "after": _SCORES}, _MISSING),
}
_LAYER = {"type": str, "output_shape": [_is_count], "parameters": _is_count}
_EMBEDDING = {"column": str, **dict.fromkeys(("entries", "dimensions", "parameters"), _is_count)}
_ENVIRONMENT = {"packages": (dict, None, _MISSING)}
_REPORT = {
    **dict.fromkeys(("name", "run_id", "task", "engine", "started", "main_metric"), str),
    **dict.fromkeys(("description", "nnrun_version"), str),
    **dict.fromkeys(("error", "weights_sha256", "search", "commit"), (str, None)),
    "status": get_args(Status).__contains__,
    "seed": lambda value: type(value) is int,
    "dataset": {
        **dict.fromkeys(("name", "sha256"), str),
        **dict.fromkeys(("n_train", "n_validation", "n_test", "n_features"), _is_count),
        "n_calibration": (_is_count, _MISSING),
        "classes": ([str], None),
        **dict.fromkeys(("left_out", "dropped"), _is_count),
        "duplicates": _are_counts_by_split,
        "unseen": [{"split": _UNTRAINED.__contains__, "rows": _is_count, "column": str}],
        "split": (_is_split, _MISSING),
        "weights": (_are_weights, _MISSING),
        "class_weight": ({...: _is_number}, _MISSING),
    },
    "network": {
        "parameters": _is_count,
        "input_shape": [_is_count],
        "layers": [_LAYER],
        "embeddings": ([_EMBEDDING], _MISSING),
    },
    "config": (
        {
            **dict.fromkeys(("dataset", "network"), dict),
            "training": {"early_stopping": (dict, None, _MISSING)},
            "loss": {"type": str},
            "published": (dict, None, _MISSING),
        },
        {"dataset": dict, "beside": str, "published": (dict, None, _MISSING)},
    ),
    "timing": {
        "train_seconds": _is_number,
        "iterations": _is_count,
        "iterations_per_second": (_is_number, None),
    },
    "files": {...: str},
    "environment": {**_ENVIRONMENT, EARLIER: (are_environments, _MISSING)},
    "divergence": (dict, None),
    "decision": (_is_decision, None),
    "members": (_MEMBERS, None, _MISSING),
    "coverage": (_COVERAGE, None, _MISSING),
    "calibration": (_is_calibration, None, _MISSING),
    "plugins": [dict.fromkeys(("kind", "name", "source", "sha256"), str)],
    "extended_from": ({"iterations": _is_count}, None),
    "metrics": _are_metrics,
    "baseline": _are_metrics,
    "naive": {...: _are_metrics},
    "published": [
        {
            "metric": str,
            "published": _is_number,
            "ours": (_is_number, None),
            "difference": (_is_number, None),
        }
    ],
    "warnings": [Mapping],
}
