"""What the tests of the data floor share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnrun.config.schema.dataset import BuiltInConfig, ColumnsConfig, DatasetConfig, SplitConfig


@pytest.fixture
def config() -> Callable[..., DatasetConfig]:
    """A maker of `dataset` blocks with the real defaults.

    Nothing is validated, so that the data floor can be shown what the config floor would refuse.
    """

    def make(**given: Any) -> DatasetConfig:
        if given.get("columns") is not None:
            given["columns"] = ColumnsConfig.model_construct(**given["columns"])
        given.setdefault("split", SplitConfig())
        block = BuiltInConfig.blocks.get(given.get("name"), DatasetConfig)
        return block.model_construct(**given)

    return make


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """A maker of CSV files: writes the text (or the bytes) and returns the path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "houses.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
