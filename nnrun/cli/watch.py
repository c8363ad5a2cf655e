"""`nnrun watch`: the runs in progress, and the board that forms."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import click

from nnrun.cli import options
from nnrun.cli.output import Output, console_of
from nnrun.errors import InterruptionError
from nnrun.reports.live.following import HINT, FollowedRuns, state_line
from nnrun.reports.live.runs import FormingRows
from nnrun.reports.shown import draws
from nnrun.reports.terminal.live import Screen
from nnrun.reports.terminal.runs import listed_data
from nnrun.runs.catalog.live import LiveRuns
from nnrun.runs.catalog.select import named
from nnrun.runs.catalog.summary import IN_PROGRESS, RunSummary, most_varied
from nnrun.runs.storage.sweep_progress import SweepCounts, sweeps_in
from nnrun.sweeps.board.best import searches_of
from nnrun.sweeps.board.stored import stored_variants
from nnrun.systems import system

_SECONDS = 0.5
# A look takes at most this share of the time, however many runs there are.
_SHARE = 0.1
_END = ("q", "Q", "\x1b", "\x04")


@click.command("watch")
@click.argument("names", nargs=-1, shell_complete=options.names, metavar="[NAME]...")
@options.flag("--once", "Show what is in progress now, and end.")
@options.listing_options
def command(output: Output, /, names: tuple[str, ...], once: bool, results: Path) -> None:
    """Watch the runs in progress, whichever process trains them.

    With NAME, only those of experiments of that name. It can be started before the
    first run. `q` or Ctrl-C ends the view; runs go on. Where the output is no terminal, there is a
    line for each run that begins, waits or ends; with --json, a line of JSON.

    \b
    nnrun watch
    nnrun watch iris_softmax
    nnrun watch --once
    nnrun watch --json | jq .status
    """
    if not once and not results.is_dir():
        output.note(f"waiting for the first run: there is no results folder {results} yet")
    followed = Followed(results, tuple(named(name, results) for name in names))
    if once:
        followed.look()
        output.data([listed_data(run) for run in followed.runs])
        output.show(Screen(followed.view().picture()))
        return
    try:
        if output.json or not draws(sys.stdout):
            _print_changes(followed, output)
        else:
            _draw(followed)
    except InterruptionError as error:
        if error.exit_code != 128 + signal.SIGINT:  # which is the way to end it
            raise


class Followed:
    """The runs in progress, and the rows of the experiments that have had some."""

    def __init__(self, root: Path, names: tuple[str, ...]) -> None:
        self._root = root
        self._names = {*names}
        self._live = LiveRuns(root)
        self._known: list[RunSummary] = []
        self._shown: set[str] = set()
        self._rows = FormingRows()
        self._chosen: Mapping[tuple[str, str], Mapping[str, Any]] = {}
        self._looked = False
        self.runs: list[RunSummary] = []
        self.sweeps: list[SweepCounts] = []
        self.ended = 0
        self.problems: Mapping[str, str] = {}
        self.pause = _SECONDS

    def look(self) -> list[tuple[RunSummary, str]]:
        """Look again; returns runs with their status: in progress, ended since, or gone."""
        start = monotonic()
        before = {(run.name, run.run_id): run for run in self.runs}
        changed = self._live.look()
        known = {(run.name, run.run_id): run for run in self._live.runs if self._wants(run)}
        self.runs = [run for run in known.values() if run.status in IN_PROGRESS]
        ended = [
            run
            for key, run in known.items()
            if self._looked and key in changed and run.status not in IN_PROGRESS
        ]
        gone = [run for key, run in before.items() if key not in known]
        sweeps = sweeps_in(self._root)
        self.sweeps = [s for s in sweeps if not self._names or self._names.intersection(s.names)]
        self.ended += len(ended)
        self._looked = True
        new = {run.name for run in (*self.runs, *ended)} - self._shown
        self._shown |= new
        self._known = [run for run in self._live.runs if run.name in self._shown]
        if new or ended:
            self._rows = FormingRows()
            sound = (run for run in self._known if run.is_sound)
            searches = searches_of((self._root / name for name in sorted(self._shown)), self._known)
            self._chosen, self.problems = searches.choices, searches.problems
            for variant in stored_variants(sound, self._chosen):
                for score in variant.scores:
                    self._rows.add(variant, score)
        self.pause = max(_SECONDS, (monotonic() - start) / _SHARE)
        return [
            *((run, run.status) for run in (*self.runs, *ended)),
            *((run, "gone") for run in gone),
        ]

    def _wants(self, run: RunSummary) -> bool:
        return not self._names or run.name in self._names

    def view(self, hint: str = "") -> FollowedRuns:
        """What is shown of it."""
        keys = most_varied(self._known)
        return FollowedRuns(
            self.runs,
            keys,
            self._rows,
            self.ended,
            hint,
            self.sweeps,
            self._chosen,
            [*self.problems.values()],
        )


def _draw(followed: Followed) -> None:
    from rich.live import Live  # noqa: PLC0415  # terminals only

    console = console_of(sys.stdout)
    with _keys() as pressed, Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            followed.look()
            live.update(Screen(followed.view(HINT).picture()), refresh=True)
            if pressed(followed.pause) in _END:
                return


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """A function that waits for a key; without a terminal to press one on, it only waits."""
    if not sys.stdin.isatty():
        yield _wait
        return
    with system.keys(sys.stdin) as pressed:
        yield pressed


def _wait(seconds: float) -> str:
    sleep(seconds)
    return ""


def _print_changes(followed: Followed, output: Output) -> None:
    """A line for each run whose status is another than at the last look."""
    before: dict[str, str] = {}
    while True:
        for run, status in followed.look():
            if before.get(run.label) != status:
                before[run.label] = status
                _print(run, status, output)
        sys.stdout.flush()
        sleep(followed.pause)


def _print(run: RunSummary, status: str, output: Output) -> None:
    if output.json:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, **listed_data(run), "status": status}
        click.echo(json.dumps(line, allow_nan=False))
    else:
        click.echo(state_line(run, status))
