"""The best setting of an experiment, as its leaderboard has it, and the run that stands for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nnrun.config.names import SPLITS, is_name
from nnrun.config.settings import BESIDE
from nnrun.config.yaml.dump import dump
from nnrun.errors import DamageError, UsageError
from nnrun.garbage import not_collected
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import read_run, refuse_damaged
from nnrun.sweeps.board.comparison.verdicts import completed_runs, known_values
from nnrun.sweeps.board.from_store.searched import AGAIN, SearchedRuns, read_search
from nnrun.sweeps.board.from_store.stored import StoredVariant, ordered_by, stored_variants
from nnrun.sweeps.board.from_store.written import read_board
from nnrun.sweeps.board.leaderboard import groups_of, kind_of
from nnrun.sweeps.board.rows import Group, Row

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
        """As JSON data."""
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
    """Of the experiment that trains on all rows what was chosen by folds."""
    return f"{name[: _LONGEST - len(_FINAL)]}{_FINAL}"


def config_yaml(choice: Choice, folder: Path | None = None) -> str:
    """That config as a file; in a folder that holds its data, the path is relative to it."""
    config = chosen_config(choice)
    if folder is not None:
        config["dataset"] = _relative(config["dataset"], folder.absolute())
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
