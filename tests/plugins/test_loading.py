"""Plugin files and installed packages: what they register, when they are loaded, what is wrong."""

from __future__ import annotations

import json
import shutil
import sys
from itertools import product
from pathlib import Path

import pytest

import nnrun
from nnrun.data.steps import SCALERS
from nnrun.errors import ConfigError, NnrunError
from nnrun.models.load import load_model, pack, unpack
from nnrun.nn.initializers import DRAWS_BIASES
from nnrun.plugins import PluginError, load, loading, unload
from nnrun.plugins.installed import packages
from nnrun.plugins.kinds import KINDS
from nnrun.plugins.loading import find, load_installed
from tests.forging import forge, said
from tests.plugins.conftest import ALL, HERE, install


def everything() -> dict[str, list[str]]:
    """The names of all tables."""
    return {kind: [*about.table] for kind, about in KINDS.items()}


def test_a_part_of_each_kind_enters_its_table_and_leaves_it() -> None:
    """And nothing else changes."""
    before = everything()
    added = {kind: set(names) - set(before[kind]) for kind, names in _loaded().items()}
    assert dict.fromkeys(KINDS, 1) == {kind: len(names) for kind, names in added.items()}
    unload()
    assert before == everything()


def _loaded() -> dict[str, list[str]]:
    load(HERE / "parts.py")
    return everything()


def test_a_file_is_run_again_only_if_it_has_changed(write) -> None:
    """Its parts are those of its new content."""
    code = "@register('activation', 'cube')\nclass Cube(Activation):\n    power = 3\n"
    (first,) = load(write(code))
    (same,) = load(write(code))
    (other,) = load(write(code.replace("3", "4")))
    assert first.entry is same.entry
    assert (4, other) == (other.entry.power, find("activation", "cube"))


def test_a_changed_file_that_is_wrong_leaves_its_former_parts(write) -> None:
    """All of a file is known, or nothing."""
    code = "@register('activation', 'cube')\nclass Cube(Activation): ...\n"
    (first,) = load(write(code))
    with pytest.raises(PluginError):
        load(write(f"{code}@register('activation', 'relu')\nclass R(Activation): ...\n"))
    assert first == find("activation", "cube")


def test_importing_a_plugin_registers_nothing() -> None:
    """Only loading it does."""
    before = everything()
    from tests.plugins import parts

    assert ("squash", before) == (parts.Squash.type, everything())


def test_options_of_parts_have_their_effect(write) -> None:
    """An initializer draws biases, and a scaler scales targets."""
    load(
        write(
            "from nnrun.data.steps import MinMax\n"
            "@register('initializer', 'ones', biases=True)\n"
            "def ones(shape, fans, *, rng):\n    return np.ones(shape)\n"
            "@register('step', 'stretch')\n"
            "class Stretch(MinMax):\n    name = 'stretch'\n"
        )
    )
    assert (True, True) == ("ones" in DRAWS_BIASES, "stretch" in SCALERS)
    unload()
    assert (False, False) == ("ones" in DRAWS_BIASES, "stretch" in SCALERS)


A = "@register('activation', 'a')\nclass A(Activation): ...\n"
WRONG = {
    "syntax": ("def f(:\n", "mine.py:4: invalid syntax"),
    "error": ("x = 1\n1 / 0\n", "mine.py:5: ZeroDivisionError: division by zero"),
    "exit": ("import sys\nsys.exit(3)\n", "mine.py:5: SystemExit: 3"),
    "import": (
        "import not_there\n",
        "mine.py:4: ModuleNotFoundError: No module named 'not_there'; what a plugin imports has to "
        "be installed",
    ),
    "nothing": (
        "class A(Layer): ...\n",
        'mine.py: registers no part; it needs @register("layer", "squash") before a class',
    ),
    "kind": (
        "@register('layr', 'a')\nclass A(Layer): ...\n",
        "mine.py:4: 'layr' is not a kind of parts; did you mean 'layer'?",
    ),
    "name": (
        "@register('layer', 'A-b')\nclass A(Layer): ...\n",
        "mine.py:4: 'A-b' is not a name for a part: lower case letters, digits and '_'",
    ),
    "base": (
        "@register('loss', 'a')\nclass A(Layer): ...\n",
        "mine.py:4: a loss is a class derived from nnrun.nn.Loss",
    ),
    "no class": (
        "@register('optimizer', 'a')\ndef a(): ...\n",
        "mine.py:4: an optimizer is a class derived from nnrun.nn.Optimizer",
    ),
    "step": (
        "@register('step', 'a')\nclass A:\n    def fit(self, rows): ...\n",
        "mine.py:4: a step needs the method 'apply'",
    ),
    "option": (
        "@register('metric', 'a', smaller=True)\ndef a(y, p): ...\n",
        "mine.py:4: a metric has no option 'smaller' (one of needs, larger_is_better, low, high)",
    ),
    "needs": (
        "@register('metric', 'a', needs='value')\ndef a(y, p): ...\n",
        "mine.py:4: needs='value': it is 'labels' or 'probabilities' or 'values'",
    ),
    "type": (
        "@register('layer', 'a')\nclass A(Layer):\n    type = 'b'\n",
        "mine.py:4: it calls itself 'b', and is registered as 'a'",
    ),
    "twice": (
        f"{A}@register('loss', 'a')\nclass B(Loss): ...\n",
        "mine.py:6: 'a' is registered at mine.py:4 already; names are unique",
    ),
    "own": (
        "@register('loss', 'relu')\nclass A(Loss): ...\n",
        "mine.py:4: 'relu' is a name of nnrun's own (an activation); take another, like 'my_relu'",
    ),
    "own, of its kind": (
        "@register('activation', 'relu')\nclass A(Activation): ...\n",
        "mine.py:4: 'relu' is a name of nnrun's own (an activation); take another, like 'my_relu', "
        "which `nnrun check` compares with it",
    ),
    "formula": (
        "from nnrun.nn.formulas import *\nclass A(FormulaActivation):\n    formula = 'x ** 2'\n",
        "mine.py:5: FormulaError: 'x ** 2' has 'x ** 2'; write a power as a product",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_has_a_message_with_its_line_and_registers_nothing(
    case: str, write, tmp_path, monkeypatch
) -> None:
    """Whatever it registered before the mistake."""
    code, message = WRONG[case]
    monkeypatch.chdir(tmp_path)
    before = everything()
    with pytest.raises(PluginError) as error:
        load(write(code).name)
    assert (message, before) == (str(error.value), everything())


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("none.py", "none.py does not exist"),
        ("mine.txt", "mine.txt: a plugin is a Python file, like mylayer.py"),
        (".", ".: a plugin is a Python file, like mylayer.py"),
    ],
)
def test_a_file_that_is_no_plugin_is_refused(
    file: str, message: str, tmp_path, monkeypatch
) -> None:
    """Without running anything."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PluginError) as error:
        load(file)
    assert message == str(error.value)


def test_two_files_cannot_register_one_name(write) -> None:
    """The message names both places."""
    first, second = write(A), write(A, "other.py")
    load(first)
    with pytest.raises(PluginError, match=r"other.py:4: 'a' is registered at .*mine.py:4 already"):
        load(second)


def test_a_part_derived_from_another_one_has_its_own_name(write) -> None:
    """Both can be in one file."""
    code = "@register('activation', 'cube')\nclass Cube(Activation): ...\n"
    both = load(write(f"{code}@register('activation', 'cubed')\nclass Cubed(Cube): ...\n"))
    assert ["cube", "cubed"] == [part.entry.type for part in both]


def test_what_a_plugin_prints_goes_to_stderr(write, capsys) -> None:
    """While it is loaded and when its parts are called: stdout is for results."""
    code = "import sys\nprint('one')\nsys.stdout.write('two')\n@register('metric', 'noisy')\n"
    (part,) = load(write(f"{code}def noisy(y, p):\n    print('three')\n    return 0.0\n"))
    part.entry([1.0], [1.0])
    assert ("", "one\ntwothree\n") == capsys.readouterr()


# Plugins of installed packages, which entry points name.


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


# Nothing runs a plugin but the command line, the environment or an installed entry point.

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
