"""Whatever else the files of a run say than training gives is found, also where digests agree."""

from __future__ import annotations

import copy
import functools
import operator

import numpy as np
import pytest
from PIL import Image

from nnrun.models.tensors import pack, unpack
from nnrun.reports.markdown.run import report_markdown
from nnrun.runs.lifecycle import train
from nnrun.runs.verification import verify as module
from nnrun.runs.verification.verify import verify
from tests.forging import altered, forged, leaves, redo

MODEL, STATE, WATCHED = "model.safetensors", "state.safetensors", "watched.safetensors"
COLUMNS = """
dataset:
  path: sales.csv
  columns:
    target: price
    categorical: [kind]
    embedding: {shop: 2}
    target_mean: [city]
    min_count: 3
    weight: visits
    drop: [paid]
    missing: {size: {impute: median}}
    formats: {price: "1.234,50 €", sold: "31.12.2024"}
  dates: {sold: [month, cyclic]}
  lags: {count: [1]}
  split: {by: time, column: sold}
  validation_size: 0.2
  features: [minmax, standard]
  target: standard
network:
  layers:
    - {type: dense, units: 3, activation: tanh}
    - {type: dropout, rate: 0.1}
    - {type: dense, units: 1}
loss: mean_squared
training:
  optimizer: adam
  learning_rate: {schedule: reduce_on_plateau, initial: 0.01, patience: 1}
  iterations: 20
  evaluate_every: 5
  batch_size: 8
  early_stopping: {patience: 2}
  watch: true
  engine: numpy
"""
CLASSES = """
dataset:
  path: sales.csv
  columns: {target: paid, features: [count, visits], weight: size, missing: {size: drop_rows}}
  stratify: true
  validation_size: 0.3
  features: [minmax, l2, {binarize: 0.1}]
decide: {maximize: f1, positive: "True"}
network: {sizes: [3, 1], activations: [relu, sigmoid]}
loss: binary_cross_entropy
training: {learning_rate: 0.1, iterations: 20, batch_size: 8, class_weight: balanced, engine: numpy}
"""
IMAGES = """
dataset: {images: {folder: shapes, size: 3, mode: rgb}, test_size: 0.3, features: per_channel}
network:
  layers:
    - {type: conv2d, channels: 2, kernel: 2, activation: relu}
    - {type: batch_norm}
    - {type: flatten}
    - {type: dense, units: 2, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 6, batch_size: 4, engine: numpy, optimizer: adam}
"""
CONFIGS = {"columns": COLUMNS, "classes": CLASSES, "images": IMAGES}


def write_data(folder):
    """A table with columns of all kinds, and a folder of images of two classes."""
    rng = np.random.default_rng(5)
    lines = ["sold;price;kind;shop;city;count;visits;size;paid"]
    for day in range(60):
        size = "" if day % 9 == 4 else str(rng.integers(20, 90))
        cells = [
            f"{day % 28 + 1:02}.{day // 28 + 1:02}.2024",
            f"{rng.integers(1, 9)}.{rng.integers(100, 999)},50 €",
            rng.choice(["flat", "house"]),
            rng.choice(["a", "b", "c"]),
            rng.choice(["Bern", "Rome"]),
            *(str(number) for number in rng.integers(1, 9, 2)),
            size,
            rng.choice(["True", "False"]),
        ]
        lines.append(";".join(cells))
    (folder / "sales.csv").write_text("\n".join([*lines, ""]))
    for label in ("dark", "light"):
        (folder / "shapes" / label).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 256, (3, 3, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "shapes" / label / f"{number}.png")


@pytest.fixture
def folder_of(prepared, store, tmp_path):
    """Trains one of the configs, and returns the folder of its run."""
    write_data(tmp_path)
    return lambda name: train(prepared(CONFIGS[name]), store).folder


@pytest.fixture
def trained_once(monkeypatch):
    """The run of a test is prepared and trained once for all of its verifications."""
    for name in ("prepare", "train"):
        monkeypatch.setattr(module, name, once(getattr(module, name)))


def once(function):
    """A function that returns again what it returned first."""
    results = []

    def first(*given):
        results.extend([] if results else [function(*given)])
        return results[0]

    return first


def found_in(folder):
    """The places of what differs from what training gives."""
    verdict = verify(folder, render=report_markdown)
    assert (False, 3) == (verdict.agrees, verdict.exit_code)
    return [difference.place for difference in verdict.differences]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_value_of_a_model_is_compared(folder_of, trained_once, name):
    """Network, loss, shapes, preprocessing, columns, categories, classes, threshold, last state:
    each value that is another one is named.
    """
    folder = folder_of(name)
    assert "same_bits" == verify(folder, render=report_markdown).finding
    arrays, values = unpack(folder / MODEL)
    for path in leaves(values):
        redo(folder, MODEL, pack(arrays, altered(values, path, forged)))
        place = "model " + ".".join(map(str, path))
        assert [place] == found_in(folder)
    redo(folder, MODEL, pack(arrays, values))
    assert "same_bits" == verify(folder, render=report_markdown).finding


def mappings(value, *path):
    """The places of all mappings in a tree."""
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for key, entry in inside:
        yield from mappings(entry, *path, key)
    if isinstance(value, dict):
        yield path


def test_no_key_of_a_model_is_more_or_less(folder_of, trained_once):
    """An added one is named, also one without a value; and so is one that is missing."""
    folder = folder_of("columns")
    arrays, values = unpack(folder / MODEL)
    for path in mappings(values):
        start = "model " + "".join(f"{key}." for key in path)
        for key in functools.reduce(operator.getitem, path, values):
            fewer = copy.deepcopy(values)
            del functools.reduce(operator.getitem, path, fewer)[key]
            redo(folder, MODEL, pack(arrays, fewer))
            (place,) = found_in(folder)
            assert f"{place}.".startswith((f"{start}{key}.", start))
        for added in (None, 1, {}):
            more = copy.deepcopy(values)
            functools.reduce(operator.getitem, path, more)["another"] = added
            redo(folder, MODEL, pack(arrays, more))
            assert [f"{start}another"] == found_in(folder)
