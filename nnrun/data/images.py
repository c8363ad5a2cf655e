"""Images: one file as an array of bytes, folders of them, and what is read of both.

Pillow reads it, in the formats listed here alone; it needs the extra `nnrun[images]`.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.dataset import Dataset, DatasetProblem, hash_arrays, pixel_names
from nnrun.data.labels import check_classes, ordered_classes
from nnrun.data.protocols import ImageSettings
from nnrun.data.readers.opening import disk_errors, fault_of, open_data
from nnrun.data.rows import equal_rows, refuse_if_too_big
from nnrun.errors import DataError, UsageError, first_of
from nnrun.nn.signature import Array as AnyArray

Array = npt.NDArray[np.uint8]

# Common and simple ones of Pillow's formats: PostScript runs code, TIFF has many variants.
FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "PPM": (".ppm", ".pgm", ".pbm"),
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
CHANNELS = {"gray": 1, "rgb": 3}

# A file decodes to at most this many pixels, and has at most this many bytes.
_MOST_PIXELS, _MOST_BYTES = 1 << 26, 1 << 28
# Pillow has 4 bytes for a pixel and the address of each line: much, if lines are short.
_PIXEL, _LINE, _MOST_MEMORY = 4, 8, 5 * _MOST_PIXELS
# The modes of Pillow with transparent parts, with 8 bits, and grey ones with 16.
_CLEAR = ("RGBA", "LA", "PA", "La", "RGBa")
_SHALLOW = (*_CLEAR, "1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr")
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def is_image(name: str) -> bool:
    """Whether a file's name ends as those of images do that can be read."""
    return name.lower().endswith(SUFFIXES)


def check_pillow() -> None:
    """Raise a UsageError if Pillow is not installed."""
    try:
        import PIL.Image  # noqa: PLC0415  # an extra, and slow to import
    except ImportError:
        raise UsageError("images need the package Pillow: pip install 'nnrun[images]'") from None
    del PIL


def read_image(path: Path, mode: str, size: tuple[int, int] | None = None) -> Array:
    """The pixels of a file: (channels, height, width), from 0 to 255.

    The image is turned as its EXIF data say, transparent parts are put on white, grey values of 16
    bits become 8, and of several frames the first is taken. It is then stretched to the size, each
    new pixel a mean of those that it covers.

    Args:
        path: of the file.
        mode: `gray` or `rgb`.
        size: (height, width); None to leave it as it is.

    Raises: DataError with the path if it cannot be read as an image; NnrunError if the disk fails.
    """
    with _opened(path) as image:
        from PIL import Image, ImageOps  # noqa: PLC0415  # an extra, and slow to import

        if size is not None:
            # A large JPEG is decoded at a half, a quarter or an eighth, of twice the size at least.
            image.draft(None, (2 * max(size), 2 * max(size)))
        flat = _flat(path, ImageOps.exif_transpose(image), mode)
        if size is not None and flat.size != size[::-1]:
            flat = flat.resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = np.asarray(flat, np.uint8)
    return pixels[None] if mode == "gray" else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def image_size(path: Path) -> tuple[tuple[int, int], bool]:
    """(height, width) of an image as it is shown, and whether it is grey; raises as above."""
    pixels = read_image(path, "rgb")
    grey = bool((pixels[0] == pixels[1]).all() and (pixels[1] == pixels[2]).all())
    return (pixels.shape[1], pixels.shape[2]), grey


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The image of a file, checked for its size and not decoded yet."""
    check_pillow()
    from PIL import Image  # noqa: PLC0415  # as above

    with open_data(path) as file, _damage(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about details of formats
        length = os.fstat(file.fileno()).st_size
        if length > _MOST_BYTES:
            raise DataError(f"{path}: has {length:,} bytes; at most {_MOST_BYTES:,} are read")
        with Image.open(file, formats=[*FORMATS]) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                many = f"{height:,}×{width:,} pixels; at most {_MOST_PIXELS:,} are read"
                raise DataError(f"{path}: has {many}")
            if height * (_PIXEL * width + _LINE) > _MOST_MEMORY:
                many = f"{height:,} lines of {width:,} pixels, which take too much memory"
                raise DataError(f"{path}: has {many}")
            yield image


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn any error that Pillow raises for a damaged file into a DataError with its name."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except OSError as error:
        if error.errno is not None:  # of the disk
            raise
        known = f"{', '.join(FORMATS)}" if "identify" in str(error) else ""
        why = f"it is no {known} image" if known else error
        raise DataError(f"{path}: cannot be read: {why}") from error
    except Exception as error:
        raise DataError(f"{path}: cannot be read: {error or type(error).__name__}") from error


def _flat(path: Path, image: Any, mode: str) -> Any:
    """The image in 8 bits, grey or in colours, nothing of it transparent."""
    from PIL import Image  # noqa: PLC0415  # as above

    if image.mode in _DEEP:
        deep = np.clip(np.asarray(image), 0, 65535).astype(np.int32)
        deep *= 255
        deep += 32767
        deep //= 65535
        image = Image.fromarray(deep.astype(np.uint8))
    elif image.mode not in _SHALLOW:
        raise DataError(f"{path}: has pixels of the kind {image.mode}, which is not read")
    if image.mode in _CLEAR or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, clear)
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image.convert("L" if mode == "gray" else "RGB")


# The files of images in a folder that has a sub-folder for each class.

PARTS = ("train", "test")
_VALIDATION = ("val", "valid", "validation", "dev")
_LAYOUT = "a folder of images has a sub-folder for each class"


@dataclass
class Skipped:
    """What was not read: counts of hidden entries, of folders too deep, and of files by ending."""

    hidden: int = 0
    folders: int = 0
    endings: Counter[str] = field(default_factory=Counter)

    def words(self) -> str:
        """One sentence; nothing if all was read."""
        named = [f"{count:,} {ending}" for ending, count in sorted(self.endings.items())]
        found = [f"files that are no images ({', '.join(named)})"] if named else []
        found += [f"{self.hidden:,} hidden"] * (self.hidden > 0)
        if self.folders:
            s = "s" * (self.folders != 1)
            found.append(f"{self.folders:,} folder{s} within those of classes")
        return f"Not read: {'; '.join(found)}." if found else ""


@dataclass(frozen=True)
class ImageFiles:
    """Files by part and class, in the order of their names; `test` is empty if there is no split.

    `classes` are names of folders, in no particular order yet.
    """

    root: Path
    train: list[tuple[Path, str]]
    test: list[tuple[Path, str]]
    skipped: Skipped


def find_images(root: Path) -> ImageFiles:
    """The images of a folder with sub-folders for classes, or with `train` and `test` of such.

    Links that lead out of the folder are refused, so that no file elsewhere is taken for one of it.

    Raises: DataError if it is no such folder; NnrunError if the disk fails.
    """
    with disk_errors(root):
        if (fault := fault_of(root, folder=True)) is not None:
            raise DataError(f"{root} {fault}")
        listing = _Listing(root)
        folders, files = listing.entries(root)
        by_name = {folder.name: folder for folder in folders}
        if not folders:
            none = f", and its {len(files):,} images are in none" if files else ""
            raise DataError(f"{root}: has no sub-folders; {_LAYOUT}{none}")
        listing.refuse(files)
        if set(PARTS) <= by_name.keys() and listing.holds_folders(by_name["train"]):
            _refuse_others(root, by_name)
            train, test = (listing.of_classes(by_name[part]) for part in PARTS)
        else:
            train, test = listing.by_class(folders), []
    return ImageFiles(root, train, test, listing.skipped)


def images_within(path: Path) -> list[Path]:
    """A file itself, or the images of a folder and of those in it, in the order of their names.

    Raises: DataError if there is none; NnrunError if the disk fails.
    """
    with disk_errors(path):
        if not path.is_dir():
            return [path]
        found = [*_Listing(path).within(path)]
    if not found:
        raise DataError(f"{path}: has no images ({', '.join(FORMATS)})")
    return found


class _Listing:
    """Lists folders below a root, and counts what is skipped."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.resolved = root.resolve()
        self.skipped = Skipped()

    def entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """The visible sub-folders and images of a folder, each by name."""
        folders, files = [], []
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                self.skipped.hidden += 1
                continue
            _check_name(path)
            if path.is_symlink():
                self._check_link(path)
            if path.is_dir():
                folders.append(path)
            elif is_image(path.name):
                files.append(path)
            else:
                self.skipped.endings[path.suffix.lower() or "without ending"] += 1
        return folders, files

    def _check_link(self, path: Path) -> None:
        """Refuse links to folders, which may lead in circles, and those that lead elsewhere."""
        if path.is_dir():
            raise DataError(f"{path}: is a link to a folder; put the folder itself there")
        with suppress(RuntimeError):  # a link to itself, which is said when it is opened
            if not path.resolve().is_relative_to(self.resolved):
                raise DataError(f"{path}: is a link out of {self.root}; put the file itself there")

    def within(self, folder: Path) -> Iterator[Path]:
        """The images of a folder and of all below it."""
        waiting = [folder]
        while waiting:
            folders, files = self.entries(waiting.pop())
            yield from files
            waiting += reversed(folders)

    def holds_folders(self, folder: Path) -> bool:
        """Whether there are folders, and no images, in a folder."""
        folders, files = _Listing(self.root).entries(folder)
        return bool(folders) and not files

    def of_classes(self, folder: Path) -> list[tuple[Path, str]]:
        folders, files = self.entries(folder)
        self.refuse(files)
        return self.by_class(folders)

    def by_class(self, folders: Sequence[Path]) -> list[tuple[Path, str]]:
        """The images of these folders, each with the folder's name."""
        return [(file, folder.name) for folder in folders for file in self._of(folder)]

    def refuse(self, files: Sequence[Path]) -> None:
        """Refuse images that are in no folder of a class."""
        if files:
            more = f" and {len(files) - 1:,} more are" if len(files) > 1 else " is"
            raise DataError(f"{files[0]}{more} in no sub-folder; {_LAYOUT}")

    def _of(self, folder: Path) -> Iterator[Path]:
        folders, files = self.entries(folder)
        self.skipped.folders += len(folders)
        if not files:
            known = ", ".join(FORMATS)
            raise DataError(f"{folder}: has no images; {_LAYOUT}, with files of {known}")
        yield from files


def _refuse_others(root: Path, by_name: dict[str, Path]) -> None:
    others = [name for name in by_name if name not in PARTS]
    if not others:
        return
    advice = "move it away"
    if others[0].lower() in _VALIDATION:
        advice = "validation_size takes such rows out of train; move its images there"
    raise DataError(f"{root / others[0]}: stands beside train and test; {advice}")


def _check_name(path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{escaped(ascii(path))}: its name is no text in UTF-8") from None


# A folder of images as a data set.


def read_images(images: ImageSettings) -> Dataset:
    """The images of a folder, each a row of bytes, with the name of its folder as its class.

    Rows are in the order of classes and names. The digest is over the decoded arrays, since other
    versions of Pillow may decode or resize in another way: then the data are others.

    Raises: DatasetProblem if the keys do not fit the files, DataError if files cannot be read,
    NnrunError if the disk fails.
    """
    check_pillow()
    root = Path(images.folder)
    files = find_images(root)
    classes, names = ordered_classes(name for _, name in files.train)
    check_classes(classes, len(files.train), str(root))
    stray = next((file for file, name in files.test if name not in names), None)
    if stray is not None:
        raise DataError(f"{stray.parent}: is no class of {root / 'train'}")
    number = {name: classes.index(label) for name, label in names.items()}
    size = None if images.size is None else sides(images.size)
    parts = [part for part in (files.train, files.test) if part]
    x = _pixels([file for part in parts for file, _ in part], images.mode, size)
    y = np.array([number[name] for part in parts for _, name in part], np.int64)
    rows, given = len(files.train), bool(files.test)
    return Dataset(
        name=root.name,
        task="classification",
        x=x[:rows],
        y=y[:rows],
        classes=classes,
        feature_names=pixel_names(x.shape[1:]),
        target_names=("class",),
        x_test=x[rows:] if given else None,
        y_test=y[rows:] if given else None,
        sha256=hash_arrays(x[:rows], y[:rows], x[rows:], y[rows:], np.array(classes)),
        description=_described(files, x.shape[1:]),
        note=" ".join(filter(None, [files.skipped.words(), _repeated(x, y)])),
        files=tuple(file.relative_to(root).as_posix() for part in parts for file, _ in part),
    )


def _repeated(x: AnyArray, y: AnyArray) -> str:
    """How many images are there more than once; nothing if all differ."""
    numbers = equal_rows([x], np.zeros(len(x)))
    if numbers is None:
        return ""
    again = len(x) - int(numbers.max()) - 1
    pairs = len(np.unique(np.stack([numbers, y]), axis=1).T)
    several = pairs - int(numbers.max()) - 1
    mixed = f", {several:,} of another class" if several else ""
    return f"Equal to others: {again:,} image{'s' * (again != 1)}{mixed}."


def sides(size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of a size that may be one number."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def _pixels(files: Sequence[Path], mode: str, size: tuple[int, int] | None) -> AnyArray:
    """All images (rows, channels, height, width); those that are broken are named together."""
    x: AnyArray | None = None
    wrong, sound = [], files[0]
    for row, file in enumerate(files):
        try:
            pixels = read_image(file, mode, size)
        except DataError as error:
            wrong.append(str(error))
            continue
        if x is None:
            needed, sound = len(files) * pixels.size, file
            refuse_if_too_big(needed, f"{len(files):,} images such as {file}")
            x = np.empty((len(files), *pixels.shape), np.uint8)
        if pixels.shape != x.shape[1:]:
            unequal = _unequal(sound, x, file, pixels)
            raise DatasetProblem([(("dataset", "images"), unequal)])
        x[row] = pixels
    if wrong or x is None:
        raise DataError("\n".join(first_of(wrong)))
    return x


def _unequal(one: Path, x: AnyArray, other: Path, pixels: AnyArray) -> str:
    (height, width), (h, w) = x.shape[2:], pixels.shape[1:]
    return (
        f"{other} has {h}×{w} pixels, and {one} {height}×{width}; `size`, such as 32, makes all "
        "of one size"
    )


def _described(files: ImageFiles, shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    kind = {count: mode for mode, count in CHANNELS.items()}[channels]
    count = len(files.train) + len(files.test)
    return f"{count:,} images, {kind}, {height}×{width} pixels, in folders of classes"
