"""Plugins of installed packages, which entry points name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import nnrun
from nnrun.plugins import PluginError
from nnrun.plugins.installed import packages
from nnrun.plugins.loading import find, load_installed
from tests.plugins.sources import ALL, HERE, install


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A folder of installed packages; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_an_installed_plugin_is_known_everywhere(site, tmp_path, lab, monkeypatch) -> None:
    """To commands and to Python, with the digest that its file would have."""
    install(site, "nnrun_parts", (HERE / "parts.py").read_text())
    monkeypatch.chdir(tmp_path)
    Path("all.yaml").write_text(ALL)
    lab.ok("check", "all.yaml")
    installed = nnrun.train("all.yaml", results=None).record
    assert {"nnrun-parts 1.0"} == {part["source"] for part in installed.plugins}
    sys.path.remove(str(site))
    nnrun.plugins.unload()
    shutil.copy(HERE / "parts.py", tmp_path)
    named = nnrun.train("all.yaml", results=None, plugins="parts.py").record
    assert installed.run_id == named.run_id


def test_a_package_is_known_by_all_of_its_modules(site) -> None:
    """A change in any of them changes the digest."""
    found = []
    for other in ("1", "2"):
        code = "from nnrun_many.part import *\n"
        install(site, "nnrun_many", code, {"part.py": PART, "other.py": f"x = {other}\n"})
        load_installed()
        found.append(find("layer", "same").source.sha256)
        nnrun.plugins.unload()
        for name in [name for name in sys.modules if name.startswith("nnrun_many")]:
            del sys.modules[name]
    assert found[0] != found[1]


PART = """
from nnrun.nn import Layer
from nnrun.plugins import register
@register("layer", "same")
class Same(Layer):
    def forward(self, x, rng=None):
        return x
    def backward(self, dy, needs_dx=True):
        return dy
"""


def test_a_broken_package_is_named(site, lab) -> None:
    """With what removes it; nothing goes on without it."""
    install(site, "nnrun_broken", "1 / 0\n")
    done = lab("help", "dense")
    says = "nnrun-broken 1.0: ZeroDivisionError: division by zero (pip uninstall nnrun-broken"
    assert (2, True) == (done.code, says in done.err), done.said


def test_packages_without_the_entry_point_are_not_imported(site, lab) -> None:
    """Nor is anything else in their places."""
    install(site, "nnrun_quiet", "1 / 0\n", group="other.plugins")
    before = packages()
    load_installed()
    assert (0, ()) == (lab("help", "dense").code, before)
    with pytest.raises(PluginError):
        nnrun.plugins.load("nnrun_quiet")


@pytest.mark.parametrize("entry", ["mine = ../mine.py", "mine = = =", "mine"])
def test_a_package_whose_entry_points_are_malformed_is_named(site, lab, entry) -> None:
    """As one that cannot be imported."""
    install(site, "nnrun_odd", "")
    (site / "nnrun_odd-1.0.dist-info/entry_points.txt").write_text(f"[nnrun.plugins]\n{entry}\n")
    done = lab("help", "dense")
    says = "nnrun-odd 1.0: its entry_points.txt is not well-formed (pip uninstall nnrun-odd"
    assert (2, True) == (done.code, says in done.err), done.said
