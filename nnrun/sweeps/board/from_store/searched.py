"""The runs of an experiment's search, as search.json in its folder names them.

The file is used only as it was written, and only where it agrees with the reports of its runs: with
the values of trials, the means of the final comparison and the test, and the settings of all runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from statistics import fmean
from typing import Any

from nnrun.errors import DamageError
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.summary import COMPLETED, IN_PROGRESS, RunSummary
from nnrun.runs.storage.contents.sealed import read_sealed

FILE = "search.json"
AGAIN = "the same nnrun search again writes it anew, and trains no run that is stored"
"""What to do about a search.json that cannot be used."""
SCHEMA_VERSION = 1
_MOST_BYTES = 2**28
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, LookupError)
_HIDDEN = "dataset.hide_test"
# Other values may be written in short, as `minmax` for a list of one step.
_COMPARED = ({int}, {float}, {int, float}, {str})
_OF_ROW = ("mean", "sd", "ci_low", "ci_high", "tied")

Content = Mapping[str, Any]


@dataclass(frozen=True)
class SearchedRuns:
    """The ids of all runs of a search, and of those of its winner."""

    known: Collection[str]
    winner: Collection[str]

    @classmethod
    def of(cls, content: Content) -> SearchedRuns | None:
        """The runs of a search.json; None where the search has not ended."""
        if content["winner"] is None:
            return None
        test = content["test"] or content["winner"]
        return cls({*_all_ids(content)}, {*map(str, test["run_ids"])})

    def taken(self, runs: Sequence[RunSummary]) -> Sequence[RunSummary]:
        """The winner's runs, unless another run was trained after the search: then all.

        Raises: DamageError if the winner's runs are not all there.
        """
        last = max(runs, key=lambda run: (run.started or "", run.run_id), default=None)
        if last is None or last.run_id not in self.known:
            return runs
        missing = {*self.winner} - {run.run_id for run in runs}
        if missing:
            raise DamageError(f"{min(missing)}, a run of the winner of its search, is missing")
        return [run for run in runs if run.run_id in self.winner]


def is_searched(root: Path, name: str) -> bool:
    """Whether an experiment was searched, by its search.json or a run that names a search."""
    return (root / name / FILE).exists() or any(run.search for run in look(root, (name,)))


def read_search(
    root: Path, name: str, runs: Iterable[RunSummary] | None = None
) -> dict[str, Any] | None:
    """The content of search.json of an experiment; None where it was never searched.

    Args:
        root: the results folder.
        name: of the experiment.
        runs: of it, as far as they are known; by default those that are stored.

    Raises: DamageError if the file is missing though runs name a search, is not as it was written,
    or does not agree with its runs.
    """
    file, known = root / name / FILE, look(root, (name,)) if runs is None else [*runs]
    try:
        content = read_sealed(file, _MOST_BYTES)
        if content["schema_version"] != SCHEMA_VERSION:
            raise DamageError("it is of another version of nnrun")
        if fault := next(_Held(content, root, name, known).faults(), None):
            raise DamageError(fault)
    except FileNotFoundError:
        if any(run.search for run in known):
            message = f"{file} is missing, and runs of {name} are of a search"
            raise DamageError(message, AGAIN) from None
        return None
    except DamageError as error:
        raise DamageError(f"{file} is damaged: {error}", AGAIN) from None
    except DAMAGE:
        raise misformed(file) from None
    return content


def misformed(file: Path) -> DamageError:
    """The error of a search.json that has its digest, and not the form that nnrun writes."""
    return DamageError(f"{file} is damaged: it is not what nnrun writes", AGAIN)


class _Held:
    """The content of a search.json, held against the runs of its experiment."""

    def __init__(self, content: Content, root: Path, name: str, runs: Iterable[RunSummary]) -> None:
        self._content = content
        self._runs = {run.run_id: run for run in runs}
        wanted = {run_id for trial in self._valued() for run_id in trial["run_ids"]}
        if content["winner"] is not None:
            wanted.update(content["winner"]["run_ids"], (content["test"] or {}).get("run_ids", ()))
        if not all(self._is_completed(run_id) for run_id in wanted):
            # Others may have ended since they were listed.
            self._runs = {run.run_id: run for run in look(root, (name,))}

    def faults(self) -> Iterator[str]:
        """What does not agree, in sentences; runs that were deleted since say nothing."""
        content, metric = self._content, self._content["metric"]
        for trial in self._valued():
            what, values = f"trial {trial['number']}", f"{content['judged_by']}_{metric}"
            yield from self._faults_of(what, trial["run_ids"], values, trial["value"])
        for part in _parts(content):
            for run_id in part["run_ids"]:
                if not self._has(run_id, part):
                    yield f"it has other settings for {run_id} than the report of that run"
        rows = [row for row in (content["board"] or {"rows": ()})["rows"] if row["best_run"]]
        known = [row for row in rows if row["mean"] is not None]
        for row in known:
            run_ids = _finalist(content, row)["run_ids"]
            ended = [i for i in run_ids if self._is_completed(i)]
            what, values = "the final comparison", f"{content['board']['ordered_by']}_{metric}"
            if len(ended) != row["completed"] and self._runs.keys() >= {*run_ids}:
                yield f"{what} counts other runs than have completed"
            elif len(ended) == row["completed"]:
                yield from self._faults_of(what, ended, values, row["mean"])
        better = max if content["larger_is_better"] else min
        if known and known[0]["mean"] != better(row["mean"] for row in known):
            yield "the final comparison is in another order than its means"
        yield from self._faults_of_winner(rows)
        if content["test"] is not None:
            run_ids, mean = content["test"]["run_ids"], content["test"]["mean"]
            yield from self._faults_of("the test of the winner", run_ids, f"test_{metric}", mean)

    def _faults_of(
        self, what: str, run_ids: Sequence[str], metric: str, value: float | None
    ) -> Iterator[str]:
        """Why a value is not the mean of this metric over these runs."""
        runs = [self._runs[run_id] for run_id in run_ids if run_id in self._runs]
        if len(runs) < len(run_ids) or any(run.status in IN_PROGRESS for run in runs):
            return  # deleted, or trained again
        values = []
        for run in runs:
            if run.status != COMPLETED:
                yield f"{what} is by {run.run_id}, which is {run.status}"
            elif (number := run.metrics.get(metric)) is not None:
                values.append(number)
        if value is None or not values or not _same(value, fmean(values)):
            yield f"{what} has another value than the reports of its runs"

    def _faults_of_winner(self, rows: Sequence[Content]) -> Iterator[str]:
        """What is wrong with the choice of the winner, and of the runs of its test."""
        winner, test = self._content["winner"], self._content["test"]
        if (winner is None) != (not rows or not self._content["ended"]):
            yield "it has a winner before its end, or none after it"
        if winner is None:
            return
        first = {**_finalist(self._content, rows[0]), **{key: rows[0][key] for key in _OF_ROW}}
        if winner != first:
            yield "the winner is not the first of the final comparison"
        tested = {*(test or winner)["run_ids"]}
        runs = [run for i in (*winner["run_ids"], *tested) if (run := self._runs.get(i))]
        settings = [{**run.settings, _HIDDEN: None} for run in runs]
        hidden = any(run.settings.get(_HIDDEN) for run in runs if run.run_id in tested)
        if hidden or any(other != settings[0] for other in settings):
            yield "the runs of the test are not those of the winner"

    def _valued(self) -> list[Content]:
        """The trials that should have a value."""
        content = self._content
        every = (*content["trials"], *content["random"])
        return [t for t in every if t["value"] is not None or t["status"] == COMPLETED]

    def _is_completed(self, run_id: str) -> bool:
        return run_id in self._runs and self._runs[run_id].status == COMPLETED

    def _has(self, run_id: str, part: Content) -> bool:
        """Whether a run has the settings that were chosen: numbers and words, not blocks."""
        settings = self._runs[run_id].settings if run_id in self._runs else {}
        chosen = (*part.get("params", {}).items(), *part["choice"].items())
        pairs = ((value, settings[key]) for key, value in chosen if key in settings)
        return all(a == b for a, b in pairs if {type(a), type(b)} in _COMPARED)


def _same(value: float, mean: float) -> bool:
    """Whether these are equal, but for the order in which numbers were added up."""
    return isclose(value, mean, rel_tol=1e-12, abs_tol=1e-300)


def _finalist(content: Content, row: Content) -> Content:
    """The setting that a row of the final comparison is about."""
    run_id = row["best_run"].partition("/")[2]
    finalists: Sequence[Content] = content["finalists"]
    return next((each for each in finalists if run_id in each["run_ids"]), {"run_ids": ()})


Key = tuple[str, str]
"""The name of an experiment, and the id of a run."""


@dataclass(frozen=True)
class Searches:
    """What the searches of some experiments say about their runs.

    Args:
        choices: the settings of each run.
        early: the runs that ended early.
        judged: the runs of trials, of searches with a winner: by other runs it was chosen.
        contents: what each search.json says, by the name of the experiment.
        problems: why a search.json cannot be used, likewise.
    """

    choices: dict[Key, dict[str, Any]] = field(default_factory=dict)
    early: set[Key] = field(default_factory=set)
    judged: set[Key] = field(default_factory=set)
    contents: dict[str, Content] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def searches_of(folders: Iterable[Path], runs: Iterable[RunSummary]) -> Searches:
    """What the searches of experiments with these folders say, and which of them are damaged.

    `runs` are those of the experiments, as far as they are known.
    """
    searches, by_name = Searches(), dict[str, list[RunSummary]]()
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    for folder in folders:
        name = folder.name
        try:
            content = read_search(folder.parent, name, by_name.get(name, ()))
        except DamageError as error:
            searches.problems[name] = str(error)
        else:
            if content is not None:
                _add(searches, name, content)
    return searches


def _add(searches: Searches, name: str, content: Content) -> None:
    searches.contents[name] = content
    trials = [(t["status"], _keys(name, t)) for t in (*content["trials"], *content["random"])]
    for part in _parts(content):
        choice = dict(part["choice"])
        searches.choices.update((key, choice) for key in _keys(name, part))
    searches.early.update(key for status, keys in trials if status == "pruned" for key in keys)
    if content["winner"] is not None:
        searches.judged.update(key for _, keys in trials for key in keys)


def _keys(name: str, part: Content) -> list[Key]:
    return [(name, str(run_id)) for run_id in part["run_ids"]]


def _parts(content: Content) -> list[Content]:
    """What has runs; those of the test have the settings of the winner."""
    test = content["test"] and {**content["test"], "choice": content["winner"]["choice"]}
    parts = [*content["trials"], *content["random"], *content["finalists"], test]
    return [part for part in parts if part]


def _all_ids(content: Content) -> Iterator[str]:
    for part in _parts(content):
        yield from map(str, part["run_ids"])
