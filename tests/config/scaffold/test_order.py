"""The metric that a config by `nnrun init --data` orders runs by."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from PIL import Image

from nnrun.config.scaffold.from_data import draft

COUNTS = [
    ([95, 5], "log_loss"),
    ([76, 24], "log_loss"),
    ([75, 25], None),
    ([50, 50], None),
    ([60, 25, 15], "log_loss"),
    ([44, 33, 23], None),
]


def order_of(made):
    """The metric of the draft, which its words name as well."""
    order = yaml.safe_load(made.text).get("sweep", {}).get("order_by")
    assert (order is not None) == any("orders runs by log_loss" in word for word in made.choices)
    return order


@pytest.mark.parametrize(("counts", "expected"), COUNTS)
def test_unequal_classes_are_ordered_by_log_loss(tmp_path, counts, expected):
    """With half of an equal share or more for every class, accuracy stays."""
    names = np.repeat([f"class {number}" for number in range(len(counts))], counts)
    rows = [f"{row * 7 % 13}.5,{name}" for row, name in enumerate(names)]
    (tmp_path / "t.csv").write_text("\n".join(["size,kind", *rows]) + "\n")
    assert expected == order_of(draft(tmp_path / "t.csv", "kind", tmp_path))


@pytest.mark.parametrize(("counts", "expected"), COUNTS[::3])
def test_arrays_too(tmp_path, counts, expected):
    """An npz file has the same rule."""
    y = np.repeat(np.arange(len(counts)), counts)
    np.savez(tmp_path / "t.npz", x=np.arange(2.0 * len(y)).reshape(-1, 2), y=y)
    assert expected == order_of(draft(tmp_path / "t.npz", None, tmp_path))


@pytest.mark.parametrize(("counts", "expected"), [([19, 1], "log_loss"), ([4, 4], None)])
def test_images_too(tmp_path, counts, expected):
    """So has a folder of images."""
    for number, count in enumerate(counts):
        (tmp_path / "images" / str(number)).mkdir(parents=True)
        for image in range(count):
            Image.new("L", (4, 4)).save(tmp_path / "images" / str(number) / f"{image}.png")
    assert expected == order_of(draft(tmp_path / "images", None, tmp_path))


def test_values_have_no_classes(tmp_path):
    """A regression stays ordered by mse."""
    rows = [f"{row * 7 % 13},{row * 3 % 17 + 0.5}" for row in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["size,price", *rows]) + "\n")
    assert order_of(draft(tmp_path / "t.csv", "price", tmp_path)) is None
