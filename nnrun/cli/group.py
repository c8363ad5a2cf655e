"""The group of commands: loads the one that is called; errors and signals become exit codes."""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import click

from nnrun import __version__, unfinished
from nnrun.characters import escaped
from nnrun.cli import COMMANDS, COMPLETE, overview
from nnrun.cli.options import debug_option
from nnrun.cli.output import Output, abandon_unwritable, name_stdout, open_missing_streams, silence
from nnrun.errors import ConfigError, InterruptionError, NnrunError, Problem, clipped
from nnrun.runs.deferred_signals import DeferredSignals
from nnrun.systems import system

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


# Errors as a message on stderr and an exit code.

_INTERRUPTED = 130


def exit_code_for(error: BaseException, output: Output) -> int:
    """Print an error and return the exit code."""
    if output.debug and not isinstance(error, (click.exceptions.Exit, SystemExit)):
        import traceback  # noqa: PLC0415  # slow to import

        output.error("".join(traceback.format_exception(error)).rstrip())
    match error:
        case click.ClickException():
            _print(_plain(error.format_message()), output, _usage(error))
            return error.exit_code
        case SystemExit() | BrokenPipeError() if _fault_of_plugin(error) is None:
            # click and rich exit like this when the reader of a pipe has left, as `head` does.
            silence(sys.stdout)
            return 0
        case KeyboardInterrupt() | click.Abort():
            output.error("interrupted")
            return _INTERRUPTED
        case InterruptionError() | NnrunError():
            if isinstance(error, InterruptionError):
                output.error(str(error))
            else:
                report(error, output)
            return error.exit_code
        case OSError(errno=errno.EBADF, filename=None | "stdout"):
            _print("stdout is closed; what was to be shown is lost", output)
        case OSError():
            file = f"{error.filename}: " if error.filename else ""
            _print(f"{file}{error.strerror or error}", output)
            # Not the disk's fault: no file could have such a name.
            return 2 if error.errno in (errno.ENAMETOOLONG, errno.ELOOP) else 1
        case MemoryError():
            _print("there is not enough memory", output)
        case _ if (fault := _fault_of_plugin(error)) is not None:
            _print(fault if output.debug else f"{fault} (--debug shows the traceback)", output)
        case _:
            what = f"{type(error).__name__}: {error}".strip(": \n").partition("\n")[0]
            hint = "" if output.debug else "; --debug shows the traceback"
            _print(f"internal error: {what} (a bug in nnrun; please report it{hint})", output)
    return 1


def _plain(message: str) -> str:
    """The message without click's names of types."""
    for name, words in (("integer", "a whole number"), ("float", "a number")):
        message = message.replace(f"is not a valid {name} range.", f"is not {words}.")
    return message


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return ""
    return f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\n"


def _fault_of_plugin(error: BaseException) -> str | None:
    loading = sys.modules.get("nnrun.plugins.running")
    if loading is None:
        return None
    from nnrun.plugins.running import describe_fault  # noqa: PLC0415  # slow without plugins

    return describe_fault(error)


def report(error: NnrunError, output: Output) -> None:
    """Print an error's message; all problems of a config, each with its place."""
    output.error(str(error) if isinstance(error, ConfigError) else f"error: {error}")
    problems = problems_data(error) if isinstance(error, ConfigError) else {}
    _data(error_data(str(error)) | problems, output)


def error_data(message: str) -> dict[str, Any]:
    """An error as JSON data."""
    return {"error": message, "problems": [], "more_problems": 0}


def problems_data(error: ConfigError) -> dict[str, Any]:
    """The problems of a config as JSON data, and the number of others."""
    return {"problems": [*map(_problem, error.shown)], "more_problems": error.unshown}


def _problem(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "message": clipped(problem.message),
        "path": clipped(problem.path) or None,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "argument": None if problem.argument is None else clipped(problem.argument),
    }


def _print(message: str, output: Output, before: str = "") -> None:
    message = clipped(message)
    output.error(f"{before}error: {message}")
    _data(error_data(message), output)


def _data(content: dict[str, Any], output: Output) -> None:
    """Print an error as JSON, which stderr has as text if stdout cannot be written."""
    try:
        output.data(content)
    except OSError:
        silence(sys.stdout)


# Ctrl-C, SIGTERM and SIGHUP: the first ends the work where it can be saved, the second at once.


class Interruption(DeferredSignals):
    """While this context lasts, a first signal is raised as an error, or kept for `stop`.

    Each command runs in one, and some in another one within it. Once `defer` was called, the work
    asks `stop` itself; until then there is nothing to save, and the signal breaks in wherever the
    work is. A second signal ends the process on the spot, also while the first one's error passes:
    unfinished files are removed, and all others are whole.

    Args:
        announce: whether to say at once that a signal came, since saving takes a moment.
        before: what had not happened yet when a signal breaks in, if that can be said.
    """

    signals = system.SIGNALS
    _innermost: ClassVar[Interruption | None] = None

    def __init__(self, *, announce: bool = False, before: str | None = "training began") -> None:
        super().__init__()
        self.announce = announce
        self.before = before
        self._outer: Interruption | None = None

    def __enter__(self) -> Self:
        self._outer, Interruption._innermost = Interruption._innermost, self
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        Interruption._innermost = self._outer
        if self._outer is None:
            unfinished.undo_all()
        elif self._outer.received is None:
            self._outer.received = self.received
        super().__exit__(*error)

    def error(self, message: str) -> InterruptionError:
        """The error that ends the program with the code of the signal that came."""
        return InterruptionError(message, self.received or signal.SIGINT)

    def _handles(self, number: signal.Signals) -> bool:
        # `nohup` ignores SIGHUP, so that work outlives the terminal.
        return number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self._print("quit at once; what was saved before stays")
            _show_cursor()
            unfinished.undo_all()
            os._exit(128 + number)
        self.received = number
        if not self.deferred:
            raise self.error(f"interrupted before {self.before}" if self.before else "interrupted")
        self._print("stopping here and saving; a second signal quits at once")

    def _print(self, text: str) -> None:
        """Write without buffers, which the interrupted code may be using."""
        if self.announce:
            with suppress(OSError):
                # A bar on a terminal is erased: it would stay above the text.
                drawn = os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"
                os.write(2, (b"\r\x1b[2K" if drawn else b"\n") + f"{text}\n".encode())


def _show_cursor() -> None:
    """Restore the terminal after a live display, and leave its last line."""
    if os.environ.get("TERM", "dumb") != "dumb":
        with suppress(OSError):
            if os.isatty(2):
                os.write(2, b"\x1b[?25h\n")


# The group of commands: loads only the one that is called, and turns errors into exit codes.

# What these make of many runs stays until they end: to look for garbage takes a tenth of the time.
_WITHOUT_GARBAGE = ("best", "ls", "report")

# What other programs call these commands.
_MEANT = {
    **dict.fromkeys(("run", "fit", "start"), "train"),
    **dict.fromkeys(("docs", "doc", "man"), "help"),
    **dict.fromkeys(("validate", "lint"), "check"),
    **dict.fromkeys(("tune", "optimize"), "search"),
}


class LazyGroup(click.Group):
    """Commands by name, each in a module of its own that is imported when it is called.

    The `table` has for each name the module whose `command` it is, and its line of help.
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
        if not gc.isenabled() and cmd_name not in _WITHOUT_GARBAGE:  # since `run`
            gc.freeze()
            gc.enable()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.table and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches  # noqa: PLC0415  # for mistakes only

            near = [_MEANT[name]] if name in _MEANT else get_close_matches(name, self.table, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(self.table)}"
            raise click.UsageError(f"'{name}' is not a command; {hint}", ctx)
        resolved = super().resolve_command(ctx, args)
        completes = ctx.resilient_parsing
        if not completes and threading.current_thread() is threading.main_thread():
            # Everything is loaded; from here on, signals are handled like any other error.
            ctx.with_resource(Interruption(before=None))
        return resolved

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Commands, none of which is loaded for that, and options."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  # for shells only

        lines = ((name, line) for name, (_, line) in self.table.items())
        commands = [CompletionItem(n, help=line) for n, line in lines if n.startswith(incomplete)]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def _wants_json(self, words: Sequence[str]) -> bool:
        """Whether a command is given --json: options are not set where one cannot be read."""
        name = next((word for word in words if not word.startswith("-")), "")
        if "--json" not in words or name not in self.table:
            return False
        command: click.Command = import_module(self.table[name][0]).command
        return any("--json" in parameter.opts for parameter in command.params)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(overview())

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
        words = sys.argv[1:] if args is None else args
        try:
            if os.environ.get(COMPLETE):
                from nnrun.cli.options import answer  # noqa: PLC0415  # for shells only

                result = answer(self, os.environ)
            else:
                name = prog_name or "nnrun"
                result = super().main(
                    args, name, complete_var, standalone_mode=False, obj=output, **extra
                )
            code = result if isinstance(result, int) else 0
            sys.stdout.flush()
        except click.UsageError as error:
            output.json = output.json or self._wants_json(words)
            if isinstance(error, click.NoSuchOption):
                error = _explained(error, words)
            code = exit_code_for(error, output)
        except BaseException as error:  # noqa: BLE001, RUF100  # the outermost handler
            code = exit_code_for(error, output)
        abandon_unwritable(sys.stdout)
        abandon_unwritable(sys.stderr)
        sys.exit(code)


def _explained(error: click.NoSuchOption, words: Sequence[str]) -> click.NoSuchOption:
    """The error, with the argument that sets what the option seems to be meant for."""
    from nnrun.config.hints import option_of  # noqa: PLC0415  # slow, for mistakes only

    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        # Of words such as -lr, click names the first letter that is no option.
        short = not error.option_name.startswith("--") and name.startswith(error.option_name)
        if name != error.option_name and not short:
            continue
        key = name.lstrip("-").replace("-", "_")
        value = value if equals else "" if following.startswith("-") else following
        option, place = option_of(key, value), _place_for(key, error.ctx)
        if option is not None and option.split()[0] == name:
            return click.NoSuchOption(name, ctx=error.ctx)  # other commands have it
        meant = option or (place and f"{place}={value or '...'}")
        if meant:
            message = f"No such option '{name}'; did you mean {meant}?"
            return click.NoSuchOption(error.option_name, message, ctx=error.ctx)
        break
    return error


def _place_for(key: str, context: click.Context | None) -> str | None:
    """The dotted key for this one, where the command takes arguments and that key is of use."""
    from nnrun.config.hints import place_of  # noqa: PLC0415  # slow, for mistakes only

    command = None if context is None else context.command
    arguments = [p for p in command.params if isinstance(p, click.Argument)] if command else []
    if command is None or not any("KEY=VALUE" in (a.metavar or "") for a in arguments):
        return None
    place = place_of(key)
    of_others = place is not None and place.startswith("search.") and command.name != "search"
    return None if of_others else place


@click.group(
    "nnrun",
    cls=LazyGroup,
    table=COMMANDS,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, package_name="nnrun", prog_name="nnrun")
@debug_option
def cli() -> None:
    """See `overview`."""


def run() -> None:
    """Run the command that the arguments name, and exit with its code."""
    # Modules are no garbage: looking for it while they load, and once more before Python ends,
    # takes a third of the time of a short command.
    gc.disable()
    atexit.register(gc.freeze)
    open_missing_streams()
    # Before NumPy is loaded: with one thread, sums have one order and results one set of bits;
    # and networks this small gain nothing from more.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    # Else pydantic looks for them in the files of all installed packages.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    for stream in (sys.stdout, sys.stderr):
        # A terminal without `×` shows `?`, instead of ending the program.
        if isinstance(stream, io.TextIOWrapper):  # not where it was closed from the start
            stream.reconfigure(encoding=system.encoding_of(stream), errors="replace")
    name_stdout()
    warnings.formatwarning = lambda message, *_, **__: f"warning: {escaped(str(message))}\n"
    cli()
