"""The steps of `dataset.features`: by name alone or, where a step has an option, as a mapping."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, partial
from inspect import Parameter, getdoc, isclass, signature
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_type_hints

from pydantic import BeforeValidator, Field, create_model

from nnrun.config.schema.base.block import MOST_LOOKED_AT, Block, BlockChoice, ConfigIssue
from nnrun.config.schema.base.docs import argument_docs
from nnrun.config.schema.base.fields import OneOf, example
from nnrun.config.schema.base.from_signature import LazyBlocks, Translator
from nnrun.config.yaml.dump import flow
from nnrun.data.preprocessing.statistics import Step
from nnrun.data.preprocessing.steps import STEPS
from nnrun.plugins.loading import find
from nnrun.plugins.part import PluginError
from nnrun.suggestions import nearest, part_suggestion
from nnrun.tables import Chosen


class StepConfig(Block):
    """A feature step with an option: a mapping of its name to the option's value."""

    noun: ClassVar[str] = "a feature step"

    def named_parts(self) -> Iterator[tuple[str, str]]:
        yield from (("step", name) for name in type(self).model_fields)

    def __reduce__(self) -> tuple[Any, ...]:
        # Classes made at run time cannot be found by name, but by their place in the table.
        return _revive, (dict(self.__dict__),)

    @classmethod
    def phrase(cls) -> str:
        return f"a mapping like {flow(cls.example())}"

    @classmethod
    def example(cls) -> dict[str, Any]:
        """The step as a config may have it."""
        return {name: example(field) for name, field in cls.model_fields.items()}


def _revive(values: dict[str, Any]) -> StepConfig:
    return STEP_BLOCKS[next(iter(values))].model_construct(**values)


@cache
def _option(name: str, step: Callable[..., Step]) -> Parameter | None:
    """The argument that a config has to give; those with defaults are learned from data."""
    if isclass(step) and step.__init__ is object.__init__ and step.__new__ is object.__new__:
        return None  # `signature` is slow where a class has neither of its own
    arguments = signature(step).parameters.values()
    required = [each for each in arguments if each.default is Parameter.empty]
    if len(required) > 1:
        message = f"step {name}: a config gives one argument, so the others need a default"
        part = find("step", name)
        raise TypeError(message) if part is None else PluginError(f"{part.place}: {message}")
    return required[0] if required else None


def _has_option(name: str, step: Callable[..., Step]) -> bool:
    return _option(name, step) is not None


def step_blocks(steps: Mapping[str, Callable[..., Step]]) -> Mapping[str, type[StepConfig]]:
    """The blocks of those steps that have an option, which stands under the step's own name."""
    for name, step in steps.items():
        _option(name, step)

    def make(name: str) -> type[StepConfig]:
        step = steps[name]
        option = _option(name, step)
        assert option is not None, name
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

    return LazyBlocks(Chosen(steps, _has_option), make)


def step_type(names: Collection[str], blocks: Mapping[str, type[StepConfig]]) -> Any:
    """The type of a field that holds a step: one of these names, or one of these blocks."""

    def hint(value: Any) -> str:
        block = blocks.get(value) if isinstance(value, str) else None
        return (
            part_suggestion(value, names) if block is None else f"; write {flow(block.example())}"
        )

    def choose(value: Any) -> tuple[type[Block] | None, Any]:
        if isinstance(value, StepConfig):
            return type(value), value
        if isinstance(value, str) and value in names:
            return None, value
        if not isinstance(value, dict):
            forms = ["a feature step", *(block.phrase() for block in blocks.values())]
            raise ConfigIssue(phrase=" or ".join(forms), hint=partial(hint, value)).error()
        step = _step_of(value, blocks)
        if step is None:
            needed = " or ".join(f"'{name}'" for name in blocks)
            raise ConfigIssue(f"a feature step needs {needed}", part="block").error()
        return blocks[step], value

    return Annotated[Any, BlockChoice(choose, blocks.values, OneOf(names, "a feature step"))]


def _step_of(value: dict[str, Any], blocks: Mapping[str, Any]) -> str | None:
    """The step whose option a mapping gives, or seems to give under a misspelt name."""
    keys = [*islice(value, MOST_LOOKED_AT)]
    known = (key for key in keys if key in blocks)
    return next(known, None) or next(filter(None, (nearest(key, blocks) for key in keys)), None)


STEP_BLOCKS = step_blocks(STEPS)
FEATURE_STEPS = Chosen(STEPS, lambda name, step: not _has_option(name, step))
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
