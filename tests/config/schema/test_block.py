"""Blocks of the schema: from signatures, stacks, steps."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError

from nnrun.config.hints import located
from nnrun.config.load import config_from_dict
from nnrun.config.schema.block import Block, ConfigIssue, issues
from nnrun.config.schema.columns import STEP_BLOCKS, step_blocks, step_type
from nnrun.config.schema.dataset import BuiltInConfig
from nnrun.config.schema.experiment import json_schema
from nnrun.config.schema.from_signature import NamedBlock, Translator
from nnrun.config.schema.network import LayerConfig, LossConfig, Network
from nnrun.config.schema.training import OptimizerConfig, ScheduleConfig
from nnrun.data.steps import L2, Binarize
from nnrun.errors import ConfigError
from nnrun.nn.initializers import Initializer
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.schedules import SCHEDULES
from nnrun.nn.signature import Bounds, Named, PositiveFloat
from nnrun.reports.reference.topics import _example

# Blocks of configs.

INCOMPLETE = """
import json
from nnrun.config.schema.block import Block
from nnrun.config.schema.experiment import ExperimentConfig

def blocks(base):
    for block in base.__subclasses__():
        yield block
        yield from blocks(block)

found = {block.__name__: block.__pydantic_fields_complete__ for block in blocks(Block)}
print(json.dumps(found))
"""


def test_fields_of_blocks_are_known_before_a_config_is_read():
    """A block that is defined below its use could not be validated alone, in a new process."""
    words = [sys.executable, "-c", INCOMPLETE]
    found = json.loads(subprocess.check_output(words, text=True))
    assert "TrainingConfig" in found
    assert [] == [name for name, complete in found.items() if not complete]


# Tables of `nnrun.nn` as config blocks: all of them, and whatever is added to one.


class Widget:
    """Turns things. As often as asked.

    More about it.
    """

    def __init__(
        self,
        turns: Annotated[int, Bounds(gt=0)],
        kind: Annotated[str, Named("shape")] = "round",
        mode: Literal["slow", "fast"] | None = None,
        label: str = "",
    ) -> None:
        self.given = (turns, kind, mode, label)


def gadget() -> str:
    """Does nothing."""
    return "a gadget"


class Thing(NamedBlock):
    """Something of the table below."""


@pytest.fixture(scope="module")
def things() -> TypeAdapter[Any]:
    """What holds an entry of a table that nnrun has never seen."""
    translator = Translator({"shape": ("a shape", ("round", "square"))}, {})
    table = {"widget": Widget, "gadget": gadget}
    return TypeAdapter(translator.union(table, Thing, "a thing", word=True))


def test_a_signature_is_a_schema(things: TypeAdapter[Any]) -> None:
    """Arguments, defaults and bounds come from the callable alone."""
    thing = things.validate_python({"type": "widget", "turns": 3, "kind": "square"})
    assert (3, "square", None, "") == thing.build().given
    assert "a gadget" == things.validate_python("gadget").build()


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({"type": "widget", "turns": 0}, ("turns",), "0 is not a whole number greater than 0"),
        ({"type": "widget"}, (), "'widget' needs 'turns'"),
        (
            {"type": "widget", "turns": 1, "kind": "sqare"},
            ("kind",),
            "'sqare' is not a shape; did you mean 'square'?",
        ),
        (
            {"type": "widget", "turns": 1, "mode": "fats"},
            ("mode",),
            "'fats' is not 'slow' or 'fast'; did you mean 'fast'?",
        ),
        (
            {"type": "widget", "turns": 1, "trns": 1},
            ("trns",),
            "'trns' is not a key of 'widget'; did you mean 'turns'?",
        ),
        ("wigdet", (), "'wigdet' is not a thing; did you mean 'widget'?"),
        (
            {"type": "x"},
            ("type",),
            "'x' is not a thing (one of widget, gadget); --plugin FILE.py adds others",
        ),
        (5, (), "5 is not a thing, like {type: widget, ...}"),
    ],
)
def test_a_new_entry_has_its_messages(
    things: TypeAdapter[Any], data: object, path: tuple[str, ...], message: str
) -> None:
    """Mistakes with an entry that was just added are said like all others."""
    with pytest.raises(ValidationError) as error:
        things.validate_python(data)
    (issue,) = issues(error.value, data)
    assert (path, message) == (issue.path, issue.message)


def test_a_new_entry_is_in_the_json_schema(things: TypeAdapter[Any]) -> None:
    """Editors complete it, and show the first sentence of its documentation."""
    definitions = things.json_schema()["$defs"]
    widget = definitions["WidgetThing"]
    assert "Turns things. As often as asked." == widget["description"]
    assert ["type", "turns"] == widget["required"]
    assert ["round", "square"] == widget["properties"]["kind"]["enum"]


def test_an_argument_that_no_config_can_give_is_refused() -> None:
    """When its block is made: by tests of all blocks, long before a user's config has it."""

    def gizmo(callback: bytes) -> None:
        """Takes bytes."""

    Translator({}, {}).union({"gizmo": gizmo}, Thing, "a thing")
    with pytest.raises(TypeError, match="bytes"):
        Thing.blocks["gizmo"]


@pytest.mark.parametrize(
    ("table", "base", "key"),
    [
        (LAYERS, LayerConfig, "type"),
        (LOSSES, LossConfig, "type"),
        (OPTIMIZERS, OptimizerConfig, "type"),
        (SCHEDULES, ScheduleConfig, "schedule"),
    ],
)
def test_every_entry_of_every_table_has_a_block(table: Any, base: Any, key: str) -> None:
    """Names and blocks are in step, whatever the tables hold."""
    names = [block.model_fields[key].annotation.__args__[0] for block in base.blocks.values()]
    assert [*table] == [*base.blocks] == names
    assert base.table is table


ENTRIES = [
    (base, name)
    for base in (LayerConfig, LossConfig, OptimizerConfig, ScheduleConfig, BuiltInConfig)
    for name in base.blocks
]


def found_in(block: type[Block], data: dict[str, Any]) -> list[ConfigIssue]:
    """What is wrong with the data for a block."""
    with pytest.raises(ValidationError) as error:
        block.model_validate(data)
    return [*issues(error.value, data)]


@pytest.mark.parametrize(("base", "name"), ENTRIES)
def test_a_wrong_value_of_any_argument_has_one_message(base: type[NamedBlock], name: str) -> None:
    """At its key, and nothing is said about the others, which are valid."""
    block = base.blocks[name]
    valid = _example(block, base.key, name)
    for argument in block.parameters:
        (issue,) = found_in(block, {**valid, argument: {"no": 1}})
        assert argument == issue.path[0]
        assert issue.message


@pytest.mark.parametrize(("base", "name"), ENTRIES)
def test_any_argument_without_default_that_is_missing_is_named(
    base: type[NamedBlock], name: str
) -> None:
    """With the entry that needs it."""
    block = base.blocks[name]
    valid = _example(block, base.key, name)
    for argument in set(valid) - {base.key}:
        (issue,) = found_in(block, {key: valid[key] for key in valid if key != argument})
        assert f"'{name}' needs '{argument}'" == issue.message


def test_arguments_build_the_layer() -> None:
    """A block's arguments are the constructor's, with objects in place of blocks."""
    block = LayerConfig.blocks["dense"].model_validate(
        {"type": "dense", "units": 2, "initializer": "zeros"}
    )
    expected = {
        "units": 2,
        "activation": "linear",
        "bias": True,
        "initializer": Initializer("zeros"),
    }
    assert expected == block.arguments()


# The short form of a network is its long form.

SHORT = {"sizes": [4.0, 3], "activations": ["tanh", "softmax"]}
LONG = {
    "layers": [
        {"type": "dense", "units": 4, "activation": "tanh"},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]
}


@pytest.mark.parametrize("more", [{}, {"initializer": "zeros"}, {"initializer": {"scale": 2}}])
def test_both_forms_are_the_same_block(more):
    """With the same values in the same order, given and by default, which written configs show."""
    network = TypeAdapter(Network)
    one, other = (network.validate_python({**form, **more}) for form in (SHORT, LONG))
    assert one == other
    assert one.model_dump_json() == other.model_dump_json()
    for mine, others in zip(one.layers, other.layers, strict=True):
        assert type(mine) is type(others)
        assert [*vars(mine).items()] == [*vars(others).items()]
        assert mine.model_fields_set == others.model_fields_set


def test_both_forms_are_refused_for_the_same_sizes():
    """So that the long form has no mistakes but those of the short one."""
    rest = {"dataset": {"name": "iris"}, "loss": "cross_entropy"}
    rest = {"name": "some", **rest, "training": {"learning_rate": 0.1, "iterations": 1}}
    for size in (0, -1, 2**63, 1.5, True, "4", None):
        for form in (
            {**SHORT, "sizes": [size, 3]},
            {"layers": [{**LONG["layers"][0], "units": size}, LONG["layers"][1]]},
        ):
            with pytest.raises(ConfigError, match="a whole number greater than 0"):
                config_from_dict({**rest, "network": form})


# Feature steps as configs have them: by name, or with an option; whatever the table holds.


class Clip(L2):
    """Values within ±limit.

    Args:
        limit: The largest size of a value.
    """

    def __init__(self, limit: PositiveFloat) -> None:
        self.limit = limit


@pytest.fixture(scope="module")
def steps() -> TypeAdapter[Any]:
    """A table with two steps that have an option, one of them new."""
    blocks = step_blocks({"l2": L2, "binarize": Binarize, "clip": Clip})
    return TypeAdapter(step_type(("l2",), blocks))


@pytest.mark.parametrize("step", ["l2", {"binarize": 8}, {"clip": 2.5}])
def test_each_form_is_read(steps: TypeAdapter[Any], step: Any) -> None:
    """Names, and each step with an option."""
    assert step == steps.dump_python(steps.validate_python(step))
    jsonschema.validate(step, steps.json_schema())


@pytest.mark.parametrize(
    ("step", "path", "message"),
    [
        ({"clip": 0}, ("clip",), "0 is not a number greater than 0"),
        ({"binarize": "x"}, ("binarize",), "'x' is not a number"),
        ({"clop": 1}, ("clop",), "'clop' is not a key of a feature step; did you mean 'clip'?"),
        ({"clip": 1, "on": 2}, ("on",), "'on' is not a key of a feature step (only clip)"),
        ({}, (), "a feature step needs 'binarize' or 'clip'"),
        ({"l2": {}}, (), "'l2' has no settings; write l2"),
        ("clip", (), "'clip' is not {}; write {clip: 8}"),
        ("L2", (), "'L2' is not {}; did you mean 'l2'?"),
    ],
)
def test_each_mistake_has_one_message(
    steps: TypeAdapter[Any], step: Any, path: tuple[str, ...], message: str
) -> None:
    """That of the step that was meant, and nothing about the others."""
    any_step = "a feature step or a mapping like {binarize: 8} or a mapping like {clip: 8}"
    with pytest.raises(ValidationError) as error:
        steps.validate_python(step)
    found = [(issue.path, located(issue).message) for issue in issues(error.value, step)]
    assert [(path, message.replace("{}", any_step))] == found


def test_a_step_has_one_option_at_most() -> None:
    """A second argument without default would never get a value."""

    def between(low: float, high: float) -> L2: ...

    with pytest.raises(TypeError, match="step between: a config gives one argument"):
        step_blocks({"between": between})


@pytest.mark.parametrize("name", STEP_BLOCKS)
def test_a_step_with_an_option_can_be_pickled(name: str) -> None:
    """Configs travel to other processes."""
    step = STEP_BLOCKS[name].model_validate(STEP_BLOCKS[name].example())
    assert step == pickle.loads(pickle.dumps(step))


# The JSON Schema for editors; that it accepts random valid configs is tested with those.

VALID: dict[str, Any] = {
    "dataset": {"name": "boston"},
    "network": {"sizes": [13, 1], "activations": ["sigmoid", "linear"]},
    "loss": "mean_squared",
    "training": {"learning_rate": 0.01, "iterations": 100},
}


def test_it_is_a_schema_of_draft_2020_12() -> None:
    """Editors need the dialect and a title."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]
    assert "nnrun config" == schema["title"]


def test_every_key_is_described() -> None:
    """Completion shows what a key means."""
    schema = json_schema()
    blocks = [schema, *schema["$defs"].values()]
    bare = [
        f"{block['title']}.{key}"
        for block in blocks
        for key, field in block["properties"].items()
        if "description" not in field
    ]
    assert [] == bare


def test_short_forms_are_accepted(validator: jsonschema.Draft202012Validator) -> None:
    """No name, a stack of sizes, words for blocks."""
    validator.validate(VALID)


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "moons", "rows": 100, "noise": 0.2, "seed": 1, "test_size": 0.5},
        {"images": {"folder": "cats", "size": [28, 20], "mode": "gray"}},
        {"images": {"folder": "cats"}, "features": "per_channel"},
        {"name": "mnist", "path": "folder"},
        {"path": "x.npz"},
        {"path": "x.csv", "columns": {"target": "y"}},
    ],
)
def test_data_of_every_kind_are_accepted(
    validator: jsonschema.Draft202012Validator, dataset: dict[str, Any]
) -> None:
    """Sets with options beside their names, folders, files."""
    validator.validate({**VALID, "dataset": dataset})


def test_models_of_scikit_learn(validator: jsonschema.Draft202012Validator) -> None:
    """`beside` stands in place of network, loss and training, and not beside them."""
    validator.validate({"dataset": {"name": "iris"}, "beside": "forest"})
    assert not validator.is_valid({**VALID, "beside": "forest"})
    assert not validator.is_valid({"dataset": {"name": "iris"}, "beside": "tree"})


@pytest.mark.parametrize(
    "change",
    [
        {"sed": 1},
        {"loss": "mean_square"},
        {"network": {"sizes": [1]}},
        {"network": {"layers": [{"type": "dens", "units": 1}]}},
        {"network": {"layers": [{"units": 1}]}},
        {"training": {"learning_rate": 0, "iterations": 1}},
        {"training": {"learning_rate": 1, "iterations": 1, "epochs": 1}},
        {"training": {"learning_rate": 1}},
        {"dataset": {"name": "bostn"}},
        {"dataset": {"test_size": 0.2}},
        {"dataset": {"name": "iris", "rows": 100}},
        {"dataset": {"name": "moons", "rows": 3}},
        {"dataset": {"name": "moons", "path": "x.csv"}},
        {"name": "../elsewhere"},
        {"published": {"test_acuracy": 1}},
        {"seed": "1"},
        {"seed": -1},
    ],
)
def test_mistakes_are_rejected(
    validator: jsonschema.Draft202012Validator, change: dict[str, Any]
) -> None:
    """Editors underline what the loader would refuse."""
    assert not validator.is_valid({**VALID, **change})
