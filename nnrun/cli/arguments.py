"""Arguments of commands: paths and `key=value` overrides, output files, completion in a shell."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from nnrun.cli import COMPLETE
from nnrun.config.files import SUFFIXES
from nnrun.data.readers.opening import refuse_fifo
from nnrun.errors import UsageError, clipped
from nnrun.reports.commands import command_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


_ITEM = re.compile(r"([^=]+)=(\w{2,}):([^:]+)")


def split_arguments(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The paths among the arguments, and the overrides after them.

    Raises:
        click.UsageError: a path comes after an override, or is empty, or there is none; or the
            shell split an override.
    """
    refuse_split_overrides(arguments)
    paths: list[Path] = []
    overrides: list[str] = []
    for argument in arguments:
        if _is_override(argument):
            overrides.append(argument)
        elif overrides:
            message = f"argument '{argument}': paths come before overrides such as {overrides[0]}"
            raise click.UsageError(message)
        elif not argument:
            raise click.UsageError("a path is empty; '.' is the current folder")
        else:
            paths.append(Path(argument))
    if not paths:
        raise click.UsageError("a config file or a folder of them is needed before the overrides")
    return paths, overrides


def refuse_split_overrides(arguments: Sequence[str]) -> None:
    """Refuse an override that the shell split at its blanks, as in `key={type: adam}` unquoted, or
    at its braces.

    Raises:
        click.UsageError: there is one; the message has it with quotes.
    """
    _refuse_expanded(arguments)
    for start, argument in enumerate(arguments):
        if not _is_override(argument):
            continue
        whole = argument
        for word in arguments[start + 1 :]:
            if _is_override(word) or not (_goes_on(whole) or word.startswith(",")):
                break
            whole = f"{whole} {word}"
        if whole != argument:
            raise click.UsageError(
                f"argument '{clipped(argument)}': the shell split it at its blanks; "
                f"put it in quotes: {shlex.quote(whole)}"
            )


def _refuse_expanded(arguments: Sequence[str]) -> None:
    """Refuse what bash makes of `key={type:adam,beta1:0.8}` unquoted: an override for each item."""
    items: dict[str, list[str]] = {}
    for argument in arguments:
        if item := _ITEM.fullmatch(argument):
            items.setdefault(item[1], []).append(f"{item[2]}: {item[3]}")
    for key, found in items.items():
        if len(found) > 1:
            whole = shlex.quote(f"{key}={{{', '.join(found)}}}")
            raise click.UsageError(
                f"argument '{clipped(key)}': the shell took its braces apart; "
                f"put it in quotes: {whole}"
            )


def _goes_on(text: str) -> bool:
    """Whether the start of an override ends within brackets or before a value."""
    opened = sum(map(text.count, "[{")) - sum(map(text.count, "]}"))
    return opened > 0 or text.endswith((",", "="))


def _is_override(argument: str) -> bool:
    """Whether it is `key=value`; a config whose name has an equals sign is still a config."""
    return "=" in argument and not (argument.endswith(SUFFIXES) and Path(argument).is_file())


def check_target(file: Path, source: Path | None = None, option: str = "-o") -> None:
    """Check before all work that a file can be written, and is not its own source.

    Raises:
        UsageError: it is a folder, in none, a FIFO, or the source itself.
    """
    if file.is_dir():
        raise UsageError(f"{option} {file}: is a folder; name a file in it")
    check_parent(file, option)
    refuse_fifo(file, option)
    if source is not None and file.is_file() and source.is_file() and file.samefile(source):
        raise UsageError(f"{option} {file}: is the input itself; name another file")


def check_parent(target: Path, option: str = "-o") -> None:
    """Check that the folder around a file or folder to write exists.

    Raises:
        UsageError: it does not; creating it would turn a typing error into a folder.
    """
    folder = target.parent
    if not folder.is_dir():
        wrong = f"{folder} is no folder" if folder.exists() else f"there is no folder {folder}"
        makes = "" if folder.exists() else f"; mkdir -p {shlex.quote(str(folder))} makes it"
        raise UsageError(f"{option} {target}: {wrong}{makes}")


def command_again(**changes: object) -> str:
    """The running command for the shell, with other values for some parameters; None omits one."""
    context = click.get_current_context()
    arguments: list[str] = []
    options: dict[str, object] = {}
    for parameter in context.command.params:
        name = str(parameter.name)
        # Plugins are loaded as they are read, and no parameter of the command.
        value = changes.get(name, context.params.get(name, context.meta.get(f"nnrun.{name}")))
        if isinstance(parameter, click.Argument):
            arguments += map(str, value) if isinstance(value, list | tuple) else [str(value)]
        elif name in changes or context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            options[parameter.opts[-1]] = None if name == "results" else value
    return command_line(str(context.info_name), arguments, context.params["results"], options)


# What the shell completes: configs, and runs, by name, and by name and id.

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

    from nnrun.runs.storage.sweep_progress import ids_in, names_in  # noqa: PLC0415  # as above

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
    from nnrun.runs.storage.sweep_progress import names_in  # noqa: PLC0415  # for shells only

    return [word for word in names_in(_results(ctx)) if word.startswith(incomplete)]


def topics(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """What `nnrun help` has a topic for; with `--plugin`, parts of plugins too."""
    from nnrun.reports.reference.site import LESSONS, PAGES  # noqa: PLC0415  # for shells only
    from nnrun.reports.reference.topics import topics as known  # noqa: PLC0415  # as above

    names = {*PAGES, *LESSONS, *(topic.name for topic in known())}
    return sorted(name for name in names if name.startswith(incomplete))


def _results(ctx: click.Context) -> Path:
    """The results folder, as far as the command line is written."""
    return Path(ctx.params.get("results") or os.environ.get("NNRUN_RESULTS") or "results")
