"""Numbers that stay finite however rows are divided are known without preparing any."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.preprocessing import Preprocessing
from nnrun.errors import ConfigError
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.preparation.prepare import _LARGEST as LARGEST
from nnrun.runs.preparation.prepare import _SMALLEST as SMALLEST
from nnrun.runs.preparation.prepare import prepare, stays_in_range

ROWS, SIZES = 10, range(1, 6)
STEPS = [[], ["standard"], ["minmax"], ["per_channel"], ["l2"], [{"binarize": 0.5}]]
# Neighbours of each other among floats, at both ends of what is in range, and nothing.
NEIGHBOURS = [
    0.0, SMALLEST, float(np.nextafter(SMALLEST, 1)), -SMALLEST, 1.0, float(np.nextafter(1.0, 2)),
    LARGEST, float(np.nextafter(LARGEST, 0)), -LARGEST,
]  # fmt: skip


def block(features, target="none"):
    return DatasetConfig.model_validate({"name": "iris", "features": features, "target": target})


def dataset(values):
    column = values.reshape(-1, 1)
    return Dataset("some", "regression", column, column, (), ("a",), ("y",))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_numbers_in_range_are_finite_for_any_training_rows(step):
    """For each choice of up to three of them, with the closest neighbours there are."""
    values = np.array(NEIGHBOURS)
    config = block(step, step[0] if step in (["standard"], ["minmax"]) else "none")
    assert stays_in_range(dataset(values), config)
    places = range(len(values))
    for train in map(list, chain(*(combinations(places, count) for count in (1, 2, 3)))):
        data = dataset(values)
        fitted = Preprocessing.for_dataset(data, config).fit(data.x[train], data.y[train])
        for prepared in (fitted.transform_x(data.x), fitted.transform_y(data.y)):
            assert np.isfinite(prepared.astype(np.float32)).all(), (step, values[train])


@pytest.mark.parametrize("wrong", [SMALLEST / 2, -LARGEST * 2, np.nan, np.inf, 5e-324])
def test_other_numbers_are_not_in_range(wrong):
    """As features and as targets."""
    values = np.array([*NEIGHBOURS, wrong])
    inside = np.ones(len(values)).reshape(-1, 1)
    for x, y in ((values.reshape(-1, 1), inside), (inside, values.reshape(-1, 1))):
        assert not stays_in_range(Dataset("some", "regression", x, y), block([]))


def test_steps_after_others_are_not_known():
    """What a step makes of moderate numbers may be close together."""
    assert not stays_in_range(dataset(np.array(NEIGHBOURS)), block(["l2", "standard"]))


@pytest.fixture
def sizes(tmp_path, monkeypatch):
    """Prepares rows with each test size: how often preprocessing is fitted, and the problems."""
    fitted = []
    fit = Preprocessing.fit
    monkeypatch.setattr(Preprocessing, "fit", lambda *args: fitted.append(1) or fit(*args))

    def of(values):
        rows = [(value, index % 3, index) for index, value in enumerate(values)]
        lines = [",".join(map(str, row)) for row in rows]
        (tmp_path / "data.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
        (tmp_path / "config.yaml").write_text(
            "dataset: {path: data.csv, columns: {target: y}, task: regression, features: minmax}\n"
            "network: {sizes: [1], activations: [linear]}\n"
            "loss: mean_squared\n"
            "training: {learning_rate: 0.1, iterations: 5, batch_size: 2, dtype: float32}\n"
        )
        cache, said = GridCache(), []
        for size in SIZES:
            experiment = load_config(tmp_path / "config.yaml", [f"dataset.test_size={size}"])
            try:
                prepare(experiment, cache=cache)
            except ConfigError as error:
                said += [problem.message for problem in error.problems]
        return len(fitted), said

    return of


def test_test_sizes_are_checked_without_fitting_anything(sizes):
    """Where all numbers are in range."""
    assert sizes(range(ROWS)) == (0, [])


def test_numbers_that_leave_the_range_in_some_splits_are_found_in_these(sizes):
    """A row that is far from training rows is refused wherever it is a test row."""
    counts = []
    for far in range(ROWS):
        _, said = sizes([1.0 if row == far else row * 1e-40 for row in range(ROWS)])
        assert all("column 'a' leaves the range of float32" in message for message in said)
        counts.append(len(said))
    # Each size adds one test row.
    assert [0] * (ROWS - len(SIZES)) + [*range(1, len(SIZES) + 1)] == sorted(counts)
