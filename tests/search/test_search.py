"""`Search`: trials, proposals, time."""

from __future__ import annotations

import json
import shutil

import pytest
from optuna.distributions import FloatDistribution

from nnrun.cli.search import _left_out
from nnrun.errors import UsageError
from nnrun.reports.progress_words import sweep_line
from nnrun.runs.events import Listener
from nnrun.runs.lease import begin
from nnrun.runs.storage.sweep_progress import SweepNotes
from nnrun.search.proposer import OptunaProposer
from nnrun.search.trials import Trial
from nnrun.sweeps.board.best import best_of
from tests.search.helpers import IRIS, SMALL, config, content_of, outcome, search, unlike

# Searches: the same trials however they are trained, chosen by validation, tested once.

PRUNINGS = ("none", "halving", "asynchronous_halving", "median")


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The results folder of a search with each pruning, made one run after the other."""
    folders = {}

    def make(pruning):
        if pruning not in folders:
            folders[pruning] = tmp_path_factory.mktemp(pruning)
            search(config(pruning=pruning), folders[pruning])
        return folders[pruning]

    return make


@pytest.mark.parametrize("pruning", PRUNINGS)
def test_the_order_of_results_changes_nothing(pruning, searched, tmp_path):
    """Eight workers whose runs end in any order make the same trials, with the same bits."""
    expected = outcome(searched(pruning))
    search(config(pruning=pruning), tmp_path, shuffled=1)
    assert expected == outcome(tmp_path)


@pytest.mark.parametrize("sampler", ["random", "quasi_random", "cma_es"])
def test_other_samplers_depend_on_no_order_either(sampler, tmp_path):
    """So it is for each sampler."""
    for folder, shuffled in (("one", None), ("eight", 5)):
        search(config(sampler=sampler, trials=7), tmp_path / folder, shuffled=shuffled)
    assert outcome(tmp_path / "one") == outcome(tmp_path / "eight")


def test_the_log_loss_of_a_cross_entropy_has_the_curve_of_the_loss(tmp_path):
    """By either, the same trials end early at the same rungs, by the same values."""
    ended = []
    for metric in ("loss", "log_loss"):
        by = {"sweep": {"order_by": metric}}
        search({**config(pruning="halving"), **by}, tmp_path / metric)
        trials = content_of(tmp_path / metric)["trials"]
        ended.append([(trial["choice"], trial["status"], trial["curve"]) for trial in trials])
    assert ended[0] == ended[1]
    assert "pruned" in {status for _, status, _ in ended[0]}


@pytest.mark.parametrize(("sampler", "pruning"), [("tpe", "median"), ("cma_es", "halving")])
def test_earlier_trials_are_not_looked_at_again(sampler, pruning, tmp_path, monkeypatch):
    """Neither their states, nor their values, nor which parameters they have."""
    looks, at = 0, []

    def counted(real):
        def look(*arguments):
            nonlocal looks
            looks += 1
            return real(*arguments)

        return look

    monkeypatch.setattr(Trial, "ended", property(counted(Trial.ended.fget)))
    monkeypatch.setattr(Trial, "value_at", counted(Trial.value_at))
    monkeypatch.setattr(FloatDistribution, "__eq__", counted(FloatDistribution.__eq__))
    propose = OptunaProposer.propose

    def proposed(*arguments):
        at.append(looks)
        return propose(*arguments)

    monkeypatch.setattr(OptunaProposer, "propose", proposed)
    flat = {**IRIS, "search": {**SMALL, "training.learning_rate": {"uniform": [0.01, 1]}}}
    flat["search"] |= {"trials": 127, "sampler": sampler, "pruning": pruning}
    search(flat, tmp_path)
    early, late = at[36] - at[18], at[126] - at[108]
    assert late < 2 * early  # four times as many, if it was in step with the number of trials


@pytest.mark.parametrize("pruning", ["halving", "median"])
def test_it_stops_anywhere_and_goes_on(pruning, searched, tmp_path):
    """A search that is stopped again and again, and then goes on, has the same bits in the end."""
    left = 3

    def stopped():
        nonlocal left
        left -= 1
        return left < 0

    for calls in (3, 40, 90):
        left = calls
        search(config(pruning=pruning), tmp_path, shuffled=2, stopped=stopped)
    search(config(pruning=pruning), tmp_path)
    assert outcome(searched(pruning)) == outcome(tmp_path)


def test_a_changed_learning_curve_ends_no_trial(searched, tmp_path):
    """Trials that have paused are judged by the curves that were written, or the search says so."""
    shutil.copytree(searched("halving"), tmp_path / "results")
    pruned = next(t for t in content_of(tmp_path / "results")["trials"] if t["status"] == "pruned")
    file = tmp_path / "results/iris" / pruned["run_ids"][0] / "history.csv"
    file.write_text(file.read_text().replace("0.", "0.9"))
    with pytest.raises(UsageError, match=r"history\.csv is not the file that was written"):
        search(config(pruning="halving"), tmp_path / "results")


@pytest.mark.parametrize("pruning", ["none", "halving"])
def test_what_is_finished_is_not_trained_again(pruning, searched, monkeypatch):
    """The same command again trains nothing, and leaves what there is."""
    root = searched(pruning)
    expected = outcome(root)

    def fail(*_):
        raise AssertionError("it is trained")

    monkeypatch.setattr("nnrun.sweeps.workers.job.execute", fail)
    search(config(pruning=pruning), root)
    assert expected == outcome(root)


def test_runs_of_another_process_are_waited_for(tmp_path, monkeypatch):
    """What it trains counts, and the trials that follow from it are made."""
    content = config(window=1, trials=3)
    search(content, tmp_path)
    expected, held = outcome(tmp_path), set()

    def held_at_first(store, name, run_id, **more):
        if run_id in held:
            return begin(store, name, run_id, **more)
        held.add(run_id)
        return None

    monkeypatch.setattr("nnrun.sweeps.sweep.begin", held_at_first)
    assert search(content, tmp_path).winner is not None
    assert expected == outcome(tmp_path)


@pytest.mark.parametrize("pruning", ["asynchronous_halving", "median"])
def test_a_promoted_trial_has_the_bits_of_a_run_that_never_stopped(pruning, searched):
    """Completed trials of a search with pruning are those of a search without, where both are."""
    without, found = outcome(searched("none"))[1], outcome(searched(pruning))[1]
    both = {run_id for run_id in found if found[run_id][0] == "completed"} & without.keys()
    assert both
    assert {run_id: without[run_id] for run_id in both} == {run: found[run] for run in both}


def test_pruning_says_what_it_saves(searched):
    """The share of updates that were not made is that of the trials' own runs."""
    content = content_of(searched("halving"))
    trials = [trial for trial in content["trials"] if trial["same_as"] is None]
    pruned = [trial for trial in trials if trial["status"] == "pruned"]
    assert len(pruned) == content["saved"]["pruned"] > 0
    made = sum(trial["share"] for trial in trials)
    assert 1 - made / len(trials) == content["saved"]["share"] > 0.3
    assert all(trial["value"] is None and trial["curve"] for trial in pruned)


def test_each_run_names_its_search(searched):
    """By what decides the trials, also a run that ended early; other runs name none."""
    root = searched("halving")
    reports = [json.loads(file.read_text()) for file in root.glob("iris/*/report.json")]
    assert {"completed", "interrupted"} == {report["status"] for report in reports}
    assert {content_of(root)["identity"]} == {report["search"] for report in reports}


def test_no_trial_looks_at_a_test_row(searched):
    """Only the winner's last runs have test results; all others have no test rows."""
    root, content = searched("none"), content_of(searched("none"))
    reports = {
        file.parent.name: json.loads(file.read_text()) for file in root.glob("*/*/report.json")
    }
    tested = {name for name, report in reports.items() if report["metrics"]["test"] is not None}
    assert {*content["test"]["run_ids"]} == tested
    assert {0} == {report["dataset"]["n_test"] for n, report in reports.items() if n not in tested}
    assert not tested & {run for trial in content["trials"] for run in trial["run_ids"]}


def test_the_winner_is_the_first_of_the_final_board(searched):
    """It has the best mean on seeds that no trial has; its test result is over these seeds."""
    content = content_of(searched("none"))
    first = content["board"]["rows"][0]
    assert first["best_run"].partition("/")[2] in content["winner"]["run_ids"]
    assert first["mean"] == content["winner"]["mean"]
    seeds = [{int(run.partition("-")[0][1:]) for run in part["run_ids"]}
             for part in (content["winner"], content["test"])]  # fmt: skip
    assert [{4, 5}, {4, 5}] == seeds
    assert [3] == content["seeds"]


def test_the_default_stands_beside(searched):
    """The config's own settings are on the board, under the values that they have."""
    content = content_of(searched("none"))
    default = [one for one in content["finalists"] if one["origin"] == "default"]
    assert [None] == [one["number"] for one in default]
    assert 0.05 == default[0]["choice"]["training.learning_rate"]
    assert (1, [4]) == tuple(default[0]["choice"][f"network.depth{k}"] for k in ("", ".units"))
    assert len(content["finalists"]) == len(content["board"]["rows"]) == 3


def test_best_is_the_winner(searched):
    """NAME/best is a run of the winner that has a test result."""
    root = searched("none")
    choice = best_of(root, "iris")
    assert choice.record.run_id in content_of(root)["test"]["run_ids"]


def test_a_random_search_stands_beside(tmp_path):
    """It has as many trials, with other seeds, and the best of them is on the board."""
    state = search(config(random=True, trials=6), tmp_path, shuffled=3)
    content = content_of(tmp_path)
    assert 6 == len(state.random) == len(content["random"])
    assert not {str(one["params"]) for one in content["trials"]} & {
        str(one["params"]) for one in content["random"]
    }
    origins = {one["origin"] for one in content["finalists"]} - {"ensemble"}
    assert {"search", "default", "random"} == origins


def test_trials_on_several_splits(tmp_path):
    """With `seeds`, a trial's value is the mean over its runs, which have different splits."""
    search(config(seeds=2, trials=3), tmp_path)
    trial = content_of(tmp_path)["trials"][0]
    reports = [
        json.loads((tmp_path / "iris" / run / "report.json").read_text())
        for run in trial["run_ids"]
    ]
    values = [report["metrics"]["validation"]["accuracy"] for report in reports]
    assert sum(values) / 2 == trial["value"]
    assert {3, 4} == {report["seed"] for report in reports}
    assert {(None, 3)} == {
        tuple(report["config"]["dataset"]["split"][key] for key in ("seed", "test_seed"))
        for report in reports
    }


def test_judged_by_folds(tmp_path):
    """Without a validation split, folds judge; then no rows are left for a test."""
    content = config(trials=2, fresh_seeds=2)
    content["dataset"] = {"name": "iris", "folds": 3, "features": "standard"}
    state = search(content, tmp_path)
    assert ("test", None) == (content_of(tmp_path)["judged_by"], state.test)
    assert [3, 3] == [len(trial.run_ids) for trial in state.trials]


def test_a_seed_of_the_split_draws_the_test_rows(tmp_path):
    """Where the config has one, the runs' seeds draw validation rows all the same."""
    content = config(trials=1)
    content["dataset"] = {**content["dataset"], "split": {"by": "random", "seed": 9}}
    state = search(content, tmp_path)
    split = state.plan.default.config["dataset"]["split"]
    assert (None, 9) == (split["seed"], split["test_seed"])


def test_a_default_validation_split(tmp_path):
    """Without validation split and folds, a part of the training rows judges."""
    content = config(trials=2)
    content["dataset"] = {"name": "iris", "features": "standard"}
    state = search(content, tmp_path)
    assert "no validation split" in state.plan.settings.judging.note
    assert {"train": 96, "validation": 24} == dict(state.plan.default.variant.rows)


def test_diverged_trials_do_not_end_a_search(tmp_path):
    """They have no value, and the sampler takes them for the worst."""
    content = config(trials=8, **{"training.learning_rate": {"log_uniform": [0.01, 1e30]}})
    content["search"] = {k: v for k, v in content["search"].items() if k != "network.depth"}
    state = search(content, tmp_path)
    statuses = {trial.status for trial in state.trials}
    assert "completed" in statuses
    assert statuses - {"completed", "pruned"}
    assert state.winner is not None


def test_settings_that_do_not_fit_are_failed_trials(tmp_path):
    """Options that do not go together are no end of a search; all failing is."""
    state = search(unlike(trials=6), tmp_path)
    failed = [trial for trial in state.trials if trial.status == "failed"]
    assert 0 < len(failed) < 6
    assert all("\n" not in trial.reason for trial in failed)


def test_an_asynchronous_search_goes_on_with_its_own_trials(tmp_path):
    """Trials that were proposed before it was stopped are those that it goes on with."""
    left = 30

    def stopped():
        nonlocal left
        left -= 1
        return left < 0

    content = config(pruning="halving")
    search(content, tmp_path, shuffled=1, asynchronous=True, stopped=stopped)
    before = [trial["params"] for trial in content_of(tmp_path)["trials"]]
    search(content, tmp_path, shuffled=2, asynchronous=True)
    after = [trial["params"] for trial in content_of(tmp_path)["trials"]]
    assert 14 == len(after)
    assert 0 < len(before) < 14
    assert before == after[: len(before)]


# A search with a time: no run begins when it is over, by a clock that runs by the runs.

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
