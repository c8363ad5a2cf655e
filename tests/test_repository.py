"""What the repository promises beside nnrun: its checks, its map, its programs and its licences."""

from __future__ import annotations

import ast
import re
import runpy
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

# What `.ci/run` says of known weaknesses: they fail it; packages it cannot look up are named.

ROOT = Path(__file__).parents[1]
SOUND_FROM = {
    "cairosvg": "2.9.0",
    "distributed": "2026.1.1",
    "h11": "0.16.0",
    "jinja2": "3.1.6",
    "mlflow": "3.13.0",
    "mlflow-skinny": "3.13.0",
    "onnx": "1.21.0",
    "pillow": "13.0.0",
    "pyarrow": "17.0.0",
    "pyyaml": "5.4",
    "starlette": "1.3.1",
    "torch": "2.8.0",
    "tornado": "6.5.8",
}
"""The first version of each without a weakness that was known in December 2026."""
VERDICT = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "audit.py"))["verdict"]
SOUND = {"name": "click", "version": "8.1.7", "vulns": []}
WEAK = {"name": "jinja2", "version": "3.0", "vulns": [{"id": "CVE-1", "fix_versions": ["3.1"]}]}
UNKNOWN = {"name": "numpy", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "code", "expected"),
    [
        ([SOUND], 0, ["audited: 1 of 1 packages"]),
        ([SOUND, WEAK], 1, ["jinja2 3.0: CVE-1, mended in 3.1", "audited: 2 of 2 packages"]),
        (
            [UNKNOWN],
            0,
            ["audited: 0 of 1 packages", "NOT AUDITED, unknown to the registry: numpy"],
        ),
    ],
)
def test_weaknesses_fail_and_gaps_are_reported(
    packages: list[dict[str, Any]], code: int, expected: list[str]
) -> None:
    """A registry that knows of no package finds no weakness either; that must not look clean."""
    assert (code, expected) == VERDICT({"dependencies": packages, "fixes": []}, "")


@pytest.mark.parametrize(("name", "sound"), SOUND_FROM.items())
def test_lower_bounds_allow_no_known_weakness(name: str, sound: str) -> None:
    """Of dependencies and of extras; those that others bring are named for their bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    asked = [r for r in map(Requirement, lines) if r.name == name]
    assert asked
    bounds = [s.version for r in asked for s in r.specifier if s.operator == ">="]
    assert len(asked) == len(bounds)
    assert all(Version(bound) >= Version(sound) for bound in bounds), bounds


def test_a_registry_that_does_not_answer_is_reported() -> None:
    """With the last line of what pip-audit said."""
    code, lines = VERDICT(None, "Traceback\nConnectionError: no route to host\n")
    assert 0 == code
    assert ["NOT AUDITED, the registry cannot be asked: ConnectionError: no route to host"] == lines


# What `.ci/matrix.py` leaves behind: nothing, or with `--keep` the environments of its tests.

MAIN = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "matrix.py"))["main"]


@pytest.fixture
def environments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The folders in which tests that failed would have run."""
    folders: list[Path] = []

    def failing(python: str, pins: list[str], folder: Path) -> tuple[bool, str, str]:
        (folder / "bin").mkdir()
        folders.append(folder)
        return False, "1 failed", "0" * 12

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(MAIN.__globals__, "interpreters", lambda: {"3.11": sys.executable})
    monkeypatch.setitem(MAIN.__globals__, "with_pytorch", list)  # reads all tests
    monkeypatch.setitem(MAIN.__globals__, "tested", failing)
    return folders


def test_an_environment_is_removed(environments: list[Path], tmp_path: Path) -> None:
    """Also if tests failed there."""
    assert 1 == MAIN(["3.11"])
    assert ([], 1) == (list(tmp_path.iterdir()), len(environments))


def test_an_environment_that_is_kept_is_named(
    environments: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of them, with all that is in it."""
    assert 1 == MAIN(["--keep", "3.11", "lowest"])
    assert set(environments) == set(tmp_path.iterdir())
    assert [True, True] == [(folder / "bin").is_dir() for folder in environments]
    assert [f"kept: {folder}" for folder in environments] == [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("kept")
    ]


# CONTRIBUTING.md names files that exist.

HOUSE = runpy.run_path(str(ROOT / ".ci" / "house.py"))
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = [*(path.as_posix() for top in ("nnrun", "tests") for path in (ROOT / top).rglob("*"))]
NAMED = sorted(set(re.findall(r"`([\w/]+/?\w*\.(?:py|txt|md)|[\w]+/[\w/]*)`", TEXT)))


def test_the_files_that_are_named_exist() -> None:
    """A path may leave out the folders that its paragraph is about."""
    ends = {name: f"/{name.rstrip('/')}" for name in NAMED if not (ROOT / name).is_file()}
    assert [] == [
        name for name, end in ends.items() if not any(f"/{file}".endswith(end) for file in FILES)
    ]


def test_the_map_has_every_folder_once() -> None:
    """In the order of the import contract; folders on one floor may stand in any."""
    drawn = re.findall(r"^(\w+)/ ", TEXT.split("## Where things are")[1].split("```")[1], re.M)
    folders = [path.parent.name for path in (ROOT / "nnrun").glob("*/__init__.py")]
    floors = {name: place for place, names in enumerate(HOUSE["floors"]()) for name in names}
    assert sorted(drawn, key=floors.__getitem__) == drawn
    assert sorted(folders) == sorted(drawn)


# All that nnrun brings along may be used for anything, as nnrun itself may.

ALLOWED = {
    *(
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "BSD",
        "3-Clause BSD",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "0BSD",
        "Apache-2.0",
        "Apache",
        "ISC",
    ),
    *("PSF-2.0", "Python Software Foundation", "Zlib", "CC0-1.0", "Unlicense", "HPND"),
    "Historical Permission Notice and Disclaimer (HPND)",
    *("Apache-2.0 WITH LLVM-exception", "MPL-2.0", "Mozilla Public"),
}
EXTRAS = ("dask", "onnx", "images", "tables", "figures")

# Of extras alone, with what nnrun has to do with it; older versions name the same licence by a
# classifier.
LGPL = {"LGPL-3.0-or-later", "GNU Lesser General Public"}
EXCEPTIONS = {"cairosvg": LGPL}  # called as it is, and never changed or shipped


def requirements() -> list[str]:
    """What nnrun itself asks for, with the extras that are for its users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]


def closure() -> Iterator[Distribution]:
    """All that is needed on this machine, and all that this needs in turn."""
    seen: set[str] = set()
    waiting = [(needed.name, ("", *needed.extras)) for needed in map(Requirement, requirements())]
    while waiting:
        package, wanted = waiting.pop()
        key = re.sub(r"[-_.]+", "-", package).lower()
        if key in seen:
            continue
        seen.add(key)
        try:
            found = distribution(package)
        except PackageNotFoundError:  # an extra that is not installed
            continue
        yield found
        for line in found.requires or ():
            needed = Requirement(line)
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in wanted):
                waiting.append((needed.name, ("", *needed.extras)))


def licences(package: Distribution) -> set[str]:
    """What a package says of its licence; of alternatives, one is enough, of several, all count."""
    said = package.metadata.get("License-Expression")
    if said:
        return {part.strip(" ()") for part in re.split(r" AND ", said.split(" OR ")[0])}
    classifiers = package.metadata.get_all("Classifier") or []
    names = [line.rpartition("::")[2] for line in classifiers if line.startswith("License ::")]
    names = names or [(package.metadata.get("License") or "?").splitlines()[0]]
    return {re.sub(r"( Software)? License.*", "", name.strip()).strip() for name in names}


PACKAGES = sorted(
    closure(),
    key=lambda package: package.name.lower(),
)


@pytest.mark.parametrize("package", PACKAGES, ids=[package.name for package in PACKAGES])
def test_its_licence_is_permissive(package: Distribution) -> None:
    """Of every package that nnrun needs, and of every package that these need."""
    assert licences(package) <= ALLOWED | EXCEPTIONS.get(package.name.lower(), set())
    assert licences(package)


def test_all_of_them_are_looked_at() -> None:
    """The test above would pass for none; these are among them."""
    names = {package.name.lower() for package in PACKAGES}
    assert {"numpy", "llvmlite", "joblib", "markupsafe", "typing_extensions"} <= names


# Programs that no other test runs as they are: simulations, benchmarks and checks.

HERE = Path(__file__).parent
PROGRAMS = [
    *HERE.glob("simulations/**/*.py"),
    *HERE.glob("benchmarks/**/*.py"),
    *HERE.glob("**/check_*.py"),
]


def named(path: Path) -> set[str]:
    """Modules and names of nnrun and its tests that a file imports, also within functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith(("nnrun.", "tests."))}


def exists(name: str) -> bool:
    """Whether this is a module, or a name in one."""
    with suppress(ModuleNotFoundError):  # of a module that has moved, or is no package
        if find_spec(name) is not None:
            return True
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if str(error.name).startswith(("nnrun", "tests")):
            return False
    # It needs a browser, or a library that is not here: its names are read.
    source = Path(str(find_spec(module).origin)).read_text()
    return re.search(rf"^(def |class |)({attribute})\b", source, re.MULTILINE) is not None


@pytest.mark.parametrize("path", sorted(PROGRAMS), ids=lambda path: str(path.relative_to(HERE)))
def test_programs_import_what_there_is(path):
    """Each module and name of nnrun and its tests that they import exists."""
    assert [] == sorted(name for name in named(path) if not exists(name))
