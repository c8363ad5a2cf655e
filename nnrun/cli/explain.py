"""`nnrun explain`: one update with every number, or what each column adds to a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from nnrun.cli import options
from nnrun.cli.models import Selected, load_selected
from nnrun.cli.named_run import picked, report_of
from nnrun.cli.options import check_target, split_arguments
from nnrun.cli.output import Output
from nnrun.config.load import load_config
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.inference.sources import about_unseen
from nnrun.errors import UsageError
from nnrun.explain.update import explain_config, explain_run
from nnrun.models.model import Model
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array
from nnrun.reports.explain.terminal import as_data, explanation
from nnrun.runs.sharing import is_packed
from nnrun.runs.storage.durable import write_atomically


@click.command("explain")
@options.paths_argument("CONFIG|RUN [KEY=VALUE]...", or_runs=True)
@options.number(
    "--row rows",
    "Explain the prediction for this row, by its number from 1 in the run's data or in INPUT; of "
    "an update, take this training row. Repeatable.",
    multiple=True,
)
@options.path(
    "--input new_rows", "Explain the predictions for the rows of a file, read as by 'predict'.",
    metavar="INPUT",
)  # fmt: skip
@click.option("--class", "class_name", help="Explain the probability of this class.")
@options.flag("--update", "With RUN and --row: explain the update that these rows would make.")
@options.path(
    "--html", "Write a page: pictures, or the numbers that each number of an update came from.",
    type=click.Path(path_type=Path, dir_okay=False),
)  # fmt: skip
@options.flag("--full", "Show all numbers of large arrays.")
@options.data_option
@options.by_option
@options.results_options
def command(
    output: Output,
    /,
    arguments: tuple[str, ...],
    rows: tuple[int, ...],
    new_rows: Path | None,
    class_name: str | None,
    update: bool,
    html: Path | None,
    full: bool,
    by: str | None,
    results: Path,
) -> None:
    """Show why a run predicts what it does, or one update of training with every number.

    With RUN and --row or --input: what each column adds to a prediction, from the mean prediction
    for training rows on. These are Shapley values, exact for up to 10 columns; for more they are
    sampled and have standard errors. RUN is named as for 'nnrun show'.

    With CONFIG: the first update of its training: forward, loss, backward, the optimizer's step.
    With RUN alone, or --update: the one that would follow its last. Each gradient stands beside a
    numerical one. Where rows are one or two numbers, the output and every hidden unit are shown
    over the plane, while it trains.

    \b
    nnrun explain boston_arch2 --row 5
    nnrun explain boston_arch2 --input new_houses.csv --html why.html
    nnrun explain configs/iris_softmax.yaml
    nnrun explain configs/boston_arch2.yaml --row 5 --html update.html
    nnrun explain digits_cnn/best --html digits.html
    """
    names, overrides = split_arguments(arguments)
    if len(names) != 1:
        raise click.UsageError("give one config or one run")
    check_target(html, new_rows, option="--html")
    name = str(names[0])
    is_config = Path(name).suffix in (".yaml", ".yml")
    is_config = is_config or (Path(name).is_file() and not is_packed(name))
    about_update = is_config or update or not (rows or new_rows)
    if about_update and (new_rows or class_name):
        option = "--class" if new_rows is None else "--input"
        raise UsageError(f"{option} is for predictions of a run: nnrun explain RUN --row N")
    if overrides and not is_config:
        raise UsageError(f"{overrides[0]}: the config of a run stays as it is")
    if not about_update:
        selected = load_selected(name, results, output, by)
        _explain_predictions(output, selected, rows, new_rows, class_name, html)
        return
    if is_config:
        experiment = load_config(Path(name), overrides)
        output.notes(experiment.notes)
        found = explain_config(experiment, rows)
    else:
        folder = picked(name, results, output, by)
        found = explain_run(folder, report_of(folder, results, "explained"), rows)
    output.data(as_data(found))
    if html is None:
        output.show(explanation(found, full=full))
        return
    from nnrun.reports.explain.page import render  # noqa: PLC0415  # slow to import

    _write(html, render(found), output)


def _write(path: Path, page: str, output: Output) -> None:
    write_atomically(path, page.encode())
    output.note(f"wrote {path}")


def _explain_predictions(
    output: Output,
    selected: Selected,
    rows: Sequence[int],
    new_rows: Path | None,
    class_name: str | None,
    html: Path | None,
) -> None:
    from nnrun.reports import contributions as made  # noqa: PLC0415  # slow to import
    from nnrun.reports.document import AT_ONCE, up_to  # noqa: PLC0415  # likewise
    from nnrun.reports.explain.page import render_sections  # noqa: PLC0415  # likewise
    from nnrun.reports.predictions import prepared_again  # noqa: PLC0415  # likewise
    from nnrun.reports.terminal.fitting import sections  # noqa: PLC0415  # likewise
    from nnrun.sweeps.planning.variants import Datasets  # noqa: PLC0415  # likewise

    model, record = selected
    made.refuse_images(model)
    if record is None:
        raise UsageError("only the report of a run says which rows trained it; name the run")
    prepared, wanted = prepared_again(record, Datasets().load), [*dict.fromkeys(rows)]
    if new_rows is None:
        x, names = made.rows_by_number(prepared, wanted)
    else:
        x, names = _read(new_rows, model, wanted, made.MOST_ROWS, output)
    found = made.contributions(model, x, *made.background_of(prepared), class_name)
    output.data(data := {"run_id": model.run_id, **found.to_dict(names)})
    content = [*made.contribution_sections(data)]
    if html is None:
        output.show(sections(up_to(AT_ONCE, content), first=True))
        return
    title = f"{record.name}/{record.run_id}: why it predicts this"
    _write(html, render_sections(title, content), output)


def _read(
    path: Path, model: Model, wanted: Sequence[int], most: int, output: Output
) -> tuple[Array, list[dict[str, Any]]]:
    """The wanted rows of a file, or all if there are no more than `most`, with their numbers."""
    rows: dict[int, Array] = {}
    before = 0
    with open_rows(path, model.layout) as source:
        for batch in source.batches(chunk_rows(model.network)):
            # The first rows of a series have too few before them, so that numbers come along.
            numbers = (
                batch.carried[0] if source.added else range(before + 1, before + 1 + len(batch))
            )
            each = zip(map(int, numbers), batch.x, strict=True)
            rows |= {number: x for number, x in each if not wanted or number in wanted}
            before += len(batch)
            if len(rows) > most:
                raise UsageError(f"{path} has more than {most} rows; say which, as by --row 5")
    output.notes(about_unseen(model.layout.columns, source.unseen))
    lacking = next((f" {row} that can be predicted" for row in wanted if row not in rows), "")
    if lacking or not rows:
        raise UsageError(f"{path} has no row{lacking}")
    return np.stack([*rows.values()]), [{"row": number} for number in rows]
