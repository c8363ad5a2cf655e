"""Compiles the code of each family of a plan before its runs are submitted.

A family is settings that differ only in numbers that no check depends on.
"""

from __future__ import annotations

import json
from typing import Any

from nnrun.config.load import config_from_dict
from nnrun.engines.selection import compile_ahead
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.plan import Plan

# The parts of a config that the compiled code depends on.
_BLOCKS = ("network", "loss")
_KEYS = (
    *("optimizer", "clip_norm", "batch_size", "dtype", "engine", "iterations", "epochs"),
    "class_weight",
)


def code_key(config: dict[str, Any], data: str) -> str:
    """The parts of a resolved config that its compiled code depends on, and the key of its data."""
    parts = [config[block] for block in _BLOCKS] + [config["training"][key] for key in _KEYS]
    return json.dumps([data, *parts])


def compile_plan(plan: Plan, datasets: Datasets) -> None:
    """Compile the code of a plan's networks into the cache, with one setting of each family.

    Otherwise, all workers would compile the same code at the same time. Code that only some other
    settings of a family need, such as those with another weight decay, is compiled by their first
    runs.
    """
    compiled = set()
    for variant in plan.firsts():
        content = json.loads(variant.config)
        if "network" not in content:  # a model of scikit-learn
            continue
        code = code_key(content, variant.data)
        if code not in compiled:
            compiled.add(code)
            config = config_from_dict(content)
            prepared = prepare_again(config, datasets.load(config.dataset))
            training = config.training
            compile_ahead(
                prepared.engine,
                prepared.network,
                training.optimizer.build(),
                clip_norm=training.clip_norm,
                batch_size=training.batch_size,
            )
