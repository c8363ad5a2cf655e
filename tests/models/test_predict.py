"""However many rows there are, they pass through the same memory."""

from __future__ import annotations

import io
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nnrun.data import rows as mapped
from nnrun.data.inference.sources import NpzRows
from nnrun.data.inference.table_rows import CsvRows
from nnrun.data.layout import Columns, Layout
from nnrun.data.readers import npz as npz_arrays
from nnrun.data.readers.text_lines import CsvTable
from nnrun.models.load import load_model as load
from nnrun.models.predict import predict_rows
from nnrun.models.scores import Measured
from nnrun.models.writing import WRITERS


class Lines(io.RawIOBase):
    """A CSV file with a header and this many rows, generated while it is read."""

    def __init__(self, header: str, row: str, rows: int) -> None:
        self.lines = iter([header, *[row] * 0])
        self.row, self.left, self.rest = row.encode(), rows, header.encode()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self.rest and self.left:
            taken = min(self.left, 1000)
            self.rest, self.left = self.row * taken, self.left - taken
        part, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class Nowhere(io.RawIOBase):
    """Counts lines and forgets them."""

    lines = 0

    def writable(self) -> bool:
        return True

    def write(self, content) -> int:
        self.lines += bytes(content).count(b"\n")
        return len(content)


def peak(work) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("score", [False, True])
def test_memory_does_not_grow_with_the_rows(trained, score):
    """Five times the rows of a CSV file, the same peak."""
    model = load(trained("cars").folder)
    names = [*model.layout.columns.features, *model.layout.target_names]
    header, row = ",".join(names) + "\n", ",".join(["1.5"] * len(names)) + "\n"

    def predict(rows: int) -> None:
        file, sink = io.BufferedReader(Lines(header, row, rows)), Nowhere()
        path = Path("rows.csv")
        source = CsvRows(path, partial(CsvTable, path, file), model.layout, with_target=score)
        keeper = Measured(model.task) if score else None
        with WRITERS["csv"](model, sink) as writer:
            assert rows == predict_rows(model, source, writer, keeper)
        assert rows + 1 == sink.lines

    predict(4096)
    assert peak(lambda: predict(60_000)) < 1.1 * peak(lambda: predict(6_000))


def test_memory_does_not_grow_with_bad_rows():
    """Nor with the different mistakes in them."""
    header, good = "size,key\n", "1.5,a\n"
    layout = Layout("regression", (1,), Columns.numbers(["size"]), target_names=("y",))

    def read(rows: int) -> None:
        file = io.BufferedReader(Lines(header, good + "x,b\ny,c\n,d\n", rows))
        aside = Nowhere()
        path = Path("rows.csv")
        make = partial(CsvTable, path, file)
        source = CsvRows(path, make, layout, with_target=False, carried=["key"], aside=aside)
        sizes = [len(batch) for batch in source.batches(256)]
        assert (rows, {256}) == (sum(sizes), {*sizes})
        assert (3 * rows, 3 * rows + 1) == (source.bad.total, aside.lines)

    read(256)
    assert peak(lambda: read(256 * 18)) < 1.1 * peak(lambda: read(256 * 6))


def test_arrays_are_read_in_portions(trained, tmp_path, monkeypatch):
    """Five times the rows of an npz file too large for memory, the same peak; and npz files come
    out.
    """
    model = load(trained("cars").folder)
    for module in (mapped, npz_arrays):
        monkeypatch.setattr(module, "LARGE", 1 << 16)

    def predict(rows: int) -> None:
        np.savez_compressed(tmp_path / "x.npz", x=np.ones((rows, 7)))
        tracemalloc.clear_traces()
        tracemalloc.reset_peak()
        with (
            (tmp_path / "x.npz").open("rb") as file,
            NpzRows(tmp_path / "x.npz", file, model.layout, with_target=False) as source,
            (tmp_path / "out.npz").open("wb") as sink,
            WRITERS["npz"](model, sink) as writer,
        ):
            assert rows == predict_rows(model, source, writer, None)

    predict(4096)
    few = peak(lambda: predict(60_000))
    assert peak(lambda: predict(300_000)) < 1.1 * few
    with np.load(tmp_path / "out.npz") as out:
        assert (300_000,) == out["prediction"].shape
        assert model.predict(np.ones((1, 7)))[0] == pytest.approx(out["prediction"][-1], rel=1e-14)
