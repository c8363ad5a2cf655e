"""Embeddings, each column's table by a task for some of its entries."""

from __future__ import annotations

import numpy as np

from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.stages import CHUNKS, Value

# Entries that are worth a task of their own.
_FEWEST = 256


class Embedding(Emitter):
    """y = x with each number of a category replaced by its vector; dx is not needed."""

    def place(self) -> None:
        self.y = self.plan.vector(f"embedded{self.tag}", self.layer.output_shape[0])
        self.w = [
            self.plan.parameter(w, f"{w.name}_{self.tag}", w.size, np.arange(w.size), by_rows=False)
            for w in self.layer.w
        ]

    def forward(self) -> None:
        x, y = self.x, self.y
        for source, target in self.layer.copies:
            part = {**x.rows("x", x.offset + source.start), **y.rows("y", y.offset + target.start)}
            self.plan.by_rows("copy", **part, numbers=target.stop - target.start)
        for index, w in enumerate(self.w):
            values = self._values(index, self.y, "y")
            self.plan.by_rows("embed", **values, w=Address(w.block))

    def backward(self, dy: Map) -> Map:
        plan, ops = self.plan, []
        for index, (w, table) in enumerate(zip(self.w, self.layer.tables, strict=True)):
            chunk = max(-(-table.entries // CHUNKS), _FEWEST)
            place = Address(w.block if plan.descends else w.gradient)
            values = {**self._values(index, dy, "dy"), "w": place, "chunk": chunk}
            tasks = -(-table.entries // chunk)
            ops.append(plan.op("embed_update", tasks, **values, descend=int(plan.descends)))
        plan.by_tasks(max(op.limit for op in ops), *ops)
        return dy

    def _values(self, index: int, y: Map, name: str) -> dict[str, Value]:
        """The numbers of a column, its vectors in y or dy, and the sizes of its table."""
        x, table = self.x, self.layer.tables[index]
        start = y.offset + self.layer.vectors[index].start
        sizes: dict[str, Value] = {"entries": table.entries, "dimensions": table.dimensions}
        return {**x.rows("x", x.offset + table.place), **y.rows(name, start), **sizes}
