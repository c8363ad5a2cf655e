"""Output: results to stdout, everything about them to stderr."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import click

from nnrun.characters import escaped, hidden_escaped

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STDOUT = "stdout"
"""The name of stdout in errors of writing to it."""
ANY_WIDTH = 1_000_000  # a comparison has a column for each run


def console_of(stream: IO[str], width: int | None = None) -> Console:
    """A console that shows text as it is: names of runs and files are no markup."""
    from rich.console import Console  # noqa: PLC0415  # slow to import

    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


class Output:
    """The output of a command, by the shared options.

    `json` prints data in place of tables; `quiet` prints errors and requested data alone; `wide`
    shows all columns; `debug` adds tracebacks to errors.
    """

    def __init__(self) -> None:
        self.json = False
        self.quiet = False
        self.wide = False
        self.debug = os.environ.get("NNRUN_DEBUG", "") not in ("", "0")
        self.has_data = False

    def show(self, *renderables: RenderableType, to_stderr: bool = False) -> None:
        """Show results as tables and text; on stderr where stdout has other data."""
        if self.json or self.quiet or not renderables:
            return
        stream = sys.stderr if to_stderr else sys.stdout
        console = console_of(stream, ANY_WIDTH if self.wide else None)
        with console.capture() as captured:
            # Tables fit already; commands to copy may be longer than a line.
            console.print(*renderables, sep="\n", crop=False)
        # Tables are padded with blanks, which are removed; rich decides about colours.
        lines = [line.rstrip() for line in captured.get().splitlines()]
        click.echo(hidden_escaped("\n".join(lines)), color=True, err=to_stderr)

    def text(self, text: str) -> None:
        """Print requested data as they are."""
        if not self.quiet:
            click.echo(hidden_escaped(text), nl=False)

    def data(self, value: Any, rest: tuple[str, BinaryIO] | None = None) -> None:
        """Print data with --json; at most once, so that stdout is one JSON document.

        `rest` is a last key, with JSON that may be too large for memory.
        """
        if not self.json or self.has_data:
            return
        from shutil import copyfileobj  # noqa: PLC0415  # slow to import

        from nnrun.runs.storage.sealed import strict_json  # noqa: PLC0415  # likewise

        self.has_data = True
        text = strict_json(value)
        if rest is None:
            click.echo(text, nl=False)
            return
        key, content = rest
        head = text.removesuffix("\n}\n")
        click.echo(f'{head},\n  "{key}": ', nl=False)
        sys.stdout.flush()
        copyfileobj(content, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        click.echo("}")

    def note(self, text: str) -> None:
        """Print progress or a remark on stderr."""
        if not self.quiet:
            self.error(text)

    def notes(self, lines: Iterable[str]) -> None:
        """Print remarks on stderr, a line for each."""
        for line in lines:
            self.note(line)

    def error(self, text: str) -> None:
        """Print what went wrong; a closed stderr does not stop the work."""
        try:
            click.echo(_wrapped(escaped(text), sys.stderr), err=True)
        except OSError:  # also a terminal that has hung up
            silence(sys.stderr)


def _wrapped(text: str, stream: IO[str]) -> str:
    """Text whose lines end between words on a terminal; what is indented stays to be copied."""
    if not stream.isatty():
        return text
    from shutil import get_terminal_size  # noqa: PLC0415  # terminals only
    from textwrap import fill  # noqa: PLC0415  # likewise

    width = get_terminal_size().columns
    lines = text.split("\n")
    return "\n".join(
        line
        if line.startswith(" ") or len(line) <= width
        else fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in lines
    )


def open_missing_streams() -> None:
    """Open stdin, stdout and stderr if they are closed, or the next file would get their number.

    Writing to a closed stdout stays an error; text for a closed stderr is lost.
    """
    for descriptor, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # stays open
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


class _Named(io.FileIO):
    """Stdout, whose errors have its name as those of other files do."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            error.filename = STDOUT
            raise


def name_stdout() -> None:
    """Give errors of writing to stdout its name; a terminal says by itself what is wrong."""
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Named(stream.fileno(), "w", closefd=False)),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )


def abandon_unwritable(stream: IO[str]) -> None:
    """Drop text that cannot be written, or Python tries again at exit and prints an error."""
    try:
        stream.flush()
    except OSError:
        silence(stream)


def silence(stream: IO[str]) -> None:
    """Redirect a stream without a reader to the null device, also for Python's own exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
