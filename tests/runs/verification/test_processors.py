"""Whole runs as on other processors: what has the same bits there, and what has not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CONFIGS = {
    "flowers": """
dataset: {name: wine, features: standard, validation_size: 20}
network:
  layers:
    - {type: dense, units: 20, activation: tanh}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {optimizer: adam, learning_rate: 0.01, epochs: 9, batch_size: 7}
""",
    "houses": """
dataset: {name: boston, features: [minmax, l2], target: standard}
network: {sizes: [13, 1], activations: [gelu, linear], initializer: he_normal}
loss: mean_squared
training: {learning_rate: {schedule: cosine, initial: 0.01}, iterations: 900}
""",
}


def feature_sets() -> str:
    """The sets of vector instructions that NumPy can be made not to use."""
    details: Any = np.show_config(mode="dicts")
    return " ".join(details["SIMD Extensions"]["found"])


# Kernels of OpenBLAS for two processors, and NumPy's loops as on the oldest that it knows. Each
# kernel is named, since an OpenBLAS that does not know this processor takes the old one by itself.
MACHINES = {
    "new": {"OPENBLAS_CORETYPE": "Haswell"},
    "old": {"OPENBLAS_CORETYPE": "Prescott"},
    "other": {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": feature_sets()},
}


ENGINES = ("compiled", "numpy")
Made = dict[str, dict[str, dict[str, Any]]]  # reports by machine and config


def trained(folder: Path, settings: dict[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Reports and histories by engine and config, each machine's in a process of its own."""
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)
    command = [
        sys.executable, "-m", "nnrun", "sweep", str(folder), f"training.engine={','.join(ENGINES)}",
        "-j", "1", "--results", str(folder / "results"),
    ]  # fmt: skip
    subprocess.run(command, env={**os.environ, **settings}, capture_output=True, check=True)
    found = {}
    for path in (folder / "results").glob("*/*/report.json"):
        report = json.loads(path.read_text())
        history = (path.parent / "history.csv").read_text()
        found[report["engine"], report["name"]] = {**report, "history": history}
    return found


@pytest.fixture(scope="module")
def all_made(tmp_path_factory) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    """What both engines make on each machine of each config."""
    return {
        name: trained(tmp_path_factory.mktemp(name), settings)
        for name, settings in MACHINES.items()
    }


@pytest.fixture(params=ENGINES)
def machines(request, all_made) -> tuple[str, Made]:
    """An engine, and what it makes on each machine of each config."""
    made = {
        machine: {name: reports[request.param, name] for name in CONFIGS}
        for machine, reports in all_made.items()
    }
    return request.param, made


def test_bits_on_other_processors(machines) -> None:
    """Weights, history, metrics: by the compiled engine the same; by NumPy's arithmetic not."""
    engine, made = machines
    parts = ("weights_sha256", "history", "metrics", "baseline")
    for name in CONFIGS:
        first, *others = ([made[m][name][part] for part in parts] for m in MACHINES)
        same = [[*map(bool, first)] and other == first for other in others]
        assert ([True, True] if engine == "compiled" else [False, False]) == same


def test_reports_say_what_bits_depend_on(machines) -> None:
    """The kernel of the BLAS, NumPy's vectors, and what machine code was made for."""
    engine, made = machines
    environments = [made[machine]["houses"]["environment"] for machine in MACHINES]
    assert 3 == len({(each["blas_kernel"], each["vectors"]) for each in environments})
    assert [engine == "compiled"] * 3 == ["machine_code" in each for each in environments]
