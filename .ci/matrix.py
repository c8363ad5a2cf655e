"""The tests on every Python that this machine has, and with the oldest packages that are allowed.

    python .ci/matrix.py                  all of them
    python .ci/matrix.py 3.12 lowest      some of them

Each in an environment of its own, in a temporary folder. `lowest` takes the first Python that nnrun
supports and, of nnrun's own dependencies, the lowest versions that `pyproject.toml` allows.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST = 11
# Python 3.n for n from OLDEST to here is looked for.
NEWEST = 20


def interpreters() -> dict[str, str]:
    """The path of each Python, by `3.11` and so on."""
    found = {}
    for minor in range(OLDEST, NEWEST + 1):
        for path in candidates(f"python3.{minor}"):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            if said.returncode == 0:
                found[f"3.{minor}"] = path
                break
    return found


def candidates(name: str) -> Iterator[str]:
    """Where a Python may be: on the PATH, or among the versions that pyenv keeps."""
    if path := shutil.which(name):
        yield path
    for folder in sorted(Path.home().glob(".pyenv/versions/*/bin"), reverse=True):
        if (folder / name).is_file():
            yield str(folder / name)


def lowest() -> list[str]:
    """Every dependency of nnrun and its extras, at the lowest version that is allowed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["dask"], *extras["onnx"]]
    bounds = (re.match(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", line) for line in lines)
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound]


def tested(python: str, pins: list[str], folder: Path) -> tuple[bool, str]:
    """Whether all tests pass there, and the last line that they print."""
    run = subprocess.run
    run([python, "-m", "venv", str(folder)], check=True)
    own = str(folder / "bin" / "python")
    packages = ["-e", f"{ROOT}[test]", *pins]
    run([own, "-m", "pip", "install", "--quiet", *packages], check=True)
    command = [own, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider"]
    done = run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines() or ["pytest printed nothing"]
    if done.returncode:
        sys.stdout.write("\n".join(lines[-60:]) + "\n")
    return done.returncode == 0, lines[-1]


def main(words: list[str]) -> int:
    """Test each, and print a line for it."""
    found = interpreters()
    chosen = words or [*found, "lowest"]
    failed = 0
    for word in chosen:
        python = next(iter(found.values()), None) if word == "lowest" else found.get(word)
        if python is None:
            sys.stderr.write(f"no Python {word} here; there are: {', '.join(found)}, lowest\n")
            return 2
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            good, last = tested(python, lowest() if word == "lowest" else [], Path(folder))
        failed += not good
        minutes = (time.monotonic() - start) / 60
        state = "passed" if good else "FAILED"
        sys.stdout.write(f"{word:<7} {state} in {minutes:.1f} min: {last}\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
