"""A search with a time: no run begins when it is over, by a clock that runs by the runs."""

from __future__ import annotations

import pytest

from nnrun.cli.search import _left_out
from nnrun.reports.progress_words import sweep_line
from nnrun.runs.events import Listener
from nnrun.runs.storage.sweep_progress import SweepNotes
from tests.search.helpers import IRIS, config, content_of, outcome, search

ITERATIONS = IRIS["training"]["iterations"]


class FakeClock(Listener):
    """Each run takes this many seconds; `slower` times as many after `change` seconds."""

    def __init__(self, seconds: float, slower: float = 1.0, change: float = 0.0) -> None:
        self.now = 0.0
        self.begun: list[float] = []
        self._seconds, self._slower, self._change = seconds, slower, change
        self._made: dict[str, int] = {}

    def timer(self) -> float:
        return self.now

    def saved(self, run, outcome):
        if outcome.trained:  # to a rung, or to its end
            self._count(run, outcome.record)

    def _count(self, run, record):
        self.begun.append(self.now)
        made = record.timing["iterations"]
        seconds = self._seconds * (made - self._made.get(run.key, 0)) / ITERATIONS
        self.now += seconds * (self._slower if self.now >= self._change else 1.0)
        self._made[run.key] = made


def timed(root, time, clock, shuffled=None, **options):
    """A search whose time is that of a clock."""
    content = config(trials=None, time=time, top=5, fresh_seeds=5, sampler="random", **options)
    return search(content, root, listener=clock, timer=clock.timer, shuffled=shuffled)


@pytest.mark.parametrize(
    ("limit", "slower", "pruning"),
    [
        (15, 1, "none"),
        (45, 1, "none"),
        (150, 1, "none"),
        (95, 4, "none"),
        (95, 1, "halving"),
        (150, 4, "halving"),
    ],
)
def test_no_run_begins_when_the_time_is_over(tmp_path, limit, slower, pruning):
    """Trials, final comparison and test count in it; it ends with the run that is in hand."""
    clock = FakeClock(10, slower, limit / 2)
    state = timed(tmp_path, limit, clock, pruning=pruning)
    assert max(clock.begun) < limit
    assert clock.now < limit + 10 * slower
    if slower == 1 and limit > 15:
        assert None not in (state.winner, state.test)


def test_who_watches_is_told_no_number_of_runs(tmp_path, monkeypatch):
    """There are as many trials as fit; the final comparison has a known number of runs."""
    seen: list[str] = []
    monkeypatch.setattr(SweepNotes, "add", lambda self, counts: seen.append(sweep_line(counts())))
    timed(tmp_path, 150, FakeClock(10))
    assert "search of" == seen[0][:9]
    assert " queued" not in seen[0]
    assert " of " in seen[-1].partition(": ")[2]


def test_what_eight_workers_have_in_hand_ends(tmp_path):
    """No run waits for a worker when the time is over."""
    clock = FakeClock(10)
    timed(tmp_path, 200, clock, shuffled=1)
    assert clock.now < 200 + 8 * 10


def test_a_search_out_of_time_changes_nothing_when_it_is_called_again(tmp_path):
    """The same trials, final comparison and test, of which nothing is trained again."""
    first, again = FakeClock(10), FakeClock(10)
    timed(tmp_path, 150, first, pruning="asynchronous_halving")
    expected = outcome(tmp_path)
    timed(tmp_path, 150, again, pruning="asynchronous_halving")
    assert expected == outcome(tmp_path)
    assert [] == again.begun


def test_more_time_goes_on(tmp_path):
    """It begins with the trials that there are, among them those that were out of time."""
    timed(tmp_path / "more", 100, FakeClock(10), pruning="median")
    before = content_of(tmp_path / "more")["trials"]
    timed(tmp_path / "more", 200, FakeClock(10), pruning="median")
    after = content_of(tmp_path / "more")["trials"]
    timed(tmp_path / "at_once", 200, FakeClock(10), pruning="median")
    at_once = content_of(tmp_path / "at_once")["trials"]
    assert [trial["params"] for trial in before] == [t["params"] for t in after[: len(before)]]
    both = min(len(after), len(at_once))
    assert both > len(before)
    assert [t["params"] for t in at_once[:both]] == [t["params"] for t in after[:both]]


class Ticking(Listener):
    """A clock on which every look takes a moment, and a longer one from the fourth run on, until a
    run is interrupted.

    A run in progress looks at it after each evaluation.
    """

    def __init__(self, slower: float) -> None:
        self.now = 0.0
        self._slower = slower
        self._ended = 0

    def timer(self) -> float:
        self.now += 0.02 * (self._slower if self._ended == 3 else 1)
        return self.now

    def saved(self, run, outcome):
        self._ended += 1


def ticking(root, time, slower=1.0):
    """A search whose trials take some six seconds each."""
    content = config(trials=None, time=time, top=2, fresh_seeds=2, sampler="random", random=False)
    content["training"] = {**content["training"], "iterations": 200, "evaluate_every": 1}
    clock = Ticking(slower)
    return search(content, root, listener=clock, timer=clock.timer), clock


def test_a_trial_in_hand_stops_when_the_time_is_over(tmp_path):
    """It does not count, nothing changes when the search is called again, and with more time it
    goes on to the same bits.
    """
    state, clock = ticking(tmp_path / "more", 11)
    assert ["completed"] == [*{trial.status for trial in state.trials[:-1]}]
    last = state.trials[-1]
    assert "stopped" == last.status
    assert 0 < last.share < 1
    assert clock.now < 11 + 1 + 1
    expected = outcome(tmp_path / "more")
    ticking(tmp_path / "more", 11)
    assert expected == outcome(tmp_path / "more")
    for name in ("more", "at_once"):
        ticking(tmp_path / name, 40)
    more, at_once = (outcome(tmp_path / name)[1] for name in ("more", "at_once"))
    assert [at_once[run_id] for run_id in last.run_ids] == [more[run_id] for run_id in last.run_ids]
    assert "completed" == more[last.run_ids[0]][0]


def test_a_trial_that_takes_longer_than_others_leaves_time_for_the_comparison(tmp_path):
    """It stops when the time of the least comparison and test begins."""
    state, clock = ticking(tmp_path, 100, slower=40)
    assert "stopped" == state.trials[-1].status
    assert None not in (state.winner, state.test)
    assert clock.now < 100 + 3  # what runs in hand may take


class Starting(FakeClock):
    """The first part that a worker gets takes longer, in each pool of workers."""

    def __init__(self, seconds: float, start: float) -> None:
        super().__init__(seconds)
        self._start = start

    def saved(self, run, outcome):
        if outcome.trained and not self.begun:
            self.now += self._start
        super().saved(run, outcome)


@pytest.mark.parametrize("pruning", ["median", "halving"])
@pytest.mark.parametrize("limit", [60, 90])
def test_the_start_of_workers_takes_no_time_from_the_test(tmp_path, limit, pruning):
    """It is no part of what a run is expected to take; the search ends in its time with a test."""
    clock = Starting(4, 15)
    state = timed(tmp_path, limit, clock, pruning=pruning, random=False)
    assert None not in (state.winner, state.test)
    assert clock.now <= limit
    assert clock.now > 0.7 * limit


class Slowing(FakeClock):
    """Runs of the final comparison take twice as long as those of trials did."""

    def _count(self, run, record):
        if run.seed != IRIS["seed"]:
            self._slower = 2.0
        super()._count(run, record)


def test_a_slow_comparison_leaves_time_for_the_test(tmp_path):
    """It ends with fewer seeds, on which the winner is tested."""
    clock = Slowing(2)
    state = timed(tmp_path, 100, clock, random=False)
    assert None not in (state.winner, state.test)
    assert clock.now < 100 + 2 * 2
    assert state.final[1] in range(1, 5)
    assert state.final[1] == len(state.finalists[0].setting.variant.seeds)


def test_what_there_is_no_time_for_is_said(tmp_path):
    """On how many seeds, and how many settings, the final comparison was made."""
    state = timed(tmp_path, 100, Slowing(2), random=False)
    top, seeds = state.final
    (line,) = _left_out(top, seeds, state)
    assert f"{top} of the best 5 settings on {seeds} of 5 seeds" in line
    assert [] == _left_out(5, 5, state)
