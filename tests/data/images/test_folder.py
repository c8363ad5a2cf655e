"""Folders of images as data sets: classes, order, splits, what is skipped and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nnrun.data.dataset import DatasetProblem
from nnrun.data.images import read_images
from nnrun.errors import DataError

PETS = ("dog/b.png", "cat/2.png", "cat/1.png", "dog/a.png")


def read(root, size=None, mode="gray"):
    return read_images(SimpleNamespace(folder=str(root), size=size, mode=mode))


def test_sub_folders_are_classes(folder):
    """Rows are in the order of classes and names, as bytes; every row has its file."""
    found = read(folder(*PETS))
    assert ("pets", "classification", ("cat", "dog")) == (found.name, found.task, found.classes)
    assert ("cat/1.png", "cat/2.png", "dog/a.png", "dog/b.png") == found.files
    assert [2, 1, 3, 0] == found.x[:, 0, 0, 0].tolist()
    assert [0, 0, 1, 1] == found.y.tolist()
    assert (np.uint8, (4, 1, 4, 6)) == (found.x.dtype, found.x.shape)
    assert (None, True, "") == (found.x_test, found.layout.from_images, found.note)
    assert (3, 8, 5) == read(folder(), (8, 5), "rgb").shape
    assert (1, 5, 5) == read(folder(), 5).shape


def test_numbers_are_in_their_order(folder):
    """Folders 2 and 10 are the classes 2 and 10, as in a table."""
    found = read(folder("10/a.png", "2/a.png", "9/a.png"))
    assert ("2", "9", "10") == found.classes
    assert [2, 0, 1] == found.y.tolist()
    assert found.layout.numeric_labels


def test_train_and_test_are_splits(folder):
    """Each has the classes; the test rows come last, and are the set's own test split."""
    found = read(folder("train/cat/1.png", "train/dog/1.png", "test/dog/2.png"))
    assert ([0, 1], [1]) == (found.y.tolist(), found.y_test.tolist())
    assert [2] == found.x_test[:, 0, 0, 0].tolist()
    assert ("train/cat/1.png", "train/dog/1.png", "test/dog/2.png") == found.files


def test_classes_may_be_called_train_and_test(folder):
    """They hold images, and no folders."""
    assert ("test", "train") == read(folder("train/1.png", "test/1.png")).classes


def test_the_digest_is_over_what_is_trained_on(folder):
    """The same pixels under other names are the same data; another pixel, class or size is not."""
    root = folder(*PETS)
    plain = read(root).sha256
    (root / "cat/1.png").rename(root / "cat/0.png")
    assert plain == read(root).sha256
    (root / "dog").rename(root / "hen")
    renamed = read(root).sha256
    (root / "hen/a.png").write_bytes((root / "cat/0.png").read_bytes())
    assert 4 == len({plain, renamed, read(root).sha256, read(root, 3).sha256})


def test_what_is_skipped_is_counted(folder):
    """Hidden files, files that are no images by their names, and folders within classes."""
    root = folder(*PETS, "cat/deep/1.png", ".git/a.png")
    (root / "cat/.DS_Store").touch()
    for name in ("notes.txt", "cat/Thumbs.db", "dog/a.TXT", "dog/LICENSE"):
        (root / name).touch()
    note = "files that are no images (1 .db, 2 .txt, 1 without ending); 2 hidden; 1 folder within"
    assert f"Not read: {note} those of classes." == read(root).note


def test_equal_images_are_counted(folder):
    """All that are there again, and those with another class, which no network can tell apart."""
    root = folder(*PETS)
    for copy in ("cat/3.png", "cat/4.png", "dog/c.png"):
        (root / copy).write_bytes((root / "cat/1.png").read_bytes())
    found = read(root)
    assert "Equal to others: 3 images, 1 of another class." == found.note


def test_links_stay_in_the_folder(folder, tmp_path):
    """A link to an image of the folder is one; a file of elsewhere or a linked class is refused."""
    root = folder(*PETS)
    (root / "dog/same.png").symlink_to("../cat/1.png")
    assert 5 == len(read(root).y)
    outside = tmp_path / "secret.png"
    (root / "cat/1.png").rename(outside)
    (root / "cat/1.png").symlink_to(outside)
    with pytest.raises(DataError, match=r"cat/1.png: is a link out of "):
        read(root)
    (root / "cat/1.png").unlink()
    (root / "hen").symlink_to(tmp_path)
    with pytest.raises(DataError, match="hen: is a link to a folder; put the folder itself there"):
        read(root)


def test_broken_files_are_named_together(folder):
    """With the folder's path, in the order of rows."""
    root = folder(*PETS)
    for name in ("cat/1.png", "dog/a.png"):
        (root / name).write_bytes(b"GIF89a")
    with pytest.raises(DataError) as caught:
        read(root)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{root}/cat/1.png: cannot be read: ")
    assert second.startswith(f"{root}/dog/a.png: cannot be read: ")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), r"pets does not exist"),
        (("1.png", "2.png"), r"has no sub-folders; .*, and its 2 images are in none"),
        ((*PETS, "3.png"), r"pets/3.png is in no sub-folder"),
        (("cat/1.png", "cat/2.png"), "has one class only, 'cat'"),
        (("cat/1.png", "dog/deep/1.png"), r"pets/dog: has no images"),
        (("train/cat/1.png", "train/dog/1.png", "test/hen/1.png"), r"hen: is no class of .*train"),
        (("train/cat/1.png", "test/cat/1.png", "val/cat/1.png"), r"val: .* validation_size takes"),
        (("train/cat/1.png", "test/cat/1.png", "more/cat/1.png"), r"more: stands beside train"),
    ],
)
def test_other_folders_are_refused(folder, names, message):
    """The message says where, and what a folder of images looks like."""
    with pytest.raises(DataError, match=message):
        read(folder(*names))


def test_images_of_several_sizes_need_one(folder):
    """The first two that differ are named, and what to do."""
    root = folder(*PETS)
    folder("cat/3.png", size=(5, 6))
    message = r"3.png has 5×6 pixels, and .*1.png 4×6; `size`, such as 32, makes all of one size"
    with pytest.raises(DatasetProblem, match=message):
        read(root)
