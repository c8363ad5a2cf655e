"""Folders of small images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def image_at(path: Path, value: int | None = None, size: tuple[int, int] = (4, 6)) -> None:
    """A grey image of one value, or of noise that its name decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([*path.name.encode()])
    pixels = rng.integers(256, size=size) if value is None else np.full(size, value)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Makes images at these places of a new folder."""

    def make(*names: str, size: tuple[int, int] = (4, 6)) -> Path:
        root = tmp_path / "pets"
        for number, name in enumerate(names):
            image_at(root / name, number, size)
        return root

    return make
