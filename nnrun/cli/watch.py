"""`nnrun watch`: the runs in progress, and the board that forms."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import click

from nnrun.cli import options
from nnrun.cli.output import Output, console_of
from nnrun.errors import InterruptionError
from nnrun.reports.live.runs import HINT, FollowedRuns, FormingRows, state_line
from nnrun.reports.shown import draws
from nnrun.reports.terminal.live import Screen
from nnrun.reports.terminal.runs import listed_data
from nnrun.runs.catalog.live import LiveRuns
from nnrun.runs.catalog.select import named
from nnrun.runs.catalog.summary import IN_PROGRESS, RunSummary, most_varied
from nnrun.runs.storage.sweep_progress import sweeps_in
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
        output.show(Screen(followed.picture()))
        return
    try:
        if output.json or not draws(sys.stdout):
            _print_changes(followed, output)
        else:
            followed.hint = HINT
            _draw(followed)
    except InterruptionError as error:
        if error.exit_code != 128 + signal.SIGINT:  # which is the way to end it
            raise


class Followed(FollowedRuns):
    """The runs of a results folder, which each look brings up to date."""

    def __init__(self, root: Path, names: tuple[str, ...]) -> None:
        super().__init__()
        self._root = root
        self._names = {*names}
        self._live = LiveRuns(root)
        self._shown: set[str] = set()
        self._looked = False
        self.pause = _SECONDS

    def look(self) -> list[tuple[RunSummary, str]]:
        """Look again; returns runs with their status: in progress, ended since, or gone."""
        start = monotonic()
        before = {(run.name, run.run_id): run for run in self.runs}
        changed = self._live.look()
        runs = [run for run in self._live.runs if not self._names or run.name in self._names]
        there = {(run.name, run.run_id): run for run in runs}
        self.runs = [run for run in runs if run.status in IN_PROGRESS]
        ended = [
            run
            for key, run in there.items()
            if self._looked and key in changed and run.status not in IN_PROGRESS
        ]
        gone = [run for key, run in before.items() if key not in there]
        sweeps = sweeps_in(self._root)
        self.sweeps = [s for s in sweeps if not self._names or self._names.intersection(s.names)]
        self.ended += len(ended)
        self._looked = True
        new = {run.name for run in (*self.runs, *ended)} - self._shown
        self._shown |= new
        of_shown = [run for run in self._live.runs if run.name in self._shown]
        self.keys = most_varied(of_shown)
        if new or ended:
            self.rows = FormingRows()
            sound = (run for run in of_shown if run.is_sound)
            searches = searches_of((self._root / name for name in sorted(self._shown)), of_shown)
            self.chosen, self.problems = searches.choices, [*searches.problems.values()]
            for variant in stored_variants(sound, self.chosen):
                for score in variant.scores:
                    self.rows.add(variant, score)
        self.pause = max(_SECONDS, (monotonic() - start) / _SHARE)
        return [
            *((run, run.status) for run in (*self.runs, *ended)),
            *((run, "gone") for run in gone),
        ]


def _draw(followed: Followed) -> None:
    from rich.live import Live  # noqa: PLC0415  # terminals only

    console = console_of(sys.stdout)
    with _keys() as pressed, Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            followed.look()
            live.update(Screen(followed.picture()), refresh=True)
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
