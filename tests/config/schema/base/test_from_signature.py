"""Tables of `nnrun.nn` as config blocks: all of them, and whatever is added to one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from nnrun.config.schema.block import Block, ConfigIssue, issues
from nnrun.config.schema.dataset import BuiltInConfig
from nnrun.config.schema.from_signature import NamedBlock, Translator
from nnrun.config.schema.network import LayerConfig, LossConfig
from nnrun.config.schema.training import OptimizerConfig, ScheduleConfig
from nnrun.nn.initializers import Initializer
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.schedules import SCHEDULES
from nnrun.nn.signature import Bounds, Named
from nnrun.reports.reference.topics import _example


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
