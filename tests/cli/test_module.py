"""`python -m nnrun` is `nnrun`, also in what it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Of the standard library, of what nnrun needs, of what it can use, and parts of nnrun itself.
PLANTED = ["__future__", "json", "typing", "hmac", "click", "numpy", "yaml", "pydantic", "rich"]
PLANTED += [
    "scipy",
    "sklearn",
    "pandas",
    "platformdirs",
    "llvmlite",
    "psutil",
    "sitecustomize",
    "cli",
]


@pytest.mark.parametrize("start", [["-m", "nnrun"], ["-P", "-m", "nnrun"]])
def test_nothing_is_imported_from_the_working_folder(start: list[str], tmp_path: Path) -> None:
    """Modules that lie there do not run, whatever their name; nor in the workers of a sweep."""
    for name in PLANTED:
        text = f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')"
        (tmp_path / f"{name}.py").write_text(text)
    config = """
        dataset: {name: iris}
        network: {sizes: [3], activations: [softmax]}
        loss: cross_entropy
        training: {learning_rate: 0.1, iterations: 20000, engine: compiled}
        """
    (tmp_path / "tiny.yaml").write_text(config)
    command = ["sweep", "tiny.yaml", "--seeds", "2", "-j", "2", "-q"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *start, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (0, b"") == (done.returncode, done.stderr)
    assert not (tmp_path / "ran").exists()
