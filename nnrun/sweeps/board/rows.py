"""A leaderboard as a value: groups of rows, with all that is said of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from nnrun.config.names import is_name
from nnrun.config.settings import BESIDE
from nnrun.errors import DamageError, UsageError
from nnrun.runs.record import is_run_id
from nnrun.runs.storage.sealed import read_sealed
from nnrun.sweeps.active_runs import Member, SweepProgress
from nnrun.sweeps.board.means import AS_WRITTEN, CONFIDENCE, Summary
from nnrun.sweeps.board.published import Shown
from nnrun.sweeps.board.verdicts import Beside
from nnrun.sweeps.planning.frozen import Planned
from nnrun.sweeps.planning.plan import Shard

if TYPE_CHECKING:
    from pydantic import TypeAdapter


# What a board of a part of a sweep says about the rest, so that it can be made again later.


@dataclass(frozen=True)
class PlannedRow:
    """The ids of the runs of one setting; `first` is the index of the first, from which its shard
    follows.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    name: str
    choice: dict[str, Any]
    first: int
    runs: Sequence[str]


@dataclass(frozen=True)
class Unfinished:
    """A sweep with some runs that are not in the results folder.

    Args:
        shard: that the board was made after, such as `2/3`.
        runs: of the whole sweep.
        missing: how many of them are not there.
        shards: which shards have missing runs.
        rows: the settings in the order of the plan.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    shard: str
    runs: int
    missing: int
    shards: Sequence[int]
    rows: Sequence[PlannedRow]

    @classmethod
    def of(cls, progress: SweepProgress, shard: Shard) -> Self | None:
        """What is left of a whole sweep after this shard; None if nothing is."""
        rows, ended, known = [], set[str](), progress.ended_places()
        portions = sorted(progress.plan.portions(), key=lambda portion: portion[1].number)
        for start, variant, some in portions:
            runs = [*some]
            ended |= {run.key for run in runs if run.place in known}
            ids = [run.run_id for run in runs]
            rows.append(PlannedRow(variant.name, variant.choice, start, ids))
        return cls(str(shard), 0, 0, (), rows).without(ended)

    def require_sound(self) -> None:
        """Raise a ValueError or UsageError if it names no runs, as from a file that was changed."""
        if not all(is_name(row.name) and all(map(is_run_id, row.runs)) for row in self.rows):
            raise ValueError("a row names no run")
        Shard.parse(self.shard)

    def keys(self) -> Iterator[tuple[str, int]]:
        """`name/run id` of each run of the sweep, and the number of its shard."""
        of = Shard.parse(self.shard).of
        for row in self.rows:
            for at, run_id in enumerate(row.runs, row.first):
                yield f"{row.name}/{run_id}", at % of + 1

    def without(self, ended: Set[str]) -> Self | None:
        """The same with other runs that have ended; None if all have."""
        shard_of = dict(self.keys())
        left = shard_of.keys() - ended
        if not left:
            return None
        shards = sorted({shard_of[key] for key in left})
        return type(self)(self.shard, len(shard_of), len(left), shards, self.rows)


SCHEMA_VERSION = 1
PLANNED, EXPLORED = "planned", "explored"


@dataclass(frozen=True)
class Row:
    """A config with one choice of its grid.

    Args:
        rank: by the mean of the group's metric, 1 for the best; None where no run has completed.
            Runs that diverged, failed or were stopped take no part; `note` counts them.
        name: of the experiment.
        choice: from its grid.
        runs: that were planned: one for each seed, seed of the split, and fold.
        completed: all numbers below are about these.
        diverged: runs that left the range of numbers.
        failed: runs that could not be trained.
        train: the main metric on the training split, over these runs.
        validation: likewise.
        test: likewise.
        mean: of the metric on the split that the order is by.
        sd: its standard deviation over the runs.
        ci_low: lower end of the 95% interval of the mean.
        ci_high: its upper end.
        baseline: the mean of what a model that ignores the features reaches, on the split that the
            order is by.
        naive: likewise of earlier targets as predictions, by how many steps of time earlier; empty
            unless rows are split by time.
        best_seed: of the best run, by that split.
        best_fold: that this run tests; None without folds.
        best_run: its folder within the results, which is also what commands call it.
        seconds: of training, the mean.
        parameters: of the largest network; those of some splits have more categories.
        comparison: how it was compared with the best of the others: `paired` over common seeds,
            splits and folds, `unpaired` where splits or seeds differ, or `not compared`.
        note: why it was not compared, and which of its runs have no result.
        difference: of the means, this row less the best of the others.
        difference_low: lower end of its 95% interval, which holds for all rows of the group at
            once; None where that is not finite. One end is 0 where the sign is certain.
        difference_high: its upper end.
        p: the smallest level at which the row could be dropped.
        tied: whether the row may be the best of its group. At least 95% of groups keep the row
            that is truly best among these; the others can be dropped.
        as_good: whether the row is worse than the best of the others by less than the margin, at
            95%; None where no margin was given.
        published: numbers from elsewhere.
        warned: completed runs whose reports have warnings about the network.
        warnings: these by the kind of the first one.
        about_data: warnings about the data, in a line each: the kind, and what there is.
        elsewhere: completed runs by the arithmetic they were trained with, where it is not that of
            most runs of their engine: another kernel of the BLAS, other vectors. Trained again
            beside the others they may have other last digits.
        shares: the parts of the variance of one run's result that come from the `split`, from the
            `weights` (initial weights, order, dropout), and from `both` together; None where runs
            do not show that. They do where seeds of splits are crossed with seeds of weights.
        weights: how many different initial weights its completed runs have, one for each seed and
            fold.
        splits: how many different splits these have; every fold is one.
        stopped: runs that a callback stopped.
        before_plan: runs of a planned sweep that began before the plan was made.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    rank: int | None
    name: str
    choice: dict[str, Any]
    runs: int
    completed: int
    diverged: int
    failed: int
    train: Summary | None
    validation: Summary | None
    test: Summary | None
    mean: float | None
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    baseline: float | None
    best_seed: int | None
    best_run: str | None
    seconds: float | None
    parameters: int
    comparison: str
    note: str | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p: float | None
    tied: bool
    published: dict[str, float]
    as_good: bool | None = None
    warned: int = 0
    warnings: dict[str, int] = field(default_factory=dict)
    about_data: str = ""
    elsewhere: dict[str, int] = field(default_factory=dict)
    best_fold: int | None = None
    shares: dict[str, float] | None = None
    weights: int = 0
    splits: int = 0
    stopped: int = 0
    naive: dict[str, float] = field(default_factory=dict)
    before_plan: int = 0

    @property
    def is_network(self) -> bool:
        """Whether it is no model of scikit-learn."""
        return BESIDE not in self.choice

    def summary(self, split: str) -> Summary | None:
        """The main metric on this split."""
        found: Summary | None = getattr(self, split)
        return found

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Lines of IPython, one for each field that is known."""
        known = ((one.name, getattr(self, one.name)) for one in fields(self))
        lines = [f"    {name}={value!r},\n" for name, value in known if value not in (None, {})]
        printer.text(f"Row(\n{''.join(lines)})")


@dataclass(frozen=True)
class Group:
    """Rows that can be compared: one data set, one metric, the same kinds of splits.

    Args:
        dataset: its name.
        target: the column that is predicted, where a config says so.
        metric: the main metric, `accuracy` or `mse`.
        larger_is_better: its direction.
        ordered_by: the split that rank, best seed and ties are by: `validation` where there is
            one, so that nothing is chosen by the test split; else `test`, else `train`.
        rows: the best first.
        shown: the smallest differences that the runs of this group could show; None where that is
            not known.
        margin: a difference that does not matter, in the units of the metric; None without any.
        cheapest: the rank of the row with the fewest parameters, then the least time, of those
            that are as good as the best.
        folds: of cross-validation, whose test splits are those that the order is by; None without.
        split_by: the groups or the times that rows are split by, in words; "" at random.
        beside: each model of scikit-learn beside the best network.
        data_note: what a reader should know about the data.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    dataset: str
    target: str | None
    metric: str
    larger_is_better: bool
    ordered_by: str
    rows: list[Row]
    shown: Shown | None = None
    margin: float | None = None
    cheapest: int | None = None
    folds: int | None = None
    split_by: str = ""
    beside: list[Beside] = field(default_factory=list)
    data_note: str = ""

    @property
    def first_network(self) -> Row | None:
        """The best row that is no model of scikit-learn; None where no run of one has completed."""
        return next((row for row in self.rows if row.is_network and row.best_run), None)

    @cached_property
    def memo(self) -> dict[str, Any]:
        """What reports make of the rows once."""
        return {}


@dataclass(frozen=True)
class Leaderboard:
    """The result of a sweep.

    Args:
        command: that made it.
        groups: in the order of the plan.
        key: of the sweep: its experiment, and a digest of its settings and seeds; empty for others.
        unfinished: what is missing, if it was a part of a sweep; the rows are over the other runs.
        planned: the plan that was fixed before; None where settings and seeds were not.
    """

    command: str
    groups: list[Group]
    key: str = ""
    unfinished: Unfinished | None = None
    planned: Planned | None = None

    @property
    def basis(self) -> str:
        """Whether what is compared was fixed before: `planned` or `explored`."""
        return EXPLORED if self.planned is None else PLANNED

    @property
    def names(self) -> set[str]:
        """The experiments on it."""
        return {row.name for group in self.groups for row in group.rows}

    def with_notes(self, notes: Mapping[str, str]) -> Leaderboard:
        """The board with these notes on its data, by the names of data sets."""
        groups = [replace(g, data_note=notes.get(g.dataset, g.data_note)) for g in self.groups]
        return replace(self, groups=groups)

    def to_dict(self) -> dict[str, Any]:
        """The leaderboard as JSON data."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "confidence": CONFIDENCE,
            "basis": self.basis,  # near the start, where `is_planned` looks
            **_plain().dump_python(self),
        }
        if self.unfinished is None:
            del content["unfinished"]
        if self.planned is None:
            del content["planned"]
        return content

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Leaderboard:
        """The leaderboard as it was written.

        Raises: ValueError, UsageError if it was not written by this version of nnrun.
        """
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError("it is of another version")
        found = _plain().validate_python(content)
        if found.unfinished is not None:
            found.unfinished.require_sound()
        for shares in (row.shares for group in found.groups for row in group.rows):
            if shares is not None and not _are_shares(shares):
                raise ValueError("the parts of a variance are no shares of it")
        return found


def _are_shares(shares: Mapping[str, float]) -> bool:
    return {*shares} == {"split", "weights", "both"} and all(0 <= v <= 1 for v in shares.values())


@cache
def _plain() -> TypeAdapter[Leaderboard]:
    """Boards from plain data and back: in a tenth of the time that `asdict` takes."""
    from pydantic import TypeAdapter  # noqa: PLC0415  # slow to import

    return TypeAdapter(Leaderboard)


def of_plan(board: Leaderboard, planned: Planned | None, members: Iterable[Member]) -> Leaderboard:
    """The board of a planned sweep, with how many runs of each row began before the plan was made.

    `members` are its rows with their runs; without a plan, the board is as it is.
    """
    if planned is None:
        return board
    before = {
        (variant.name, repr(variant.choice)): sum(
            bool(score.started) and str(score.started) < planned.made for score in scores
        )
        for variant, scores in members
    }

    def counted(row: Row) -> Row:
        return replace(row, before_plan=before.get((row.name, repr(row.choice)), 0))

    groups = [replace(group, rows=[*map(counted, group.rows)]) for group in board.groups]
    return replace(board, groups=groups, planned=planned)


def with_margin(board: Leaderboard, margin: float | None) -> Leaderboard:
    """The board with what is as good as the best; as it is where there is no margin."""
    if margin is None:
        return board
    return replace(board, groups=[within(group, margin) for group in board.groups])


def within(group: Group, margin: float | None) -> Group:
    """The group with its rows that are as good as the best, and the cheapest of these.

    A row is as good as the best where it is worse than the best of the others by less than the
    margin, at 95% for all rows at once. A row that has no other to compare with is none of these.

    Args:
        group: to look through.
        margin: in the units of its metric; None for none.
    """
    if margin is None:
        return group
    rows = [replace(row, as_good=_as_good(row, group, margin)) for row in group.rows]
    good = [row for row in rows if row.as_good]
    networks = [row for row in good if row.is_network]  # others have no parameters to count
    cheapest = min(networks, key=_cost, default=None)
    rank = None if cheapest is None else cheapest.rank
    return replace(group, rows=rows, margin=margin, cheapest=rank)


def _as_good(row: Row, group: Group, margin: float) -> bool:
    worst = row.difference_low if group.larger_is_better else row.difference_high
    if worst is None:
        return False
    return (-worst if group.larger_is_better else worst) <= margin


def _cost(row: Row) -> tuple[float, float]:
    """Parameters, then time."""
    return row.parameters, inf if row.seconds is None else row.seconds


# Leaderboards as sweeps have written them.

_START = 200
_AGAIN = "the same sweep again writes it anew"


def is_planned(file: Path) -> bool:
    """Whether the start of a file says that its board is of a plan."""
    with suppress(OSError), open(file, "rb") as content:
        return f'"basis": "{PLANNED}"'.encode() in content.read(_START)
    return False


def read_board(file: Path) -> Leaderboard:
    """A leaderboard in a results folder.

    Raises: FileNotFoundError if there is none; DamageError if it is not as it was written.
    """
    try:
        return Leaderboard.from_dict(read_sealed(file))
    except DamageError as error:
        raise DamageError(f"{file} is damaged: {error}", _AGAIN) from None
    except (ValueError, TypeError, KeyError, AttributeError, UsageError):
        message = f"{file} is damaged, or of another version of nnrun"
        raise DamageError(message, _AGAIN) from None
