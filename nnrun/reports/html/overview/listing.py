"""All runs in a table, by their place on the boards, and the closed cards of some."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from nnrun.characters import shortened
from nnrun.config.names import SPLITS
from nnrun.config.setting_words import choice_words
from nnrun.reports.document import Block, Cell, Grid, Note
from nnrun.reports.html.overview.found import Found
from nnrun.reports.numbers import MISSING, count, number
from nnrun.reports.summary import metric_label
from nnrun.reports.verdict.names import Names, names_of
from nnrun.reports.verdict.run import kind_words
from nnrun.runs.record import RunRecord
from nnrun.runs.replicate import Replicate
from nnrun.sweeps.board.from_store.stored import Standing, StoredBoard

_MOST_REASONS = 20


@dataclass(frozen=True)
class Placed:
    """A run, by its `name/run id`, with its row on a board.

    `order` are the numbers of its board, of its row, and of itself within the row.
    """

    key: str
    order: tuple[int, int, int]
    board: StoredBoard
    standing: Standing
    names: Names

    @property
    def place(self) -> str:
        """The rank of its row; empty where none of its runs has completed."""
        rank = self.standing.row.rank
        return "" if rank is None else str(rank)

    @property
    def settings(self) -> str:
        """Those that its row has."""
        choice = self.names.settings(self.standing.row)
        return shortened(" ".join(choice_words(choice)))


@dataclass(frozen=True)
class Head:
    """A run in one line, its closed card: the place of its row, its settings and seed, the metric
    that its board is ordered by, its first warning in a few words, and its id.
    """

    place: str
    title: str
    result: str
    problem: str
    name: str


def placed(boards: Sequence[StoredBoard], among: Collection[str] | None = None) -> Iterator[Placed]:
    """The runs on the boards, the best row first; with `among`, those with these keys alone."""
    for first, board in enumerate(boards):
        names = names_of(board.group)
        for second, standing in enumerate(board.standings):
            for third, run in enumerate(standing.variant.runs):
                key = run.key
                if among is None or key in among:
                    yield Placed(key, (first, second, third), board, standing, names)


def head_of(record: RunRecord, own: Placed | None, *, alone: bool) -> Head:
    """The closed card of a run; `alone` is whether all runs are of one experiment."""
    replicate = Replicate.of(record.config, record.seed)
    settings = "" if own is None else own.settings
    name = [] if alone and settings else [shortened(record.name, 60)]
    title = " ".join([*name, *([settings] if settings else []), replicate.words])
    kinds = [str(warning["kind"]) for warning in record.warnings]
    problem = kind_words(kinds[0]) if kinds and record.status == "completed" else ""
    return Head(
        place="" if own is None else own.place,
        title=shortened(title, 240),
        result=_result(record, own),
        problem=shortened(problem, 80),
        name=shortened(record.run_id if alone else f"{record.name}/{record.run_id}"),
    )


def _result(record: RunRecord, own: Placed | None) -> str:
    split = "test" if own is None else own.board.group.ordered_by
    value = (record.metrics.get(split) or {}).get(record.main_metric)
    if record.status != "completed" or not isinstance(value, int | float):
        return ""
    return f"{split} {shortened(metric_label(record.main_metric), 30)} {number(value)}"


def list_blocks(
    sound: Mapping[str, Found],
    others: Sequence[Found],
    boards: Sequence[StoredBoard],
    loose: Sequence[str],
    anchors: Mapping[str, str],
    most: int,
) -> Iterator[Block]:
    """The table of all runs: those on boards by place, then the others.

    Args:
        sound: the runs with a readable report, by `name/run id`.
        others: those without.
        boards: that runs are on.
        loose: the keys of sound runs on no board.
        anchors: of runs with details on the page, by key.
        most: this many are listed.
    """
    listed = ((sound[one.key], one) for one in placed(boards))
    rest = ((run, None) for run in (*(sound[key] for key in loose), *others))
    rows = [_row(run, one, anchors) for run, one in islice(chain(listed, rest), most)]
    header = ["place", "run", "settings", "status", "seed", "metric", *SPLITS]
    empty = [k for k in range(len(header)) if all(row[k].text == MISSING for row in rows)]
    table = Grid("Runs", header, rows, texts=4, sortable=len(rows) > 1, heads=1, hidden=True)
    yield table.only([k for k in range(len(header)) if k < 4 or k not in empty])
    if left := len(sound) + len(others) - len(rows):
        yield Note(f"{count(left)} more runs are left out of this list.", "warning")
    for run in others[:_MOST_REASONS]:
        yield Note(f"{shortened(run.reason, 400)}.", "warning")


def _row(run: Found, own: Placed | None, anchors: Mapping[str, str]) -> list[Cell]:
    mark, sound = run.mark, run.entry
    status = Cell(mark.text, kind=f"status {mark.kind}")
    name = Cell(shortened(run.key), link=anchors.get(run.key))
    if sound is None:
        return [Cell(MISSING), name, Cell(MISSING), status, *[Cell(MISSING)] * 5]
    rank = None if own is None else own.standing.row.rank
    return [
        Cell((own.place if own else "") or MISSING, rank),
        name,
        Cell((own.settings if own else "") or MISSING),
        status,
        Cell(str(sound.seed), sound.seed),
        Cell(shortened(metric_label(sound.metric or ""), 30)),
        *(Cell(number(value), value) for value in sound.by_split),
    ]
