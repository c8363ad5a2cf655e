"""`nnrun train`: one config, one run, one report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nnrun.cli import options
from nnrun.cli.group import Interruption
from nnrun.cli.options import command_again, refuse_split_overrides
from nnrun.cli.output import Output
from nnrun.config.files import SUFFIXES
from nnrun.config.load import load_config
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.errors import DisagreementError, NnrunError, UsageError
from nnrun.reports.commands import command_line
from nnrun.reports.live.work import OneRun
from nnrun.reports.numbers import count, number, spread
from nnrun.reports.run import report_markdown
from nnrun.reports.shown import shown
from nnrun.reports.summary import published_rows
from nnrun.reports.terminal.show import run_summary
from nnrun.runs.events import Listener, Listeners
from nnrun.runs.lease import Outcome
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import CONFIG
from nnrun.runs.storage.store import Store
from nnrun.systems.process import threads_for
from nnrun.trackers.tracking import Trackers, Tracking

if TYPE_CHECKING:
    from nnrun.runs.lifecycle import Extension

DEFAULT_TOLERANCE = 0.05


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@options.results_option
@options.iterations_option
@options.threads_option
@options.force_option
@options.number(
    "--extend",
    "CONFIG is a completed run: its folder, name, name/best, name/ID-PREFIX or latest. Train "
    "it for N iterations more, as a new run.",
)
@options.flag("--require-published", "Exit with 3 unless the config's published numbers are met.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="SHARE",
    help="How far from a published number ours may be, as a share of it, with "
    f"--require-published; {DEFAULT_TOLERANCE} by default. Single runs vary with the seed.",
)
@options.training_options
@options.output_options
def command(
    output: Output,
    config: Path,
    overrides: tuple[str, ...],
    results: Path,
    iterations: int | None,
    threads: int | None,
    force: bool,
    extend: int | None,
    require_published: bool,
    tolerance: float | None,
    trackers: Trackers,
) -> None:
    """Train one config and show its report.

    A complete run is shown, not trained again; an interrupted one continues where it
    stopped. A damaged run is reported and left unchanged: --force trains it again.

    \b
    nnrun train configs/iris_softmax.yaml
    nnrun train configs/iris_softmax.yaml training.learning_rate=0.1 seed=7
    nnrun train iris_softmax --extend 1000
    """
    _refuse_second_config(overrides)
    refuse_split_overrides(overrides)
    store = Store(results, report_markdown)
    with Interruption(announce=not output.quiet) as interruption:
        extension = None
        if extend is None:
            _refuse_run(config, results)
            experiment = load_config(config, overrides, iterations)
            output.notes(experiment.notes)
            wants = _wanted_tolerance(experiment.config, require_published, tolerance)
            prepared = prepare(experiment)
            folds = prepared.config.dataset.folds
            if folds is not None and experiment.config.dataset.fold is None:
                sweep = command_line(
                    "sweep", [str(config), *overrides], results, {"--iterations": iterations}
                )
                output.note(f"fold 1 of {folds}; `{sweep}` trains all folds")
        else:
            if overrides or iterations is not None:
                raise UsageError(
                    "--extend takes no overrides and no --iterations: all stays as it was"
                )
            from nnrun.runs.catalog.select import name_in  # noqa: PLC0415  # slow to import
            from nnrun.runs.lifecycle import extend as extend_run  # noqa: PLC0415  # likewise
            from nnrun.sweeps.named_runs import pick_run  # noqa: PLC0415  # likewise

            folder = pick_run(str(config), results)
            extension = extend_run(folder, extend, name_in(folder, results))
            prepared = extension.prepared
            wants = _wanted_tolerance(prepared.config, require_published, tolerance)
        record = train_prepared(
            prepared, store, output, interruption, trackers, threads, force=force,
            extension=extension,
        )  # fmt: skip
    show_trained(record, store, output)
    if wants is not None:
        _demand_published(record, wants)


def train_prepared(
    prepared: Prepared,
    store: Store,
    output: Output,
    interruption: Interruption,
    trackers: Trackers,
    threads: int | None,
    *,
    force: bool = False,
    extension: Extension | None = None,
) -> RunRecord:
    """Train a run, unless it is complete; raises what ends a command that is interrupted."""
    with trackers.open(output.error, store.root) as tracking:
        outcome = _run(
            prepared, store, output, interruption, force, extension, threads_for(threads), tracking
        )
    record = outcome.record
    output.data(record.to_dict())
    if record.status == "interrupted":
        done = f"interrupted at iteration {count(record.timing['iterations'])}"
        if not outcome.saved:
            raise interruption.error(f"{done}; the complete result of before is kept")
        again = command_again(force=None)
        raise interruption.error(f"{done}, which is saved; to continue:\n  {again}")
    return record


def show_trained(record: RunRecord, store: Store, output: Output) -> None:
    """Show the results of a run; the command fails with it."""
    if record.status != "completed":
        # The cause and what to do first, then the table, which says where the details are.
        output.error(f"error: {record.error or record.status}")
    output.show(run_summary(record, store.folder(record.name, record.run_id)))
    if record.status != "completed":
        raise click.exceptions.Exit(NnrunError.exit_code)


def _run(
    prepared: Prepared,
    store: Store,
    output: Output,
    interruption: Interruption,
    force: bool,
    extension: Extension | None,
    threads: int,
    tracking: Tracking,
) -> Outcome:
    if prepared.inferred:
        output.note(f"task: {prepared.inferred}")

    def started(run: Prepared, iteration: int) -> None:
        interruption.defer()
        if iteration:
            output.note(f"continuing from iteration {count(iteration)}")

    with shown(OneRun(prepared.config.name), output) as view:
        command = Listener(started=started, stop=interruption.stop)
        if sys.stderr.isatty():
            # Of no use to a log: it lasts a second or some, and says nothing of the run.
            command.wait = output.note  # type: ignore[method-assign]  # as its arguments
        listeners = Listeners(view, tracking, command)
        outcome = train(
            prepared, store, listeners, threads=threads, force=force, extension=extension
        )
    if not outcome.trained:
        output.note("already trained; --force trains it again")
    return outcome


def _refuse_second_config(overrides: tuple[str, ...]) -> None:
    for argument in overrides:
        if "=" not in argument and argument.endswith(SUFFIXES):
            message = f"argument '{argument}': train takes one config, `nnrun sweep` takes several"
            raise click.UsageError(message)


def _refuse_run(config: Path, results: Path) -> None:
    if config.is_file():
        return
    from nnrun.sweeps.named_runs import pick_run  # noqa: PLC0415  # slow to import

    try:
        folder = pick_run(str(config), results)
    except UsageError:  # it is no run either
        return
    its_config = folder / CONFIG
    ways = {
        "to train it further, as a new run": command_line(
            "train", [str(config)], results, {"--extend": "N"}
        ),
        "to train it again and compare": command_line("verify", [str(config)], results, {}),
        "to train it anew": command_line("train", [str(its_config)], results, {"--force": True}),
    }
    ways_out = "".join(f"\n  {command}  # {what}" for what, command in ways.items())
    raise UsageError(f"'{config}' is no config; it is the run {folder}{ways_out}")


def _wanted_tolerance(
    config: ExperimentConfig, required: bool, tolerance: float | None
) -> float | None:
    """The tolerance for published numbers; None without --require-published."""
    if not required:
        if tolerance is not None:
            raise UsageError("--tolerance says how strict --require-published is; add that")
        return None
    if config.published is None or not config.published.numbers:
        raise UsageError("--require-published: the config has no numbers under 'published'")
    return DEFAULT_TOLERANCE if tolerance is None else tolerance


def _demand_published(record: RunRecord, tolerance: float) -> None:
    """Refuse differences beyond this share of a published number."""
    missed = []
    for row in published_rows(record):
        if row.difference is None:
            missed.append(f"{row.label}: published {row.published:g}, but this run has none")
        elif abs(row.difference) > tolerance * abs(row.published):
            apart = "" if row.share is None else f", {spread(100 * abs(row.share))}% apart"
            missed.append(
                f"{row.label}: published {row.published:g}, ours {number(row.ours)}{apart}"
            )
    if missed:
        limit = f"more than the {100 * tolerance:g}% that --tolerance allows"
        raise DisagreementError(f"published numbers are not met, by {limit}\n" + "\n".join(missed))
