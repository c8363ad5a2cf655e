"""Functions of plugins as layers, as metrics and as data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import getdoc, isclass
from math import inf
from typing import Any, get_args

import numpy as np

from nnrun.data.builtin.registry import COMPUTED, Entry
from nnrun.data.dataset import Dataset, DatasetProblem, Task, hash_arrays, pixel_names
from nnrun.metrics.table import Metric, Needs
from nnrun.nn.layer import Layer
from nnrun.nn.signature import Array
from nnrun.plugins.part import Part, PluginError

_DEFAULTS: dict[str, Any] = {"needs": "values", "larger_is_better": False, "low": 0.0, "high": inf}


def layer_entry(part: Part) -> Callable[..., Any]:
    """The class of a layer, or a function that returns the layers of a block as one list."""
    if isclass(part.entry):
        return part.entry

    @wraps(part.entry)
    def block(*args: Any, **kwargs: Any) -> list[Layer]:
        return [*_layers_of(part, part.entry(*args, **kwargs))]

    return block


def _layers_of(part: Part, found: Any) -> Iterator[Layer]:
    if isinstance(found, Layer):
        yield found
    elif isinstance(found, list | tuple) and found:
        for one in found:
            yield from _layers_of(part, one)
    else:
        what = "nothing" if found is None else f"{found!r:.40}"
        raise PluginError(f"{part.place}: {part.name} returns {what}, and no layer or layers")


def metric_entry(part: Part) -> Metric:
    """The metric of a function of true and predicted values; it counts every row once.

    Raises: PluginError if it needs what no metric can have.
    """
    options = _DEFAULTS | dict(part.options)
    if options["needs"] not in get_args(Needs):
        needs = " or ".join(f"'{name}'" for name in get_args(Needs))
        raise PluginError(f"{part.place}: needs={options['needs']!r}: it is {needs}")
    return Metric(
        part.name,
        part.source.name,
        about=_about(part),
        call=part.entry,
        unweighted=True,
        one_output=options["needs"] == "values",
        **options,
    )


def dataset_entry(part: Part) -> Entry:
    """The entry of a function that returns a `Dataset`, or arrays x and y."""
    return Entry(_loader(part), _about(part), "classification", (), 0, source=COMPUTED)


def _about(part: Part) -> str:
    return (getdoc(part.entry) or part.name).split("\n\n")[0].replace("\n", " ")


def _loader(part: Part) -> Callable[..., Dataset]:
    @wraps(part.entry)
    def load(*args: Any, **kwargs: Any) -> Dataset:
        found = part.entry(*args, **kwargs)
        try:
            return found if isinstance(found, Dataset) else _from_arrays(part.name, *found)
        except (TypeError, ValueError) as error:
            message = f"{part.title} gives no usable data: {error}"
            raise DatasetProblem([(("dataset", "name"), message)]) from error

    return load


def _from_arrays(name: str, x: Any, y: Any) -> Dataset:
    """Classes if y are whole numbers or texts, else values to predict."""
    x, y = np.asarray(x, np.float64), np.asarray(y)
    task: Task = "classification"
    classes: tuple[str, ...] = ()
    if x.ndim not in (2, 4) or len(x) != len(y):
        raise ValueError(f"x is {x.shape} and y {y.shape}; x has a row for each of y")
    if not np.isfinite(x).all():
        raise ValueError("x has numbers that are not finite")
    names = pixel_names(x.shape[1:]) if x.ndim == 4 else [f"x{n + 1}" for n in range(x.shape[1])]
    target: Array
    if y.dtype.kind in "iubU":
        labels, numbers = np.unique(y, return_inverse=True)
        classes = tuple(str(label) for label in labels)
        target = np.asarray(numbers, np.int64).reshape(-1)
    else:
        target, task = np.asarray(y, np.float64).reshape(len(y), -1), "regression"
    outputs = 1 if classes else int(target.shape[-1])
    return Dataset(
        name=name,
        task=task,
        x=x,
        y=target,
        classes=classes,
        feature_names=tuple(names),
        target_names=tuple(f"y{n + 1}" if outputs > 1 else "y" for n in range(outputs)),
        sha256=hash_arrays(x, target),
    )
