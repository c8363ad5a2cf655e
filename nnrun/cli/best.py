"""`nnrun best`: the chosen setting of an experiment, as a config."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.options import check_target, names
from nnrun.cli.output import Output
from nnrun.reports.best import chosen_words
from nnrun.runs.catalog.select import BEST, named
from nnrun.runs.storage.durable import write_atomically
from nnrun.sweeps.board.best import config_yaml
from nnrun.sweeps.named_runs import best


@click.command("best")
@click.argument("name", shell_complete=names)
@options.file_option("Write the config there, instead of to stdout.")
@options.by_option
@options.order_by_option
@options.results_options
def command(
    output: Output,
    /,
    name: str,
    file: Path | None,
    by: str | None,
    order_by: str | None,
    results: Path,
) -> None:
    """Print the best setting of an experiment as a config, which trains as it is.

    The best setting is the first row of the leaderboard of the stored runs of NAME, by validation
    where there is a validation split. The config has every default written out and the seed of the
    median run; in a FILE, the path of data below its folder is relative. NAME/best is that run
    wherever a RUN is taken. Of a setting that was chosen by folds, the config trains on all rows,
    as NAME-final.

    \b
    nnrun best digits_cnn
    nnrun best digits_cnn -o best.yaml
    nnrun best digits_cnn --by test
    nnrun best digits_cnn --order-by log_loss
    """
    check_target(file)
    name = named(name, results).rstrip("/").removesuffix(f"/{BEST}")
    choice = best(results, name, by, order_by=order_by)
    output.notes(chosen_words(choice, results, {"--by": by, "--order-by": order_by}))
    config = config_yaml(choice, None if file is None else file.parent)
    output.data(choice.to_dict())
    if file is not None:
        write_atomically(file, config.encode())
        output.note(f"wrote {file}")
    elif not output.json:
        output.text(config)
