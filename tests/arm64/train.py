"""Trains configs with the compiled engine: `python -m tests.arm64.train FOLDER [NAME…]`."""

from __future__ import annotations

import sys
from pathlib import Path

import nnrun
from tests.arm64.configs import CONFIGS, ITERATIONS, SHIPPED

ROOT = Path(__file__).parents[2]


def main(folder: Path, *names: str) -> None:
    """Put the configs that are texts and all results into this folder; without names, of all."""
    folder.mkdir()
    shared = {"training.engine": "compiled", "seed": 3}
    for name in names or (*CONFIGS, *SHIPPED):
        if name in SHIPPED:
            config = ROOT / "configs" / f"{name}.yaml"
            given = {**shared, "training.iterations": ITERATIONS}
        else:
            config, given = folder / f"{name}.yaml", shared
            config.write_text(CONFIGS[name], encoding="utf-8")
        nnrun.train(config, given, results=folder / "results")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
