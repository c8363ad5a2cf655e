"""A leaderboard as files: CSV, JSON, Markdown, and the table of a replication.

`leaderboard.*` are those of the last sweep. Each sweep has its own `leaderboard-KEY.json` besides,
which no other sweep replaces: the key has a digest of its settings and seeds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from math import erfc, sqrt
from pathlib import Path
from typing import Any

from nnrun.characters import cell, csv_line
from nnrun.config.names import BOARD, BOARD_OF_KEY, BOARD_SUFFIXES, SPLITS
from nnrun.errors import DamageError, UsageError
from nnrun.reports.board_verdict import board_data
from nnrun.reports.boards import board_document
from nnrun.reports.commands import command_line
from nnrun.reports.markup import code, document_markdown, escape, table
from nnrun.reports.numbers import MISSING, count, first_of, number
from nnrun.reports.summary import split_label
from nnrun.runs.storage.sealed import sealed_json
from nnrun.runs.storage.sweep_progress import names_in
from nnrun.sweeps.board.published import LEVEL, Replication
from nnrun.sweeps.board.rows import Group, Leaderboard, Row, is_planned, read_board
from nnrun.sweeps.planning.frozen import Planned

_CSV, _JSON, _MD = (f"{BOARD}{suffix}" for suffix in BOARD_SUFFIXES)
_START, _END = BOARD_OF_KEY
_OF_GROUP = ("dataset", "target", "metric", "ordered_by")
_OF_ROW = (
    *("rank", "mean", "sd", "ci_low", "ci_high", "tied", "as_good", "p", "comparison", "note"),
    *("difference", "difference_low", "difference_high", "name", "choice"),
    *("runs", "completed", "weights", "splits", "diverged", "failed", "stopped", "warned"),
    "elsewhere",
)
_STATISTICS = ("mean", "sd", "ci_low", "ci_high", "minimum", "maximum")


def leaderboard_files(board: Leaderboard) -> dict[str, bytes]:
    """All files of a sweep's leaderboard, by name."""
    content = sealed_json(board_data(board))
    return own_file(board, content) | {
        _CSV: leaderboard_csv(board).encode(),
        _MD: leaderboard_markdown(board).encode(),
        _JSON: content,
    }


def own_file(board: Leaderboard, content: bytes | None = None) -> dict[str, bytes]:
    """The file of a sweep that no other sweep replaces."""
    content = content or sealed_json(board_data(board))
    return {f"{_START}{board.key}{_END}": content} if board.key else {}


def renamed_boards(root: Path, old: str, new: str) -> Iterator[tuple[Path, dict[str, bytes]]]:
    """The file of each leaderboard with an experiment of the old name, and those with the new one
    that take its place. Boards that are damaged stay as they are.
    """
    for file in [*(_file(root, key) for key in keys_in(root)), root / _JSON]:
        with suppress(FileNotFoundError, DamageError):
            board = read_board(file)
            if old in board.names:
                text = json.dumps(board.to_dict())
                text = text.replace(f'"name": "{old}"', f'"name": "{new}"')
                text = text.replace(f'"best_run": "{old}/', f'"best_run": "{new}/')
                text = text.replace(
                    f'"key": "{old}-{board.key[-8:]}"', f'"key": "{new}-{board.key[-8:]}"'
                )
                again = Leaderboard.from_dict(json.loads(text))
                yield file, leaderboard_files(again) if file.name == _JSON else own_file(again)


def keys_in(root: Path) -> list[str]:
    """The keys of the leaderboards in a results folder, the last one written at the end."""
    files = [*root.glob(f"{_START}*{_END}")]
    files.sort(key=lambda file: (file.lstat().st_mtime_ns, file.name))
    return [file.name.removeprefix(_START).removesuffix(_END) for file in files]


def plans_of(
    groups: Sequence[Group], roots: Iterable[Path]
) -> tuple[list[tuple[Planned, Group] | None], list[str]]:
    """The plan of each group that has the rows of a planned board in one of these folders, with
    the group as it is on that board; and which of these boards are damaged.

    One with other rows, or runs that came later, is not what was planned.
    """
    plans: dict[object, tuple[Planned, Group]] = {}
    damaged = []
    for root in roots:
        for file in sorted(root.glob(f"{_START}*{_END}")):
            if not is_planned(file):
                continue
            try:
                board = read_board(file)
            except (FileNotFoundError, DamageError) as error:
                damaged.append(str(error))
                continue
            if board.planned is not None and board.unfinished is None:
                plans |= {_rows_of(group): (board.planned, group) for group in board.groups}
    return [plans.get(_rows_of(group)) for group in groups], damaged


def sweeps_of(groups: Sequence[Group], roots: Iterable[Path]) -> dict[str, str]:
    """The commands that trained the rows of these groups, by the experiment of the first row."""
    wanted = {_rows_of(group): group.rows[0].name for group in groups}
    commands = dict[str, str]()
    for file in (f for root in roots for f in sorted(root.glob(f"{_START}*{_END}"))):
        name = file.name.removeprefix(_START).rpartition("-")[0]
        with suppress(FileNotFoundError, DamageError):
            for board in [read_board(file)] if name in wanted.values() else []:
                known = (wanted.get(_rows_of(group)) for group in board.groups)
                commands |= dict.fromkeys(
                    filter(None, known if board.command else ()), board.command
                )
    return commands


def _rows_of(group: Group) -> object:
    """Equal where groups have the same rows of the same runs."""
    rows = ((row.name, row.completed, row.diverged, row.mean) for row in group.rows)
    return group.dataset, group.target, group.metric, group.ordered_by, frozenset(rows)


def read_leaderboard(root: Path, word: str | None = None) -> Leaderboard:
    """A leaderboard in a results folder.

    Args:
        root: the results folder.
        word: its key, an experiment on it, or the start of its key; of several, the last one
            written is meant. By default that of the last sweep.

    Raises: UsageError if there is none; DamageError if it is damaged, or one of those that may be
    meant.
    """
    file = root / _JSON if word is None else _file(root, _key(root, word))
    try:
        return read_board(file)
    except FileNotFoundError:
        message = f"there is no {file}; nnrun sweep writes one at its end"
        raise UsageError(message + _in_its_place(root)) from None


def _key(root: Path, word: str) -> str:
    keys = keys_in(root)[::-1]
    if word in keys:
        return word
    match = next((key for key in keys if _has(root, key, word)), None)
    match = match or next((key for key in keys if key.startswith(word)), None)
    if match is None:
        message = f"no leaderboard in {root} has '{word}' on it or starts with it"
        others = f"; there are {first_of(keys)}" if keys else _in_its_place(root)
        raise UsageError(message + others)
    return match


def _in_its_place(root: Path) -> str:
    """The end of a sentence: what shows the runs of a sweep that has not come to its end."""
    if not names_in(root):
        return ""
    report = command_line("report", [], root, {})
    return f"; {report} shows the board of the runs that there are"


def _has(root: Path, key: str, name: str) -> bool:
    return key.rpartition("-")[0] == name or name in read_board(_file(root, key)).names


def _file(root: Path, key: str) -> Path:
    return root / f"{_START}{key}{_END}"


def leaderboard_markdown(board: Leaderboard, most: int | None = None) -> str:
    """Text for people; all rows of each data set, or this many of the first."""
    return document_markdown(board_document(board, most=most))


def leaderboard_csv(board: Leaderboard, most: int | None = None) -> str:
    """CSV for spreadsheets: every number in full, an empty cell where there is none.

    Of each data set all rows, or this many of the first.
    """
    rows = [flat_row(group, row) for group in board.groups for row in group.rows[:most]]
    lines = [rows[0] if rows else ["name"], *(map(cell, row.values()) for row in rows)]
    return "".join(map(csv_line, lines))


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
        "naive": _compact(row.naive),
        "best_seed": row.best_seed,
        "best_fold": row.best_fold,
        "best_run": row.best_run,
        "train_seconds": row.seconds,
        "parameters": row.parameters,
        "published": _compact(row.published),
    }


def _compact(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) if values else ""


# REPLICATION.md: published numbers compared with results over many seeds.


def replication_markdown(rows: Sequence[Replication], command: str) -> str:
    """The table, its explanation, and the command that makes it."""
    return "\n\n".join(_blocks(rows, command)) + "\n"


def _blocks(rows: Sequence[Replication], command: str) -> Iterator[str]:
    yield "# Replication"
    yield (
        "What each experiment gives over many seeds, each with its own split, initial weights and "
        "sample order, beside the number that was published for it, if there is one. A number lies "
        "inside where it is within the range of our seeds."
    )
    referred = any(row.reference is not None for row in rows)
    if referred:
        yield (
            "The reference is the mean (standard deviation, number of runs) of the same procedure "
            "as others have repeated it; p is that of the difference of the two means (Welch's "
            "test), adjusted for all rows of the table (Holm). A row is marked where it is below "
            f"{LEVEL:g}: where nothing differs, and numbers are about normal, one table in "
            f"{1 / LEVEL:.0f} has a mark. Rows that share their splits lean the same way together."
        )
    header = ["experiment", "metric", "n", "mean", "sd", "min – max", "published", "inside"]
    header += ["reference", "p"] if referred else []
    yield table(header, [_cells(row, referred) for row in rows], texts=2)
    yield _verdict(rows)
    if referred:
        compared = [row for row in rows if row.p is not None]
        differing = sum(row.differs for row in compared)
        yield f"{differing} of {len(compared)} means differ from the reference."
        sources = dict.fromkeys(row.reference.source for row in rows if row.reference)
        yield f"Source of the reference: {'; '.join(map(escape, sources))}."
    lines = [f"- {line}" for row in rows for line in _explanation(row)]
    if lines:
        yield "## What is marked"
        yield "\n".join(lines)
    yield "Made by"
    yield code(command, "sh")


def _cells(row: Replication, referred: bool) -> list[str]:
    ours = row.ours
    n = 0 if ours is None else ours.n
    span = MISSING if ours is None else f"{number(ours.minimum)} – {number(ours.maximum)}"
    cells = [
        escape(row.label),
        escape(split_label(row.metric)),
        count(n) if n == row.runs else f"{count(n)} of {count(row.runs)}",
        number(None if ours is None else ours.mean),
        number(None if ours is None else ours.sd),
        span,
        MISSING if row.published is None else f"{row.published:g}",
        MISSING if row.inside is None else ("yes" if row.inside else "**no**"),
    ]
    if not referred:
        return cells
    ref = row.reference
    reference = MISSING if ref is None else f"{ref.mean:g} ({ref.sd:g}, {ref.n})"
    p = MISSING if row.p is None else f"{row.p:.2g}"
    return [*cells, reference, f"**{p}**" if row.differs else p]


def _verdict(rows: Sequence[Replication]) -> str:
    compared = [row for row in rows if row.inside is not None]
    if not compared:
        return "None of these experiments has a published number."
    inside = sum(bool(row.inside) for row in compared)
    return f"{inside} of {len(compared)} published numbers lie inside."


def _explanation(row: Replication) -> Iterator[str]:
    ours, label = row.ours, f"{escape(row.label)}, {escape(split_label(row.metric))}"
    if ours is None:
        return
    if row.inside is False and row.published is not None:
        side = "above" if row.published > ours.maximum else "below"
        line = f"{label}: the published {row.published:g}, of a single run, is {side} all our seeds"
        if ours.sd:
            away = abs(row.published - ours.mean) / ours.sd
            line += f", {away:.1f} of their standard deviations from their mean"
        if row.reference is not None and row.reference.sd:
            away = abs(row.published - row.reference.mean) / row.reference.sd
            share = erfc(away / sqrt(2))
            line += (
                f"; by the spread of the reference (if normal) {100 * share:.2g}% of single runs "
                "lie as far from its mean"
            )
        yield f"{line}."
    if row.differs and row.reference is not None:
        difference = ours.mean - row.reference.mean
        yield (
            f"{label}: our mean is {number(abs(difference))} "
            f"{'above' if difference > 0 else 'below'} that of the reference."
        )
