"""The notebook's experiments, as the project ships them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.config.load import load_config
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepare import prepare

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def experiment():
    """An experiment of this name, ready to run."""

    def make(name: str, *overrides: str) -> Execution:
        return Execution(prepare(load_config(CONFIGS / f"{name}.yaml", overrides)))

    return make
