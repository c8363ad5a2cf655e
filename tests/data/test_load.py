"""From the `dataset` block to the data: names, paths, contradictions, and copies of rows."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from nnrun.config.load import config_from_dict
from nnrun.config.schema.dataset import BuiltInConfig, DatasetConfig
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.dataset import DatasetProblem, hash_arrays
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.rows import available_memory
from nnrun.data.splits import GivenData, load_dataset, make_split, rows_of_members


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


# Rows of a table that are copies of others, and what `dataset.copies` makes of them.

ROWS = 120


def config(path, **keys):
    """The `dataset` block for a table of dates, numbers, notes that are no features, and prices."""
    columns = {"target": "price", "drop": ["note"]}
    dataset = {"path": str(path), "columns": columns, "dates": {"day": ["year"]},
               "task": "regression", **keys}  # fmt: skip
    network = {"layers": [{"type": "dense", "units": 1}]}
    training = {"learning_rate": 0.1, "iterations": 1}
    whole = {"name": "t", "dataset": dataset, "network": network, "loss": "mean_squared"}
    return config_from_dict({**whole, "training": training}).dataset


@pytest.fixture
def table(tmp_path):
    """120 rows, of which 40 are copies of the first 40."""
    rng = np.random.default_rng(0)
    rows = [f"2020-01-{1 + k % 28:02},{rng.normal()},n{k},{rng.normal()}" for k in range(80)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["day,size,note,price", *rows, *rows[:40], ""]))
    return path


def split_of(settings, dataset=None, seed=0):
    dataset = load_dataset(settings) if dataset is None else dataset
    return dataset, make_split(dataset, settings, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("first", "second", "copies"),
    [
        ("2020-01-01,1,a,2", "2020-01-01,1,a,2", [False, True, False]),
        ("2020-01-01,1,a,2", "2020-01-01,1.0,a,2", [False, True, False]),
        ("2020-01-01,1,a,2", "2020-01-02,1,a,2", [False] * 3),  # `year` alone is a feature
        ("2020-01-01,1,a,2", "2020-01-01,1,b,2", [False] * 3),  # `note` is none
        ("2020-01-01,1,a,2", "2020-01-01,1,a,3", [False] * 3),
    ],
)
def test_a_copy_is_equal_in_all_columns_of_the_file(tmp_path, first, second, copies):
    """Dates, and columns that are no features, too."""
    path = tmp_path / "table.csv"
    path.write_text(f"day,size,note,price\n{first}\n{second}\n2020-01-01,7,c,2\n")
    assert copies == load_dataset(config(path)).is_copy.tolist()


def test_a_table_in_memory_is_compared_in_all_columns_too():
    """As a file is."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"day": ["2020-01-01"] * 3, "size": [1.0] * 3, "note": ["a", "b", "a"],
                              "price": [2.0] * 3})  # fmt: skip
    settings = config("table.csv").model_copy(update={"path": "data.frame"})
    assert [False, False, True] == GivenData(frame).read(settings).is_copy.tolist()


def test_a_file_that_has_changed_is_not_compared_with(table):
    """Its rows are other rows now."""
    dataset = load_dataset(config(table))
    table.write_text(table.read_text().replace(",n0,", ",other,", 1))
    assert 40 == dataset.is_copy.sum()


def test_dropped_copies_are_in_no_split(table):
    """The first of equal rows stays; the others count as left out."""
    dataset, split = split_of(config(table, copies="drop", validation_size=0.2))
    used = np.concatenate([part.rows for part in (split.train, *split.held_out.values())])
    assert [*range(80)] == sorted(used.tolist())
    assert 40 == split.left_out
    assert 120 == len(dataset.y)


@pytest.mark.parametrize("more", [{}, {"folds": 4, "fold": 2}], ids=["size", "folds"])
@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_together(table, more, seed):
    """No row is in another split than its copy; the splits have about the rows asked for."""
    settings = config(table, copies="together", validation_size=0.2, **more)
    dataset, split = split_of(settings, seed=seed)
    parts = [split.train, *split.held_out.values()]
    numbers = [set(dataset.equal_rows[part.rows].tolist()) for part in parts]
    assert 80 == len(set.union(*numbers)) == sum(map(len, numbers))
    assert ROWS == sum(map(len, parts))
    assert abs(len(split.test) - ROWS * (0.25 if more else 0.2)) <= 2


def test_copies_of_members_stay_together(table):
    """Also where each network has validation rows of its own."""
    settings = config(table, copies="together", validation_size=0.2)
    dataset, split = split_of(settings)
    pool = np.concatenate([split.train.rows, split.held_out["validation"].rows])
    rngs = [np.random.default_rng(seed) for seed in range(5)]
    for train, validation in rows_of_members(dataset, settings, split, rngs):
        one, other = (set(dataset.equal_rows[pool[rows]].tolist()) for rows in (train, validation))
        assert one.isdisjoint(other)


def test_rows_without_copies_are_split_as_ever(table):
    """The same rows, with each value of the key."""
    table.write_text("\n".join(table.read_text().splitlines()[:81]) + "\n")
    splits = [split_of(config(table, copies=each))[1] for each in ("keep", "drop", "together")]
    rows = [(split.train.rows.tolist(), split.test.rows.tolist()) for split in splits]
    assert rows[0] == rows[1] == rows[2]


def test_test_rows_of_the_set_cannot_be_moved(table):
    """The mistake stands at the key."""
    settings = config(table, copies="together")
    dataset = load_dataset(settings)
    own = type(dataset)(
        "own", "regression", dataset.x, dataset.y, x_test=dataset.x, y_test=dataset.y
    )
    with pytest.raises(DatasetProblem, match=r"dataset.copies: own has its own test rows"):
        split_of(settings, own)
