"""Searches, the best setting of an experiment, and the list of stored runs, from Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, overload

from nnrun.api.boards import workers_of
from nnrun.api.experiments import sending, stderr_for, train_saved
from nnrun.api.run import (
    FROM_DATA,
    Config,
    Path_,
    Plugins,
    Run,
    at_least_one,
    explained,
    read,
    words,
)
from nnrun.config.load import Origin
from nnrun.config.settings import differing
from nnrun.data.splits import GivenData
from nnrun.errors import NnrunError, UsageError
from nnrun.frames import to_frame
from nnrun.reports.best import estimate_words
from nnrun.reports.leaderboard_files import leaderboard_files
from nnrun.reports.numbers import plural
from nnrun.reports.run import report_markdown
from nnrun.reports.trials import ShownSearch
from nnrun.runs.catalog.index import RunIndex, look
from nnrun.runs.catalog.select import BEST, named
from nnrun.runs.catalog.summary import RunSummary, by_time
from nnrun.runs.storage.store import Store
from nnrun.runs.storage.sweep_progress import names_in
from nnrun.search.plan import origin_of, plan_search, stored_search
from nnrun.suggestions import suggestion
from nnrun.sweeps.board.best import Choice, chosen_config
from nnrun.sweeps.board.rows import Row
from nnrun.sweeps.final import final_of
from nnrun.sweeps.named_runs import best as best_choice
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Training

# The best setting of an experiment.


@dataclass(frozen=True)
class Best:
    """The best setting of an experiment.

    Args:
        choice: the board that it is the first of, with the run that stands for it.
        path: the results folder.
    """

    choice: Choice
    path: Path

    def __repr__(self) -> str:
        record, group = self.choice.record, self.choice.group
        return f"<Best of {record.name} by {group.ordered_by} {group.metric}: {record.run_id}>"

    @property
    def row(self) -> Row:
        """The first network of the board, with its statistics."""
        return self.choice.row

    @property
    def run(self) -> Run:
        """The median run of the setting."""
        record = self.choice.record
        return read(self.path / record.name / record.run_id, placed=True)

    @property
    def config(self) -> dict[str, Any]:
        """The setting as a config, which `train` takes."""
        return chosen_config(self.choice)

    def final(
        self,
        *,
        data: Any = None,
        force: bool = False,
        progress: bool | None = None,
        threads: int | None = None,
    ) -> Run:
        """Train the setting on all rows, those for testing too, as `nnrun best --final` does.

        Args:
            data: what the judged runs were trained on, if that was given in Python.
            force: train even if the run is complete.
            progress: whether to show progress; by default in IPython and notebooks alone.
            threads: how many the run may use, by default one for each core.

        Returns:
            The run; its `record.description` says what to expect of it.

        Raises:
            UsageError: the judged runs have trained on all rows.
            NnrunError: the data have changed since.
        """
        threads = at_least_one("threads", threads)
        final = final_of(self.choice, self.path, estimate_words(self.choice), data)
        with sending(None, None, self.path) as tracking:
            return train_saved(
                final.prepared, None, self.path, force, progress, threads, None, tracking
            )


@explained
def best(
    name: str,
    *,
    by: str | None = None,
    order_by: str | None = None,
    results: Path_ = "results",
    plugins: Plugins = (),
) -> Best:
    """The best setting of the stored runs of an experiment.

    Args:
        name: of the experiment.
        by: the split to choose by, `validation` or `test`; by default that of its leaderboard.
        order_by: the metric to choose by; by default that of the runs.
        results: the results folder.
        plugins: Python files that register parts which the runs name; see `nnrun.plugins`.

    Returns:
        The setting: its `config`, its median `run`, its `row` of the leaderboard, and `final()`,
        which trains it on all rows.

    Raises:
        UsageError: there is no such experiment, split or metric, or no completed run.
    """
    root = Path(results)
    word = named(name, root).rstrip("/").removesuffix(f"/{BEST}")
    return Best(best_choice(root, word, by, order_by=order_by), root)


# Searches.


class SearchResult:
    """What a search has found.

    Args:
        content: of search.json.
        path: the results folder.
    """

    def __init__(self, content: Mapping[str, Any], path: Path) -> None:
        self.content = content
        self.path = path

    def __repr__(self) -> str:
        ended = "" if self.ended else ", not ended"
        return f"<Search of {self.name}: {plural(len(self.trials), 'trial')}{ended}>"

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return str(self.content["name"])

    @property
    def ended(self) -> bool:
        """Whether there is a winner; else there was no time for one, and more time goes on."""
        return self.winner is not None

    @property
    def trials(self) -> Sequence[Mapping[str, Any]]:
        """The settings that were tried: `choice`, `value`, `status`, `run_ids`, …"""
        return list(self.content["trials"])

    @property
    def winner(self) -> Mapping[str, Any] | None:
        """The first of the final comparison: its `choice`, `mean`, `sd`, …; None without one."""
        winner: Mapping[str, Any] | None = self.content["winner"]
        return winner

    @property
    def test(self) -> Mapping[str, Any] | None:
        """The winner's test result; None without a test split."""
        test: Mapping[str, Any] | None = self.content["test"]
        return test

    @property
    def best(self) -> Best:
        """The winner as a setting; raises a UsageError if no run has completed."""
        return best(self.name, results=self.path)

    def to_frame(self) -> Any:
        """A row for each trial as a pandas DataFrame: what was chosen, then its value.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        keys = ("value", "status", "seconds", "run_ids")
        return to_frame(
            {"number": trial["number"], **trial["choice"], **{key: trial[key] for key in keys}}
            for trial in self.trials
        )


@explained
def search(
    config: Config,
    overrides: Mapping[str, Any] | None = None,
    *,
    data: Any = None,
    target: str | None = None,
    trials: int | None = None,
    time: float | str | None = None,
    sampler: str | None = None,
    seeds: int | None = None,
    pruning: str | None = None,
    random: bool | None = None,
    asynchronous: bool = False,
    iterations: int | None = None,
    executor: Executor | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    results: Path_ = "results",
    progress: bool | None = None,
    mlflow: str | None = None,
    tensorboard: Path_ | None = None,
    plugins: Plugins = (),
) -> SearchResult:
    """Find the best setting for a budget, and test it once; the same call goes on where it stopped.

    Args:
        config: a YAML file, or its content as a dictionary, with a block `search`; or a data file,
            which gets the config that `nnrun init` would write.
        overrides: values by their dotted keys, `{"search.top": 3}` among them.
        data: in place of the config's file: a table of pandas, polars or pyarrow, or arrays as
            `(x, y)`.
        target: of a data file, the column to predict; by default it is guessed.
        trials: how many settings to try.
        time: how long it may take in all: seconds, or a text such as `10m`.
        sampler: how settings are proposed.
        seeds: how many seeds judge each trial.
        pruning: how bad trials end early.
        random: whether to make a random search of the same budget, too.
        asynchronous: propose by the trials that have ended; results depend on the workers' speed.
        iterations: replaces the config's iterations or epochs.
        executor: any executor of `concurrent.futures`, or a client of Dask; the caller shuts it
            down.
        jobs: how many runs to train at the same time, as for `sweep`.
        threads: how many each run may use; no bit depends on it.
        results: the results folder.
        progress: whether to show progress; by default in IPython and notebooks alone.
        mlflow: the address of an MLflow server that the runs are sent to.
        tensorboard: a folder that the runs are written to for TensorBoard.
        plugins: Python files that register parts which the config names; see `nnrun.plugins`.

    Returns:
        The trials, the winner and its test result. Where `time` was too short for a winner,
        `ended` is False.

    Raises:
        ConfigError: with all mistakes of the config.
        UsageError: there is nothing to choose from, Optuna is not installed, or an argument is
            invalid.
        NnrunError: all trials have failed, no run of the final comparison has completed, or no
            worker is left; finished runs are saved.
        OSError: the results cannot be written.
    """
    started = monotonic()
    jobs, threads = at_least_one("jobs", jobs), at_least_one("threads", threads)
    workers = workers_of(executor, jobs)
    asked = {
        "trials": trials, "time": f"{time}s" if isinstance(time, int | float) else time,
        "sampler": sampler, "seeds": seeds, "pruning": pruning, "random": random,
    }  # fmt: skip
    keys = {f"search.{key}": value for key, value in asked.items() if value is not None}
    datasets = Datasets() if data is None else Datasets(GivenData(data).read)
    given = words(overrides) + words({} if data is None else FROM_DATA) + words(keys)
    root, output = Path(results), stderr_for(progress)
    origin: Origin = config if isinstance(config, Mapping) else Path(config)
    origin, tried = origin_of(origin, target, given, root, output.note)
    plan = plan_search(origin, given, datasets, iterations, tried, asynchronous=asynchronous)
    store = Store(root, report_markdown, RunIndex(root))
    store.folder(plan.name, "")  # refuses a link that leads elsewhere
    with sending(mlflow, tensorboard, root, "search") as tracking:
        training = Training(store, datasets, tracking, jobs, threads, workers)
        call = f"nnrun.search({config!r})" if isinstance(config, str) else "nnrun.search(…)"
        more = {"before": stored_search(plan, root, warnings.warn), "started": started}
        state = ShownSearch(plan, training, output, command=call, **more).search.run()
        if state.board is not None:
            files = leaderboard_files(state.board)
            store.write(files)
            tracking.board([root / name for name in files])
    if state.ended and state.winner is None:
        raise NnrunError("no run of the final comparison has completed, so nothing is chosen")
    return SearchResult(state.to_dict(), root)


# The list of stored runs.


class StoredRuns(Sequence[Run]):
    """Stored runs by the time of their start; each is read when it is asked for.

    Args:
        summaries: of the runs.
        path: the results folder.
    """

    def __init__(self, summaries: Sequence[RunSummary], path: Path) -> None:
        self._summaries = summaries
        self.path = path

    def __repr__(self) -> str:
        return f"<{plural(len(self), 'run')} in {self.path}>"

    def __len__(self) -> int:
        return len(self._summaries)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> StoredRuns: ...
    def __getitem__(self, index: int | slice) -> Run | StoredRuns:
        if isinstance(index, slice):
            return StoredRuns(self._summaries[index], self.path)
        run = self._summaries[index]
        return read(self.path / run.name / run.run_id, placed=True)

    def rows(self, *, varied_only: bool = False) -> list[dict[str, Any]]:
        """A dictionary for each run: `name`, `run_id`, `status`, `seed`, when and how long, its
        settings by dotted keys, and its metrics as `test_mse`.

        Args:
            varied_only: whether of the settings those are left out that all runs share.
        """
        first = ("name", "run_id", "status", "seed", "split_seed", "fold", "started", "seconds")
        settings = [dict(run.settings) for run in self._summaries]
        keys = dict.fromkeys(key for each in settings for key in each)
        shown = differing(settings) if varied_only else keys
        metrics = dict.fromkeys(name for run in self._summaries for name in run.metrics)
        return [
            {
                **{key: getattr(run, key) for key in (*first, "iterations")},
                **{key: run.settings.get(key) for key in keys if key in shown},
                **{name: run.metrics.get(name) for name in metrics},
            }
            for run in self._summaries
        ]

    def to_frame(self, *, varied_only: bool = False) -> Any:
        """The rows as a pandas DataFrame.

        Args:
            varied_only: as for `rows`.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return to_frame(self.rows(varied_only=varied_only))


@explained
def runs(names: str | Sequence[str] = (), *, results: Path_ = "results") -> StoredRuns:
    """The stored runs, those that began first in front.

    Args:
        names: of experiments; by default all.
        results: the results folder.

    Raises:
        UsageError: there is no such folder, or no run of a name.
    """
    root = Path(results)
    if not root.is_dir():
        raise UsageError(f"there is no results folder {root}")
    wanted = [named(name, root) for name in ([names] if isinstance(names, str) else names)]
    found = look(root, wanted)
    for name in wanted:
        if not any(run.name == name for run in found):
            near = suggestion(name, names_in(root))
            raise UsageError(f"no run in {root} is called '{name}'{near}")
    return StoredRuns(by_time(found), root)
