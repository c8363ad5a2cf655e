"""Data sets that are fetched: from an archive, from OpenML, or from MNIST's IDX files."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import socket
import struct
import tarfile
from types import SimpleNamespace
from urllib.error import URLError

import joblib
import numpy as np
import pytest

from nnrun.data.builtin import fetched as california
from nnrun.data.builtin.fetched import read_idx
from nnrun.data.dataset import DatasetProblem
from nnrun.data.splits import load_dataset
from nnrun.errors import DataError, NnrunError

ROWS = """-122.23,37.88,41.0,880.0,129.0,322.0,126.0,8.3252,452600.0
-122.22,37.86,21.0,7099.0,1106.0,2401.0,1138.0,8.3014,358500.0
"""


def archive(text: str) -> bytes:
    """The bytes of an archive like the original."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        member = tarfile.TarInfo(california.MEMBER)
        member.size = len(text)
        file.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """scikit-learn's folder; the network serves nothing, and the archive is the small one."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    content = archive(ROWS)
    monkeypatch.setattr(california, "SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    (tmp_path / "cal_housing.tgz").write_bytes(content)
    return tmp_path


def refuse(*_arguments, **_keywords):
    raise URLError("Name or service not known")


class Trap:
    """What writes a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_numbers_are_those_of_scikit_learn(config, home):
    """Bit for bit, with its names in its order."""
    data = load_dataset(config(name="california"))
    table = np.loadtxt(io.StringIO(ROWS), delimiter=",")[:, [8, 7, 2, 3, 4, 5, 6, 1, 0]]
    joblib.dump(table, home / "cal_housing_py3.pkz", compress=6)
    from sklearn.datasets import fetch_california_housing

    expected = fetch_california_housing()
    assert np.array_equal(expected.data, data.x)
    assert np.array_equal(expected.target[:, None], data.y)
    assert tuple(expected.feature_names) == data.feature_names
    assert tuple(expected.target_names) == data.target_names


@pytest.mark.parametrize("name", ["cal_housing_py3.pkz", "cal_housing.pkz", "cal_housing.tgz"])
def test_a_planted_pickle_does_not_run(config, home, tmp_path, name):
    """Whatever stands in scikit-learn's folder, under which name ever."""
    (home / "cal_housing.tgz").unlink()
    (home / name).write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(NnrunError, match=r"not known>\); fetch https.* and put it here as"):
        load_dataset(config(name="california"))
    assert not (tmp_path / "ran").exists()


def test_an_archive_is_fetched_once(config, home, monkeypatch):
    """What has the right digest is kept, and then no network is asked."""
    content = (home / "cal_housing.tgz").read_bytes()
    (home / "cal_housing.tgz").unlink()
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *_a, **_k: io.BytesIO(content))
    fetched = load_dataset(config(name="california"))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    assert fetched.sha256 == load_dataset(config(name="california")).sha256


def test_what_is_not_the_archive_is_refused(config, home, monkeypatch):
    """As from a proxy that answers everything with a page of its own; nothing is kept."""
    (home / "cal_housing.tgz").write_bytes(archive("1,2,3"))
    page = b"<html>log in</html>"
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *_a, **_k: io.BytesIO(page))
    with pytest.raises(NnrunError, match="gave something else than the data set"):
        load_dataset(config(name="california"))
    assert archive("1,2,3") == (home / "cal_housing.tgz").read_bytes()


# Data sets that have to be fetched: what is made of them, and what is said without a network.


def offline(*_args, **_kwargs):
    """What scikit-learn raises without a network."""
    raise URLError("Name or service not known")


@pytest.mark.parametrize(
    ("name", "advice"),
    [("mnist", "give `path:`"), ("fashion_mnist", "give `path:`"), ("california", "fetch https")],
)
def test_without_a_network_the_error_says_what_to_do(config, monkeypatch, tmp_path, name, advice):
    """scikit-learn's real functions, an empty cache and no network: exit code 1 and an advice."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", offline)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with pytest.raises(NnrunError, match=f"not known.*{advice}") as error:
        load_dataset(config(name=name))
    assert 1 == error.value.exit_code
    assert not isinstance(error.value, DataError)


def test_waiting_for_the_network_is_bounded(config, monkeypatch, tmp_path):
    """Sockets time out while a set is fetched, and only then."""
    seen = []
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(7.0)

    def fetch(*_arguments, **_kwargs):
        seen.append(socket.getdefaulttimeout())
        raise TimeoutError("timed out")

    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", fetch)
    try:
        with pytest.raises(NnrunError, match="timed out"):
            load_dataset(config(name="california"))
        assert [20.0] == seen
        assert 7.0 == socket.getdefaulttimeout()
    finally:
        socket.setdefaulttimeout(before)


def test_openmls_table_becomes_images_with_mnists_split(config, monkeypatch):
    """The first 60,000 of OpenML's rows are the training set, labels are text there."""
    x = np.zeros((60002, 784))
    x[60001, 30] = 255
    y = np.array(["7"] * 60000 + ["3", "1"])
    monkeypatch.setattr(
        "sklearn.datasets.fetch_openml", lambda *_a, **_k: SimpleNamespace(data=x, target=y)
    )
    data = load_dataset(config(name="mnist"))
    assert (60000, 1, 28, 28) == data.x.shape
    assert 255 == data.x_test[1, 0, 1, 2]
    assert [3, 1] == data.y_test.tolist()


# IDX files: MNIST's format, read strictly.


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
