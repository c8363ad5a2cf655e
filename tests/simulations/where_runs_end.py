"""Where training ends, in units of where it began: the evidence for `nnrun.training.stopping`.

    python -m tests.simulations.where_runs_end [SHARE]

Trains the shipped configs at 0.001 to 1,000 times their learning rates, and networks of 13 units on
seven data sets with every combination of the settings below, in random order, or a share of them.
Prints, for regression and for classes, how many runs ended at most this many times above where they
began, by their skill: 0 is the baseline's, 1 is perfect.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import product
from math import ceil, log10
from pathlib import Path

from nnrun.config.load import load_config
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepare import prepare

CONFIGS = Path(__file__).parents[2] / "configs"
FACTORS = [1e-3, 1e-2, 1e-1, 0.3, 1, 3, 10, 30, 100, 1000]
CLASSES = {"iris": 3, "wine": 3, "breast_cancer": 2, "digits": 10}
SETTINGS = {
    "name": ["boston", "autompg", "diabetes", *CLASSES],
    "activation": ["relu", "tanh", "linear", "leaky_relu"],
    "features": ["none", "standard", "minmax"],
    "optimizer": ["sgd", {"type": "sgd", "momentum": 0.9}, "adam"],
    "rate": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0],
    "batch": [1, 32],
}
SKILLS = (0.0, 0.1, 0.5, 1.01)


def shipped() -> Iterator[Execution]:
    for path in sorted(CONFIGS.glob("*.yaml")):
        rate = load_config(path).config.training.learning_rate
        key = next((k for k in ("peak", "initial") if hasattr(rate, k)), "")
        value = getattr(rate, key) if key else rate
        name = f"training.learning_rate{f'.{key}' if key else ''}"
        seeds = (42,) if "mnist" in path.stem else (42, 43, 44)
        for factor, seed in product(FACTORS, seeds):
            overrides = [f"{name}={value * factor}", f"seed={seed}"]
            if "mnist" in path.stem:
                overrides.append("training.epochs=2")
            yield Execution(prepare(load_config(path, overrides)))


def networks(share: float) -> Iterator[Execution]:
    grid = list(product(*SETTINGS.values()))
    random.Random(0).shuffle(grid)
    for values in grid[: ceil(share * len(grid))]:
        chosen = dict(zip(SETTINGS, values, strict=True))
        classes = CLASSES.get(chosen["name"])
        last = ("softmax", "cross_entropy") if classes else ("linear", "mean_squared")
        config = {
            "name": "run",
            "dataset": {"name": chosen["name"], "features": chosen["features"]},
            "network": {
                "sizes": [13, classes or 1],
                "activations": [chosen["activation"], last[0]],
            },
            "loss": last[1],
            "training": {
                "optimizer": chosen["optimizer"],
                "learning_rate": chosen["rate"],
                "batch_size": chosen["batch"],
                "iterations": 3000,
            },
        }
        yield Execution(prepare(load_config(config)))


def ending(run: Execution) -> tuple[str, float, float] | None:
    """Kind, skill, and the last training loss in units of where it began; None for no number."""
    began = run.trainer.bounds.began
    record = run.run(Listener()).record
    ours, base = record.metrics["train"], record.baseline["train"]
    metric = record.main_metric
    if ours is None or ours[metric] is None or ours["loss"] is None:
        return None
    if metric == "accuracy":
        return "classes", (ours[metric] - base[metric]) / (1 - base[metric]), ours["loss"] / began
    return "regression", 1 - ours[metric] / base[metric], ours["loss"] / began


def main() -> None:
    """The table."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    found = [ending(run) for runs in (shipped(), networks(share)) for run in runs]
    print(f"{len(found):,} runs, {found.count(None):,} of them without a number at the end")
    for kind in ("regression", "classes"):
        print(f"{kind}: runs that ended at most 10^k times above where they began")
        for low, high in zip((float("-inf"), *SKILLS), SKILLS, strict=False):
            powers = Counter(
                0 if end <= 1 else min(ceil(log10(end)), 8)
                for what, skill, end in filter(None, found)
                if what == kind and low <= skill < high
            )
            print(f"  skill {low:g} to {high:g}: {sorted(powers.items())}")


if __name__ == "__main__":
    main()
