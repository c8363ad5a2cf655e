"""Runs that any process trains, followed by their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
Choices = dict[tuple[str, str], Mapping[str, Any]]


@dataclass
class FollowedRuns:
    """What is known of followed runs.

    Args:
        runs: in progress.
        keys: the settings in which runs of each experiment differ.
        rows: of the experiments that have had some.
        ended: how many runs have ended since the view began.
        hint: how to end the view, if it goes on.
        sweeps: in progress.
        chosen: the settings that searches chose, by name and id of their runs.
        problems: which searches cannot be used.
    """

    runs: Sequence[RunSummary] = ()
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rows: FormingRows = field(default_factory=FormingRows)
    ended: int = 0
    hint: str = ""
    sweeps: Sequence[SweepCounts] = ()
    chosen: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    problems: Sequence[str] = ()

    def picture(self) -> Picture:
        """Picture that a display draws."""
        choices = self._choices()
        running = telling(self.runs, self.sweeps)
        return Picture(
            self._counts(running),
            notes=[sweep_line(sweep) for sweep in self.sweeps[:_MOST_SWEEPS]],
            running=[self._at(run, choices) for run in running],
            board=self.rows,
            problems=self.problems,
            hint=self.hint,
        )

    def _at(self, run: RunSummary, choices: Choices) -> RunAt:
        at = RunAt(self.label(run, choices))
        if (now := run.progress) is not None:
            at.share, at.rate, at.left, at.losses = now.share, now.rate, now.left, now.losses
        return at

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
        is_any = self.runs or self.ended or self.sweeps
        return ", ".join(parts) if is_any else "no run is in progress"

    def label(self, run: RunSummary, choices: Choices | None = None) -> str:
        """The name where there are several, seed and fold, and the settings that differ."""
        words = choice_words((choices or self._choices())[run.name, run.run_id])
        several = len({run.name for run in self.runs}) > 1 or not words
        fold = [] if run.fold is None else [f"fold={run.fold}"]
        seed = run.run_id.partition("-")[0]
        return clean(" ".join([*([run.name] if several else []), seed, *fold, *words]))

    def _choices(self) -> Choices:
        """Settings that tell each run from the others of its name, by name and id."""
        by_name: dict[str, Choices] = {}
        for run in self.runs:
            keys = self.keys.get(run.name, ()) if run.settings else ()
            key = run.name, run.run_id
            choice = self.chosen.get(key) or choice_of(run.settings, keys)
            by_name.setdefault(run.name, {})[key] = choice
        return {
            key: parts
            for choices in by_name.values()
            for key, parts in zip(choices, parts_apart([*choices.values()]), strict=True)
        }


def state_line(run: RunSummary, status: str) -> str:
    """One run that has changed its state, where lines are not drawn again."""
    result = run.result
    value = "" if result is None else f": {result[0]} {run.metric} {number(result[1])}"
    error = f": {clean(run.error)}" if run.error else ""
    return f"{clean(run.label)} {status}{value or error}"
