"""Compiles the code for a plan before its runs are submitted."""

from __future__ import annotations

import json

from nnrun.config.load import config_from_dict
from nnrun.engines.selection import compile_ahead
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.plan import Plan

# The parts of a config that the compiled code depends on.
_BLOCKS = ("network", "loss")
_KEYS = ("optimizer", "clip_norm", "batch_size", "dtype", "engine", "iterations", "epochs")


def compile_plan(plan: Plan, datasets: Datasets) -> None:
    """Compile the code of every network of a plan into the cache.

    Otherwise, all workers would compile the same code at the same time.
    """
    compiled = set()
    for variant in plan.firsts():
        content = json.loads(variant.config)
        parts = [content[block] for block in _BLOCKS] + [content["training"][key] for key in _KEYS]
        code = json.dumps([variant.data, *parts])
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
