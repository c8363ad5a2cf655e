"""The group of commands: loads only the one that is called, and turns errors into exit codes."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from nnrun.cli.errors import exit_code_for
from nnrun.cli.output import Output, abandon_unwritable


class LazyGroup(click.Group):
    """Commands by name, each in a module of its own that is imported when it is called.

    Args:
        table: for each name the module whose `command` it is, and its line of help.
    """

    def __init__(self, *, table: dict[str, tuple[str, str]], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        command: click.Command = import_module(self.table[cmd_name][0]).command
        if threading.current_thread() is threading.main_thread():
            # Everything is loaded; from here on, Ctrl-C is handled like any other error.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            near = get_close_matches(name, self.table, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(self.table)}"
            raise click.UsageError(f"'{name}' is not a command; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command that the arguments name, and exit with its code."""
        output = Output()
        code = 0
        try:
            result = super().main(
                args, prog_name or "nnrun", complete_var, standalone_mode=False, obj=output, **extra
            )
            code = result if isinstance(result, int) else 0
            sys.stdout.flush()
        except click.NoSuchOption as error:
            words = sys.argv[1:] if args is None else args
            code = exit_code_for(_explained(error, words), output)
        except BaseException as error:  # noqa: BLE001, RUF100  # the outermost handler
            code = exit_code_for(error, output)
        abandon_unwritable(sys.stdout)
        sys.exit(code)


def _explained(error: click.NoSuchOption, words: Sequence[str]) -> click.NoSuchOption:
    """The error, with the argument that sets what the option seems to be meant for."""
    from nnrun.config.hints.key_locations import place_of  # noqa: PLC0415  # slow to import, for mistakes only
    from nnrun.config.hints.misplaced_arguments import option_of  # noqa: PLC0415

    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        # Of words such as -lr, click names the first letter that is no option.
        short = not error.option_name.startswith("--") and name.startswith(error.option_name)
        if name != error.option_name and not short:
            continue
        key = name.lstrip("-").replace("-", "_")
        value = value if equals else "" if following.startswith("-") else following
        place = place_of(key)
        meant = option_of(key, value) or (place and f"{place}={value or '...'}")
        if meant:
            message = f"No such option '{name}'; did you mean {meant}?"
            return click.NoSuchOption(error.option_name, message, ctx=error.ctx)
        break
    return error
