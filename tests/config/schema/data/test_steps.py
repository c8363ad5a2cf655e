"""Feature steps as configs have them: by name, or with an option; whatever the table holds."""

from __future__ import annotations

import pickle
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError

from nnrun.config.hints import located
from nnrun.config.schema.block import issues
from nnrun.config.schema.columns import STEP_BLOCKS, step_blocks, step_type
from nnrun.data.steps import L2, Binarize
from nnrun.nn.signature import PositiveFloat


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
