"""Arrays that are made block by block, in memory or in a file without a name."""

from __future__ import annotations

import os
import tempfile
from collections import namedtuple

import numpy as np
import pytest

from nnrun.data import rows as kept_module
from nnrun.data.readers import npz as npz_arrays
from nnrun.data.readers.npz import read_npz
from nnrun.data.rows import is_mapped, kept
from nnrun.errors import DataError
from tests.data.tables import CategorySettings, read_csv

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
    for module in (kept_module, npz_arrays):
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
    monkeypatch.setattr(kept_module.shutil, "disk_usage", lambda _: Usage(free))
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
