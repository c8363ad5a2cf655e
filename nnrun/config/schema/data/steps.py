"""The steps of `dataset.features`: by name alone or, where a step has an option, as a mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, getdoc, isclass, signature
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, get_type_hints

from pydantic import BeforeValidator, Discriminator, Field, Tag, create_model

from nnrun.config.schema.base.block import MOST_LOOKED_AT, Block, ConfigIssue
from nnrun.config.schema.base.docs import argument_docs
from nnrun.config.schema.base.fields import OneOf, example
from nnrun.config.schema.base.from_signature import Translator
from nnrun.config.yaml.dump import flow
from nnrun.data.preprocessing.steps import STEPS, Step
from nnrun.suggestions import nearest, suggestion


class StepConfig(Block):
    """A feature step with an option: a mapping of its name to the option's value."""

    noun: ClassVar[str] = "a feature step"

    @classmethod
    def phrase(cls) -> str:
        return f"a mapping like {flow(cls.example())}"

    @classmethod
    def example(cls) -> dict[str, Any]:
        """The step as a config may have it."""
        return {name: example(field) for name, field in cls.model_fields.items()}


def _option(name: str, step: Callable[..., Step]) -> Parameter | None:
    """The argument that a config has to give; those with defaults are learned from data."""
    arguments = signature(step).parameters.values()
    required = [each for each in arguments if each.default is Parameter.empty]
    if len(required) > 1:
        raise TypeError(f"step {name}: a config gives one argument, so the others need a default")
    return required[0] if required else None


def _step_block(name: str, step: Callable[..., Step], option: Parameter) -> type[StepConfig]:
    """The block of a step with an option, which stands under the step's own name."""
    hints = get_type_hints(step.__init__ if isclass(step) else step, include_extras=True)
    about = argument_docs(step).get(option.name, option.name)
    field: Any = (Translator({}, {}).field(hints[option.name]), Field(description=about))
    block: type[StepConfig] = create_model(
        "".join(word.capitalize() for word in name.split("_")),
        __base__=StepConfig,
        __module__=__name__,
        __doc__=(getdoc(step) or name).split("\n\n")[0],
        **{name: field},
    )
    return block


def step_blocks(steps: Mapping[str, Callable[..., Step]]) -> dict[str, type[StepConfig]]:
    """The blocks of those steps that have an option."""
    options = {name: _option(name, step) for name, step in steps.items()}
    return {
        name: _step_block(name, steps[name], option)
        for name, option in options.items()
        if option is not None
    }


def step_type(names: tuple[str, ...], blocks: Mapping[str, type[StepConfig]]) -> Any:
    """The type of a field that holds a step: one of these names, or one of these blocks."""
    phrase = " or ".join(["a feature step", *(block.phrase() for block in blocks.values())])

    def hint(value: Any) -> str:
        block = blocks.get(value) if isinstance(value, str) else None
        return suggestion(value, names) if block is None else f"; write {flow(block.example())}"

    def check(value: Any) -> Any:
        if isinstance(value, StepConfig) or (isinstance(value, str) and value in names):
            return value
        if not isinstance(value, dict):
            raise ConfigIssue(phrase=phrase, hint=partial(hint, value)).error()
        if _step_of(value, blocks) is None:
            needed = " or ".join(f"'{name}'" for name in blocks)
            raise ConfigIssue(f"a feature step needs {needed}", part="block").error()
        return value

    def tag(value: Any) -> str:
        if isinstance(value, StepConfig):
            return f"<{next(iter(type(value).model_fields))}>"
        return f"<{_step_of(value, blocks)}>" if isinstance(value, dict) else "<name>"

    name: Any = Annotated[str, OneOf(names, "a feature step")]
    tagged = [Annotated[block, Tag(f"<{step}>")] for step, block in blocks.items()]
    choice: Any = Union[Annotated[name, Tag("<name>")], *tagged]
    accepted: Any = Union[name, *blocks.values()]
    marks = Discriminator(tag), BeforeValidator(check, json_schema_input_type=accepted)
    return Annotated[choice, *marks]


def _step_of(value: dict[str, Any], blocks: Mapping[str, Any]) -> str | None:
    """The step whose option a mapping gives, or seems to give under a misspelt name."""
    keys = [*islice(value, MOST_LOOKED_AT)]
    known = (key for key in keys if key in blocks)
    return next(known, None) or next(filter(None, (nearest(key, blocks) for key in keys)), None)


STEP_BLOCKS = step_blocks(STEPS)
# Pickles of configs name these classes.
globals().update({block.__name__: block for block in STEP_BLOCKS.values()})
FEATURE_STEPS = tuple(name for name in STEPS if name not in STEP_BLOCKS)
if TYPE_CHECKING:
    FeatureStep = str | StepConfig
else:
    FeatureStep = step_type(FEATURE_STEPS, STEP_BLOCKS)


def _listed(value: Any) -> Any:
    """`none`, one step, or a list of steps, as a list."""
    if value == "none":
        return []
    return [value] if isinstance(value, str | dict | StepConfig) else value


Features = Annotated[
    list[FeatureStep],
    BeforeValidator(
        _listed, json_schema_input_type=list[FeatureStep] | FeatureStep | Literal["none"]
    ),
]
