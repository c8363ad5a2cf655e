"""Where a run was made: what its bits may depend on."""

from __future__ import annotations

import platform
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGES = ("numpy", "scikit-learn", "safetensors", "pydantic", "pyyaml")


@cache
def environment() -> dict[str, Any]:
    """Python, platform, CPU, package versions and the BLAS that NumPy calls."""
    return {
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "packages": {name: version(name) for name in _PACKAGES},
        "blas": _blas(),
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
