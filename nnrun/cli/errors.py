"""Errors as a message on stderr and an exit code."""

from __future__ import annotations

import errno
import sys
from typing import Any

import click

from nnrun.cli.output import Output, silence
from nnrun.errors import ConfigError, InterruptionError, NnrunError, Problem, clipped

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
