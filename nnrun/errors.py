"""What can go wrong for a user: every error that nnrun raises on purpose.

The exit code of the command line is a property of the error, so that a library caller and the
shell see the same distinction: 2 for a mistake in what was asked, 1 for a failure while doing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_PACKAGE = __file__.removesuffix("errors.py")

EXIT_CODES = {
    0: "all well",
    1: (
        "the run diverged or failed, the disk or the network did, a plugin is wrong, the compiled "
        "engine did not compute what NumPy does, or an exercise is not solved yet"
    ),
    2: "a mistake in the config or the command; nothing was started or written",
    3: "numbers that should agree do not",
    129: "interrupted by SIGHUP, as its terminal was closed; the same command continues",
    130: "interrupted by Ctrl-C; the same command continues",
    143: "interrupted by SIGTERM; the same command continues",
}
"""What each exit code of the command line means."""


class NnrunError(Exception):
    """Something failed that the user should read about, without a traceback."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the message, and the caller's line."""
        import traceback  # noqa: PLC0415  # notebooks only

        frames = traceback.extract_tb(self.__traceback__)
        own = [frame for frame in frames if not frame.filename.startswith(_PACKAGE)]
        called = [f"at line {own[-1].lineno}:  {own[-1].line}", ""] if own and own[-1].line else []
        return [*called, f"{type(self).__name__}: {self}"]


class UsageError(NnrunError):
    """The request makes no sense; nothing has been started or written."""

    exit_code = 2


MOST_SHOWN = 20


def first_of(lines: Sequence[str]) -> list[str]:
    """The first lines, and a line with the number of the others."""
    more = len(lines) - MOST_SHOWN
    return [*lines[:MOST_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]


class DamageError(UsageError):
    """A stored file is missing, or is not what was written; `what` is without what to do."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}; {remedy}" if remedy else what)
        self.what = what


class DataError(UsageError):
    """A data file or data set cannot be used as the config asks."""


class EngineFaultError(NnrunError):
    """The compiled engine does not compute what NumPy does: a fault of nnrun's own."""


class PluginFaultError(NnrunError):
    """The code of a plugin raised an error, or its gradient is wrong."""


class ExerciseError(NnrunError):
    """An exercise is not solved yet."""


class NothingSavedError(NnrunError):
    """A sweep ended before any result was saved."""


class InterruptionError(BaseException):
    """A signal ended the work; `exit_code` is 128 + the signal's number.

    It is raised wherever the work is, and so no `Exception`, which that may handle.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class DisagreementError(NnrunError):
    """Numbers that should agree do not."""

    exit_code = 3


_EXCERPT = 72
_LONGEST = 1200
_LONGEST_ARGUMENT = 200


def clipped(text: str, longest: int = _LONGEST) -> str:
    """The text, without its middle if it is very long."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} […] {text[-half:]}"


@dataclass(frozen=True)
class Place:
    """A part of one line of a text file; lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str = ""
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One mistake in a config: what is wrong, at which key, and where that was written.

    `path` is the dotted key (`network.layers[0].units`); `place` is set for what stands in a file,
    `argument` for what was given on the command line.
    """

    message: str
    path: str = ""
    place: Place | None = None
    argument: str | None = None

    def __str__(self) -> str:
        origin = str(self.place or "")
        if self.argument is not None:
            origin = f"argument '{clipped(self.argument, _LONGEST_ARGUMENT)}'"
        head = ": ".join(
            part for part in (origin, clipped(self.path), clipped(self.message)) if part
        )
        if self.place is None or not self.place.text.strip():
            return head
        return f"{head}\n{self._excerpt(self.place)}"

    @staticmethod
    def _excerpt(place: Place) -> str:
        """The source line with a caret under what is meant; tabs stay tabs so both lines align."""
        line = place.text.lstrip()
        column = max(0, place.column - 1 - (len(place.text) - len(line)))
        if len(line) > _EXCERPT:
            # A line that wraps would leave the caret below something else.
            start = max(0, min(column - _EXCERPT // 2, len(line) - _EXCERPT))
            before, after = "…" * (start > 0), "…" * (start + _EXCERPT < len(line))
            line = before + line[start : start + _EXCERPT] + after
            column -= start - len(before)
        indent = "".join("\t" if c == "\t" else " " for c in line[:column])
        mark = "^" + "~" * (min(place.width, max(1, len(line) - column)) - 1)
        return f"    {line}\n    {indent}{mark}"


class ConfigError(UsageError):
    """All mistakes that were found in a config, in the order of the file.

    Of very many, the message has the first and the number of the others.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.shown]
        lines += [f"and {self.unshown:,} more problems"] if self.unshown else []
        super().__init__("\n".join(lines))

    @property
    def shown(self) -> tuple[Problem, ...]:
        """The first problems."""
        return self.problems[:MOST_SHOWN]

    @property
    def in_short(self) -> str:
        """The first problem on one line, without its place."""
        first = self.problems[0]
        return f"{first.path}: {first.message}" if first.path else first.message

    @property
    def unshown(self) -> int:
        """The number of the others."""
        return max(0, len(self.problems) - MOST_SHOWN)
