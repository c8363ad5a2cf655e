"""The `training.augment` block: random changes of training rows."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from nnrun.config.schema.base.block import Block
from nnrun.config.schema.base.fields import Flag, Integer, Number


class AugmentConfig(Block):
    """Random changes of training rows, new ones at each visit; evaluations take rows as they are.

    Images are moved after they have been prepared.
    """

    noun: ClassVar[str] = "augment"
    digest_when_empty: ClassVar[Any] = None  # nothing is changed

    shift: Annotated[int, Integer(ge=0)] = 0
    """The most pixels by which an image is shifted, in each direction; its border is repeated."""
    flip: Annotated[bool, Flag()] = False
    """Whether half of the images are mirrored, left to right."""
    rotate: Annotated[float, Number(ge=0, le=180)] = 0.0
    """The largest angle of a turn about the centre, in degrees, either way."""
    noise: Annotated[float, Number(ge=0, le=1e6)] = 0.0
    """The standard deviation of normal noise that is added to each prepared feature, of tables
    too."""

    @classmethod
    def phrase(cls) -> str:
        return "a mapping like {shift: 2, flip: true}"
