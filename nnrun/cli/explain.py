"""`nnrun explain`: one update with every number."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.named_run import picked, report_of
from nnrun.cli.options import check_target, split_arguments
from nnrun.cli.output import Output
from nnrun.config.load import load_config
from nnrun.errors import UsageError
from nnrun.explain.update import Explanation, explain_config, explain_run
from nnrun.reports.explain.terminal import as_data, explanation
from nnrun.runs.sharing import is_packed
from nnrun.runs.storage.durable import write_atomically


@click.command("explain")
@options.paths_argument("CONFIG|RUN [KEY=VALUE]...", or_runs=True)
@options.number(
    "--row rows",
    "A training row by its number in the data, from 1; repeat it for a batch of several.",
    multiple=True,
)
@options.path(
    "--html", "Write a page in which each number shows the numbers that it came from.",
    type=click.Path(path_type=Path, dir_okay=False),
)  # fmt: skip
@options.flag("--full", "Show all numbers of large arrays.")
@options.data_option
@options.by_option
@options.results_options
def command(
    output: Output,
    arguments: tuple[str, ...],
    rows: tuple[int, ...],
    html: Path | None,
    full: bool,
    by: str | None,
    results: Path,
) -> None:
    """Show one update with every number: forward, loss, backward, the optimizer's step.

    For a config it is the first update of its training; for a run, named as for 'nnrun show', the
    one that would follow its last. Each gradient stands beside a numerical one. Where rows are one
    or two numbers, the output and every hidden unit are shown over the plane, while it trains.

    \b
    nnrun explain configs/iris_softmax.yaml
    nnrun explain configs/boston_arch2.yaml --row 5 --html update.html
    nnrun explain digits_cnn/best --html digits.html
    """
    names, overrides = split_arguments(arguments)
    if len(names) != 1:
        raise click.UsageError("give one config or one run")
    check_target(html, option="--html")
    update = _explanation(str(names[0]), overrides, rows, by, results, output)
    output.data(as_data(update))
    if html is None:
        output.show(explanation(update, full=full))
        return
    from nnrun.reports.explain.page import render  # noqa: PLC0415  # slow to import

    write_atomically(html, render(update).encode())
    output.note(f"wrote {html}")


def _explanation(
    name: str,
    overrides: list[str],
    rows: tuple[int, ...],
    by: str | None,
    results: Path,
    output: Output,
) -> Explanation:
    if Path(name).suffix in (".yaml", ".yml") or (Path(name).is_file() and not is_packed(name)):
        experiment = load_config(Path(name), overrides)
        output.notes(experiment.notes)
        return explain_config(experiment, rows)
    if overrides:
        raise UsageError(f"{overrides[0]}: the config of a run stays as it is")
    folder = picked(name, results, output, by)
    return explain_run(folder, report_of(folder, results, "explained"), rows)
