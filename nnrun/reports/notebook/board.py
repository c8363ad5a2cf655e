"""The leaderboard of a sweep in a notebook: its tables with a strip for each row, and curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from nnrun.characters import clean
from nnrun.reports.charts.kinds.strip import strip, strip_scale
from nnrun.reports.charts.svg import element
from nnrun.reports.document import Figures
from nnrun.reports.html.board import scale_of, values_of
from nnrun.reports.html.curves import board_curves
from nnrun.reports.notebook.parts import captioned, strip_image, table, verdict_lines
from nnrun.reports.numbers import count
from nnrun.reports.terminal.board.columns import columns, heading, in_every_row
from nnrun.reports.terminal.board.notes import data_notes, notes
from nnrun.reports.verdict.board import board_verdict
from nnrun.runs.catalog.summarize import read_with_summary
from nnrun.runs.storage.contents.history import read_history
from nnrun.sweeps.board.from_store.entry import RunEntry, entry_of
from nnrun.sweeps.board.from_store.stored import stored_boards, stored_variants
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.progress import RunScore, SweepProgress

_MOST_ROWS = 100
# Curves are of the first groups, rows and runs.
_GROUPS, _DRAWN, _RUNS, _CHARTS = 2, 4, 10, 2

Scores = Mapping[tuple[str, str, str], Sequence[RunScore]]


def board_html(board: Leaderboard, progress: SweepProgress, root: Path | None) -> str:
    """The leaderboard with its notes; the curves are of runs in the results folder `root`."""
    return str(element("div", *_board(board, progress, root)))


def _board(board: Leaderboard, progress: SweepProgress, root: Path | None) -> Iterator[Markup]:
    yield from verdict_lines(board_verdict(board))
    scores = {
        (variant.dataset, variant.name, repr(variant.choice)): found
        for variant, found in progress.by_variant()
    }
    for place, group in enumerate(board.groups):
        yield element("p", element("strong", clean(heading(group))))
        if words := in_every_row(group):
            yield element("p", words)
        yield _rows(group, scores)
        if len(group.rows) > _MOST_ROWS:
            left = len(group.rows) - _MOST_ROWS
            yield element("p", f"{count(left)} more rows are in board.to_frame().")
        if root is not None and place < _GROUPS:
            yield from _curves(group, scores, root)
    for note in [*notes(board.groups), *data_notes(board.groups)]:
        yield element("p", clean(note))


def _rows(group: Group, scores: Scores) -> Markup:
    """The table, its column of means followed by the strips."""
    values = [values_of(group, _of(group, row, scores)) for row in group.rows[:_MOST_ROWS]]
    scale = scale_of([value for found in values for value in found])
    strips: list[str] = []
    for row, found in zip(group.rows, values, strict=False):
        summary, drawing = row.summary(group.ordered_by), ""
        if summary is not None and found:
            drawing = strip_image(
                strip(found, scale, summary.ci_low, summary.ci_high, summary.mean)
            )
        strips.append(drawing)
    shown = columns(group, _MOST_ROWS)
    before = next(n for n, column in enumerate(shown) if "±" in column.title) + 1
    header = [column.title for column in shown]
    cells: list[Sequence[str]] = [column.texts for column in shown]
    header.insert(before, Markup("each run<br>") + strip_image(strip_scale(scale)))
    cells.insert(before, strips)
    return table(header, zip(*cells, strict=True))


def _of(group: Group, row: Row, scores: Scores) -> Sequence[RunScore]:
    return scores.get((group.dataset, row.name, repr(row.choice)), ())


def _curves(group: Group, scores: Scores, root: Path) -> Iterator[Markup]:
    """The learning curves of the first rows, as means over their runs."""
    entries, histories = [], {}
    for row in group.rows[:_DRAWN]:
        for score in _of(group, row, scores)[:_RUNS]:
            entry = _entry(root / row.name / score.run_id)
            if entry is not None:
                entries.append(entry)
                histories[entry.key] = read_history(root / row.name / score.run_id)
    charts = [
        chart
        for board in stored_boards(stored_variants(entries))
        for block in board_curves(board, histories)
        if isinstance(block, Figures)
        for chart in block.charts
    ]
    # The split that the order is by, then the one that was trained on; the report has all.
    for split in (group.ordered_by, "train"):
        for chart in [chart for chart in charts if split in chart.title.split()][:_CHARTS]:
            yield captioned(chart, "49%")


def _entry(folder: Path) -> RunEntry | None:
    read = read_with_summary(folder, placed=True)
    return None if read is None else entry_of(*read)
