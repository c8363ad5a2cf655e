"""`nnrun init --layer` and `--lesson`: a layer without its gradient, and the files of a lesson."""

from __future__ import annotations

from pathlib import Path

from nnrun.course.files import OWN_LAYER, configs
from nnrun.errors import UsageError
from nnrun.plugins.kinds import KINDS, NAME
from nnrun.runs.storage.durable import write_new
from nnrun.unfinished import undone_on_failure

_OF_LESSON = Path("mylayer.py")
_TEXT = '''\
"""A layer of your own.

nnrun check {file}
    says what is right, and what is not yet
nnrun train mine.yaml --plugin {file}
    trains a config that names it, as in layers: [{{type: {name}}}, {{type: dense, units: 1}}]
"""

import numpy as np

from nnrun.nn import Layer, Parameter
from nnrun.nn.signature import PositiveFloat
from nnrun.plugins import register


@register("layer", "{name}")
class {cls}(Layer):
    """y = g x / (1 + |x|), with a gain g for each number of a row.

    Args:
        start: The first value of every g.
    """

    # The arguments are the layer's keys in a config. Their annotations are checked there:
    # PositiveInt, PositiveFloat, Fraction, bool, … of nnrun.nn.signature.
    def __init__(self, start: PositiveFloat = 1.0) -> None:
        super().__init__()
        self.start = start

    # Called once, with the shape of a row: (13,) for a table, (1, 8, 8) for an image. It makes the
    # parameters, each with a name, a shape and a function that draws its first values, and returns
    # the shape of a row of y.
    def _connect(self, input_shape):
        self.g = Parameter("gain", input_shape, lambda rng: np.full(input_shape, self.start))
        self.parameters = [self.g]
        return input_shape

    # x is (rows, *input_shape). Keep what backward needs, and leave x as it is. rng draws random
    # numbers, as dropout does; it is None outside of training.
    def forward(self, x, rng=None):
        self.x = x
        return self.g.value * x / (1 + np.abs(x))

    # dy is dL/dy, with the shape of y. Write dL/dg into self.g.grad, and return dL/dx, with the
    # shape of x:
    #
    #     self.g.grad[...] = …    the sum over the rows of dy times dy/dg
    #     return …                dy times dy/dx; the derivative of x / (1 + |x|) is 1 / (1 + |x|)²
    def backward(self, dy, needs_dx=True):
        raise NotImplementedError
'''


def write_layer(file: Path) -> str:
    """Write the start of a layer, and return its name.

    Raises:
        UsageError: it is no Python file, or is there already.
    """
    if file.suffix != ".py":
        raise UsageError(f"--layer {file}: a layer is written in a Python file, like mylayer.py")
    name = "".join(c if c.isalnum() and c.isascii() else "_" for c in file.stem.lower())
    taken = any(name in kind.table for kind in KINDS.values())
    name = name if NAME.fullmatch(name) and not taken else f"my_{name}"[:40]
    cls = "".join(part.capitalize() for part in name.split("_"))
    try:
        write_new(file, _TEXT.format(file=file.name, name=name, cls=cls))
    except FileExistsError:
        message = f"--layer {file}: exists already, and nothing is overwritten"
        raise UsageError(message) from None
    return name


def write_lesson(lesson: int) -> list[str]:
    """Write the files of a lesson here, and return their names.

    Raises:
        UsageError: one of them is there already; then nothing is written.
    """
    files = configs(lesson)
    names = [*files, *([_OF_LESSON.name] if lesson == OWN_LAYER else [])]
    there = [name for name in names if Path(name).exists()]
    if there:
        raise UsageError(
            f"--lesson {lesson}: {there[0]} exists already, and nothing is overwritten"
        )
    written: list[Path] = []

    def remove() -> None:
        for file in written:
            file.unlink(missing_ok=True)

    with undone_on_failure(remove):
        for name, text in files.items():
            write_new(Path(name), text)
            written.append(Path(name))
        if lesson == OWN_LAYER:
            write_layer(_OF_LESSON)
    return names
