"""The leaderboard of a sweep in a notebook: its tables with a strip for each row, and curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nnrun.reports.boards import board_document
from nnrun.reports.document import Block, Figures
from nnrun.reports.html.curves import board_curves
from nnrun.reports.notebook.parts import document_html
from nnrun.runs.catalog.summarize import read_summary
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.storage.contents.history import read_history
from nnrun.sweeps.board.from_store.stored import stored_boards, stored_variants
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.progress import SweepProgress

_MOST_ROWS = 100
# Curves are of the first groups, rows and runs.
_GROUPS, _DRAWN, _RUNS, _CHARTS = 2, 4, 10, 2


def board_html(board: Leaderboard, progress: SweepProgress, root: Path | None) -> str:
    """The leaderboard with its notes; the curves are of runs in the results folder `root`."""
    scores = {
        (variant.dataset, variant.name, repr(variant.choice)): found
        for variant, found in progress.by_variant()
    }

    def of(group: Group, row: Row) -> Sequence[RunSummary]:
        return scores.get((group.dataset, row.name, repr(row.choice)), ())

    def curves(group: Group) -> Iterator[Block]:
        if root is not None and group in board.groups[:_GROUPS]:
            entries = [
                (row.name, score.run_id)
                for row in group.rows[:_DRAWN]
                for score in of(group, row)[:_RUNS]
            ]
            yield from _curves(group, entries, root)

    rest = "board.to_frame() has all"
    found = board_document(board, most=_MOST_ROWS, all_rows=rest, also=curves, scores=of)
    return document_html(found, folds=False)


def _curves(group: Group, runs: Sequence[tuple[str, str]], root: Path) -> Iterator[Block]:
    """The learning curves of the first rows, as means over their runs."""
    entries, histories = [], {}
    for name, run_id in runs:
        entry = read_summary(root / name / run_id, placed=True)
        if entry is not None and entry.is_sound:
            entries.append(entry)
            histories[entry.label] = read_history(root / name / run_id)
    charts = [
        chart
        for board in stored_boards(stored_variants(entries))
        for block in board_curves(board, histories)
        if isinstance(block, Figures)
        for chart in block.charts
    ]
    # The split that the order is by, then the one that was trained on; the report has all.
    for split in (group.ordered_by, "train"):
        yield Figures(
            [chart for chart in charts if split in chart.title.split()][:_CHARTS], level=1
        )
