"""Exercises of a teacher's own: a start, what may be changed, and criteria, in a YAML file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ValidationError

from nnrun.config.hints import located
from nnrun.config.load import Experiment, config_to_dict, load_config
from nnrun.config.names import SPLITS
from nnrun.config.schema.block import Block, ConfigIssue, issues
from nnrun.config.schema.fields import Listed, Number, Text
from nnrun.config.settings import flatten
from nnrun.config.source_map import Source, in_order
from nnrun.config.yaml import parse, read_text
from nnrun.course.grading import Attempt, Criterion, Exercise, UnmetError, Verdict, types
from nnrun.errors import ConfigError
from nnrun.nn.layers import LAYERS

_PARAMETERS = "parameters"


class CriterionConfig(Block):
    """A number of a hand-in, and its bounds."""

    noun: ClassVar[str] = "criterion"
    must_be: ClassVar[str] = "a mapping like {name: small, of: parameters, at_most: 30}"

    name: Annotated[str, Text()]
    of: Annotated[str, Text()]
    at_least: Annotated[float, Number()] | None = None
    at_most: Annotated[float, Number()] | None = None
    advice: Annotated[str, Text()] = ""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        of = str(data.get("of", _PARAMETERS))
        if of not in (_PARAMETERS, *LAYERS) and of.partition(" ")[0] not in SPLITS:
            counted = "parameters, a type of layers like conv2d, or a metric like test accuracy"
            yield ConfigIssue(f"'{of}' is none of these: {counted}", ("of",))
        if data.get("at_least") is data.get("at_most") is None:
            yield ConfigIssue("a criterion needs 'at_least' or 'at_most'", part="block")

    def value(self, attempt: Attempt) -> float:
        """The number in question, of metrics the mean over seeds; KeyError if there is none."""
        if self.of == _PARAMETERS:
            return attempt.prepared.network.size
        split, _, metric = self.of.partition(" ")
        return attempt.runs.mean(split, metric) if metric else types(attempt.config).count(self.of)

    def check(self, attempt: Attempt) -> Verdict:
        """Whether the number is within its bounds; that of test rows is not said."""
        bounds = {"at least": self.at_least, "at most": self.at_most}
        asked = " and ".join(f"{way} {end:g}" for way, end in bounds.items() if end is not None)
        value = self.value(attempt)
        low, high = (value if end is None else end for end in (self.at_least, self.at_most))
        met = low <= value <= high
        shown = f"is {value:.4g}" if not self.of.startswith("test ") else "meets it" * met
        return met, f"{self.of} {shown or 'does not meet it'}; {asked} is asked for"


class ExerciseConfig(Block):
    """An exercise."""

    noun: ClassVar[str] = "the exercise"

    start: Annotated[str, Text()]
    free: Annotated[list[Annotated[str, Text()]], Listed("keys")]
    criteria: Annotated[list[CriterionConfig], Listed("criteria")]


def load_exercise(file: Path) -> tuple[Exercise, Experiment]:
    """An exercise and its start; criteria that the start meets earn no points.

    Raises:
        ConfigError: with all mistakes in the file, each with its place, or in the start.
    """
    source = Source(**vars(parse(read_text(file))))
    try:
        block = ExerciseConfig.model_validate(source.data)
    except ValidationError as error:
        _refuse(source, map(located, issues(error, source.data)))
    start = load_config(file.parent / block.start)
    known = [f"{key}." for key in flatten(config_to_dict(start.config))]
    unknown = (
        ConfigIssue(f"'{free}' is no key of {block.start}", ("free", place))
        for place, free in enumerate(block.free)
        if not any(f"{free}.".startswith(key) or key.startswith(f"{free}.") for key in known)
    )
    _refuse(source, unknown)
    attempt, criteria = Attempt(start, start), list[Criterion]()
    for place, each in enumerate(block.criteria):
        criterion = Criterion(each.name, each.check, each.advice)
        try:
            criterion = replace(criterion, kept=each.check(attempt)[0])
        except UnmetError:
            pass  # so the start does not meet it
        except KeyError:
            message = f"'{each.of}' is no metric of {block.start}, or no split that it has"
            _refuse(source, [ConfigIssue(message, ("criteria", place, "of"))])
        criteria.append(criterion)
    return Exercise(block.free, criteria), start


def _refuse(source: Source, found: Iterable[ConfigIssue]) -> None:
    problems = [*source.problems, *(source.problem(c.path, c.message, c.part) for c in found)]
    if problems:
        raise ConfigError(in_order(problems))
