"""The exercise of the second lesson: the gradient of a network of two layers, as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.yaml import Text, parse, read_text
from nnrun.course.files import OWN_GRADIENT, exercise_file
from nnrun.course.grading import Grade
from nnrun.course.variants import name_in, start_text
from nnrun.errors import ConfigError, Problem
from nnrun.nn.signature import Array
from nnrun.plugins.checker.findings import Finding, verdict

_TASK = "task"
_TOLERANCE = 1e-6
_FORMULAS = {"dw2": "hᵀ dy", "db2": "the sum of dy", "dw1": "xᵀ dz", "db1": "the sum of dz"}
_MISTAKES = {
    "rows": "It is that of a sum over rows; L is their mean, so dy = 2 (y - t) / rows.",
    "rows twice": "dy is divided by the rows already: add up what they say, and take no mean.",
    "two": "A factor of 2 is missing: the derivative of (y - t)² is 2 (y - t).",
    "sign": "Its sign is turned: dy = 2 (y - t) / rows, and not t - y.",
    "slope": "The slope of tanh is missing: dz = dh (1 - h²), number by number.",
    "slope of z": "The slope of tanh is 1 - h² of what comes out of it, and not 1 - z².",
    "w2": "w2 is missing: dh = dy w2ᵀ, since dy reaches each unit by its weight.",
}


def grade_gradient(file: Path) -> Grade:
    """The grade of a file with the numbers of a gradient: a point for each of its four arrays.

    Raises:
        ConfigError: the file cannot be read, or is no mapping.
    """
    begin = Text(start_text(OWN_GRADIENT, name_in(file)), str(exercise_file(OWN_GRADIENT)))
    start, numbers = _mapping(begin), _mapping(read_text(file))
    keys = [key for key in {**start, **numbers} if key not in _FORMULAS]
    others = [str(key) for key in keys if numbers.get(key) != start.get(key)]
    says = f"not as in the exercise: {', '.join(others)}"
    advice = f"Change nothing but {', '.join(_FORMULAS)}."
    task = verdict(_TASK, not others, "the gradient alone is changed", says, advice)
    network = {key: np.array(start[key], float) for key in ("x", "t", "w1", "b1", "w2", "b2")}
    findings = [task, *(_finding(name, numbers.get(name), network) for name in _FORMULAS)]
    return Grade(OWN_GRADIENT, str(file), findings, frozenset({_TASK}))


def _mapping(text: Text) -> dict[str, Any]:
    document = parse(text)
    if document.problems:
        raise ConfigError(document.problems)
    if not isinstance(document.data, dict):
        raise ConfigError([Problem("holds no arrays with names, such as dw1", text.file)])
    return document.data


def _gradient(network: dict[str, Array], mistake: str = "") -> dict[str, Array]:
    """dL of each parameter of the exercise's network; computed wrongly by a key of `_MISTAKES`."""
    x, t, w1, b1, w2, b2 = network.values()
    z = x @ w1 + b1
    h = np.tanh(z)
    factors = {"rows": len(x), "rows twice": 1 / len(x), "two": 1 / 2, "sign": -1}
    dy = factors.get(mistake, 1) * 2 * (h @ w2 + b2 - t) / t.size
    dh = dy @ (np.ones_like(w2) if mistake == "w2" else w2).T
    dz = dh * {"slope": 1, "slope of z": 1 - z**2}.get(mistake, 1 - h**2)
    return {"dw2": h.T @ dy, "db2": dy.sum(axis=0), "dw1": x.T @ dz, "db1": dz.sum(axis=0)}


def _finding(name: str, numbers: Any, network: dict[str, Array]) -> Finding:
    """The verdict on one array, with the mistake that gives just these numbers."""
    right, hint = _gradient(network)[name], f"{name} is {_FORMULAS[name]}."
    try:
        array = np.array(numbers, float)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if _equal(array, right):
        return Finding(name, True, "it agrees to six digits behind the point")
    wrong = {words: _gradient(network, each)[name] for each, words in _MISTAKES.items()}
    wrong = {words: each for words, each in wrong.items() if not _equal(each, right)}
    wrong[f"It is transposed: {hint}"] = right.T
    hint = next((words for words, each in wrong.items() if _equal(array, each)), hint)
    if array.shape != right.shape or not np.isfinite(array).all():
        shape = "×".join(map(str, right.shape))
        return Finding(name, False, f"it is no array of {shape} numbers, as {name[1:]} is", hint)
    differing = np.sum(np.abs(array - right) > _TOLERANCE)
    return Finding(name, False, f"numbers that differ: {differing} of {array.size}", hint)


def _equal(first: Array, second: Array) -> bool:
    return first.shape == second.shape and bool(np.all(np.abs(first - second) <= _TOLERANCE))
