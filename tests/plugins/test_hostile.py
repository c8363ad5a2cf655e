"""Nothing runs a plugin but the command line, the environment or an installed entry point."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

import nnrun
from nnrun.errors import ConfigError, NnrunError
from nnrun.models.load import load_model, pack, unpack
from nnrun.plugins import loading, unload
from tests.forging import forge, said

MARK = Path("ran")
BAIT = "import pathlib\npathlib.Path('ran').touch()\n"
NAMES = (
    "bait",
    "bait.py",
    "bait:Layer",
    "./bait.py",
    "os.system",
    "os:system",
    "nnrun_bait",
    "__import__('bait')",
    "!!python/object/apply:os.system [touch ran]",
)


@pytest.fixture
def bait(folder, monkeypatch) -> Path:
    """A folder full of modules that leave a mark when they run, which Python can import.

    In the results folder there is a package with an entry point, too, which is not installed.
    """
    for name in ("bait.py", "nnrun_bait.py", "__init__.py"):
        Path(name).write_text(BAIT)
    monkeypatch.syspath_prepend(str(folder))
    metadata = Path("results/nnrun_bait-1.dist-info")
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: nnrun-bait\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[nnrun.plugins]\nbait = nnrun_bait\n")
    Path("results/bait.py").write_text(BAIT)
    return folder


PLACES = (
    "network: {layers: [{type: %s}]}",
    "network: {layers: [{type: dense, units: 1, activation: %s}]}",
    "network: {initializer: %s, layers: [{type: dense, units: 1}]}",
    "dataset: {name: %s}",
    "dataset: {name: iris, features: [%s]}",
    "loss: %s",
    "training: {optimizer: %s, learning_rate: 0.1, iterations: 5}",
    "training: {learning_rate: {schedule: %s}, iterations: 5}",
    "metrics: [%s]",
    "plugins: [%s]",
    "plugin: %s",
)
WHOLE = {
    "dataset": "dataset: {name: iris}",
    "network": "network: {layers: [{type: dense, units: 3}]}",
    "loss": "loss: mean_squared",
    "training": "training: {learning_rate: 0.1, iterations: 5}",
}


def test_no_config_runs_code(bait) -> None:
    """Whatever stands where a part is named: it is a mistake, and nothing is imported."""
    for place, name in product(PLACES, NAMES):
        written = place % (name if name.startswith("!!") else json.dumps(name))
        lines = {**WHOLE, place.partition(":")[0]: written}
        Path("config.yaml").write_text("\n".join(lines.values()))
        with pytest.raises(ConfigError):
            nnrun.check("config.yaml")
    assert not MARK.exists()


def test_no_results_folder_runs_code(bait, lab) -> None:
    """Whatever its report and its model say that they need."""
    lab.ok("train", "all.yaml", "--plugin", "parts.py")
    (folder,) = Path("results/all").iterdir()
    unload()
    for name in NAMES:
        look_at_a_forged(folder, name, lab)


def look_at_a_forged(folder: Path, name: str, lab) -> None:
    """Read a run whose files name this as the plugin that they need."""
    part = {"kind": "layer", "name": "squash", "source": name, "sha256": "0" * 64}
    forge(folder / "report.json", {**said(folder / "report.json"), "plugins": [part]})
    weights, values = unpack(folder / "model.safetensors")
    for change in ({"plugins": [part]}, {"plugins": name}, {"plugins": [[name]]}, {}):
        (folder / "model.safetensors").write_bytes(pack(weights, {**values, **change}))
        with pytest.raises(NnrunError):
            load_model(folder)
    for words in (("ls",), ("show", "all"), ("verify", "all")):
        lab(*words)
    assert not MARK.exists()


@pytest.mark.parametrize("stored", [None, "x", 3, {}, [None], [["a"]], [{"kind": 1}], [{}]])
def test_what_is_no_list_of_parts_needs_none(stored) -> None:
    """Files may be anyone's."""
    loading.require(stored)
    assert {} == loading.changed(stored)
