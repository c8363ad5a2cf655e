"""The data sets that need no network hold what their papers and their loaders say."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import datasets

import nnrun.data
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.splits import load_dataset

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


@pytest.mark.parametrize("name", LOCAL)
def test_loading_twice_gives_the_same_digest(config, name):
    """A run's id depends on the digest, so it must not depend on when the set was loaded."""
    first, second = load_dataset(config(name=name)), load_dataset(config(name=name))
    assert first.sha256 == second.sha256
    assert 64 == len(first.sha256)


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
