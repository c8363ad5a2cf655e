"""`nnrun ls`: what is in the results folder."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.reports.leaderboard import leaderboard_tables
from nnrun.reports.runs import listed_data, runs_table
from nnrun.runs.listing import list_runs
from nnrun.suggestions import suggestion
from nnrun.sweeps.leaderboard import Leaderboard

_LEADERBOARD = "leaderboard.json"


@click.command("ls")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "-n", "--last", type=click.IntRange(min=1), metavar="N", help="Only the N that began last."
)
@click.option("--leaderboard", is_flag=True, help="Show the leaderboard of the last sweep.")
@options.results_option
@options.json_option
@options.debug_option
@click.pass_obj
def command(
    output: Output, /, names: tuple[str, ...], last: int | None, leaderboard: bool, results: Path
) -> None:
    """Show the runs in the results folder, the last ones at the end.

    With NAME, only those of experiments of that name. What is no run is passed over; a report
    that cannot be read is listed as such.

    \b
    nnrun ls
    nnrun ls iris_softmax --last 10
    nnrun ls --leaderboard
    """
    if not results.is_dir():
        raise UsageError(f"there is no results folder {results}; nnrun train and sweep make one")
    if leaderboard:
        _show_leaderboard(results / _LEADERBOARD, output)
        return
    found = list(list_runs(results))
    known = sorted({run.name for run in found})
    for name in names:
        if name not in known:
            raise UsageError(f"no run in {results} is called '{name}'{suggestion(name, known)}")
    runs = [listed_data(run) for run in found if not names or run.name in names]
    runs.sort(key=lambda run: (str(run["started"] or ""), run["name"], run["run_id"]))
    shown = runs[-last:] if last else runs
    output.data(shown)
    output.show(runs_table(shown, len(runs)))


def _show_leaderboard(file: Path, output: Output) -> None:
    try:
        content = json.loads(file.read_text())
        board = Leaderboard.from_dict(content)
    except FileNotFoundError:
        raise UsageError(f"there is no {file}; nnrun sweep writes one at its end") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{file} is damaged, or of another version of nnrun") from None
    output.data(board.to_dict())
    output.show(leaderboard_tables(board))
