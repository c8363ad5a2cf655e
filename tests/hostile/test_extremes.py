"""Whatever finite numbers data and settings hold, a run is refused, completes or diverges."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.config.schema.columns import FEATURE_STEPS, STEP_BLOCKS
from nnrun.config.yaml_scalars import flow
from nnrun.errors import ConfigError
from nnrun.nn import LOSSES, OPTIMIZERS
from nnrun.reports.run import report_markdown
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.store import Store
from tests.lab import Lab
from tests.sweeps.helpers import large

pytestmark = pytest.mark.campaign

SIZES = (0.0, 5e-324, 1e-200, 1.0, 1e20, 1e160, 1.7e308)
RATES = (1e-300, 0.1, 1e300)
RULES = (*OPTIMIZERS, "{type: sgd, momentum: 0.9}")
FEATURES = ("none", *FEATURE_STEPS, *(flow(block.example()) for block in STEP_BLOCKS.values()))
CASES = list(product(SIZES, SIZES, RATES, LOSSES, RULES, FEATURES, ("float64", "float32")))
NUMBER = len(CASES) if large() else 100
LAST = {name: loss.needs for name, loss in LOSSES.items() if loss.needs}
OF_CLASSES = {name for name, last in LAST.items() if last != "softplus"}
CONFIG = """\
name: extreme
dataset: {{path: x.npz, features: {step}, task: {task}}}
network: {{sizes: [2, {outputs}], activations: [relu, {activation}]}}
loss: {loss}
training:
  learning_rate: {rate!r}
  optimizer: {optimizer}
  iterations: 12
  batch_size: 4
  dtype: {dtype}
  engine: numpy
"""


def write(folder: Path, case: tuple[Any, ...]) -> Path:
    """The data and config of a case."""
    size_x, size_y, rate, loss, optimizer, step, dtype = case
    signs = np.array([-1.0, 1.0, 1.0, -1.0] * 6)
    rest = np.linspace(-1, 1, len(signs))
    y = (signs > 0).astype(int) if loss in OF_CLASSES else signs * size_y
    y = np.abs(y) if loss == "poisson" else y
    np.savez(folder / "x.npz", x=np.stack([signs * size_x, rest], axis=1), y=y)
    text = CONFIG.format(
        loss=loss,
        rate=rate,
        optimizer=optimizer,
        step=step,
        dtype=dtype,
        task="classification" if loss in OF_CLASSES else "regression",
        outputs=2 if LAST.get(loss) == "softmax" else 1,
        activation=LAST.get(loss, "linear"),
    )
    (folder / "a.yaml").write_text(text)
    return folder / "a.yaml"


def test_a_run_ends_with_a_report(tmp_path: Path) -> None:
    """One that strict JSON can hold, and a page for people; numbers beyond all bounds included."""
    store, seen = Store(tmp_path / "results", report_markdown), set()
    for case in Random(0).sample(CASES, NUMBER):
        try:
            prepared = prepare(load_config(write(tmp_path, case)))
        except ConfigError:
            seen.add("refused")
            continue
        try:
            outcome = train(prepared, store, force=True)
        except Exception as error:
            error.add_note(f"{case}")
            raise
        assert outcome.folder is not None
        record = json.loads((outcome.folder / "report.json").read_text())
        assert record["status"] in ("completed", "diverged"), case
        seen.add(record["status"])
    assert {"refused", "completed", "diverged"} == seen


def test_such_runs_are_shown(tmp_path: Path, folder: Path, lab: Lab) -> None:
    """In lists, in full, beside each other, and in a report."""
    store = Store(folder / "results", report_markdown)
    for case in Random(1).sample(CASES, 30):
        with suppress(ConfigError):
            train(prepare(load_config(write(tmp_path, case))), store)
    runs = sorted(folder.glob("results/extreme/*"))
    assert len(runs) > 10
    for words in (["ls", "--wide"], ["compare", *runs], ["report", "-o", "all.html"]):
        answer = lab(*words)
        assert 0 == answer.code, answer.err
        assert "warning: " not in answer.err
    for run in runs:
        lab.ok("show", run)
