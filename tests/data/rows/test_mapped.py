"""npz files that are mapped, not read."""

from __future__ import annotations

import os

import numpy as np
import pytest

from nnrun.data.readers import npz as npz_arrays
from nnrun.data.readers.npz import read_npz
from nnrun.data.rows import RawRows, is_mapped
from nnrun.errors import DataError

X = np.arange(60, dtype=np.float32).reshape(20, 3)


@pytest.fixture
def npz(tmp_path, monkeypatch):
    """Writes a file; arrays of a few bytes are large."""
    monkeypatch.setattr(npz_arrays, "_MAPPED", 16)

    def write(save=np.savez, x=X):
        path = tmp_path / "rows.npz"
        save(path, x=x, y=np.arange(20.0))
        return path

    return write


@pytest.mark.parametrize("dtype", ["f4", ">f8", "i2", "u1"])
def test_an_uncompressed_array_is_mapped(npz, dtype):
    """With the numbers of the file, wherever in the archive they begin."""
    data = read_npz(npz(x=X.astype(dtype)))
    assert is_mapped(data.x)
    assert not is_mapped(data.y)
    assert X.tolist() == data.x.tolist()
    assert X[[5, 2]].tolist() == RawRows.of(data.x).take(np.array([5, 2])).all().tolist()


@pytest.mark.parametrize("other", ["compressed", "by columns", "small"])
def test_other_arrays_are_read(npz, monkeypatch, other):
    """Compressed ones, those stored by columns, and small ones."""
    save = np.savez_compressed if other == "compressed" else np.savez
    path = npz(save, np.asfortranarray(X) if other == "by columns" else X)
    if other == "small":
        monkeypatch.setattr(npz_arrays, "_MAPPED", 1 << 24)
    data = read_npz(path)
    assert not is_mapped(data.x)
    assert X.tolist() == data.x.tolist()


def test_damage_is_found_before_rows_are_used(npz):
    """By the checksum of the archive, as in arrays that are read."""
    path = npz()
    content = path.read_bytes()
    place = content.index(X.tobytes())
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
    assert X.tolist() == RawRows.of(data.x).all().tolist()
    again = read_npz(path)
    os.utime(path, (1, 1))
    with pytest.raises(DataError, match=r"rows\.npz: has changed while it was in use"):
        [*RawRows.of(again.x).blocks()]
