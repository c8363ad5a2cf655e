"""Runs that any process trains, followed by their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from nnrun.characters import clean
from nnrun.config.settings import choice_of, choice_words, parts_apart
from nnrun.reports.live.runs import FormingRows
from nnrun.reports.live.work import Picture, RunAt
from nnrun.reports.numbers import count, number, plural
from nnrun.reports.progress_words import names_of, sweep_line, telling
from nnrun.runs.catalog.summary import QUEUED, RunSummary
from nnrun.runs.storage.sweep_progress import SweepCounts

_MOST_SWEEPS = 4
HINT = "q or Ctrl-C ends this view; the runs go on"


class FollowedRuns:
    """What is known of followed runs at one moment.

    `keys` are the settings in which runs of each experiment differ; `ended` have done so since the
    view began, and the `hint` says how to end it, if it goes on. `problems` say which searches
    cannot be used.
    """

    def __init__(
        self,
        runs: Sequence[RunSummary],
        keys: Mapping[str, Sequence[str]],
        rows: FormingRows,
        ended: int,
        hint: str = "",
        sweeps: Sequence[SweepCounts] = (),
        chosen: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        self.runs = runs
        self.keys = keys
        self.rows = rows
        self.ended = ended
        self.hint = hint
        self.sweeps = sweeps
        self.chosen = chosen or {}
        self.problems = problems

    def picture(self) -> Picture:
        """Picture that a display draws."""
        running = telling(self.runs, self.sweeps)
        return Picture(
            self._counts(running),
            notes=[sweep_line(sweep) for sweep in self.sweeps[:_MOST_SWEEPS]],
            running=[self._at(run) for run in running],
            board=self.rows,
            problems=self.problems,
            hint=self.hint,
        )

    def _at(self, run: RunSummary) -> RunAt:
        progress = run.progress
        if progress is None:
            return RunAt(self.label(run))
        return RunAt(self.label(run), progress.share, progress.rate, progress.left, progress.losses)

    def _counts(self, shown: Sequence[RunSummary]) -> str:
        of_sweeps = names_of(self.sweeps)
        counted = sum(sweep.running for sweep in self.sweeps)
        alone = sum(run.name not in of_sweeps for run in shown)
        running = alone + max(counted, len(shown) - alone)
        queued = sum(run.status == QUEUED for run in self.runs)
        parts = [f"{count(running)} running"]
        # Later ones have no folder yet; the lines of sweeps count them all.
        parts += [f"next {count(queued)} queued"] * (queued > 0 and not self.sweeps)
        parts += [f"{plural(self.ended, 'run')} ended since"] * bool(self.ended)
        known = self.runs or self.ended or self.sweeps
        return ", ".join(parts) if known else "no run is in progress"

    def label(self, run: RunSummary) -> str:
        """The name where there are several, seed and fold, and the settings that differ."""
        words = choice_words(self._choices[run.name, run.run_id])
        several = len({run.name for run in self.runs}) > 1 or not words
        fold = [] if run.fold is None else [f"fold={run.fold}"]
        seed = run.run_id.partition("-")[0]
        return clean(" ".join([*([run.name] if several else []), seed, *fold, *words]))

    @cached_property
    def _choices(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Settings that tell each run from the others of its name, by name and id."""
        by_name: dict[str, dict[tuple[str, str], Mapping[str, Any]]] = {}
        for run in self.runs:
            keys = self.keys.get(run.name, ()) if run.settings else ()
            own = run.name, run.run_id
            choice = self.chosen.get(own) or choice_of(run.settings, keys)
            by_name.setdefault(run.name, {})[own] = choice
        return {
            own: parts
            for choices in by_name.values()
            for own, parts in zip(choices, parts_apart([*choices.values()]), strict=True)
        }


def state_line(run: RunSummary, status: str) -> str:
    """One run that has changed its state, where lines are not drawn again."""
    result = run.result
    known = "" if result is None else f": {result[0]} {run.metric} {number(result[1])}"
    error = f": {clean(run.error)}" if run.error else ""
    return f"{clean(run.label)} {status}{known or error}"
