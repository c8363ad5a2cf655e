"""Rows in blocks, in files and mapped; held-out rows, and rows that stand twice."""

from __future__ import annotations

import os
import tempfile
import tracemalloc
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.config.load import config_from_dict
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data import rows as raw
from nnrun.data.dataset import Dataset
from nnrun.data.readers import npz as npz_arrays
from nnrun.data.readers.npz import read_npz
from nnrun.data.rows import RawRows, equal_rows, is_mapped, kept
from nnrun.data.split_rows import Split, SplitData
from nnrun.data.splits import duplicates, load_dataset, make_split, with_training_categories
from nnrun.errors import DataError
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare_again, prepare_arrays
from tests.data.tables import CategorySettings, read_csv

SHOPS = "uuuvvw"


@pytest.fixture
def table(tmp_path):
    """A table with missing numbers, and categories that not all splits have."""
    rng, path = np.random.default_rng(0), tmp_path / "towns.csv"
    lines = [
        f"t{rng.integers(30)},{SHOPS[rng.integers(6)]},{'' if i % 9 == 0 else rng.normal()},"
        f"{rng.normal()}"
        for i in range(120)
    ]
    path.write_text("\n".join(["town,shop,a,price", *lines]))
    return {
        "name": "towns",
        "dataset": {
            "path": str(path),
            "columns": {"target": "price", "categorical": ["town", "shop"]},
            "task": "regression",
            "missing": {"impute": "median"},
            "features": ["standard", "l2"],
            "target": "standard",
            "validation_size": 0.2,
        },
        "network": {"sizes": [3, 1], "activations": ["tanh", "linear"]},
        "loss": "mean_squared",
        "training": {"learning_rate": 0.01, "iterations": 20, "batch_size": 4},
    }


def trained(config):
    """The record of a run as JSON data, without times."""
    parsed = config_from_dict(config)
    prepared = prepare_arrays(config, load_dataset(parsed.dataset))
    result = train(prepare_again(prepared.config, prepared.dataset), None).result
    record = result.record.to_dict()
    return {key: record[key] for key in ("metrics", "weights_sha256", "dataset", "warnings")}


def test_the_size_of_blocks_changes_no_bit(table, monkeypatch):
    """With filled-in numbers, chosen categories, and statistics after a step."""
    whole = trained(table)
    monkeypatch.setattr(raw, "_BLOCK", 150)
    assert whole == trained(table)


def test_rows_of_two_arrays_are_numbered_through():
    """Whatever their kinds of numbers; blocks give the places of their rows."""
    first, second = np.arange(6, dtype=np.uint8).reshape(3, 2), np.full((2, 2), 0.5)
    rows = RawRows((first, second), np.array([4, 0, 3, 2]))
    expected = [[0.5, 0.5], [0, 1], [0.5, 0.5], [4, 5]]
    assert expected == rows.all().tolist()
    found = np.zeros((4, 2))
    for places, block in rows.as_stored():
        found[places] = block
    assert expected == found.tolist()
    assert [[4, 5], [0.5, 0.5]] == rows.take(np.array([3, 0])).all().tolist()
    assert [[1], [5]] == rows.take(np.array([1, 3])).features(range(1, 2)).tolist()


def test_a_split_is_no_copy_of_its_rows():
    """Its rows refer to those of the set."""
    data = Dataset("a", "regression", np.zeros((9, 2)), np.zeros((9, 1)))
    rows = RawRows.of(*data.parts).take(np.arange(5))
    assert data.x is rows.parts[0]


def test_equal_rows_take_little_memory(monkeypatch):
    """At most four arrays of a number a row; those returned are in the order of the hashes."""
    monkeypatch.setattr(raw, "_BLOCK", 1000)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (400_000, 1)).astype(np.float64), np.zeros(400_000)
    tracemalloc.start()
    try:
        numbers = equal_rows([x], y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * len(x)
    assert np.unique(raw._hashes([x], y), return_inverse=True)[1].tolist() == numbers.tolist()


# Arrays that are made block by block, in memory or in a file without a name.

X = np.arange(60.0).reshape(20, 3)
Usage = namedtuple("Usage", "free")


def made(dtype="f8"):
    return kept(X.shape, dtype, (X[start : start + 7] for start in range(0, 20, 7)))


@pytest.fixture
def large(tmp_path, monkeypatch):
    """Arrays of a few bytes are large; the folder of temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for module in (raw, npz_arrays):
        monkeypatch.setattr(module, "LARGE", 16)
    return folder


@pytest.mark.parametrize("dtype", ["f8", ">f4", "i2"])
def test_a_large_array_is_in_a_file_without_a_name(large, dtype):
    """It has the numbers of the blocks, cannot be changed, and leaves nothing behind."""
    array = made(dtype)
    assert (X.tolist(), np.dtype(dtype)) == (array.tolist(), array.dtype)
    assert (True, False) == (is_mapped(array), array.flags.writeable)
    assert [] == os.listdir(large)


def test_a_small_array_is_in_memory():
    """It can be changed."""
    array = made()
    assert (X.tolist(), False, True) == (array.tolist(), is_mapped(array), array.flags.writeable)


@pytest.mark.parametrize("free", [0, 2 * X.nbytes - 1])
def test_a_full_disk_means_memory(large, monkeypatch, free):
    """Unless there is twice the room, no file is written."""
    monkeypatch.setattr(raw.shutil, "disk_usage", lambda _: Usage(free))
    array = made()
    assert (X.tolist(), False) == (array.tolist(), is_mapped(array))


def test_no_folder_for_temporary_files_means_memory(large):
    """Also where one was found before."""
    large.rmdir()
    array = made()
    assert (X.tolist(), False) == (array.tolist(), is_mapped(array))


def test_a_large_table_is_kept_in_a_file(large, csv):
    """With its categories encoded; read-only."""
    lines = "".join(f"{i},{'ab'[i % 2]},{i + 0.5}\n" for i in range(9))
    path = csv(f"x,word,y\n{lines}")
    data = read_csv(path, "y", categories=CategorySettings(["word"]), task="regression")
    assert is_mapped(data.x)
    assert [[i, i % 2 == 0, i % 2 == 1] for i in range(9)] == data.x.tolist()


@pytest.mark.parametrize("dtype", ["f4", ">f8", "u1"])
def test_a_large_compressed_array_is_kept_in_a_file(large, tmp_path, monkeypatch, dtype):
    """With the numbers of the archive, block by block."""
    monkeypatch.setattr("nnrun.data.rows._BLOCK", 21)
    path = tmp_path / "rows.npz"
    np.savez_compressed(path, x=X.astype(dtype), y=np.arange(20.0))
    data = read_npz(path)
    assert (True, X.tolist()) == (is_mapped(data.x), data.x.tolist())


def test_damage_of_a_large_compressed_array_is_found(large, tmp_path):
    """By the checksum of the archive."""
    path = tmp_path / "rows.npz"
    np.savez_compressed(path, x=X, y=np.arange(20.0))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 16  # the checksum in the directory
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_npz(path)


# npz files that are mapped, not read.

MAPPED = np.arange(60, dtype=np.float32).reshape(20, 3)


@pytest.fixture
def npz(tmp_path, monkeypatch):
    """Writes a file; arrays of a few bytes are large."""
    monkeypatch.setattr(npz_arrays, "_MAPPED", 16)

    def write(save=np.savez, x=MAPPED):
        path = tmp_path / "rows.npz"
        save(path, x=x, y=np.arange(20.0))
        return path

    return write


@pytest.mark.parametrize("dtype", ["f4", ">f8", "i2", "u1"])
def test_an_uncompressed_array_is_mapped(npz, dtype):
    """With the numbers of the file, wherever in the archive they begin."""
    data = read_npz(npz(x=MAPPED.astype(dtype)))
    assert is_mapped(data.x)
    assert not is_mapped(data.y)
    assert MAPPED.tolist() == data.x.tolist()
    assert MAPPED[[5, 2]].tolist() == RawRows.of(data.x).take(np.array([5, 2])).all().tolist()


@pytest.mark.parametrize("other", ["compressed", "by columns", "small"])
def test_other_arrays_are_read(npz, monkeypatch, other):
    """Compressed ones, those stored by columns, and small ones."""
    save = np.savez_compressed if other == "compressed" else np.savez
    path = npz(save, np.asfortranarray(MAPPED) if other == "by columns" else MAPPED)
    if other == "small":
        monkeypatch.setattr(npz_arrays, "_MAPPED", 1 << 24)
    data = read_npz(path)
    assert not is_mapped(data.x)
    assert MAPPED.tolist() == data.x.tolist()


def test_damage_is_found_before_rows_are_used(npz):
    """By the checksum of the archive, as in arrays that are read."""
    path = npz()
    content = path.read_bytes()
    place = content.index(MAPPED.tobytes())
    path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    with pytest.raises(DataError, match="damaged"):
        read_npz(path)


def test_a_file_that_is_written_to_is_not_read_on(npz):
    """Its rows would be others than those of its digest; a new file of its name does no harm."""
    path = npz()
    data = read_npz(path)
    other = path.with_name("other.npz")
    other.write_bytes(path.read_bytes())
    os.replace(other, path)
    assert MAPPED.tolist() == RawRows.of(data.x).all().tolist()
    again = read_npz(path)
    os.utime(path, (1, 1))
    with pytest.raises(DataError, match=r"rows\.npz: has changed while it was in use"):
        [*RawRows.of(again.x).blocks()]


# Held-out rows beside training rows: categories of their own, and rows that stand in both.

TOWNS = "age,town,shop,price\n1,A,u,10\n2,B,v,20\n3,C,u,30\n4,B,w,40\n5,D,u,50\n6,A,v,60\n"


def part(dataset, *rows):
    """These rows of a data set."""
    return SplitData(RawRows(dataset.parts, np.array(rows)), dataset.y[list(rows)])


@pytest.fixture
def divided(csv):
    """A table whose first two rows are for training, and the same after narrowing."""
    data = read_csv(
        csv(TOWNS), "price", categories=CategorySettings(["town", "shop"]), task="regression"
    )
    split = Split(part(data, 0, 1), part(data, 2, 5), part(data, 3, 4), 2)
    return data, *with_training_categories(data, split)


def test_categories_are_those_of_training_rows(divided):
    """In the set, its layout and the names of its features."""
    data, narrow, split = divided
    assert {"town": ("A", "B"), "shop": ("u", "v")} == dict(narrow.layout.columns.categories)
    names = ("age", "town=A", "town=B", "shop=u", "shop=v")
    assert names == narrow.feature_names == narrow.layout.columns.feature_names
    assert (5,) == narrow.layout.shape == narrow.shape == split.train.raw.shape
    assert [[1, 1, 0, 1, 0], [2, 0, 1, 0, 1]] == split.train.x.tolist()
    assert data is narrow.whole


def test_other_categories_are_none_of_them(divided):
    """0 in all columns of it, and counted by part and column with their names."""
    _, _, split = divided
    assert [[3, 0, 0, 1, 0], [6, 1, 0, 0, 1]] == split.validation.x.tolist()
    assert [[4, 0, 1, 0, 0], [5, 0, 0, 1, 0]] == split.test.x.tolist()
    assert [
        ("validation", "town", 1, ("C",)),
        ("test", "town", 1, ("D",)),
        ("test", "shop", 1, ("w",)),
    ] == [(u.part, u.column, u.rows, u.categories) for u in split.unseen]


def test_nothing_changes_where_training_has_all(csv):
    """The same set and the same split come back."""
    data = read_csv(
        csv(TOWNS), "price", categories=CategorySettings(["town"]), drop=["shop"], task="regression"
    )
    split = Split(part(data, 0, 1, 2, 4), None, part(data, 3, 5), 2)
    assert (data, split) == with_training_categories(data, split)


def test_rows_in_both_are_counted(divided):
    """Features and target alike, whatever categories are left."""
    data, _, _ = divided
    twice = Dataset("twice", "regression", data.x[[0, 1, 0, 1, 4, 1]], data.y[[0, 1, 0, 2, 4, 1]])
    split = Split(part(twice, 0, 1), part(twice, 2), part(twice, 3, 4, 5), 3)
    assert {"validation": 1, "test": 1} == duplicates(twice, split)
    assert {"validation": 0} == duplicates(data, Split(part(data, 0), part(data, 1), None, 0))


def test_own_test_rows_are_compared_too(config):
    """Those that the set itself holds out."""
    x = np.array([[0.0, 1], [2, 3], [4, 5]])
    y = np.array([0, 1, 0])
    data = Dataset(
        "own", "classification", x, y, ("a", "b"), x_test=-x[[0, 0, 1]], y_test=y[[0, 1, 1]]
    )
    assert {"test": 0} == duplicates(data, make_split(data, config(), np.random.default_rng(0)))
    same = Dataset(
        "own", "classification", x, y, ("a", "b"), x_test=x[[0, 0, 1]], y_test=y[[0, 1, 1]]
    )
    assert {"test": 2} == duplicates(same, make_split(same, config(), np.random.default_rng(0)))


@given(
    rows=st.integers(1, 80),
    width=st.integers(1, 9),
    values=st.integers(1, 3),
    kind=st.sampled_from(["u1", "i8", "f8"]),
    seed=st.integers(0, 999),
)
def test_equal_rows_are_those_that_numpy_finds(rows, width, values, kind, seed):
    """The same groups as comparing all numbers, -0.0 being 0.0."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, values, (rows, width)).astype(kind)
    x = x * rng.choice([-1.0, 1.0], x.shape) if kind == "f8" and values == 1 else x
    y = rng.integers(0, 2, rows)
    whole = np.concatenate([x.astype(float) + 0.0, y[:, None]], axis=1)
    found, expected = np.unique(whole, axis=0, return_inverse=True)
    numbers = equal_rows([x], y)
    if numbers is None:
        assert rows == len(found)
        return
    pairs = {*zip(expected.ravel().tolist(), numbers.tolist(), strict=True)}
    assert len(found) == len(pairs) == len(set(numbers.tolist()))


def test_many_rows_of_small_whole_numbers_are_distinguished():
    """Their bits are mostly zeros, which a hash has to mix."""
    grid = np.stack(np.meshgrid(*[np.arange(50.0)] * 3), -1).reshape(-1, 3)
    assert equal_rows([grid], np.zeros(len(grid), np.int64)) is None
    assert equal_rows([grid * 2.0**-20], grid[:, :1]) is None


def test_a_split_without_other_parts_has_no_duplicates():
    """Nothing is compared then."""
    data = Dataset("same", "regression", np.zeros((4, 1)), np.zeros((4, 1)))
    options = DatasetConfig(path="a.npz", test_size=0)
    assert {} == duplicates(data, make_split(data, options, np.random.default_rng(0)))
