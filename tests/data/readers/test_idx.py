"""IDX files: MNIST's format, read strictly."""

from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest

from nnrun.data.builtin.fetched import read_idx
from nnrun.data.dataset import DatasetProblem
from nnrun.data.splits import load_dataset
from nnrun.errors import DataError


def idx(array, kind=0x08):
    """The bytes of an IDX file."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    """MNIST's four files with 6 and 3 images of 4×5 random pixels."""
    rng = np.random.default_rng(3)
    for prefix, count in (("train", 6), ("t10k", 3)):
        images = rng.integers(0, 256, (count, 4, 5), dtype=np.uint8)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        labels = np.arange(count, dtype=np.uint8)
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_pixels_and_labels_arrive_unchanged(folder, config):
    """Row-major images, one channel, bytes; labels as class numbers; t10k is the test split."""
    data = load_dataset(config(name="mnist", path=str(folder)))
    raw = (folder / "train-images-idx3-ubyte").read_bytes()[16:]
    assert (6, 1, 4, 5) == data.x.shape
    assert raw == data.x.tobytes()
    assert np.uint8 == data.x.dtype
    assert [0, 1, 2, 3, 4, 5] == data.y.tolist()
    assert [0, 1, 2] == data.y_test.tolist()
    assert tuple("0123456789") == data.classes


def test_fashion_mnist_names_its_classes(folder, config):
    """Class 9 is an ankle boot."""
    data = load_dataset(config(name="fashion_mnist", path=str(folder)))
    assert ("T-shirt/top", "Ankle boot") == (data.classes[0], data.classes[9])
    assert "fashion_mnist" == data.name


def test_digest_is_over_the_digests_of_the_four_files(folder, config):
    """It can be computed again with sha256sum."""
    names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    data = load_dataset(config(name="mnist", path=str(folder)))
    assert hashlib.sha256("".join(digests).encode()).hexdigest() == data.sha256


def test_gzip_and_dotted_names_are_the_same_data(folder, config):
    """Gzipped files under either spelling hold what the plain files hold."""
    plain = load_dataset(config(name="mnist", path=str(folder)))
    for file in list(folder.iterdir()):
        packed = folder / (file.name.replace("-idx", ".idx") + ".gz")
        packed.write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    packed = load_dataset(config(name="mnist", path=str(folder)))
    assert np.array_equal(plain.x, packed.x)
    assert np.array_equal(plain.y_test, packed.y_test)


def test_missing_files_are_named(folder, config):
    """The error lists the names that were looked for, at the key `path`."""
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DatasetProblem, match=r"none of t10k-labels-idx1-ubyte,.*\.gz") as error:
        load_dataset(config(name="mnist", path=str(folder)))
    assert ("dataset", "path") == error.value.key
    with pytest.raises(DatasetProblem, match="does not exist"):
        load_dataset(config(name="mnist", path=str(folder / "none")))


GOOD = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with 0x; an IDX file of images starts with 0x00000803"),
        (b"\x89PNG\r\n", "starts with 0x89504e47; an IDX file of images"),
        (idx(GOOD, kind=0x0D), "starts with 0x00000d03; an IDX file of images"),
        (idx(GOOD[0]), "starts with 0x00000802; an IDX file of images"),
        (idx(GOOD)[:9], "ends within its header"),
        (idx(GOOD)[:-1], r"shape \(3, 2, 2\), 12 bytes, and has only 11"),
        (idx(GOOD) + b"\0", r"shape \(3, 2, 2\), 12 bytes, and has more"),
        (idx(GOOD[:0]), "is empty"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "of memory"),
        (gzip.compress(idx(GOOD), mtime=0)[:-9], "is a damaged gzip file"),
        (b"\x1f\x8b" + bytes(30), "is a damaged gzip file"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    """Magic number, dimensions and length are checked before anything is allocated."""
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path, 3)


def test_labels_have_to_fit_the_images(folder, config):
    """As many labels as images, and none beyond the last class."""
    labels = folder / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(np.arange(5, dtype=np.uint8)))
    with pytest.raises(DataError, match="has 5 labels for 6 images"):
        load_dataset(config(name="mnist", path=str(folder)))
    labels.write_bytes(idx(np.array([0, 1, 10, 3, 4, 5], np.uint8)))
    with pytest.raises(DataError, match="label 2 is 10; there are 10 classes"):
        load_dataset(config(name="mnist", path=str(folder)))


def test_test_images_have_the_size_of_the_training_images(folder, config):
    """One network has to read both."""
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(GOOD))
    with pytest.raises(DataError, match=r"images of \(2, 2\) where the training images have"):
        load_dataset(config(name="mnist", path=str(folder)))
