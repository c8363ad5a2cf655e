"""`nnrun plan`: a comparison that is fixed before it is run."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.cli.train_many import Compared, compared_options
from nnrun.reports.numbers import plural
from nnrun.runs.storage.durable import write_atomically
from nnrun.runs.storage.sealed import parse_sealed
from nnrun.sweeps.planning.frozen import freeze, parse_frozen
from nnrun.sweeps.planning.variants import Datasets


@click.command("plan")
@options.paths_argument("PATH... [KEY=VALUE]...")
@options.file_option("Write the plan there.", required=True)
@compared_options
@options.iterations_option
@options.plugin_option
@options.output_options
def command(output: Output, /, arguments: tuple[str, ...], file: Path, **request: object) -> None:
    """Fix what a sweep compares before it is run; nothing is trained.

    The arguments are those of nnrun sweep. The file has every setting with its resolved config, the
    digest of its data, its seeds and folds, the metric and the split that rows are ordered by, and
    a digest of itself. `nnrun sweep --plan plan.json` trains exactly that, and its board says so.

    \b
    nnrun plan first.yaml training.learning_rate=0.1,0.01 --seeds 20 -o plan.json
    nnrun sweep --plan plan.json
    """
    check_target(file)
    asked = Compared(**request)  # type: ignore[arg-type]
    datasets = Datasets()
    plan, files, words = asked.plan(arguments, datasets, output)
    content = freeze(plan, files, file, **words)
    # What a sweep will make of it, so that no plan is written that cannot be followed.
    frozen, planned = parse_frozen(content, file)
    frozen.thaw(file, datasets, asked.max_runs)
    write_atomically(file, content)
    by = dict.fromkeys(f"{row['ordered_by']} {row['metric']}" for row in frozen.settings)
    output.data({**parse_sealed(content), "digest": planned.digest})
    output.note(
        f"wrote {file}: {plural(frozen.runs, 'run')} of {plural(len(frozen.settings), 'setting')}, "
        f"ordered by {' and '.join(by)}, digest {planned.digest[:12]}; to train them:\n"
        f"  nnrun sweep --plan {shlex.quote(str(file))}"
    )
