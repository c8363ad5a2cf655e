"""From a student's config to the points of an exercise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.load import Experiment, config_to_dict
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.settings import flatten
from nnrun.config.yaml.dump import flow
from nnrun.course.attempt import SEEDS, Attempt, UnmetError
from nnrun.plugins.checker.findings import Finding, Points

Verdict = tuple[bool, str]
"""Whether a criterion is met, and what was found, in a sentence."""
Check = Callable[[Attempt], Verdict]
"""Raises UnmetError if the criterion cannot be met."""

_TASK = "task"
_MOST_NAMED = 3
_FREE = ("name", "description", "training.watch")  # they change no number


@dataclass(frozen=True)
class Criterion:
    """Something that an exercise asks for, with a hint for those who do not meet it."""

    name: str
    check: Check
    hint: str


@dataclass(frozen=True)
class Exercise:
    """The exercise of a lesson.

    Args:
        free: the keys that may be changed, and all keys within them.
        criteria: in the order in which they are checked.
    """

    free: Sequence[str]
    criteria: Sequence[Criterion]


@dataclass(frozen=True)
class Grade(Points):
    """What is met and what is not, by a finding for each criterion."""

    lesson: int
    file: str
    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        """As JSON data, with a point for each criterion."""
        return {"lesson": self.lesson, "file": self.file, **self.counted()}


def grade(
    lesson: int,
    exercise: Exercise,
    experiment: Experiment,
    start: Experiment,
    seeds: Sequence[int] = SEEDS,
) -> Grade:
    """The grade of a config for a lesson, whose exercise begins with `start`.

    Raises:
        ConfigError: the network does not fit together, or does not fit the data.
    """
    attempt, file = Attempt(experiment, start, seeds), str(experiment.file)
    others = [*_differences(experiment.config, start.config, exercise.free)]
    may = " or ".join(f"`{key}`" for key in exercise.free)
    if others:
        more = f", and {len(others) - _MOST_NAMED} more" * (len(others) > _MOST_NAMED)
        says = f"{'; '.join(others[:_MOST_NAMED])}{more}"
        missed = Finding(_TASK, False, says, f"Change nothing but {may}.")
        why = "not checked, since other keys are changed, too"
        rest = [Finding(each.name, False, why, reached=False) for each in exercise.criteria]
        return Grade(lesson, file, [missed, *rest])
    _ = attempt.prepared  # whose errors are those of the config
    task = Finding(_TASK, True, "only the allowed keys are changed")
    return Grade(lesson, file, [task, *(_found(each, attempt) for each in exercise.criteria)])


def _found(criterion: Criterion, attempt: Attempt) -> Finding:
    try:
        met, says = criterion.check(attempt)
    except UnmetError as error:
        met, says = False, str(error)
    return Finding(criterion.name, met, says, "" if met else criterion.hint)


def _differences(
    config: ExperimentConfig, start: ExperimentConfig, free: Sequence[str]
) -> Iterator[str]:
    """The differences between a config and a start, except for the keys that may be changed."""
    ours, theirs = (flatten(config_to_dict(each)) for each in (config, start))
    for key in {**theirs, **ours}:
        may = any(f"{key}.".startswith(f"{part}.") for part in (*free, *_FREE))
        if not may and (key not in ours or key not in theirs or ours[key] != theirs[key]):
            mine, given = (flow(each[key]) if key in each else "not set" for each in (ours, theirs))
            yield f"{key} is {mine}, and {given} in the exercise"
