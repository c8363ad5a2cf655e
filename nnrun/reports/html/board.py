"""The leaderboard of stored runs, with the spread over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from nnrun.config.names import SPLITS
from nnrun.reports.charts.kinds.strip import MOST_DOTS, strip, strip_scale
from nnrun.reports.charts.scales import Linear, Scale
from nnrun.reports.charts.svg import shortened
from nnrun.reports.document import Block, Cell, Grid, Note
from nnrun.reports.numbers import MISSING, durations, first_of, number
from nnrun.reports.numbers import spread as sd_text
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.board.columns import (
    SOURCES,
    TO_THE_BEST,
    has_sources,
    heading,
    incomplete,
    mean,
    place,
    runs,
    sources,
    to_the_best,
    warned,
)
from nnrun.reports.terminal.board.columns import splits as all_splits
from nnrun.reports.terminal.board.notes import notes
from nnrun.reports.verdict.names import Names, names_of, told_by
from nnrun.sweeps.board.comparison.statistics import Summary
from nnrun.sweeps.board.from_store.stored import Standing, StoredBoard
from nnrun.sweeps.board.rows import Group, Row
from nnrun.sweeps.progress import RunScore

_MOST_NAMES = 2
# A strip with all values would be this many times as long as one without the outermost.
_CRUSHED = 4
# Columns that are a line below the table where all rows agree: of one config, they mostly do.
_SHOWN_ONCE = ("baseline", "published")


def board_titles(boards: Sequence[StoredBoard]) -> list[str]:
    """What the rows of each have in common; where that is the same, what tells boards apart.

    First the splits that there are, then their experiments, and last a number.
    """
    named = len({row.name for board in boards for row in board.group.rows}) > 1
    titles = told_by(
        [shortened(heading(board.group, named)) for board in boards],
        [", ".join(board.standings[0].variant.splits) for board in boards],
        [_experiments(board) for board in boards],
    )
    again = [titles[:place].count(title) for place, title in enumerate(titles)]
    return [f"{title}, {n + 1}" if n else title for title, n in zip(titles, again, strict=True)]


def _experiments(board: StoredBoard) -> str:
    names = [*dict.fromkeys(standing.variant.name for standing in board.standings)]
    return shortened(first_of(names, _MOST_NAMES), 60)


def board_blocks(
    board: StoredBoard, title: str, anchors: Mapping[str, str], most: int
) -> Iterator[Block]:
    """The table, and how to read it.

    Runs with details on the page have an anchor, by `name/run id`; `most` rows are shown.
    """
    group, shown, by_source = board.group, board.standings[:most], has_sources(board.group)
    every = all_splits(group)
    splits = [s for s in every if any(standing.row.summary(s) for standing in shown)] or every[:1]
    published = [f"{split}_{group.metric}" for split in splits]
    published = [key for key in published if any(key in s.row.published for s in shown)]
    label = metric_label(group.metric)
    header = [
        *("place", "config", f"{splits[0]} {label} ± 95%", "each run", "sd", "runs"),
        *([SOURCES] if by_source else []),
        *([TO_THE_BEST] if len(board.standings) > 1 else []),
        *("best run", "baseline"),
        *(f"published {key.partition('_')[0]}" for key in published),
        *(f"{split} {label} ± 95%" for split in splits[1:]),
        "training",
    ]  # fmt: skip
    scores = [values_of(group, standing.scores) for standing in shown]
    scale = scale_of([value for values in scores for value in values])
    names = names_of(group)
    times = [standing.row.seconds for standing in shown]
    rows = [
        [*_row(s, board, splits, published, scale, anchors, names, by_source), Cell(time, seconds)]
        for s, time, seconds in zip(shown, durations(times), times, strict=True)
    ]
    candidates = [name for name in header if name.startswith(_SHOWN_ONCE)]
    header, rows, same = _without_same(header, rows, candidates)
    yield Grid(
        title, header, rows, texts=2, sortable=True, heads=1, hidden=True,
        marks={"each run": strip_scale(scale)},
    )  # fmt: skip
    if names.shared:
        same.append(names.shared)
    if same:
        yield Note(f"The same in every row: {', '.join(same)}.", "small")
    if any(len(values) > MOST_DOTS for values in scores):
        words = f"Dots are of the first {MOST_DOTS} runs of each config, numbers of all."
        yield Note(words, "small")
    if len(shown) < len(board.standings):
        left = len(board.standings) - len(shown)
        yield Note(f"{left:,} more configs, all ranked below these, are left out.", "warning")
    for note in notes([group]):
        yield Note(note, "small")


def _without_same(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], names: Sequence[str]
) -> tuple[list[str], list[list[Cell]], list[str]]:
    """Header and rows without those of these columns that are the same in every row.

    What they hold comes third, as `name value`; the room they took is that of the settings.
    """
    columns = list(zip(header, zip(*rows, strict=True), strict=True))
    same = [(n, c[0]) for n, c in columns if n in names and len(c) > 1 and len(set(c)) == 1]
    dropped = [name for name, _ in same]
    kept = [(name, cells) for name, cells in columns if name not in dropped]
    return (
        [name for name, _ in kept],
        [[cells[place] for _, cells in kept] for place in range(len(rows))],
        [f"{name} {cell.text}" for name, cell in same if cell.text != MISSING],
    )


def _row(
    standing: Standing,
    board: StoredBoard,
    splits: Sequence[str],
    published: Sequence[str],
    scale: Scale,
    anchors: Mapping[str, str],
    names: Names,
    by_source: bool,
) -> list[Cell]:
    row, variant = standing.row, standing.variant
    summary = row.summary(splits[0])
    sd = None if summary is None else summary.sd
    others = (row.summary(split) for split in splits[1:])
    return [
        Cell(place(board.group, row), row.rank),
        Cell(shortened(names.whole(row))),
        _mean(summary),
        _strip(standing, board, summary, scale),
        Cell(sd_text(sd), sd),
        Cell(
            ", ".join([runs(row), *incomplete(row), *warned(row)]),
            row.completed,
            kind="warned" if row.warned else "",
        ),
        *([Cell(sources(row), (row.shares or {}).get("split"))] if by_source else []),
        *(
            [Cell(to_the_best(row).replace("-", "−"), row.difference)]
            if len(board.standings) > 1
            else []
        ),
        _best(row, anchors),
        Cell(number(row.baseline), row.baseline),
        *(Cell(number(v := variant.published.get(key)), v) for key in published),
        *(_mean(other) for other in others),
    ]


def _mean(summary: Summary | None) -> Cell:
    return Cell(mean(summary), None if summary is None else summary.mean)


def _strip(standing: Standing, board: StoredBoard, summary: Summary | None, scale: Scale) -> Cell:
    values = values_of(board.group, standing.scores)
    if summary is None or not values:
        return Cell(MISSING)
    drawing = strip(values, scale, summary.ci_low, summary.ci_high, summary.mean)
    spread = summary.maximum - summary.minimum
    return Cell(f"{number(summary.minimum)} – {number(summary.maximum)}", spread, drawing)


def values_of(group: Group, scores: Iterable[RunScore]) -> list[float]:
    """The metric of each completed run, on the split that decides the order."""
    column = SPLITS.index(group.ordered_by)
    return [
        value
        for score in scores
        if score.status == "completed" and (value := score.metrics[column]) is not None
    ]


def _best(row: Row, anchors: Mapping[str, str]) -> Cell:
    if row.best_run is None:
        return Cell(MISSING)
    return Cell(row.best_run.partition("/")[2], row.best_seed, link=anchors.get(row.best_run))


def scale_of(values: Sequence[float]) -> Scale:
    """From the lowest to the highest value, without outliers that would squeeze all others
    together.
    """
    if len(values) < 4:
        return Linear.over(values)
    ordered = sorted(values)
    quarter = len(ordered) // 4
    low, high = ordered[quarter], ordered[-1 - quarter]
    reach = 6 * (high - low)
    inside = [v for v in ordered if not reach or low - reach <= v <= high + reach]
    crushed = ordered[-1] - ordered[0] > _CRUSHED * (inside[-1] - inside[0])
    return Linear.between(inside if crushed else ordered)
