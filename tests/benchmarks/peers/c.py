"""C: one function for each network of W1 to W5, by gcc with everything it has."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from tests.benchmarks.contest import TimedRun
from tests.benchmarks.works import Work

PARAMETERS = {"W1": 14, "W2": 15, "W3": 196, "W4": 6685, "W5": 6490}


@cache
def library() -> ctypes.CDLL:
    """The compiled functions.

    Raises:
        FileNotFoundError: there is no gcc.
    """
    source = Path(__file__).with_name("networks.c")
    target = Path(tempfile.mkdtemp()) / "networks.so"
    flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(target), "-lm"], check=True)
    return ctypes.CDLL(str(target))


def prepare(work: Work) -> TimedRun | None:
    if work.id not in PARAMETERS:
        return None
    function = getattr(library(), work.id.lower())
    x, target = (np.ascontiguousarray(array) for array in work.data)
    rows = np.ascontiguousarray(work.order, np.int64)
    theta = np.random.default_rng(0).standard_normal(PARAMETERS[work.id]) / 10
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (x, target, rows)]
    end = ctypes.c_void_p(theta.ctypes.data)
    count, rate = ctypes.c_long(work.iterations), ctypes.c_double(work.rate)
    held = (x, target, rows, theta)

    def run() -> object:
        function(*pointers, count, rate, end)
        return held

    return TimedRun(run, work.iterations)
