"""Files of images as arrays, and folders of them as data sets."""

from __future__ import annotations

import io
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from nnrun.data import images as decode
from nnrun.data.dataset import DatasetProblem
from nnrun.data.images import FORMATS, is_image, read_image, read_images
from nnrun.errors import DataError, UsageError


def image_at(path: Path, value: int | None = None, size: tuple[int, int] = (4, 6)) -> None:
    """A grey image of one value, or of noise that its name decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([*path.name.encode()])
    pixels = rng.integers(256, size=size) if value is None else np.full(size, value)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Makes images at these places of a new folder."""

    def make(*names: str, size: tuple[int, int] = (4, 6)) -> Path:
        root = tmp_path / "pets"
        for number, name in enumerate(names):
            image_at(root / name, number, size)
        return root

    return make


# Files of images as arrays: kinds of pixels, formats, sizes, and what is refused.

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(256, size=(4, 6, 3), dtype=np.uint8)
GREY = COLOURS[:, :, 0]


@pytest.fixture
def save(tmp_path):
    """Saves an array or image, and returns the file."""

    def write(image, name="image.png", **options):
        path = tmp_path / name
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
            image.save(path, **options)
        return path

    return write


def test_colours_are_channels_and_grey_is_one(save):
    """Bytes as they are, (3, height, width) and (1, height, width)."""
    np.testing.assert_array_equal(COLOURS.transpose(2, 0, 1), read_image(save(COLOURS), "rgb"))
    np.testing.assert_array_equal(GREY[None], read_image(save(GREY), "gray"))
    np.testing.assert_array_equal([GREY] * 3, read_image(save(GREY), "rgb"))


def test_colours_become_grey_by_their_brightness(save):
    """0.299 R + 0.587 G + 0.114 B, as in ITU-R 601."""
    found = read_image(save(COLOURS), "gray")[0]
    expected = COLOURS @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.51)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK"])
def test_other_kinds_of_pixels_show_the_same(save, mode):
    """Black and white, palettes, opaque alpha and print colours are what they look like."""
    image = Image.fromarray(np.where(GREY > 127, 255, 0).astype(np.uint8)).convert("RGB")
    name = "image.jpg" if mode == "CMYK" else "image.png"
    options = {"quality": 100, "subsampling": 0} if mode == "CMYK" else {}
    found = read_image(save(image.convert(mode), name, **options), "gray")
    expected = np.asarray(image.convert("L"))[None].astype(int)
    np.testing.assert_allclose(found, expected, rtol=0, atol=40 if mode == "CMYK" else 0)


def test_transparent_parts_are_white(save):
    """A pixel that is clear is white, half of it is half white; also by a palette's colour."""
    clear = np.zeros((1, 3, 4), np.uint8)
    clear[0, :, 3] = [255, 128, 0]
    np.testing.assert_array_equal([[[0, 127, 255]]], read_image(save(clear), "gray"))
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    found = read_image(save(palette, transparency=1), "rgb")
    assert [[10, 255], [20, 255], [30, 255]] == found[:, 0].tolist()


def test_sixteen_bits_become_eight(save):
    """The whole range, rounded: 65535 is 255."""
    deep = np.array([[0, 128, 129, 32768, 65406, 65535]], np.uint16)
    np.testing.assert_array_equal([[[0, 0, 1, 128, 254, 255]]], read_image(save(deep), "gray"))
    pgm = b"P5 2 1 65535\n" + struct.pack(">2H", 0, 65535)
    np.testing.assert_array_equal([[[0, 255]]], read_image(save(pgm, "deep.pgm"), "gray"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_image(save, orientation):
    """A camera's upright image is the same, however it was held."""
    upright = np.kron(np.array([[0, 255], [100, 50], [200, 150]]), np.ones((8, 8))).astype(np.uint8)
    flips = Image.Transpose
    held = {
        2: flips.FLIP_LEFT_RIGHT, 3: flips.ROTATE_180, 4: flips.FLIP_TOP_BOTTOM,
        5: flips.TRANSPOSE, 6: flips.ROTATE_90, 7: flips.TRANSVERSE, 8: flips.ROTATE_270,
    }  # fmt: skip
    image = Image.fromarray(upright)
    if orientation > 1:
        image = image.transpose(held[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_image(save(image, "photo.png", exif=exif), "gray")
    np.testing.assert_array_equal(upright[None], found)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_read(save, kind):
    """Whatever the file's name says."""
    content = io.BytesIO()
    Image.fromarray(np.full((3, 5), 77, np.uint8)).save(content, kind)
    found = read_image(save(content.getvalue(), "image.dat"), "gray")
    assert ((1, 3, 5), 77) == (found.shape, round(found.mean()))
    assert all(is_image(f"a{suffix.upper()}") for suffix in FORMATS[kind])


def test_a_smaller_size_is_the_mean_of_what_it_covers(save):
    """Exact where the mean is a whole number, and stretched where the sides differ."""
    blocks = np.kron([[10, 20, 30], [40, 50, 60]], np.ones((6, 6))).astype(np.uint8)
    assert [[[35]]] == read_image(save(blocks), "gray", (1, 1)).tolist()
    assert (3, 7, 2) == read_image(save(COLOURS), "rgb", (7, 2)).shape
    flat = read_image(save(np.full((60, 90, 3), 99, np.uint8), "a.jpg"), "rgb", (5, 4))
    assert np.full((3, 5, 4), 99).tolist() == flat.tolist()


def test_of_an_animation_the_first_frame_is_taken(save):
    """The others are not decoded."""
    frames = [Image.fromarray(np.full((2, 2), value, np.uint8)) for value in (50, 250)]
    path = save(frames[0], "moving.gif", save_all=True, append_images=frames[1:])
    assert {50} == {*read_image(path, "gray").ravel().tolist()}


def png(width, height, content=b""):
    """The head of a PNG of this size, with these compressed pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is no PNG, JPEG, BMP, GIF, WEBP, PPM image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is no PNG"),
        (b"II*\x00\x08\x00\x00\x00\x00\x00", "it is no PNG"),
        (png(10_000, 10_000), r"has 10,000×10,000 pixels; at most 67,108,864 are read"),
        (png(60_000, 60_000), "pixels"),
        (png(2**31 - 1, 2**31 - 1), "pixels"),
        (png(4, 4), "cannot be read"),
        (png(4, 4, zlib.compress(bytes(20))[:-9]), "cannot be read"),
        (png(4, 4, b"no zlib"), "cannot be read"),
    ],
)
def test_what_is_no_image_is_refused_with_its_name(save, content, message):
    """Broken, too large, or of a format that is not read: nothing of it is decoded."""
    path = save(content, "broken.png")
    with pytest.raises(DataError, match=message) as caught:
        read_image(path, "gray")
    assert str(caught.value).startswith(f"{path}: ")


def read_or_refused(path):
    """The shape of the image, or the message; another error would come out."""
    try:
        return read_image(path, "rgb", (4, 6)).shape
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_every_cut_of_a_file_is_refused_or_read(save, kind):
    """No other error comes out, wherever a file ends or whichever of its bytes is changed."""
    content = io.BytesIO()
    Image.fromarray(COLOURS).save(content, kind, exif=Image.Exif())
    whole, seen = content.getvalue(), set()
    for place in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        seen |= {read_or_refused(save(part)) for part in (whole[:place], bytes(changed))}
    assert (3, 4, 6) in seen
    assert all("image.png: " in found for found in seen - {(3, 4, 6)})


def test_large_files_are_not_opened(save, monkeypatch):
    """Some formats read the whole file first."""
    monkeypatch.setattr(decode, "_MOST_BYTES", 10)
    with pytest.raises(DataError, match=r"has \d+ bytes; at most 10 are read"):
        read_image(save(GREY), "gray")


def test_memory_for_lines_counts(save, monkeypatch):
    """A line of one pixel takes three times the memory of a pixel in a longer one."""
    monkeypatch.setattr(decode, "_MOST_MEMORY", 1000)
    assert (1, 8, 8) == read_image(save(np.zeros((8, 8), np.uint8)), "gray").shape
    with pytest.raises(DataError, match=r"has 84 lines of 1 pixels, which take too much memory"):
        read_image(save(np.zeros((84, 1), np.uint8)), "gray")


def test_deep_images_take_few_bytes_a_pixel(save):
    """At most 12 while 16 bits become 8: no array of 64-bit numbers is made."""
    path = save(np.zeros((1000, 1000), np.uint16))
    read_image(path, "gray")
    tracemalloc.start()
    try:
        read_image(path, "gray")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * 1000 * 1000


def test_without_pillow_the_extra_is_named(save, monkeypatch):
    """It is not needed for anything else."""
    path = save(GREY)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match=r"pip install 'nnrun\[images\]'"):
        read_image(path, "gray")


# Folders of images as data sets: classes, order, splits, what is skipped and what is refused.

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
