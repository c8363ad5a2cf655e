"""Embeddings: a learned vector for each category of a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.signature import Array, Rng, Shape, ShapeError

SPREAD = 0.05
"""Initial numbers are uniform from -SPREAD to SPREAD, as in Keras."""


@dataclass(frozen=True)
class Table:
    """The vectors of one column.

    Args:
        place: the index of its feature, which holds the number of a row's category.
        entries: the number of categories; the last one stands for all that are rare or unknown.
        dimensions: the length of a vector.
    """

    place: int
    entries: int
    dimensions: int


class Embedding(Layer):
    """y = x with each number of a category replaced by the category's vector w[number].

    w is (entries, dimensions) for each column; other features stay as they are, and all keep their
    order. The last vector of each table begins at 0. Backward: dw[k] is the sum of dy over the rows
    with category k; dx is 0 for numbers of categories. Guo and Berkhahn, arXiv:1604.06737 (2016).

    Args:
        tables: the columns, by their places.
    """

    type = "embedding"
    input_kind = "vectors"

    def __init__(self, tables: Sequence[Table]) -> None:
        super().__init__()
        self.tables = tuple(sorted(tables, key=lambda table: table.place))

    def _connect(self, input_shape: Shape) -> Shape:
        (inputs,) = input_shape
        if self.tables and self.tables[-1].place >= inputs:
            raise ShapeError(f"there are {inputs} features, too few for the categories")
        self.w = [_parameter(index, table) for index, table in enumerate(self.tables)]
        self.parameters = [*self.w]
        self.copies: list[tuple[slice, slice]] = []  # features of x, where they are in y
        self.vectors: list[slice] = []  # where each table's are in y
        source = target = 0
        for place, length in [*((t.place, t.dimensions) for t in self.tables), (inputs, 0)]:
            kept = place - source
            if kept:
                self.copies.append((slice(source, place), slice(target, target + kept)))
            target += kept
            self.vectors.append(slice(target, target + length))
            source, target = place + 1, target + length
        self.vectors.pop()
        return (target,)

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        self.codes = [x[:, table.place].astype(np.intp) for table in self.tables]
        y = np.empty((len(x), *self.output_shape), np.result_type(x.dtype, np.float32))
        for source, target in self.copies:
            y[:, target] = x[:, source]
        for w, codes, target in zip(self.w, self.codes, self.vectors, strict=True):
            y[:, target] = w.value[codes]
        return y

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        for w, codes, target in zip(self.w, self.codes, self.vectors, strict=True):
            w.grad[...] = 0
            np.add.at(w.grad, codes, dy[:, target])
        if not needs_dx:
            return dy
        dx = np.zeros((len(dy), *self.input_shape), dy.dtype)
        for source, target in self.copies:
            dx[:, source] = dy[:, target]
        return dx


def _parameter(index: int, table: Table) -> Parameter:
    shape = table.entries, table.dimensions

    def draw(rng: Rng) -> Array:
        w = rng.uniform(-SPREAD, SPREAD, shape)
        w[-1] = 0
        return w

    return Parameter(f"embedding{index}", shape, draw)
