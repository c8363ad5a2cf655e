"""From the `dataset` block to the data: names, paths, and keys that contradict the data."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from nnrun.config.schema.dataset import BuiltInConfig, DatasetConfig
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.dataset import DatasetProblem, hash_arrays
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.rows import available_memory
from nnrun.data.splits import load_dataset, make_split


def test_csv_by_path_with_columns(csv, config):
    """`path` and `columns` are enough for a regression."""
    path = csv("a,b,c,y\n1,u,3,4\n5,v,7,8\n")
    columns = {"target": "y", "drop": ["a"], "categorical": ["b"]}
    data = load_dataset(config(path=str(path), columns=columns, task="regression"))
    assert ("b=u", "b=v", "c") == data.feature_names
    assert [[1, 0, 3], [0, 1, 7]] == data.x.tolist()


def test_a_validated_config_is_understood(csv):
    """The blocks that the config floor makes of plain data, from file to prepared features."""
    block = {
        "path": str(csv("a,b,y\n1,u,3\n5,v,7\n9,u,8\n")),
        "columns": {"target": "y", "categorical": ["b"]},
        "task": "regression",
        "test_size": 1,
        "features": [{"binarize": 5}, "minmax"],
        "target": "standard",
    }
    config = DatasetConfig.model_validate(block)
    data = load_dataset(config)
    split = make_split(data, config, np.random.default_rng(0))
    assert (2, 1) == (len(split.train), len(split.test))
    fitted = Preprocessing.for_dataset(data, config).fit(data.x, data.y)
    assert [[0, 0, 0], [1, 0, 0], [1, 0, 0]] == fitted.transform_x(data.x).tolist()
    assert 0 == pytest.approx(fitted.transform_y(data.y).mean())


def test_the_config_knows_the_same_names():
    """What a config may name is what there is, in the same order."""
    assert list(DATASETS) == list(BuiltInConfig.blocks)


def test_npz_by_path(tmp_path, config):
    """The ending decides, in either case."""
    np.savez(tmp_path / "set.npz", x=np.eye(2), y=[0, 1])
    (tmp_path / "set.npz").rename(tmp_path / "SET.NPZ")
    assert ("0", "1") == load_dataset(config(path=str(tmp_path / "SET.NPZ"))).classes


def test_several_mistakes_come_at_once(config):
    """Task, target and stratify are checked against the data together."""
    with pytest.raises(DatasetProblem) as error:
        load_dataset(config(name="iris", task="regression", target="minmax"))
    assert [("dataset", "task"), ("dataset", "target")] == [k for k, _ in error.value.problems]
    with pytest.raises(DatasetProblem, match=r"dataset\.stratify: needs classes"):
        load_dataset(config(name="boston", stratify=True))


def test_paths_that_lead_nowhere(tmp_path, csv, config):
    """Missing files, folders, other formats and a CSV without `columns` name their key."""
    (tmp_path / "text.txt").write_text("hello")
    for path, message in [
        (tmp_path / "none.csv", "dataset.path: .*none.csv does not exist"),
        (tmp_path, "dataset.path: .* is a folder"),
        (tmp_path / "text.txt", "dataset.path: .*is no .csv, .tsv"),
        (csv("a,y\n1,2\n"), "dataset.columns: a table needs"),
    ]:
        with pytest.raises(DatasetProblem, match=message):
            load_dataset(config(path=str(path)))


def test_unknown_names_get_a_suggestion(config):
    """As everywhere, a near miss is named."""
    with pytest.raises(DatasetProblem, match=r"dataset\.name: .*'bostn'; did you mean 'boston'"):
        load_dataset(config(name="bostn"))


def test_problems_survive_a_process_boundary():
    """Sweeps send errors between processes."""
    problem = DatasetProblem([(("dataset", "columns", "drop", 1), "no such column")])
    copy = pickle.loads(pickle.dumps(problem))
    assert problem.problems == copy.problems
    assert "dataset.columns.drop[1]: no such column" == str(copy)


def test_digest_of_arrays_sees_values_shapes_and_types():
    """Memory layout and byte order do not matter, anything else does."""
    x = np.arange(6.0).reshape(2, 3)
    digest = hash_arrays(x)
    assert digest == hash_arrays(np.asfortranarray(x))
    assert digest == hash_arrays(x.astype(">f8"))
    others = [x.reshape(3, 2), x.astype(np.float32), x + 1]
    assert 4 == len({digest, *(hash_arrays(other) for other in others)})


def test_memory_is_known_in_bytes():
    """A sane figure: more than a megabyte, less than a petabyte."""
    assert 10**6 < available_memory() < 10**15
