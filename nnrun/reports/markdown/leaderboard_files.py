"""A leaderboard as files: CSV, JSON, Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from nnrun.characters import escaped
from nnrun.config.names import SPLITS
from nnrun.reports.markup import code, escape
from nnrun.reports.terminal.fitting import markdown_table
from nnrun.reports.terminal.leaderboard import (
    best_run,
    columns,
    heading,
    notes,
    unfinished,
)
from nnrun.runs.storage.strict_json import strict_json
from nnrun.spreadsheet import cell
from nnrun.sweeps.board.rows import Group, Leaderboard, Row

BOARD = "leaderboard.json"
_OF_GROUP = ("dataset", "target", "metric", "ordered_by")
_OF_ROW = (
    *("rank", "mean", "sd", "ci_low", "ci_high", "tied", "as_good", "p", "comparison", "note"),
    *("difference", "difference_low", "difference_high", "name", "choice"),
    *("runs", "completed", "weights", "splits", "diverged", "failed", "warned", "elsewhere"),
)
_STATISTICS = ("mean", "sd", "ci_low", "ci_high", "minimum", "maximum")


def leaderboard_files(board: Leaderboard) -> dict[str, bytes]:
    """The three files, by name."""
    return {
        "leaderboard.csv": leaderboard_csv(board).encode(),
        "leaderboard.md": leaderboard_markdown(board).encode(),
        BOARD: strict_json(board.to_dict()).encode(),
    }


def leaderboard_markdown(board: Leaderboard) -> str:
    """For people."""
    return "\n\n".join(_blocks(board)) + "\n"


def _blocks(board: Leaderboard) -> Iterator[str]:
    yield "# Leaderboard"
    yield code(escaped(board.command), "sh")
    if board.unfinished is not None:
        yield unfinished(board.unfinished)
    for group in board.groups:
        yield f"## {escape(heading(group))}"
        place, config, *numbers = columns(group)
        yield markdown_table([place, config.escaped, *numbers])
        if run := best_run(group):
            yield f"Best run of the first row: `{run}`."
    yield from notes(board.groups)


def leaderboard_csv(board: Leaderboard) -> str:
    """For spreadsheets: every number in full, an empty cell where there is none."""
    text = io.StringIO()
    rows = [flat_row(group, row) for group in board.groups for row in group.rows]
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["name"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def flat_row(group: Group, row: Row) -> dict[str, Any]:
    """A row with what its group has in common, as one line of leaderboard.csv."""
    record = {key: getattr(group, key) for key in _OF_GROUP}
    record |= {key: getattr(row, key) for key in _OF_ROW}
    record |= {"choice": _compact(row.choice), "elsewhere": sum(row.elsewhere.values())}
    for split in SPLITS:
        summary = row.summary(split)
        for statistic in _STATISTICS:
            value = None if summary is None else getattr(summary, statistic)
            record[f"{split}_{statistic}"] = value
    for source in ("split", "weights", "both"):
        record[f"{source}_share"] = None if row.shares is None else row.shares[source]
    return record | {
        "baseline": row.baseline,
        "best_seed": row.best_seed,
        "best_fold": row.best_fold,
        "best_run": row.best_run,
        "train_seconds": row.seconds,
        "parameters": row.parameters,
        "published": _compact(row.published),
    }


def _compact(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) if values else ""
