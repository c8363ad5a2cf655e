"""`nnrun ls`: what is in the results folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.config.names import NAME_RULE
from nnrun.errors import UsageError
from nnrun.reports.numbers import count, first_of, plural
from nnrun.reports.terminal.runs import (
    NOT_SEARCHED,
    Searched,
    listed_data,
    runs_csv,
    runs_markdown,
    runs_table,
)
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.notes import with_notes
from nnrun.runs.catalog.select import RESULT, Condition, named, ordered, resolve, unmatched, where
from nnrun.runs.catalog.summary import RunSummary, by_time, most_varied, set_by_hand, varied
from nnrun.runs.sharing import refuse_packed
from nnrun.runs.storage.sweep_progress import misnamed_in, names_in
from nnrun.suggestions import suggestion

if TYPE_CHECKING:
    from nnrun.sweeps.board.rows import Leaderboard

_MOST = 100
_SEARCH = "search.json"


@click.command("ls")
@click.argument("names", nargs=-1, shell_complete=options.names, metavar="[NAME]...")
@options.number("-n --last", f"Only the N that began last; by default the table shows {_MOST}.")
@options.flag("--all everything", "Show all, not only the last 100.")
@click.option(
    "--sort",
    metavar="KEY",
    help="By `test`, `train`, `validation` (the best first, each data set by itself), `result` (by "
    "validation, where there is none by test, as a leaderboard), or by `started`, `seconds`, "
    "`seed`, `name`, `status`, or a setting such as learning_rate.",
)
@options.number(
    "--top", "Only the first N, of each data set where results are sorted by; by `result` at first."
)
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only runs with this setting, status, name, seed or metric; commas separate several "
    "values. Also != < <= > >=, ~ for a part of the text, and `or` between two.",
)
@click.option("--csv", "form", flag_value="csv", help="Print CSV, with all columns.")
@click.option("--md", "form", flag_value="md", help="Print a table in Markdown.")
@options.flag(
    "--leaderboard",
    "Show the leaderboard of the last sweep; with NAME, of the last sweep with that "
    "experiment; with KEY, leaderboard-KEY.json. It takes --top, --all (by default, it shows "
    f"{_MOST} rows of each data set), --csv and --md.",
)
@options.margin_option
@options.wide_option
@options.listing_options
def command(
    output: Output,
    /,
    names: tuple[str, ...],
    last: int | None,
    everything: bool,
    sort: str | None,
    top: int | None,
    conditions: tuple[str, ...],
    form: str | None,
    leaderboard: bool,
    margin: float | None,
    results: Path,
) -> None:
    """Show the runs in the results folder, the last ones at the end.

    With NAME, only those of experiments of that name. Runs of one name are distinguished by the
    settings in which they differ; interrupted and running ones are at the end. Other files
    are ignored; damaged and unreadable runs are listed as such.

    \b
    nnrun ls
    nnrun ls iris_softmax --last 10
    nnrun ls --sort test --top 5 --where optimizer=adam
    nnrun ls --where status=diverged,failed
    nnrun ls --where "accuracy>0.9" --where "learning_rate<=0.01 or seed!=42"
    nnrun ls --leaderboard
    nnrun ls --leaderboard iris_softmax --top 10
    """
    if not results.is_dir():
        raise UsageError(f"there is no results folder {results}; nnrun train and sweep make one")
    if everything and top:
        raise UsageError("--top N shows the first N, and --all shows all; give one of them")
    if leaderboard:
        others = {"--last": last, "--sort": sort, "--where": conditions}
        if ignored := [option for option, value in others.items() if value]:
            takes = "--leaderboard takes --top, --all, --csv and --md"
            raise UsageError(f"{ignored[0]} is for lists of runs; {takes}")
        most = top if everything or form else top or _MOST
        _show_leaderboard(results, names, margin, most, form, output)
        return
    if margin is not None:
        raise UsageError("--margin is about rows of a leaderboard; add --leaderboard")
    names = tuple(named(name, results) for name in names)
    runs = with_notes(look(results, names), results)
    _require(names, runs, results)
    if not names and (misnamed := misnamed_in(results)):
        quoted = first_of([f"'{name}'" for name in misnamed])
        output.note(f"not listed: runs in {quoted}; rename the folder: {NAME_RULE}")
    wanted = [Condition.parsed(text) for text in conditions]
    chosen = where(by_time(runs), wanted)
    output.notes(unmatched(runs, wanted))
    if sort or top:
        sort = resolve(sort or RESULT, chosen)
        shown = ordered(chosen, sort, top)
    else:
        plain = everything or output.json or form is not None
        shown = chosen[-last:] if last else chosen if plain else chosen[-_MOST:]
    if last and (sort or top):
        raise UsageError("--last is by time; with --sort, --top N takes the first N")
    keys = varied(runs)
    shown_keys = set_by_hand(most_varied(runs), runs)
    output.data([listed_data(run) for run in shown])
    searched = _searched(shown, runs, results, output)
    if form == "csv":
        output.text(runs_csv(shown, keys))
        return
    if form is not None:
        output.text(runs_markdown(shown, shown_keys, sort, searched))
        return
    output.show(runs_table(shown, len(chosen), shown_keys, sort, searched, top))


def _searched(
    shown: Sequence[RunSummary], runs: Sequence[RunSummary], results: Path, output: Output
) -> Searched:
    """What searches say about these runs, out of all `runs` of their experiments."""
    of_search = {run.name for run in runs if run.search}
    names = [
        n
        for n in dict.fromkeys(run.name for run in shown)
        if n in of_search or (results / n / _SEARCH).exists()
    ]
    if not names:
        return NOT_SEARCHED
    from nnrun.sweeps.board.best import searches_of  # noqa: PLC0415  # slow to import

    searches = searches_of((results / name for name in names), runs)
    output.notes(searches.problems.values())
    return searches.choices, searches.early


def _require(names: Sequence[str], runs: Sequence[RunSummary], results: Path) -> None:
    there = {run.name for run in runs}
    for name in names:
        if name not in there:
            refuse_packed(name)
            stored = names_in(results)
            raise UsageError(f"no run in {results} is called '{name}'{suggestion(name, stored)}")


def _show_leaderboard(
    results: Path,
    names: Sequence[str],
    margin: float | None,
    most: int | None,
    form: str | None,
    output: Output,
) -> None:
    from nnrun.reports import leaderboard_files as files  # noqa: PLC0415  # slow to import
    from nnrun.reports.board_verdict import board_data  # noqa: PLC0415  # likewise
    from nnrun.reports.commands import command_line  # noqa: PLC0415  # likewise
    from nnrun.reports.terminal.sweeps import leaderboard_tables  # noqa: PLC0415  # likewise
    from nnrun.runs.storage.sweep_progress import damaged_in, unfinished_in  # noqa: PLC0415  # likewise
    from nnrun.sweeps.board.rows import with_margin  # noqa: PLC0415  # likewise

    if len(names) > 1:
        raise UsageError(f"--leaderboard shows one at a time, not {len(names)}")
    board = files.read_leaderboard(results, *names)
    if board.unfinished is not None:
        board = _made_again(board, results, output, last=not names)
    for name in {*names} - {board.key} - board.names:
        output.note(f"no leaderboard has an experiment {name}; this is {board.key}")
    board = with_margin(board, margin)
    if output.json:
        output.data(board_data(board))
    if form is not None:
        write = files.leaderboard_csv if form == "csv" else files.leaderboard_markdown
        output.text(write(board, most))
        return
    output.show(leaderboard_tables(board, results, most=most))
    for left in unfinished_in(results):
        if not names or board.names & {*left.names}:
            done = f"{count(left.done)} of {plural(left.total, 'run')}"
            runs = command_line("ls", [], results, {})
            output.note(
                f"a later sweep of {first_of(left.names)} was not finished, at {done}: "
                f"{runs} shows them, and the same command as before continues it"
            )
    for file in damaged_in(results):
        output.note(
            f"{file} is damaged: how far a sweep that was not finished has come is not known; the "
            "next sweep removes it"
        )
    others = [key for key in files.keys_in(results) if key != board.key]
    if others:
        line = command_line("ls", ["KEY"], results, {"--leaderboard": True})
        output.note(f"other leaderboards, for {line}: {first_of(others[::-1])}")


def _made_again(board: Leaderboard, root: Path, output: Output, *, last: bool) -> Leaderboard:
    """The board of a shard, with the runs of others that are stored now; the files follow it.

    `last` is whether it is that of the last sweep.
    """
    from nnrun.reports.commands import in_folder  # noqa: PLC0415  # likewise
    from nnrun.reports.leaderboard_files import leaderboard_files, own_file  # noqa: PLC0415
    from nnrun.runs.storage.store import Store  # noqa: PLC0415  # likewise
    from nnrun.sweeps.board.stored import made_again  # noqa: PLC0415  # likewise

    now = made_again(replace(board, command=in_folder(board.command, root)), root)
    if now != board:
        with suppress(OSError):  # the folder may be for reading only
            files = leaderboard_files(now) if last else own_file(now)
            Store(root, lambda _: "").write(files)
            output.note(f"{root / [*files][-1]} was that of a shard; it is made again")
    return now
