"""All that nnrun brings along may be used for anything, as nnrun itself may."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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
ROOT = Path(__file__).parents[1]
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
