"""A function of a plugin as a metric."""

from __future__ import annotations

from inspect import getdoc
from math import inf
from typing import Any, get_args

from nnrun.metrics.table import Metric, Needs
from nnrun.plugins.part import Part, PluginError

_DEFAULTS: dict[str, Any] = {"needs": "values", "larger_is_better": False, "low": 0.0, "high": inf}


def metric_entry(part: Part) -> Metric:
    """The metric of a function of true and predicted values; it counts every row once.

    Raises: PluginError if it needs what no metric can have.
    """
    options = _DEFAULTS | dict(part.options)
    if options["needs"] not in get_args(Needs):
        needs = " or ".join(f"'{name}'" for name in get_args(Needs))
        raise PluginError(f"{part.place}: needs={options['needs']!r}: it is {needs}")
    about = (getdoc(part.entry) or part.name).split("\n\n")[0].replace("\n", " ")
    return Metric(
        part.name,
        part.source.name,
        about=about,
        call=part.entry,
        unweighted=True,
        one_output=options["needs"] == "values",
        **options,
    )
