"""npz files: shapes, tasks, and archives that are not to be trusted."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from nnrun.data.dataset import DatasetProblem
from nnrun.data.layout import Layout
from nnrun.data.readers.npz import read_npz
from nnrun.errors import DataError
from tests.data.tables import load_features


@pytest.fixture
def npz(tmp_path):
    """A maker of npz files from arrays."""

    def write(**arrays):
        np.savez_compressed(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return write


def test_vectors_and_float_targets_are_a_regression(npz):
    """y of one dimension becomes one output; x keeps its kind of numbers."""
    data = read_npz(npz(x=np.array([[1, 2], [3, 4]], np.float32), y=np.array([0.5, 1.5])))
    assert "regression" == data.task
    assert [[1, 2], [3, 4]] == data.x.tolist()
    assert np.float32 == data.x.dtype
    assert [[0.5], [1.5]] == data.y.tolist()


def test_integer_labels_are_classes_and_keep_their_values_as_names(npz):
    """Labels 3 and 10 are class numbers 0 and 1, in numerical order, in both splits."""
    x = np.eye(4)
    data = read_npz(npz(x=x, y=[10, 3, 10, 3], x_test=x[:2], y_test=[3, 7]))
    assert ("3", "7", "10") == data.classes
    assert [2, 0, 2, 0] == data.y.tolist()
    assert [0, 1] == data.y_test.tolist()


def test_text_labels_are_classes(npz):
    """Strings need no encoding by hand."""
    data = read_npz(npz(x=np.eye(3), y=np.array(["b", "a", "b"])))
    assert ("a", "b") == data.classes
    assert [1, 0, 1] == data.y.tolist()


def test_text_labels_stay_what_they_are(npz):
    """'7', '007' and '7.0' are three labels, in the order of texts."""
    data = read_npz(npz(x=np.eye(4), y=np.array(["7", "007", "7.0", "10"])))
    assert ("007", "10", "7", "7.0") == data.classes
    assert [2, 0, 3, 1] == data.y.tolist()
    assert data.text_labels
    assert not read_npz(npz(x=np.eye(2), y=[7, 10])).text_labels


def test_labels_of_bool_are_known_as_such(npz):
    """What stands beside numbers, or is text, is none."""
    x, y = np.eye(2), np.array([True, False])
    data = read_npz(npz(x=x, y=y, x_test=x, y_test=y))
    assert (("False", "True"), True) == (data.classes, data.bool_labels)
    assert Layout.from_dict(data.layout.to_dict()).bool_labels
    assert not read_npz(npz(x=x, y=y, x_test=x, y_test=[0, 1])).bool_labels
    assert not read_npz(npz(x=x, y=y.astype(str))).bool_labels
    assert not read_npz(npz(x=x, y=y), task="regression").bool_labels


def test_task_overrides_what_the_type_suggests(npz):
    """Integer targets can be values, whole floats can be labels."""
    values = read_npz(npz(x=np.eye(2), y=[3, 5]), task="regression")
    assert [[3], [5]] == values.y.tolist()
    labels = read_npz(npz(x=np.eye(2), y=[[1.0], [2.0]]), task="classification")
    assert ("1", "2") == labels.classes


def test_two_dimensional_targets_are_several_outputs(npz):
    """Every column of y is an output of its own."""
    data = read_npz(npz(x=np.eye(2), y=[[1, 2, 3], [4, 5, 6]]))
    assert (2, 3) == data.y.shape
    assert ("y0", "y1", "y2") == data.target_names
    assert 3 == data.outputs


def test_images_get_one_channel_and_stay_bytes(npz):
    """(rows, height, width) uint8 is (rows, 1, height, width) uint8."""
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    data = read_npz(npz(x=pixels, y=[0, 1]))
    assert np.uint8 == data.x.dtype
    assert np.array_equal(pixels, data.x[:, 0])
    assert "pixel_1_2" == data.feature_names[6]


def test_new_rows_need_the_shape_of_training(npz):
    """Prediction takes x alone, in the same shape."""
    layout = read_npz(npz(x=np.zeros((2, 3, 4, 4)), y=[0, 1])).layout
    assert (5, 3, 4, 4) == load_features(npz(x=np.ones((5, 3, 4, 4))), layout).shape
    with pytest.raises(DataError, match=r"rows of shape \(3, 4, 5\) where \(3, 4, 4\) are needed"):
        load_features(npz(x=np.ones((5, 3, 4, 5))), layout)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((28, 28, 1), (1, 28, 28)),
        ((8, 10, 3), (3, 8, 10)),
        ((120, 160, 4), (4, 120, 160)),
        ((3, 10, 10), (3, 10, 10)),
        ((3, 32, 3), (3, 32, 3)),  # both ends could be channels
        ((7, 8, 3), (7, 8, 3)),  # too small for an image
        ((16, 8, 2), (16, 8, 2)),
    ],
)
def test_channels_are_found_by_the_shape(npz, shape, expected):
    """First, unless the last axis alone can count channels; no pixel changes its place."""
    x = np.arange(2.0 * np.prod(shape)).reshape(2, *shape)
    file = npz(x=x, y=[0, 1], x_test=x[1:], y_test=[1])
    found = read_npz(file)
    assert expected == found.shape == found.x_test.shape[1:]
    turned = x.transpose(0, 3, 1, 2) if expected != shape else x
    np.testing.assert_array_equal(turned, found.x)
    np.testing.assert_array_equal(turned, found.layout.arranged(x))
    np.testing.assert_array_equal(turned, load_features(npz(x=x), found.layout))


def test_channels_are_where_the_config_says(npz):
    """`channels` decides for shapes that could be either."""
    x = np.arange(54.0).reshape(2, 3, 3, 3)
    file = npz(x=x, y=[0, 1])
    np.testing.assert_array_equal(x, read_npz(file).x)
    np.testing.assert_array_equal(x, read_npz(file, channels="first").x)
    np.testing.assert_array_equal(x.transpose(0, 3, 1, 2), read_npz(file, channels="last").x)


def test_one_hot_labels_are_explained(npz):
    """Classes are one label per row; the message says how to get there."""
    with pytest.raises(DatasetProblem, match="argmax"):
        read_npz(npz(x=np.eye(2), y=np.eye(2)), task="classification")


class Bomb:
    """Unpickling this would call a function."""

    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize("name", ["x", "y"])
def test_nothing_is_unpickled(npz, name):
    """An object array is refused before its content is looked at."""
    arrays = {"x": np.eye(2), "y": np.array([0, 1])}
    bombs = np.empty(2, dtype=object)
    bombs[:] = [Bomb(), Bomb()]
    assert b"it was unpickled" in pickle.dumps(bombs)
    with pytest.raises(DataError, match=f"{name}: holds Python objects"):
        read_npz(npz(**{**arrays, name: bombs}))


def archive(path, **members):
    """An npz file whose members are these bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def header(shape, dtype="<f8"):
    """The beginning of an npy file of that shape."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def test_an_archive_without_x_and_y_lists_what_it_has(npz):
    """Names that other tools give, and how to give those that are needed."""
    with pytest.raises(DataError) as error:
        read_npz(npz(images=np.zeros((2, 2)), labels=np.arange(2)))
    assert str(error.value).endswith(
        "has no array x and no y; its arrays are images, labels: np.savez(file, x=…, y=…) "
        "names them"
    )


def test_memory_is_that_of_the_arrays(npz, monkeypatch):
    """A bool takes a byte in the file, and in memory."""
    monkeypatch.setattr("nnrun.data.rows.available_memory", lambda: 500_000)
    path = npz(x=np.zeros((1000, 1000), dtype=bool), y=np.arange(1000) % 2)
    with pytest.raises(DataError, match=r"needs 1.0 MB of memory; 0.5 MB are free"):
        read_npz(path)


def test_a_size_that_memory_does_not_hold_is_refused(npz, monkeypatch):
    """An honest header is refused too when the machine has no room, with both figures."""
    monkeypatch.setattr("nnrun.data.rows.available_memory", lambda: 1_000_000)
    with pytest.raises(DataError, match=r"needs 8.0 MB of memory; 1.0 MB are free"):
        read_npz(npz(x=np.zeros((1000, 1000)), y=np.arange(1000) % 2))


@pytest.mark.parametrize(
    "content", [b"", b"no zip", header((2, 2)) + bytes(32), b"PK\x03\x04" + bytes(40)]
)
def test_files_that_are_no_archive(tmp_path, content):
    """Whatever the bytes, the error is a DataError with the path."""
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"set.npz: is damaged or no npz file"):
        read_npz(path)


def test_a_directory_that_points_before_the_file(npz):
    """Reading there fails like a disk would, but the file is what is wrong."""
    path = npz(x=np.eye(2), y=[0, 1])
    content = bytearray(path.read_bytes())
    content[-6:-2] = struct.pack("<I", len(content))
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="is damaged"):
        read_npz(path)


def test_a_flipped_byte_is_noticed(npz):
    """The archive's checksum guards the numbers."""
    path = npz(x=np.random.default_rng(0).random((50, 4)), y=np.arange(50) % 2)
    content = bytearray(path.read_bytes())
    content[800] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="is damaged"):
        read_npz(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("double", ["x.npy", "x", "z.npy"])
def test_two_entries_of_one_name_are_refused(npz, double):
    """Readers differ in which of them counts, so that neither does."""
    path = npz(x=np.eye(2), y=[0, 1], z=np.eye(2))
    content = io.BytesIO()
    np.save(content, np.ones((2, 2)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(double, content.getvalue())
    name = double.removesuffix(".npy")
    with pytest.raises(DataError) as error:
        read_npz(path)
    says = "the archive has 2 entries of this name; save the arrays again"
    assert f"{path}: {name}: {says}" == str(error.value)
