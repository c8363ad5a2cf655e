"""Split arguments into paths and `key=value` overrides, and check output files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from nnrun.config.files import SUFFIXES
from nnrun.data.readers.opening import refuse_fifo
from nnrun.errors import UsageError, clipped
from nnrun.reports.commands import command_line

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
