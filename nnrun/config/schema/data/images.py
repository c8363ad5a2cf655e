"""The `dataset.images` block: a folder of images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from nnrun.config.schema.base.block import Block, ConfigIssue
from nnrun.config.schema.base.fields import OneOf, Text
from nnrun.config.schema.base.from_signature import Translator
from nnrun.data.images.decode import CHANNELS
from nnrun.data.readers.formats import about_address, holds_arrays, is_address
from nnrun.nn.signature import Bounds

# Larger images are for larger networks than these.
_Side = Annotated[int, Bounds(gt=0, le=1024)]
if TYPE_CHECKING:
    Sides = int | tuple[int, int]
else:
    Sides = Translator({}, {}).field(_Side | tuple[_Side, _Side])


class ImagesConfig(Block):
    """A folder with a sub-folder of images for each class, or with `train` and `test` of these."""

    noun: ClassVar[str] = "images"
    must_be: ClassVar[str] = "a mapping like {folder: cats, size: 32, mode: rgb}"
    digest_ignores: ClassVar[frozenset[str]] = frozenset({"folder"})  # the data stand for it

    folder: Annotated[str, Text()]
    """The folder, whose sub-folders are named as the classes."""
    size: Sides | None = None
    """The pixels that all images are stretched to: a side, or [height, width]; by default they are
    left as they are, and all need one size."""
    mode: Annotated[str, OneOf(tuple(CHANNELS))] = "rgb"
    """Whether images are grey, one number for each pixel, or in colours, three."""

    @classmethod
    def hint(cls, value: Any) -> str:
        return f"; write {{folder: {value}}}" if isinstance(value, str) else ""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        folder = data.get("folder")
        if isinstance(folder, str) and (not folder or "\0" in folder):
            yield ConfigIssue("this is not the path of a folder", ("folder",))
        elif isinstance(folder, str) and is_address(folder):
            yield ConfigIssue(about_address(folder, "folder"), ("folder",))


def contradictions(data: dict[str, Any]) -> Iterator[ConfigIssue]:
    """Keys of a `dataset` block that images do not have, or only they have."""
    if data.get("channel_axis") is not None and not holds_arrays(data.get("path")):
        yield ConfigIssue("channel_axis is for npz files only", ("channel_axis",), "key")
    if data.get("images") is None:
        return
    for key in ("name", "path"):
        if data.get(key) is not None:
            message = f"the images are the data; remove one of 'images' and '{key}'"
            yield ConfigIssue(message, ("images",), "key")
            return
    if data.get("columns") is not None:
        yield ConfigIssue("columns are for tables only", ("columns",), "key")
    if data.get("task") == "regression":
        yield ConfigIssue("images have the classes of their folders", ("task",))
