"""One file of an image as an array of bytes.

Pillow reads it, in the formats listed here alone; it needs the extra `nnrun[images]`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.readers.opening import open_data
from nnrun.errors import DataError, UsageError

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
