"""Trains the configs with the compiled engine: `python -m tests.arm64.train FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import nnrun
from tests.arm64.configs import CONFIGS, ITERATIONS, SHIPPED

ROOT = Path(__file__).parents[2]


def main(folder: Path) -> None:
    """Put the configs that are texts and all results into this folder."""
    folder.mkdir()
    shared = {"training.engine": "compiled", "seed": 3}
    for name, text in CONFIGS.items():
        config = folder / f"{name}.yaml"
        config.write_text(text, encoding="utf-8")
        nnrun.train(config, shared, results=folder / "results")
    for name in SHIPPED:
        config = ROOT / "configs" / f"{name}.yaml"
        shorter = {**shared, "training.iterations": ITERATIONS}
        nnrun.train(config, shorter, results=folder / "results")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
