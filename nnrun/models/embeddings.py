"""The embeddings that the columns of a table put before a network."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.data.columns.embedding import Embedding as EmbeddedColumn
from nnrun.data.layout import Columns
from nnrun.nn.embedding import Embedding, Table
from nnrun.nn.layer import Layer

Blocks = Sequence[Layer | list[Layer]]


def tables_of(columns: Columns | None) -> list[Table]:
    """The tables of vectors of the columns that have some."""
    every, places = ((), {}) if columns is None else (columns.every, columns.places)
    return [
        Table(places[column.name].start, column.entries, column.dimensions)
        for column in every
        if isinstance(column, EmbeddedColumn)
    ]


def input_names(columns: Columns) -> list[str]:
    """The names of what the first layer of the config takes, a vector's numbers as `shop[0]`."""
    names: list[str] = []
    for column in columns:
        names += (
            [f"{column.name}[{i}]" for i in range(column.dimensions)]
            if isinstance(column, EmbeddedColumn)
            else column.feature_names
        )
    return names


def with_embeddings(blocks: Blocks, columns: Columns | None) -> Blocks:
    """The blocks of a network, the first one with the embeddings before it.

    They are part of that block, so that layers keep the numbers that they have in the config.
    """
    tables = tables_of(columns)
    if not tables:
        return blocks
    first = blocks[0] if isinstance(blocks[0], list) else [blocks[0]]
    return [[Embedding(tables), *first], *blocks[1:]]
