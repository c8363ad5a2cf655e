"""What the shell completes: configs, and runs, by name, and by name and id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nnrun.cli import COMPLETE
from nnrun.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


_VALUES = [
    f"{shell}_{what}" for what in ("source", "complete") for shell in ("bash", "zsh", "fish")
]


def answer(group: click.Group, environment: Mapping[str, str]) -> int:
    """Print what a shell asks for: its function, or what completes a line; return the exit code.

    Raises:
        UsageError: the variable has another value, or there is no line to complete.
    """
    from click.shell_completion import shell_complete  # noqa: PLC0415  # for shells only

    value = environment[COMPLETE]
    if value not in _VALUES:
        raise UsageError(f"{COMPLETE}={value}: this is none of {', '.join(_VALUES)}")
    index = environment.get("COMP_CWORD")
    complete = index is not None and (value.startswith("fish") or index.isdecimal())
    if value.endswith("complete") and not (complete and "COMP_WORDS" in environment):
        raise UsageError(
            f"{COMPLETE}={value}: the shell that asks sets COMP_WORDS and COMP_CWORD as well; "
            f"in its settings, write {value.replace('complete', 'source')}"
        )
    return shell_complete(group, {}, "nnrun", COMPLETE, value)


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Files and folders, as the shell completes them: configs, or data."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # for shells only

    return [CompletionItem(incomplete, type="file")]


def files_and_runs(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Runs whose names begin like that; where there are none, files."""
    named = [item for item in runs(ctx, parameter, incomplete) if incomplete and item.type != "dir"]
    return named or files(ctx, parameter, incomplete)


def runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Runs, as commands call them: folders, `name`, `name/best`, `name/ID-PREFIX`, `latest`."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # for shells only

    from nnrun.runs.storage.folders import ids_in, names_in  # noqa: PLC0415  # as above

    name, slash, _rest = incomplete.partition("/")
    if slash:
        ids = ids_in(_results(ctx), name)
        found = [f"{name}/{part}" for part in (["best", *ids] if ids else [])]
    else:
        found = ["latest", *names_in(_results(ctx))]
    items = [CompletionItem(word) for word in found if word.startswith(incomplete)]
    # A folder may be anywhere; the shell knows better where.
    return items or [CompletionItem(incomplete, type="dir")]


def names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The names of experiments with stored runs."""
    from nnrun.runs.storage.folders import names_in  # noqa: PLC0415  # for shells only

    return [word for word in names_in(_results(ctx)) if word.startswith(incomplete)]


def topics(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """What `nnrun help` has a topic for; with `--plugin`, parts of plugins too."""
    from nnrun.reports.reference.pages import LESSONS, PAGES  # noqa: PLC0415  # for shells only
    from nnrun.reports.reference.topics import topics as known  # noqa: PLC0415  # as above

    names = {*PAGES, *LESSONS, *(topic.name for topic in known())}
    return sorted(name for name in names if name.startswith(incomplete))


def _results(ctx: click.Context) -> Path:
    """The results folder, as far as the command line is written."""
    return Path(ctx.params.get("results") or os.environ.get("NNRUN_RESULTS") or "results")
