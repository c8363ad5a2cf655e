"""What the tests of plugins share: a config with all parts, and packages with a plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ALL = """
dataset: {name: wave, rows: 80, features: [root]}
network:
  initializer: small
  layers:
    - {type: dense, units: 6, activation: bend}
    - {type: squash}
    - {type: dense, units: 1}
loss: fourth
training:
  optimizer: signed
  learning_rate: {schedule: halves, initial: 0.05}
  iterations: 40
  batch_size: 8
metrics: [worst_tenth]
"""
"""A config with a part of each kind of `parts.py`."""


def weights_of(folder: Path) -> dict[str, Any]:
    """The bytes of each run's weights, by run id."""
    return {file.parent.name: file.read_bytes() for file in folder.glob("*/*/model.safetensors")}


def install(
    site: Path, module: str, code: str, others: dict[str, str] | None = None, group: str = ""
) -> None:
    """Put a package with an entry point into a folder, as pip does."""
    name = module.replace("_", "-")
    if others is None:
        (site / f"{module}.py").write_text(code)
    else:
        (site / module).mkdir(exist_ok=True)
        for file, content in {"__init__.py": code, **others}.items():
            (site / module / file).write_text(content)
    metadata = site / f"{module}-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    text = f"[{group or 'nnrun.plugins'}]\nparts = {module}\n"
    (metadata / "entry_points.txt").write_text(text)
