"""What compiling costs: seconds to the first update, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.tables import grid
from tests.benchmarks.works import WORKS, Conv, Dense, Layer, Work

ID = "compiling"

# Imports of NumPy and of nnrun belong to every start, and are done before the clock runs.
_FIRST_UPDATE = """
import time
from tests.benchmarks import compiling
work = compiling.WORKS[{name!r}]
work.data, work.order
if {second}:
    work = compiling.second(work)
start = time.perf_counter()
compiling.first_update(work)
print(time.perf_counter() - start)
"""


def second(work: Work) -> Work:
    """Another architecture made of the same kinds of layers: every size is another."""
    *hidden, last = work.layers
    shape = work.input_shape if len(work.input_shape) == 3 else (work.input_shape[0] + 3,)
    return replace(work, layers=(*map(_larger, hidden), last), input_shape=shape)


def _larger(layer: Layer) -> Layer:
    if isinstance(layer, Dense):
        return replace(layer, units=layer.units + layer.units // 4)
    if isinstance(layer, Conv):
        return replace(layer, channels=layer.channels + layer.channels // 2)
    return layer


def first_update(work: Work) -> None:
    """Training of one batch by the compiled engine."""
    from tests.benchmarks.contest import prepare_nnrun

    few = replace(work, iterations=1, few_iterations=1, rows=work.batch_size)
    prepare_nnrun(few, "compiled").run()


def measure(name: str) -> dict[str, float]:
    """Seconds with an empty cache; again; and of a second architecture in the same cache."""
    with tempfile.TemporaryDirectory() as cache:
        return {
            "first": _seconds(name, cache),
            "again": _seconds(name, cache),
            "second": _seconds(name, cache, second=True),
        }


def _seconds(name: str, cache: str, second: bool = False) -> float:
    program = _FIRST_UPDATE.format(name=name, second=second)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NNRUN_CACHE": cache},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def table(rounds: int) -> str:
    """A Markdown table of all works; each is measured once, whatever is asked for."""
    rows = []
    for name in WORKS:
        taken = measure(name)
        print(f"{name}: {taken['first']:.2f} s", flush=True)
        # Where nothing is compiled, the difference is noise around zero.
        more = max(0.0, taken["second"] - taken["again"])
        rows.append([name, *(f"{taken[key]:.2f}" for key in ("first", "again")), f"{more:.2f}"])
    header = ["", "first run, empty cache", "first run, cached", "a second architecture adds"]
    title = "Seconds from a network to its first update, by the compiled engine"
    return "\n".join([title, "", *grid(header, rows)])
