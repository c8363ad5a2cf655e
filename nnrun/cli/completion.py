"""What the shell completes: runs, by name, and by name and id."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from nnrun.runs.storage.folders import ids_in, names_in


class Run(click.types.StringParamType):
    """A run, as commands call it: a folder, `name`, `name/best`, `name/ID-PREFIX`, `latest`."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        root = _results(ctx)
        name, slash, _ = incomplete.partition("/")
        if slash:
            ids = ids_in(root, name)
            found = [f"{name}/{part}" for part in (["best", *ids] if ids else [])]
        else:
            found = ["latest", *names_in(root)]
        items = [CompletionItem(word) for word in found if word.startswith(incomplete)]
        # A folder may be anywhere; the shell knows better where.
        return items or [CompletionItem(incomplete, type="dir")]


class Name(click.types.StringParamType):
    """The name of an experiment with stored runs."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        root = _results(ctx)
        return [CompletionItem(word) for word in names_in(root) if word.startswith(incomplete)]


def _results(ctx: click.Context) -> Path:
    """The results folder, as far as the command line is written."""
    return Path(ctx.params.get("results") or os.environ.get("NNRUN_RESULTS") or "results")
