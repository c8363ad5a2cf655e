"""What the shell completes: runs, by name, and by name and id."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
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
