"""Data sets of a sweep: each is loaded once, and two that differ in any way are two."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import create_model

from nnrun.config import load as config_loading
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import DatasetProblem
from nnrun.sweeps.planning import variants as sweep_data
from nnrun.sweeps.planning.variants import Datasets
from tests.sweeps.helpers import run_inline


@pytest.fixture
def new_key(monkeypatch):
    """A key of `dataset` that no list in nnrun knows: what is added to all features."""
    block = create_model("Shifted", __base__=DatasetConfig, shift=(float, 0.0))
    config = create_model("Experiment", __base__=ExperimentConfig, dataset=(block, ...))
    monkeypatch.setattr(config_loading, "ExperimentConfig", config)
    read = sweep_data.read_dataset

    def shifted(block):
        dataset = read(block)
        return replace(dataset, x=dataset.x + getattr(block, "shift", 0))

    monkeypatch.setattr(sweep_data, "read_dataset", shifted)


@pytest.mark.usefixtures("new_key")
def test_a_new_key_of_the_block_makes_another_data_set(plan, write, sweep):
    """A grid over a key that was just added trains on the data of each of its values."""
    config = write("iris")
    made = plan(config, "dataset.shift=0.0,1.5", "dataset.features=none")
    runs = list(made.runs())
    assert (
        2 == len({run.run_id for run in runs}) == len({variant.data for variant in made.variants})
    )
    done = sweep(made)
    run_inline(done)
    losses = {
        done.store.run(run.variant.name, run.run_id).read().record.metrics["train"]["loss"]
        for run in runs
    }
    assert 2 == len(losses)


@pytest.mark.usefixtures("new_key")
def test_a_new_key_at_its_default_renames_no_run(plan, write, monkeypatch):
    """With the key, and where it says what it says anyway, runs are called as without it."""
    config = write("iris")
    (with_key,) = plan(config).runs()
    (at_default,) = plan(config, "dataset.shift=0.0").runs()
    monkeypatch.setattr(config_loading, "ExperimentConfig", ExperimentConfig)
    (without,) = plan(config).runs()
    assert without.run_id == with_key.run_id == at_default.run_id


def test_preparation_alone_loads_nothing_again(monkeypatch):
    """Data that are split or scaled in another way are the same data."""
    loads = []
    read = sweep_data.read_dataset
    monkeypatch.setattr(
        sweep_data, "read_dataset", lambda block: loads.append(block) or read(block)
    )
    datasets = Datasets()
    blocks = [
        {},
        {"test_size": 0.5},
        {"validation_size": 10},
        {"features": "standard"},
        {"target": "minmax"},
    ]
    found = [
        datasets.load(DatasetConfig.model_validate({"name": "boston", **block})) for block in blocks
    ]
    assert 1 == len(loads) == len({id(dataset) for dataset in found})


def test_data_that_are_there_are_still_checked():
    """What does not go with the task is reported for every config, loaded or not."""
    datasets = Datasets()
    datasets.load(DatasetConfig(name="boston"))
    with pytest.raises(DatasetProblem, match="needs classes"):
        datasets.load(DatasetConfig(name="boston", stratify=True))


def test_data_are_found_by_their_key(monkeypatch):
    """Each run of a sweep asks for its data: what tells them from others is worked out once."""
    datasets = Datasets()
    block = DatasetConfig(name="boston")
    dataset = datasets.load(block)
    key = sweep_data.data_key(block, dataset.sha256)
    monkeypatch.delattr(sweep_data, "_source")
    assert dataset is datasets.load(block, key)
    with pytest.raises(DatasetProblem, match="needs classes"):
        datasets.load(DatasetConfig(name="boston", stratify=True), key)


def test_the_column_of_a_split_makes_another_data_set(tmp_path):
    """Its groups or times are loaded with the rows; the seed of the split is not."""
    rows = "".join(f"{i % 4},{i % 3},{i},{i}\n" for i in range(12))
    (tmp_path / "t.csv").write_text("a,b,x,y\n" + rows)
    base = {"path": str(tmp_path / "t.csv"), "columns": {"target": "y"}, "task": "regression"}

    def load(**split):
        return datasets.load(DatasetConfig.model_validate({**base, "split": split}))

    datasets = Datasets()
    a, b = load(by="group", column="a"), load(by="group", column="b")
    assert (4, 3) == (len({*a.split_values}), len({*b.split_values}))
    assert "f" == load(by="time", column="a").split_values.dtype.kind
    assert None is load(by="random").split_values
    assert a is load(by="group", column="a", seed=3)
