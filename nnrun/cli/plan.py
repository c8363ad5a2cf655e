"""`nnrun plan`: a comparison that is fixed before it is run."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.options import check_target, split_arguments
from nnrun.cli.output import Output
from nnrun.config.files import config_files
from nnrun.config.overrides import MAX_RANGE
from nnrun.reports.live.work import Checks
from nnrun.reports.numbers import plural
from nnrun.reports.shown import shown
from nnrun.runs.storage.durable import write_atomically
from nnrun.runs.storage.sealed import parse_sealed
from nnrun.sweeps.planning.arguments import MOST_RUNS, Arguments
from nnrun.sweeps.planning.frozen import freeze, parse_frozen
from nnrun.sweeps.planning.grid import models_of
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets


@click.command("plan")
@options.paths_argument("PATH... [KEY=VALUE]...")
@options.file_option("Write the plan there.", required=True)
@options.number("--seeds", "N seeds for each config, counted from its seed on.", 1, MAX_RANGE)
@options.flag("--recursive", "Take the configs of subfolders as well.")
@options.order_by_option
@options.margin_option
@options.beside_option
@options.iterations_option
@options.plugin_option
@options.output_options
def command(
    output: Output,
    /,
    arguments: tuple[str, ...],
    file: Path,
    seeds: int | None,
    recursive: bool,
    order_by: str | None,
    margin: float | None,
    beside: str | None,
    iterations: int | None,
) -> None:
    """Fix what a sweep compares before it is run; nothing is trained.

    The arguments are those of nnrun sweep. The file has every setting with its resolved config, the
    digest of its data, its seeds and folds, the metric and the split that rows are ordered by, and
    a digest of itself. `nnrun sweep --plan plan.json` trains exactly that, and its board says so.

    \b
    nnrun plan first.yaml training.learning_rate=0.1,0.01 --seeds 20 -o plan.json
    nnrun sweep --plan plan.json
    """
    check_target(file)
    paths, given = split_arguments(arguments)
    if order_by is not None:
        given = [*given, f"sweep.order_by={order_by}"]
    files, datasets = config_files(paths, recursive), Datasets()
    models = None if beside is None else models_of(beside)
    wanted = Arguments.parse(given, seeds, iterations, MOST_RUNS, models)
    origins = {str(config): config for config in files}
    plan = make_plan(origins, wanted, datasets, progress=lambda: shown(Checks(), output))
    output.notes(plan.notes)
    content = freeze(
        plan, files, file, margin=margin, arguments=given, seeds=seeds, iterations=iterations,
        beside=models,
    )  # fmt: skip
    # What a sweep will make of it, so that no plan is written that cannot be followed.
    frozen, planned = parse_frozen(content, file)
    frozen.thaw(file, datasets, MOST_RUNS)
    write_atomically(file, content)
    by = dict.fromkeys(f"{row['ordered_by']} {row['metric']}" for row in frozen.settings)
    output.data({**parse_sealed(content), "digest": planned.digest})
    output.note(
        f"wrote {file}: {plural(frozen.runs, 'run')} of {plural(len(frozen.settings), 'setting')}, "
        f"ordered by {' and '.join(by)}, digest {planned.digest[:12]}; to train them:\n"
        f"  nnrun sweep --plan {shlex.quote(str(file))}"
    )
