"""The environment of a run: everything that its bits may depend on."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import safetensors
import yaml
from threadpoolctl import ThreadpoolController

from nnrun import NUMERICS_VERSION


@cache
def environment() -> dict[str, Any]:
    """Python, platform, CPU, package versions, BLAS and its kernel, NumPy's vector instructions,
    and the version of nnrun's numerics.

    A BLAS has a kernel for each kind of processor, and NumPy a loop for each vector width. Another
    kernel or loop adds in another order, which gives other bits.
    """
    return {
        "numerics": NUMERICS_VERSION,
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "platform": _platform(),
        "cpu": _cpu(),
        "architecture": platform.machine(),
        "packages": _packages(),
        "blas": _blas(),
        "blas_kernel": _blas_kernel(),
        "vectors": _vectors(),
    }


@cache
def libraries() -> ThreadpoolController:
    """The BLAS libraries in use; cached, since finding them takes longer than a small run."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def run_arithmetic() -> Iterator[None]:
    """Sums always have the same order, as every BLAS has one thread; and NumPy does not warn.

    A run that leaves the range of numbers reports where and why.
    """
    found = [(blas, blas.num_threads) for blas in libraries().lib_controllers]
    changed = [(blas, number) for blas, number in found if number != 1]
    for blas, _ in changed:
        blas.set_num_threads(1)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        for blas, number in changed:
            blas.set_num_threads(number)


def _platform() -> str:
    """`platform.platform()`; on Linux without the process that it starts for the processor's name,
    which is that of the architecture or unknown.
    """
    here = platform.uname()
    if here.system != "Linux":
        return platform.platform()
    library = "".join(platform.libc_ver())
    return "-".join(filter(None, (here.system, here.release, here.machine, "with", library)))


def _packages() -> dict[str, str]:
    from importlib.metadata import version  # noqa: PLC0415  # slow; scikit-learn is slower still

    return {
        "numpy": np.__version__,
        "scikit-learn": version("scikit-learn"),
        "safetensors": safetensors.__version__,
        "pydantic": pydantic.VERSION,
        "pyyaml": yaml.__version__,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> str:
    details: Any = np.show_config(mode="dicts")
    blas = details["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def _blas_kernel() -> str:
    """The kernel in use, such as `Haswell`; empty if the BLAS does not report it."""
    found = libraries().info()
    # SciPy may have loaded its own.
    found.sort(key=lambda library: "numpy" not in Path(library["filepath"]).parent.name)
    return str(found[0].get("architecture", "")) if found else ""


def _vectors() -> str:
    """The vector instructions that NumPy uses on this processor."""
    details: Any = np.show_config(mode="dicts")
    sets = details.get("SIMD Extensions", {})
    return " ".join([*sets.get("baseline", []), *sets.get("found", [])])
