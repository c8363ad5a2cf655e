"""`python -m tests.simulations.members [RUNS]`: random runs of several networks, trained alone.

Each member of each run is trained once more by itself, and the first as a run without members; the
weights have to be the same bits. Prints how many were compared, and what differs.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from nnrun.config.load import load_config
from nnrun.errors import ConfigError
from nnrun.models.load import of_member, weights_of
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution, execute
from nnrun.runs.preparation.members import members_of
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared

CLASSES = {"iris": 3, "wine": 3, "breast_cancer": 2}
VALUES = ("boston", "diabetes")
STEPS = (["standard"], ["minmax"], ["robust"], ["quantile"])


def drawn(draw: random.Random) -> dict[str, Any]:
    """A config with members."""
    name = draw.choice([*CLASSES, *VALUES])
    values = name in VALUES
    kinds = ("relu", "tanh", "gelu", "sigmoid")
    layers: list[dict[str, Any]] = [
        {"type": "dense", "units": draw.randint(2, 12), "activation": draw.choice(kinds)}
        for _ in range(draw.randint(0, 2))
    ]
    layers += [{"type": "dropout", "rate": 0.3}] * (bool(layers) and draw.random() < 0.3)
    last = "linear" if values else "softmax"
    layers.append({"type": "dense", "units": CLASSES.get(name, 1), "activation": last})
    pieces = ["standard", {"piecewise_linear": {"bins": draw.choice([2, 5, 16])}}]
    smoothed = {"type": "cross_entropy", "label_smoothing": 0.1}
    losses = ["mean_squared", "huber"] if values else ["cross_entropy", smoothed]
    settings = [{"training.learning_rate": 0.03}, {"training.optimizer": "adam"}]
    return {
        "name": "run",
        "dataset": {
            "name": name,
            "validation_size": draw.choice([0.1, 0.2, 0.25, 30]),
            "features": draw.choice([*STEPS, pieces]),
            "target": "standard" if values else "none",
            **({"folds": 4} if draw.random() < 0.2 else {}),
        },
        "network": {"layers": layers},
        "loss": draw.choice(losses),
        "members": {
            "number": draw.randint(2, 7),
            "validation": draw.choice(["own", "shared"]),
            "settings": settings[: draw.choice([0, 0, 0, 1, 2])],
        },
        "seed": draw.randrange(10**6),
        "training": {
            "optimizer": draw.choice(["sgd", "adam", "rmsprop", "adamw"]),
            "learning_rate": draw.choice([0.001, 0.01, {"schedule": "cosine", "initial": 0.01}]),
            "epochs": draw.randint(2, 6),
            "batch_size": draw.choice([7, 16, 32]),
            "dtype": draw.choice(["float64", "float32"]),
            "engine": draw.choice(["numpy", "compiled", "auto"]),
            "evaluate_every": draw.randint(1, 9),
            "early_stopping": draw.choice([None, {"patience": draw.randint(1, 3)}]),
            "average": draw.choice([None, None, {"ema": 0.9}]),
        },
    }


def differing(config: dict[str, Any], folder: Path) -> tuple[int, list[int]]:
    """How many networks were compared, and the numbers of those that differ."""

    def prepared(content: dict[str, Any]) -> Prepared:
        file = folder / "config.yaml"
        file.write_text(yaml.safe_dump(content))
        return prepare(load_config(file))

    together = execute(prepared(config), None, Listener()).weights
    if together is None:  # it diverged
        return 0, []
    alone = []
    for member in members_of(prepared(config)):
        execution = Execution(member)
        execution.train(Listener())
        alone.append(weights_of(execution.trainer.network))
    single = execute(prepared({**config, "members": 1}), None, Listener()).weights
    pairs = [(number, weights) for number, weights in enumerate(alone)]
    pairs += [(0, single or {})]
    wrong = [
        number
        for number, weights in pairs
        if any(
            not np.array_equal(weights.get(n), a) for n, a in of_member(together, number).items()
        )
    ]
    return len(alone), wrong


def main() -> None:
    """Compare as many runs as the argument says, 200 by default."""
    draw, runs, networks = random.Random(0), int((sys.argv[1:] or ["200"])[0]), 0
    refused, faults = 0, 0
    with TemporaryDirectory() as folder:
        for _ in range(runs):
            config = drawn(draw)
            try:
                compared, wrong = differing(config, Path(folder))
            except ConfigError:
                refused += 1
                continue
            networks += compared
            if wrong:
                faults += 1
                print(f"networks {wrong} differ: {config}")
    print(f"{runs - refused} runs, {networks} networks trained alone, {faults} runs with others")


if __name__ == "__main__":
    main()
