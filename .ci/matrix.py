"""The tests on every Python that this machine has, and with the oldest packages that are allowed.

    python .ci/matrix.py                  all of them
    python .ci/matrix.py 3.12 lowest      some of them
    python .ci/matrix.py --keep 3.12      its environment stays, to look at what failed

Each in an environment of its own, in a temporary folder; 3.14t is the free-threaded 3.14. `lowest`
takes the first Python that nnrun supports and, of nnrun's own dependencies, the lowest versions
that `pyproject.toml` allows.

PyTorch, which has gigabytes, is in none of them: files of tests that import it are left out and
named; `.ci/run tests` has them. The weights of a few runs must be the same everywhere.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
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
    for version in (f"3.{m}{kind}" for kind in ("", "t") for m in range(OLDEST, NEWEST + 1)):
        for path in candidates(f"python{version}"):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            if said.returncode == 0:
                found[version] = path
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
    """Every dependency of nnrun and of the extras that are tested, at the lowest version that is
    allowed.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    tested_extras = re.findall(r"\w+", extras["matrix"][0].removeprefix("nnrun"))
    lines = [*project["dependencies"], *(line for name in tested_extras for line in extras[name])]
    everywhere = (line for line in lines if ";" not in line)
    bounds = (re.match(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", line) for line in everywhere)
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound]


def with_pytorch() -> list[str]:
    """The files of tests that import PyTorch, or a module that does."""
    files = sorted(ROOT.glob("tests/**/*.py"))
    modules = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}
    imports = {name: {*imported(file)} for name, file in modules.items()}
    found, more = {"torch"}, {"torch"}
    while more:
        more = {name for name, others in imports.items() if others & found} - found
        found |= more
    needing = [modules[name] for name in sorted(found - {"torch"})]
    return [str(file.relative_to(ROOT)) for file in needing if file.stem.startswith("test_")]


def imported(file: Path) -> Iterator[str]:
    """What may be a module among the names that a file imports when it is loaded."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                yield node.module or ""
                names = [f"{node.module}.{name}" for name in names]
            yield from names


def tested(python: str, pins: list[str], folder: Path) -> tuple[bool, str, str]:
    """Whether all tests pass there, the last line that they print, and the digest of weights."""
    run = subprocess.run
    run([python, "-m", "venv", str(folder)], check=True)
    own = str(folder / "bin" / "python")
    packages = ["-e", f"{ROOT}[matrix]", *pins]
    run([own, "-m", "pip", "install", "--quiet", *packages], check=True)
    left_out = [f"--ignore={file}" for file in with_pytorch()]
    command = [own, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *left_out]
    command += ["-m", "not pytorch"]
    done = run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines() or ["pytest printed nothing"]
    if done.returncode:
        sys.stdout.write("\n".join(lines[-200:]) + "\n")
    run([own, "-m", "tests.arm64.train", str(folder / "runs")], cwd=ROOT, check=True)
    return done.returncode == 0, lines[-1], weights(folder / "runs")


def weights(folder: Path) -> str:
    """A digest of the weights of all runs in a folder."""
    reports = sorted(folder.glob("results/*/*/report.json"))
    found = [json.loads(file.read_text(encoding="utf-8"))["weights_sha256"] for file in reports]
    return hashlib.sha256("".join(found).encode()).hexdigest()[:12]


def arguments(words: list[str]) -> argparse.Namespace:
    """The versions, and whether their environments stay."""
    parser = argparse.ArgumentParser(description="The tests on every Python that is here.")
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="3.12, 3.14t or lowest")
    parser.add_argument("--keep", action="store_true", help="leave the environments, and say where")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Test each, and print a line for it."""
    asked = arguments(words)
    found = interpreters()
    chosen = asked.versions or [*found, "lowest"]
    sys.stdout.write(
        f"left out, since they import PyTorch: tests marked pytorch, {', '.join(with_pytorch())}\n"
    )
    failed, digests = 0, set()
    for word in chosen:
        python = next(iter(found.values()), None) if word == "lowest" else found.get(word)
        if python is None:
            sys.stderr.write(f"no Python {word} here; there are: {', '.join(found)}, lowest\n")
            return 2
        start = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix=f"nnrun-{word}-"))
        try:
            good, last, digest = tested(python, lowest() if word == "lowest" else [], folder)
        finally:
            if asked.keep:
                sys.stdout.write(f"kept: {folder}\n")
            else:
                shutil.rmtree(folder)
        failed += not good
        digests.add(digest)
        minutes = (time.monotonic() - start) / 60
        state = "passed" if good else "FAILED"
        sys.stdout.write(f"{word:<7} {state} in {minutes:.1f} min, weights {digest}: {last}\n")
        sys.stdout.flush()
    if len(digests) > 1:
        sys.stdout.write("the weights differ\n")
    return 1 if failed or len(digests) > 1 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
