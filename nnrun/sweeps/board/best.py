"""The best stored setting of an experiment, by its runs or by its search.

The file is used only as it was written, and only where it agrees with the reports of its runs: with
the values of trials, the means of the final comparison and the test, and the settings of all runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from math import isclose
from pathlib import Path
from statistics import fmean
from typing import Any

from nnrun.config.names import SPLITS, is_name
from nnrun.config.settings import BESIDE
from nnrun.config.yaml_scalars import dump
from nnrun.errors import DamageError, UsageError
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.summary import COMPLETED, IN_PROGRESS, RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import read_run, refuse_damaged
from nnrun.runs.storage.sealed import read_sealed
from nnrun.sweeps.board.leaderboard import groups_of, kind_of
from nnrun.sweeps.board.rows import Group, Row, read_board
from nnrun.sweeps.board.stored import StoredVariant, ordered_by, stored_variants
from nnrun.sweeps.board.verdicts import completed_runs, known_values
from nnrun.systems.process import not_collected

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


# The best setting of an experiment, as its leaderboard has it, and the run that stands for it.

_FINAL = "-final"
_LONGEST = 100
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Choice:
    """The first row of an experiment's leaderboard that is a network.

    Args:
        group: the rows that it is the first of.
        row: the first of them that is a network.
        record: of the run that stands for it: of its completed runs the median one, by the metric
            and split that the order is by; of an even number the worse of the middle two.
        variants: the configs of the group's rows, in no order.
        others: those of each other board of the experiment: on other data or with other splits,
            they cannot be compared with these.
        newest: whether the group has the completed run that was started last. The group is the
            newest that compares several settings, or if there is none the newest.
    """

    group: Group
    row: Row
    record: RunRecord
    variants: list[StoredVariant]
    others: list[list[StoredVariant]]
    newest: bool

    def row_of(self, run_id: str) -> Row | None:
        """The row that a run belongs to; None where it has none with completed runs."""
        ids = [{run.run_id for run in variant.runs} for variant in self.variants]
        own = next((found for found in ids if run_id in found), set())
        return next((row for row in self.group.rows if _best_id(row) in own), None)

    def to_dict(self) -> dict[str, Any]:
        """The choice as JSON data."""
        return {
            "name": self.record.name,
            "run_id": self.record.run_id,
            "seed": self.record.seed,
            "metric": self.group.metric,
            "ordered_by": self.group.ordered_by,
            "settings": len(self.group.rows),
            "row": asdict(self.row),
            "config": chosen_config(self),
        }


def chosen_config(choice: Choice) -> dict[str, Any]:
    """The config of the run that stands for the choice, without a sweep, under its folder's name.

    Trained where it is stored, it is that run again; but of folds, it trains on the rows of all of
    them, under a name of its own.
    """
    config = {key: value for key, value in choice.record.config.items() if key != "sweep"}
    if choice.group.folds is None:
        return {**config, "name": choice.record.name}
    whole = {**config["dataset"], "folds": None, "fold": None, "test_size": 0}
    return {**config, "name": final_name(choice.record.name), "dataset": whole}


def final_name(name: str) -> str:
    """Name of the experiment that trains on all rows what was chosen by folds."""
    return f"{name[: _LONGEST - len(_FINAL)]}{_FINAL}"


def config_yaml(config: dict[str, Any], folder: Path | None = None) -> str:
    """The config as a file; in a folder that holds its data, the path is relative to it."""
    if folder is not None:
        config = {**config, "dataset": _relative(config["dataset"], folder.absolute())}
    return dump(config)


def _relative(dataset: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A `dataset` block with a path in a folder relative to it."""
    images = dataset["images"] or {}
    path = Path(dataset["path"] or images.get("folder") or "")
    if not path.is_absolute() or not path.is_relative_to(folder):
        return dataset
    shown = path.relative_to(folder).as_posix()
    part = {"path": shown} if dataset["path"] else {"images": {**images, "folder": shown}}
    return {**dataset, **part}


def _searched(
    root: Path, name: str, runs: Sequence[RunSummary], summaries: Iterable[RunSummary]
) -> Sequence[RunSummary]:
    """The runs to choose among, where the experiment was searched."""
    try:
        content = read_search(root, name, summaries)
        searched = None if content is None else SearchedRuns.of(content)
        return runs if searched is None else searched.taken(runs)
    except DamageError as error:
        advice = f"{AGAIN}, and --by SPLIT chooses among all runs"
        raise DamageError(f"{name}/best: {error.what}", advice) from None


@not_collected()
def best_of(
    root: Path,
    name: str,
    by: str | None = None,
    *,
    in_folds: bool = False,
    order_by: str | None = None,
) -> Choice:
    """The choice among the stored runs of an experiment.

    Of a search, that is its winner, as long as no other run was trained after it.

    Args:
        root: the results folder.
        name: of the experiment.
        by: the split to choose by; by default the one that the leaderboard is ordered by.
        in_folds: choose among runs of folds, if there are any.
        order_by: the metric to choose by; by default that of the runs.

    Raises: UsageError if it has no completed run, no such split or metric, or a run whose report is
    damaged; DamageError if the choice may depend on a file that is.
    """
    try:
        names = [name, *_sharing(root, name)]
        every = look(root, names, boards=True, order_by=order_by)
        sound = (run for run in every if run.is_sound)
        own = (run for run in sound if run.name == name or BESIDE in dict(run.settings))
        runs: Sequence[RunSummary] = ordered_by(own, order_by)
        if by is None and order_by is None:
            runs = _searched(root, name, runs, (run for run in every if run.name == name))
        read = partial(_record, root / name, order_by)
        return choose(runs, name, by, read=read, in_folds=in_folds)
    except _DAMAGE:
        raise UsageError(f"a run of {name} is damaged; nnrun verify says which") from None


def choose(
    runs: Iterable[RunSummary],
    name: str,
    by: str | None = None,
    *,
    read: Callable[[str], RunRecord],
    in_folds: bool = False,
) -> Choice:
    """The choice among these runs of an experiment, whose records are read by their ids.

    Models of scikit-learn of other experiments are compared with its networks, where their data
    are split alike. The rest is as for `best_of`.
    """
    boards: dict[tuple[object, ...], list[StoredVariant]] = {}
    every = stored_variants(runs)
    variants = [variant for variant in every if variant.planned]
    alike = {(kind_of(variant), variant.division) for variant in variants if variant.name == name}
    for variant in variants:
        if (kind_of(variant), variant.division) in alike:
            boards.setdefault(kind_of(variant), []).append(variant)
    if in_folds:
        boards = {kind: found for kind, found in boards.items() if found[0].folds} or boards
    networks = {
        kind: [variant for variant in found if BESIDE not in variant.choice]
        for kind, found in boards.items()
    }
    if not any(map(_last_of, networks.values())):
        what = "run" if networks == boards else "network"
        raise UsageError(f"{name}/best: no {what} of {name} has completed")
    kind = max(boards, key=lambda kind: (_settings(networks[kind]) > 1, _last_of(networks[kind])))
    compared = boards.pop(kind)
    if len(compared) < len(every):
        # The words of a setting are without what tells its board from others.
        compared = stored_variants(run for variant in compared for run in variant.runs)
    if by is not None and by not in compared[0].splits:
        raise UsageError(
            f"{name}/best: its runs have no {by} split, but {' and '.join(compared[0].splits)}; "
            f"dataset.{by}_size makes one"
        )
    (group,) = groups_of([(variant, variant.scores) for variant in compared], by)
    row = group.first_network
    assert row is not None, "one of its networks has completed"
    first = next(v for v in compared if _best_id(row) in {run.run_id for run in v.runs})
    record = read(_median_id(first, group.ordered_by))
    newest = _last_of(compared) >= max(map(_last_of, boards.values()), default=())
    return Choice(group, row, record, compared, [*boards.values()], newest)


def _sharing(root: Path, name: str) -> list[str]:
    """The other experiments whose folders have models on a leaderboard with this experiment.

    A sweep trains a model once for several experiments on the same data.

    Raises: DamageError if a leaderboard of several experiments, be it of others, is damaged.
    """
    found: set[str] = set()
    for file in root.glob("leaderboard-*-experiments-*.json"):
        for group in read_board(file).groups:
            if any(row.name == name for row in group.rows):
                found |= {
                    row.name for row in group.rows if not row.is_network and is_name(row.name)
                }
    return sorted(found - {name})


def _settings(board: Sequence[StoredVariant]) -> int:
    """How many settings have completed runs."""
    return sum(bool(_last_of([variant])) for variant in board)


def _last_of(board: Sequence[StoredVariant]) -> tuple[str, ...]:
    """Start and id of the completed run that was started last; empty without any."""
    completed = (r for variant in board for r in variant.runs if r.status == "completed")
    return max(((run.started or "", run.run_id) for run in completed), default=())


def _median_id(variant: StoredVariant, split: str) -> str:
    member = variant, variant.scores
    values, runs = known_values(member, SPLITS.index(split)), completed_runs(member)
    sign = -1 if variant.larger_is_better else 1
    # Where no run has a number, any is as good.
    ordered = sorted(values or runs, key=lambda run: (sign * values.get(run, 0.0), run.order))
    return runs[ordered[len(ordered) // 2]].run_id


def _best_id(row: Row) -> str | None:
    return None if row.best_run is None else row.best_run.partition("/")[2]


def _record(folder: Path, order_by: str | None, run_id: str) -> RunRecord:
    """The report of a run in an experiment's folder, read again.

    Raises: UsageError if it has changed since it was listed.
    """
    run = read_run(folder / run_id, placed=True)
    refuse_damaged(run, folder / run_id)
    if run is None or run.record is None:
        raise UsageError(f"{folder / run_id} was removed meanwhile")
    if order_by is None or not run.record.has_metric(order_by):
        return run.record
    return replace(run.record, main_metric=order_by)
