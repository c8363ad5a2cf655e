"""Where output goes: results to stdout, everything about them to stderr."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, Any

import click

from nnrun.characters import escaped, hidden_escaped

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


ANY_WIDTH = 10_000


class Output:
    """What a command says, as the shared options want it.

    `json` replaces what is shown to people by data; `quiet` leaves out all but errors, and data
    that was asked for; `wide` leaves out no column; `debug` adds tracebacks to errors.
    """

    def __init__(self) -> None:
        self.json = False
        self.quiet = False
        self.wide = False
        self.debug = os.environ.get("NNRUN_DEBUG", "") not in ("", "0")
        self.has_data = False

    def show(self, *renderables: RenderableType, to_stderr: bool = False) -> None:
        """Show results to people; on stderr where stdout has data of another kind."""
        if self.json or self.quiet or not renderables:
            return
        console = self.console(sys.stderr if to_stderr else sys.stdout)
        with console.capture() as captured:
            # Tables fit as they are; a command that is to be copied may run on.
            console.print(*renderables, sep="\n", crop=False)
        # Tables are filled up with blanks, which a file need not keep; colours are rich's matter.
        lines = [line.rstrip() for line in captured.get().splitlines()]
        click.echo(hidden_escaped("\n".join(lines)), color=True, err=to_stderr)

    def text(self, text: str) -> None:
        """Print data that was asked for in a form of its own."""
        if not self.quiet:
            click.echo(hidden_escaped(text), nl=False)

    def data(self, value: Any) -> None:
        """Print data, if data is wanted; at most once, so that stdout is one JSON document."""
        if not self.json or self.has_data:
            return
        from nnrun.runs.storage.strict_json import strict_json  # noqa: PLC0415  # slow to import

        self.has_data = True
        click.echo(strict_json(value), nl=False)

    def note(self, text: str) -> None:
        """Tell how things go."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """Tell what went wrong; a reader of stderr who has left is no reason to stop work."""
        try:
            click.echo(escaped(text), err=True)
        except OSError:  # also a terminal that has hung up
            silence(sys.stderr)

    @staticmethod
    def console(stream: IO[str]) -> Console:
        """A console that shows text as it is: names of runs and files are no markup."""
        from rich.console import Console  # noqa: PLC0415  # `--help` does without

        return Console(file=stream, markup=False, highlight=False, emoji=False)


def open_missing_streams() -> None:
    """Have something open as stdin, stdout and stderr, or the next file would take their place.

    Where stdout was closed, writing to it stays an error; what goes to stderr has nowhere to go.
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


def abandon_unwritable(stream: IO[str]) -> None:
    """Drop what cannot be written, or Python tries again at exit and complains for itself."""
    try:
        stream.flush()
    except OSError:
        silence(stream)


def silence(stream: IO[str]) -> None:
    """Let a stream whose reader has left end nowhere, also when Python closes it at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
