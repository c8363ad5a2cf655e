"""Hints for arguments that are meant for another key, another command, or as an option."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from nnrun.config.overrides import OverrideError, values_of
from nnrun.config.schema.base.block import ConfigIssue
from nnrun.errors import Problem

# Options of commands, by the words that users try as arguments.
_OPTIONS = {
    "seeds": "nnrun sweep with --seeds {value}",
    "n_seeds": "nnrun sweep with --seeds {value}",
    "jobs": "nnrun sweep with --jobs {value}",
    "n_jobs": "nnrun sweep with --jobs {value}",
    "workers": "nnrun sweep with --jobs {value}",
    "beside": "nnrun sweep with --beside {value}",
    "results": "--results {value}",
    "output": "--results {value}",
    "output_dir": "--results {value}",
    "verbose": "--quiet, or leave it out",
}
# Keys that take one value or a list.
_LISTS = frozenset(
    {
        "dataset.features",
        "dataset.columns.drop",
        "dataset.columns.categorical",
        "dataset.columns.target_mean",
    }
)


def option_of(key: str, value: str) -> str | None:
    """The option that this argument seems to be meant for, if there is one."""
    return _OPTIONS[key].format(value=value).rstrip() if key in _OPTIONS else None


def explained(problem: Problem, issue: ConfigIssue) -> Problem:
    """The problem; if it is of an argument, with a hint for what was meant."""
    if problem.argument is None:
        return problem
    key, _, value = problem.argument.partition("=")
    if len(issue.path) == 1 and issue.part == "key" and (meant := option_of(key, value)):
        message = f"'{key}' is not a key of the config; did you mean {meant}?"
        return replace(problem, message=message)
    if issue.elsewhere and len(issue.path) == 1:
        hint = f"did you mean {issue.elsewhere}"
        return replace(problem, message=problem.message.replace(f"{hint}?", f"{hint}={value}?"))
    if issue.part == "value" and _has_several(value):
        hint = "only nnrun sweep takes several values"
        if "list" in issue.phrase or key in _LISTS:
            hint = f"a list stands in brackets: {key}=[{value}]"
        return replace(problem, message=f"{problem.message}; {hint}")
    return problem


@lru_cache(maxsize=64)  # thousands of problems may be those of one argument
def _has_several(text: str) -> bool:
    try:
        return len(values_of(text)) > 1
    except OverrideError:
        return False
