"""Built-in data sets: computed ones, those that nnrun ships, and those that are fetched."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import socket
import struct
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import datasets

import nnrun.data
from nnrun.data.builtin import fetched as california
from nnrun.data.builtin import registry as plane
from nnrun.data.builtin.mnist1d import mnist1d
from nnrun.data.builtin.registry import DATASETS, moons
from nnrun.data.dataset import DatasetProblem
from nnrun.data.splits import load_dataset
from nnrun.errors import DataError, NnrunError


def test_they_are_those_of_scikit_learn():
    """Without noise, the same points in the same order, to the six decimals that are kept."""
    from sklearn.datasets import make_moons

    x, y = make_moons(101, shuffle=False)
    ours = moons(101, noise=0.0)
    assert np.abs(x - ours.x).max() <= 5.1e-7
    assert y.tolist() == ours.y.tolist()


def test_the_bits_are_known():
    """The digest on any machine; a run's id depends on it."""
    expected = "291641e183f1832e9c5d1b434b6952532fdbf82d3792186f855c992993b31ad1"
    assert expected == moons().sha256


def test_noise_has_the_size_that_is_asked_for():
    """Its standard deviation, in both coordinates, to three standard errors."""
    rows = 20_000
    noise = moons(rows, noise=0.25).x - moons(rows, noise=0.0).x
    assert 0.25 == pytest.approx(noise.std(), abs=3 * 0.25 / np.sqrt(4 * rows))
    assert 0 == pytest.approx(noise.mean(), abs=3 * 0.25 / np.sqrt(2 * rows))


def test_every_option_makes_other_data(config):
    """Rows, noise and seed come from the config, and each decides what is loaded."""
    options = [{}, {"rows": 999}, {"noise": 0.2}, {"seed": 1}]
    found = [load_dataset(config(name="moons", **option)) for option in options]
    assert 4 == len({dataset.sha256 for dataset in found})
    assert [1000, 999, 1000, 1000] == [len(dataset.x) for dataset in found]
    assert ("outer", "inner") == found[1].classes
    assert [499, 500] == np.bincount(found[1].y).tolist()


def test_more_rows_than_memory_are_refused_at_their_key(config):
    """Before any is made, with both figures."""
    with pytest.raises(DatasetProblem, match=r"dataset\.rows: moons of .* needs .*; .* are free"):
        load_dataset(config(name="moons", rows=10**14))


def test_mnist1d_is_the_published_set():
    """The digest of its authors' file, and some of its numbers as they are; or in another order."""
    ours, moved = mnist1d(), mnist1d(shuffled=True)
    assert "877e4f521351daf927c9d033c16461011e75476089e6f741898a80e86b26cb32" == ours.sha256
    first = [-0.3320056673693902, -0.4719103656557236, -0.778697076293495]
    last = [0.6598756470890784, 0.8777343497528006, 1.193151836835276]
    assert_allclose(ours.x[0, 0, 0, :3], first, rtol=0, atol=1e-15)
    assert_allclose(ours.x_test[-1, 0, 0, -3:], last, rtol=0, atol=1e-15)
    order = np.argsort(ours.x[0, 0, 0])[np.argsort(np.argsort(moved.x[0, 0, 0]))]
    assert_allclose(ours.x[..., order], moved.x, rtol=0, atol=1e-12)
    assert [*range(40)] != order.tolist()


def test_circles_are_those_of_scikit_learn():
    """Without noise, the same points in the same order."""
    from sklearn.datasets import make_circles

    x, y = make_circles(101, shuffle=False, factor=0.3)
    ours = plane.circles(101, noise=0.0, factor=0.3)
    assert np.abs(x - ours.x).max() <= 5.1e-7
    assert y.tolist() == ours.y.tolist()


def test_spirals_wind_around_the_origin():
    """Each arm is the first one turned, and ends at radius 1 after its turns."""
    ours = plane.spirals(302, noise=0.0, arms=3, turns=2.0)
    points = ours.x[:, 0] + 1j * ours.x[:, 1]
    arms = [points[ours.y == arm] for arm in range(3)]
    assert [101, 101, 100] == [len(arm) for arm in arms]
    assert np.abs(arms[1] - arms[0] * np.exp(2j * np.pi / 3)).max() < 2e-6
    assert [1, 1, 1] == pytest.approx([abs(arm[-1]) for arm in arms], abs=2e-6)
    assert 2 == pytest.approx(np.unwrap(np.angle(arms[0]))[-1] / (2 * np.pi), abs=1e-5)


def test_xor_and_checkerboards():
    """Classes by the squares in which the points lie, all over the square."""
    ours = plane.xor(4000)
    assert ((ours.x[:, 0] > 0) != (ours.x[:, 1] > 0)).astype(int).tolist() == ours.y.tolist()
    board = plane.checkerboard(4000, squares=3)
    fields = np.floor((board.x + 1) / 2 * 3).sum(axis=1) % 2
    assert np.mean(fields == board.y) > 0.999  # but for points that rounding moves over a line
    assert -1 <= board.x.min() < -0.99
    assert 0.99 < board.x.max() <= 1


def test_blobs_and_sine():
    """Clouds around their centers, to three standard errors; a curve with its noise."""
    ours = plane.blobs(9001, noise=0.2, centers=4)
    assert [2251, 2250, 2250, 2250] == np.bincount(ours.y).tolist()
    means = [ours.x[ours.y == k].mean(axis=0) for k in range(4)]
    expected = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    assert np.abs(np.array(means) - expected).max() < 4 * 0.2 / np.sqrt(2250)
    curve = plane.sine(2001, noise=0.0)
    assert np.abs(np.sin(curve.x) - curve.y).max() < 2e-6
    assert ("regression", (2001, 1), (2001, 1)) == (curve.task, curve.x.shape, curve.y.shape)


@pytest.mark.parametrize("name", ["circles", "spirals", "xor", "checkerboard", "blobs", "sine"])
def test_seeds_and_noise(name: str):
    """The same options give the same bits, another seed or noise others."""
    make = getattr(plane, name)
    found = [make(50).sha256, make(50, seed=1, noise=0.1).sha256, make(50, noise=0.1).sha256]
    assert make(50).sha256 == found[0]
    assert found[1] != found[2]


# The data sets that need no network hold what their papers and their loaders say.

FILES = Path(nnrun.data.__file__).parent / "builtin" / "files"
LOCAL = [name for name, entry in DATASETS.items() if entry.source.startswith(("ships", "computed"))]


def test_boston_is_the_set_of_harrison_and_rubinfeld(config):
    """Mean, spread, the cap at 50 and the least squares fit are the published ones."""
    boston = load_dataset(config(name="boston"))
    prices = boston.y[:, 0]
    assert (506, 13) == boston.x.shape
    assert "CRIM ZN INDUS CHAS NOX RM AGE DIS RAD TAX PTRATIO B LSTAT" == " ".join(
        boston.feature_names
    )
    assert ("MEDV",) == boston.target_names
    assert 22.5328 == pytest.approx(prices.mean(), abs=5e-5)
    assert 9.1971 == pytest.approx(prices.std(ddof=1), abs=5e-5)
    assert 16 == (prices == 50).sum()
    design = np.column_stack([boston.x, np.ones(506)])
    residual = prices - design @ np.linalg.lstsq(design, prices, rcond=None)[0]
    assert 0.740643 == pytest.approx(1 - residual.var() / prices.var(), abs=5e-7)


def test_boston_says_what_is_wrong_with_it(config):
    """The note names feature B and the data sets to prefer."""
    note = load_dataset(config(name="boston")).note
    assert "Black residents" in note
    assert all(better in note for better in ("autompg", "diabetes", "california"))


@pytest.mark.parametrize(
    ("name", "file", "sha256"),
    [
        (
            "boston",
            "boston.csv",
            "79ac716620024011b03c0c44d2bf99069b8173649181926d9109c25475a3804c",
        ),
        (
            "autompg",
            "autompg.csv",
            "86327b5ff5b8b32a227e3f0c5454e02043c4c53b60b6c604a14e07f95a2bba2c",
        ),
        (
            "mnist_5k",
            "mnist_5k.npz",
            "e8c1f74d90bf751ff78fa43f8d05e5167fc3f366ea927d02c69925cd6fdffd93",
        ),
    ],
)
def test_digest_is_that_of_the_shipped_file(config, name, file, sha256):
    """sha256sum, the data set and the notes beside the file agree."""
    assert sha256 == hashlib.sha256((FILES / file).read_bytes()).hexdigest()
    assert sha256 == load_dataset(config(name=name)).sha256
    assert sha256 in (FILES / "NOTES.md").read_text(encoding="utf-8")


def test_autompg_has_392_cars(config):
    """The copy without missing horsepower, first and last car as they are in the file."""
    cars = load_dataset(config(name="autompg"))
    assert [8, 307, 130, 3504, 12, 70, 1] == cars.x[0].tolist()
    assert 18 == cars.y[0, 0]
    assert (392, 7) == cars.x.shape
    assert 23.4459 == pytest.approx(cars.y.mean(), abs=5e-5)


def test_the_notes_have_the_digest_of_every_file():
    """A copy of a file can be compared with the original."""
    notes = (FILES / "NOTES.md").read_text(encoding="utf-8")
    files = {path for path in FILES.iterdir() if path.suffix in (".csv", ".npz")}
    assert 8 == len(files)
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"| `{path.name}` |" in notes
        assert digest in notes


def test_mnist_5k_has_400_and_100_of_each_digit(config):
    """Bytes, one channel, its own test split and equal classes in both parts."""
    mnist = load_dataset(config(name="mnist_5k"))
    assert (4000, 1, 28, 28) == mnist.x.shape
    assert np.uint8 == mnist.x.dtype
    assert [400] * 10 == np.bincount(mnist.y).tolist()
    assert [100] * 10 == np.bincount(mnist.y_test).tolist()
    assert tuple("0123456789") == mnist.classes
    assert (0, 255) == (mnist.x.min(), mnist.x.max())


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_values_and_names_are_scikit_learns(config, name):
    """Those of its loaders; they scale diabetes anew, so that last bits may differ."""
    ours, theirs = load_dataset(config(name=name)), getattr(datasets, f"load_{name}")()
    assert_allclose(
        ours.x.reshape(theirs.data.shape), theirs.data, rtol=1e-12 * (name == "diabetes")
    )
    assert np.array_equal(ours.y.ravel(), theirs.target)
    assert ours.classes == tuple(map(str, getattr(theirs, "target_names", ())))
    if name != "digits":
        assert ours.feature_names == tuple(theirs.feature_names)


def test_digits_are_images_in_the_order_of_their_pixels(config):
    """Pixel 2_3 of the names is row 2, column 3 of the image, as scikit-learn has it."""
    digits, table = load_dataset(config(name="digits")), datasets.load_digits()
    column = digits.feature_names.index("pixel_2_3")
    assert np.array_equal(table.data[:, column], digits.x[:, 0, 2, 3])


def test_classes_and_features_have_scikit_learns_names(config):
    """Class number 2 of iris is virginica, and the columns are named in centimetres."""
    iris = load_dataset(config(name="iris"))
    assert ("setosa", "versicolor", "virginica") == iris.classes
    assert "petal width (cm)" == iris.feature_names[3]
    assert [5.9, 3.0, 5.1, 1.8] == iris.x[149].tolist()
    assert 2 == iris.y[149]


@pytest.mark.parametrize("name", LOCAL)
def test_the_table_tells_the_truth(config, name):
    """What `nnrun datasets` lists without loading is what loading gives."""
    entry, dataset = DATASETS[name], load_dataset(config(name=name))
    tests = 0 if dataset.x_test is None else len(dataset.x_test)
    assert entry.task == dataset.task
    assert entry.shape == dataset.shape
    assert (entry.rows, entry.test_rows) == (len(dataset.x) + tests, tests)
    assert entry.classes == len(dataset.classes)
    assert (name, entry.description, entry.note) == (
        dataset.name,
        dataset.description,
        dataset.note,
    )
    assert np.prod(entry.shape) == len(dataset.feature_names) == len(set(dataset.feature_names))
    assert dataset.outputs == (entry.classes or dataset.y.shape[1])


def test_shipped_sets_load_without_scikit_learn():
    """To import scikit-learn takes longer than most runs on these."""
    script = (
        "import sys; from types import SimpleNamespace as N\n"
        "from nnrun.data.splits import load_dataset\n"
        f"for name in {[*LOCAL]}:\n"
        "    load_dataset(N(name=name, path=None, task=None, target='none', stratify=False,\n"
        "        split=N(by='random', column=None), arguments=dict))\n"
        "sys.exit('sklearn' in sys.modules)"
    )
    folder = Path(nnrun.data.__file__).parents[2]
    assert 0 == subprocess.run([sys.executable, "-c", script], cwd=folder, check=False).returncode


# Sets that are fetched: from an archive, from OpenML, or from MNIST's IDX files.

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
