"""What an addition needs: for every entry of a table, all that is written by hand for its kind.

Most of what nnrun knows of a layer or a data set it reads from the tables. The rest is listed here,
and what is missing is named with its file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, get_type_hints

import click
import pytest

from nnrun import cli, data
from nnrun.cli.init import starter
from nnrun.config.schema.columns import STEP_BLOCKS
from nnrun.data import builtin, dataset, steps
from nnrun.data.builtin import registry
from nnrun.engines.formulas import LOSSES as COMPILED_LOSSES
from nnrun.engines.formulas import OPTIMIZERS as OPTIMIZER_FORMULAS
from nnrun.engines.formulas import formula_name
from nnrun.engines.generated.passes import EMITTERS
from nnrun.engines.tape.layers import EMITTERS as TAPE_EMITTERS
from nnrun.metrics.table import METRICS
from nnrun.models.code.layers import LAYERS as CODE_LAYERS
from nnrun.models.code.layers import STEPS as CODE_STEPS
from nnrun.models.emitters import EXPORTED as FORMS
from nnrun.models.onnx import LAYERS as ONNX_LAYERS
from nnrun.models.onnx import STEPS as ONNX_STEPS
from nnrun.nn import (
    ACTIVATIONS,
    INITIALIZERS,
    LAYERS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    activations,
    layers,
    losses,
    optimizers,
)
from nnrun.nn.losses import FUSED
from nnrun.sklearn.parameters import _OUTPUT
from tests.architectures import trial, walks
from tests.architectures.walks import holds_layers
from tests.docs.examples import PLACES, read
from tests.engines.test_tables import NUMPY_ONLY, OPTIMIZERS_TRIED
from tests.models import random_models
from tests.nn import (
    test_activations,
    test_against_pytorch,
    test_optimizers,
    torch_twin,
)
from tests.nn.bugs import BUGS
from tests.nn.examples import NETWORKS, layers_of

ROOT = Path(__file__).parents[1]
SHOWN = {word for page in PLACES.values() for word in re.findall(r"nnrun (\w+)", read(page))}
CONFIG_PAGE = "nnrun/docs/config.md"
PAGE = (ROOT / "nnrun/docs/conventions.md").read_text(encoding="utf-8")
CONVENTIONS = set(re.findall(r"\w+", PAGE.lower()))
# The page writes each metric that has these once, with them beside it.
AVERAGES = ("_macro", "_weighted", "_micro", "_binary")
METRICS_PAGE = (ROOT / "nnrun/docs/metrics.md").read_text(encoding="utf-8")
LANGUAGE = (ROOT / CONFIG_PAGE).read_text(encoding="utf-8")


def in_docs(label: str) -> set[str]:
    """The words of one row of the table in `docs/config.md`, which is found by its first cell."""
    (line,) = (line for line in LANGUAGE.splitlines() if line.startswith(f"| {label} |"))
    return set(re.findall(r"\w+", line.removeprefix(f"| {label} |")))


# What networks are trained on: some losses are computed together with the activation they need.
TRAINED = {name: loss for name, loss in LOSSES.items() if (loss.needs, name) not in FUSED}
TRAINED |= {loss.type: loss for loss in FUSED.values()}
BUILT = {layer.type: type(layer) for name in NETWORKS for layer in layers_of(name)}
LEAVES = {name: cls for name, cls in BUILT.items() if name not in ACTIVATIONS}
WITH_BUGS = {bug.where.partition(".")[0] for bug in BUGS}


@dataclass(frozen=True)
class Need:
    """All `names`, each a `kind`, must be in `there`; `where` names it and its file."""

    kind: str
    names: Collection[str]
    there: Collection[str]
    where: str


def with_bugs(classes: dict[str, type]) -> set[str]:
    """The names of those that have a planted bug."""
    return {name for name, cls in classes.items() if cls.__name__ in WITH_BUGS}


TWIN = "tests/nn/torch_twin.py"
COMPILED = "nnrun/engines"
OR_NUMPY = "; or put it into NUMPY_ONLY in tests/engines/test_tables.py"
BUG = "BUGS in tests/nn/bugs.py, a mistake in its"
TESTS = "tests/nn/test_activations.py"
TRIED = {kind.type for kind, _ in test_against_pytorch.OPTIMIZERS.values()}
DRAWN = {make().type for make in trial.OPTIMIZERS.values()}
FORMULAS = {cls.type for cls in OPTIMIZERS.values() if formula_name(cls()) in OPTIMIZER_FORMULAS}
VARIED = {kind.type for kind, *_ in test_optimizers.VARIANTS.values()}
POINTWISE = set(ACTIVATIONS) - {"softmax"}
NEEDS = [
    Need("layer", LAYERS, NETWORKS, "NETWORKS in tests/nn/examples.py, networks that use it"),
    Need(
        "layer",
        LEAVES,
        {*EMITTERS, *TAPE_EMITTERS, *NUMPY_ONLY},
        f"EMITTERS in {COMPILED}/generated/passes.py or tape/layers.py{OR_NUMPY}",
    ),
    Need("layer", LEAVES, ONNX_LAYERS, "LAYERS in nnrun/models/onnx.py"),
    Need("layer", LEAVES, CODE_LAYERS, "LAYERS in nnrun/models/code/layers.py"),
    Need("layer", LEAVES, with_bugs(BUILT), f"{BUG} backward"),
    Need(
        "layer",
        LAYERS,
        in_docs("`network.layers`"),
        f"the row `network.layers` of {CONFIG_PAGE}",
    ),
    Need(
        "layer",
        {name for name in LAYERS if name != "activation" and not holds_layers(name)},
        walks.SETTINGS,
        "SETTINGS in tests/architectures/walks.py, how random networks have it",
    ),
    Need(
        "activation",
        set(ACTIVATIONS) - {"linear"},
        {*EMITTERS, *NUMPY_ONLY},
        f"POINTWISE in {COMPILED}/formulas.py{OR_NUMPY}",
    ),
    Need("activation", ACTIVATIONS, FORMS, "EXPORTED in nnrun/models/emitters.py"),
    Need("activation", ACTIVATIONS, torch_twin.ACTIVATIONS, f"ACTIVATIONS in {TWIN}"),
    Need(
        "activation",
        set(ACTIVATIONS) - {"linear"},
        with_bugs(ACTIVATIONS),
        f"{BUG} gradient",
    ),
    Need(
        "activation",
        POINTWISE,
        {name for name, *_ in test_activations.BY_HAND},
        f"BY_HAND in {TESTS}, values and slopes",
    ),
    Need(
        "activation",
        POINTWISE,
        {name for name, *_ in test_activations.FAR_ENDS},
        f"FAR_ENDS in {TESTS}, its limits",
    ),
    Need(
        "activation",
        ACTIVATIONS,
        in_docs("activations"),
        f"the row `activations` of {CONFIG_PAGE}",
    ),
    Need(
        "loss",
        {*LOSSES, *TRAINED},
        COMPILED_LOSSES,
        f"LOSSES in {COMPILED}/formulas.py",
    ),
    Need("loss", TRAINED, torch_twin.LOSSES, f"LOSSES in {TWIN}"),
    Need("loss", TRAINED, with_bugs(TRAINED), f"{BUG} gradient"),
    Need(
        "loss",
        LOSSES,
        {name for name, cls in LOSSES.items() if "curvature" in vars(cls)},
        "its class, a method `curvature` (None if it has no largest) as in "
        "nnrun/nn/losses/regression.py",
    ),
    Need("loss", LOSSES, CONVENTIONS, "the table of losses in nnrun/docs/conventions.md"),
    Need("optimizer", OPTIMIZERS, CONVENTIONS, "a table in nnrun/docs/conventions.md"),
    Need("loss", LOSSES, in_docs("`loss`"), f"the row `loss` of {CONFIG_PAGE}"),
    Need(
        "loss",
        {name for name, cls in LOSSES.items() if cls.needs},
        _OUTPUT,
        "_OUTPUT in nnrun/sklearn/parameters.py, the activation that it needs",
    ),
    Need(
        "metric",
        {name for name in METRICS if not name.endswith(AVERAGES)},
        set(re.findall(r"\w+", METRICS_PAGE)),
        "the table in nnrun/docs/metrics.md",
    ),
    Need(
        "optimizer",
        OPTIMIZERS,
        {*FORMULAS, *NUMPY_ONLY},
        f"OPTIMIZERS in {COMPILED}/formulas.py{OR_NUMPY}",
    ),
    Need(
        "optimizer",
        OPTIMIZERS,
        {name for name, cls in OPTIMIZERS.items() if "usual_limit" in vars(cls)},
        "its class, the learning rate `usual_limit` (None if that depends on the rows) as in "
        "nnrun/nn/optimizers/adam.py",
    ),
    Need(
        "optimizer",
        set(OPTIMIZERS) - NUMPY_ONLY,
        OPTIMIZERS_TRIED,
        "OPTIMIZERS_TRIED in tests/engines/test_tables.py, its variants",
    ),
    Need("optimizer", OPTIMIZERS, torch_twin.OPTIMIZERS, f"OPTIMIZERS in {TWIN}"),
    Need("optimizer", OPTIMIZERS, DRAWN, "OPTIMIZERS in tests/architectures/trial.py"),
    Need("optimizer", OPTIMIZERS, TRIED, "OPTIMIZERS in tests/nn/test_against_pytorch.py"),
    Need("optimizer", OPTIMIZERS, VARIED, "VARIANTS in tests/nn/test_optimizers.py"),
    Need(
        "optimizer",
        OPTIMIZERS,
        in_docs("`training.optimizer`"),
        f"the row `training.optimizer` of {CONFIG_PAGE}",
    ),
    Need(
        "schedule",
        SCHEDULES,
        {name for name, *_ in test_optimizers.RATES_BY_HAND},
        "RATES_BY_HAND in tests/nn/test_optimizers.py, its rates",
    ),
    Need("schedule", SCHEDULES, in_docs("schedules"), f"the row `schedules` of {CONFIG_PAGE}"),
    Need(
        "initializer",
        INITIALIZERS,
        in_docs("initializers"),
        f"the row `initializers` of {CONFIG_PAGE}",
    ),
    Need(
        "data set",
        registry.DATASETS,
        in_docs("`dataset.name`"),
        f"the row `dataset.name` of {CONFIG_PAGE}",
    ),
    Need("step", steps.STEPS, ONNX_STEPS, "STEPS in nnrun/models/onnx.py"),
    Need("step", steps.STEPS, CODE_STEPS, "STEPS in nnrun/models/code/layers.py"),
    Need("step", STEP_BLOCKS, random_models.OPTIONS, "OPTIONS in tests/models/random_models.py"),
    Need(
        "step",
        steps.STEPS,
        {name for name, cls in steps.STEPS.items() if hasattr(cls, "jump")},
        "its class, the number at which its results jump, `jump` (None if they do not) as in "
        "nnrun/data/steps.py",
    ),
    Need(
        "step",
        steps.STEPS,
        in_docs("`dataset.features`"),
        f"the row `dataset.features` of {CONFIG_PAGE}",
    ),
    Need("command", cli.COMMANDS, SHOWN, "README.md or a page of nnrun/docs"),
]


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: f"{need.kind}: {need.where}")
def test_every_entry_is_wherever_it_has_to_be(need: Need):
    """Each entry of a table has all that is written by hand for its kind."""
    missing = sorted(set(need.names) - set(need.there))
    lines = [f"{need.kind} '{name}': add it to {need.where}" for name in missing]
    assert "" == "\n".join(lines)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_within_layers_have_names_of_their_own(name: str):
    """The weights of two `Sequential` of one layer differ in name by the argument."""
    assert [] == [
        f"{layer.type}: give each Sequential the name of its argument, as in "
        'Sequential(gate, ("gate",))'
        for layer in layers_of(name)
        if len({stack.argument for stack in layer.children}) < len(layer.children)
    ]


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: f"{need.kind}: {need.where}")
def test_the_files_that_are_named_exist(need: Need):
    """What is missing is looked for where it belongs."""
    files = re.findall(r"[\w/]+\.(?:py|md)", need.where.replace(" or tape", f" or {COMPILED}/tape"))
    assert files
    assert [] == [file for file in files if not (ROOT / file).is_file()]


@pytest.mark.parametrize("file", ["nnrun/docs/plugins.md", "tests/plugins/curves.py"])
def test_plugins_of_examples_have_names_of_their_own(file: str):
    """What nnrun has under such a name, no plugin may register."""
    tables = {"activation": ACTIVATIONS, "layer": LAYERS, "loss": LOSSES, "optimizer": OPTIMIZERS}
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.findall(r'@register\("(\w+)", "(\w+)"', text)
    assert found
    assert [] == [
        f"{kind} '{name}' of {file} is nnrun's own now: give the plugin another name"
        for kind, name in found
        if name in tables.get(kind, ())
    ]


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """The modules right in a package."""
    for module in iter_modules(package.__path__):
        yield import_module(f"{package.__name__}.{module.name}")


def own_classes(package: ModuleType) -> Iterator[type]:
    """The classes with a type of their own that modules of a package define."""
    for module in modules(package):
        for cls in vars(module).values():
            own = inspect.isclass(cls) and cls.__module__ == module.__name__
            if own and vars(cls).get("type"):
                yield cls


@pytest.mark.parametrize(
    ("package", "known", "table"),
    [
        (activations, ACTIVATIONS.values(), "ACTIVATIONS"),
        (losses, [*LOSSES.values(), *FUSED.values()], "LOSSES, or to FUSED,"),
        (optimizers, OPTIMIZERS.values(), "OPTIMIZERS"),
        (layers, [*LAYERS.values(), *BUILT.values()], "LAYERS"),
    ],
)
def test_what_has_a_file_is_in_the_table(package: ModuleType, known: Collection[type], table: str):
    """A config can name every class with a type, or something that is built from it."""
    assert [] == [
        f"{cls.__name__} in {inspect.getfile(cls)}: add it to {table} in {package.__file__}"
        for cls in own_classes(package)
        if cls not in known
    ]


def test_steps_of_preprocessing_are_in_the_table():
    """A config can name every class in `data/steps.py` that has a name."""
    named = [
        cls
        for cls in vars(steps).values()
        if inspect.isclass(cls) and "name" in vars(cls) and cls is not steps.Impute
    ]
    assert [] == [
        f"{cls.__name__}: add it to STEPS in nnrun/data/steps.py"
        for cls in named
        if cls not in steps.STEPS.values()
    ]


def needs_nothing(call: Callable[..., Any]) -> bool:
    """Whether all arguments have defaults; a function that reads a file needs its path."""
    return all(p.default is not p.empty for p in inspect.signature(call).parameters.values())


def test_loaders_are_in_the_table():
    """A public function of `nnrun/data` that needs nothing and returns a data set is there."""
    known = {entry.load for entry in registry.DATASETS.values()}
    found = [
        f"{name} in {module.__file__}: add it to DATASETS in nnrun/data/builtin/registry.py"
        for module in (*modules(data), *modules(builtin))
        for name, call in vars(module).items()
        if inspect.isfunction(call) and call.__module__ == module.__name__
        if not name.startswith("_") and call not in known
        if get_type_hints(call).get("return") is dataset.Dataset and needs_nothing(call)
    ]
    assert [] == found


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_file(name: str):
    """Each module in the table has a `command` of that name."""
    assert name == import_module(cli.COMMANDS[name][0]).command.name


def test_commands_are_in_the_table():
    """Each file of `nnrun/cli` with a `command` is in the table."""
    known = {module for module, _ in cli.COMMANDS.values()}
    assert [] == [
        f"{module.__file__}: add it to COMMANDS in nnrun/cli/__init__.py"
        for module in modules(cli)
        if isinstance(getattr(module, "command", None), click.Command)
        if module.__name__ not in known
    ]


def test_the_starter_config_names_all_there_is():
    """Its comments come from the tables."""
    words = set(re.findall(r"\w+", starter()))
    tables = (LAYERS, ACTIVATIONS, LOSSES, OPTIMIZERS, INITIALIZERS, SCHEDULES, steps.STEPS)
    assert [] == [name for table in tables for name in table if name not in words]
