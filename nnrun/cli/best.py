"""`nnrun best`: the chosen setting of an experiment, as a config."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.group import Interruption
from nnrun.cli.options import check_target, names
from nnrun.cli.output import Output
from nnrun.reports.best import chosen_words, estimate_words
from nnrun.reports.run import report_markdown
from nnrun.runs.catalog.select import BEST, named
from nnrun.runs.storage.durable import write_atomically
from nnrun.runs.storage.store import Store
from nnrun.sweeps.board.best import Choice, chosen_config, config_yaml
from nnrun.sweeps.named_runs import best
from nnrun.trackers.tracking import Trackers


@click.command("best")
@click.argument("name", shell_complete=names)
@options.file_option("Write the config there, instead of to stdout.")
@options.by_option
@options.order_by_option
@options.flag("--final", "Train the best setting on all rows, those for testing too.")
@options.threads_option
@options.results_option
@options.training_options
@options.output_options
def command(
    output: Output,
    /,
    name: str,
    file: Path | None,
    by: str | None,
    order_by: str | None,
    final: bool,
    threads: int | None,
    trackers: Trackers,
    results: Path,
) -> None:
    """Print the best setting of an experiment as a config, which trains as it is.

    The best setting is the first row of the leaderboard of the stored runs of NAME, by validation
    where there is a validation split. The config has every default written out and the seed of the
    median run; in a FILE, the path of data below its folder is relative. NAME/best is that run
    wherever a RUN is taken. Of a setting that was chosen by folds, the config trains on all rows,
    as NAME-final.

    With --final the setting is trained once more, on all rows, as the run NAME-final: the network
    to use. Nothing is left to test it on, so that the judged runs' result stands for it. Validation
    rows are kept where training needs them, for early stopping or a threshold.

    \b
    nnrun best digits_cnn
    nnrun best digits_cnn -o best.yaml
    nnrun best digits_cnn --by test
    nnrun best digits_cnn --order-by log_loss
    nnrun best digits_cnn --final && nnrun predict digits_cnn-final new.csv
    """
    check_target(file)
    name = named(name, results).rstrip("/").removesuffix(f"/{BEST}")
    choice = best(results, name, by, order_by=order_by)
    given = {"--by": by, "--order-by": order_by}
    output.notes(chosen_words(choice, results, None if final else given))
    if final:
        _train_final(choice, results, file, output, trackers, threads)
        return
    config = config_yaml(chosen_config(choice), None if file is None else file.parent)
    output.data(choice.to_dict())
    if file is not None:
        write_atomically(file, config.encode())
        output.note(f"wrote {file}")
    elif not output.json:
        output.text(config)


def _train_final(
    choice: Choice,
    results: Path,
    file: Path | None,
    output: Output,
    trackers: Trackers,
    threads: int | None,
) -> None:
    from nnrun.cli.train import show_trained, train_prepared  # noqa: PLC0415  # slow to import
    from nnrun.sweeps.final import final_of  # noqa: PLC0415  # likewise

    store = Store(results, report_markdown)
    with Interruption(announce=not output.quiet) as interruption:
        final = final_of(choice, results, estimate_words(choice))
        output.notes(final.words)
        if file is not None:
            write_atomically(file, config_yaml(final.config, file.parent).encode())
            output.note(f"wrote {file}")
        record = train_prepared(final.prepared, store, output, interruption, trackers, threads)
    show_trained(record, store, output)
