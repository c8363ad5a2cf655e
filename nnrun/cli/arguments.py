"""Arguments apart: the configs of files and folders, and `key=value` overrides."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from nnrun.errors import UsageError

SUFFIXES = (".yaml", ".yml")


def split_arguments(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The paths among the arguments, and the overrides after them.

    Raises:
        click.UsageError: a path comes after an override, or there is none.
    """
    paths: list[Path] = []
    overrides: list[str] = []
    for argument in arguments:
        if _is_override(argument):
            overrides.append(argument)
        elif overrides:
            message = f"argument '{argument}': paths come before overrides such as {overrides[0]}"
            raise click.UsageError(message)
        else:
            paths.append(Path(argument))
    if not paths:
        raise click.UsageError("a config file or a folder of them is needed before the overrides")
    return paths, overrides


def _is_override(argument: str) -> bool:
    """Whether it is `key=value`; a config whose name has an equals sign is still a config."""
    return "=" in argument and not (argument.endswith(SUFFIXES) and Path(argument).is_file())


def config_files(paths: Sequence[Path], recursive: bool = False) -> list[Path]:
    """Files as they are, folders as the YAML files that lie in them, each once.

    Raises:
        click.UsageError: there is none in a folder.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        found = _in_folder(path, recursive) if path.is_dir() else [path]
        if not found:
            raise click.UsageError(f"argument '{path}': no {' or '.join(SUFFIXES)} file in there")
        for file in found:
            same = files.get(file.resolve())
            # The file itself, rather than a link to it, for its name is that of its results.
            if same is None or (same.is_symlink() and not file.is_symlink()):
                files[file.resolve()] = file
    return list(files.values())


def _in_folder(folder: Path, recursive: bool) -> list[Path]:
    entries = folder.rglob("*") if recursive else folder.iterdir()
    hidden = (".",)
    return sorted(
        entry
        for entry in entries
        if entry.suffix in SUFFIXES and not entry.name.startswith(hidden) and entry.is_file()
    )


def check_target(file: Path, source: Path | None = None) -> None:
    """Find out before all work what would keep it from being written.

    Args:
        file: what is to be written.
        source: what it is made from.

    Raises:
        UsageError: it is a folder, in none, or the source itself.
    """
    if file.is_dir():
        raise UsageError(f"-o {file}: is a folder; name a file in it")
    if not file.parent.is_dir():
        raise UsageError(f"-o {file}: there is no folder {file.parent}")
    if source is not None and file.is_file() and source.is_file() and file.samefile(source):
        raise UsageError(f"-o {file}: is the input itself; name another file")


def command_line(
    command: str, arguments: Sequence[str], results: Path, options: Mapping[str, object]
) -> str:
    """A command for the shell: options that are None or false are left out."""
    words = ["nnrun", command, *arguments]
    for option, value in options.items():
        if value is True:
            words.append(option)
        elif value is not None and value is not False:
            words += [option, str(value)]
    # What an environment variable says here, it may not say in the shell that this is copied to.
    if results != Path("results") or "NNRUN_RESULTS" in os.environ:
        words += ["--results", str(results)]
    return shlex.join(words)
