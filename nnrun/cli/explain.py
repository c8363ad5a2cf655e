"""`nnrun explain`: one update with every number, or what each column adds to a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from nnrun.cli import options
from nnrun.cli.models import load_selected
from nnrun.cli.named_run import picked, report_of
from nnrun.cli.options import check_target, split_arguments
from nnrun.cli.output import Output
from nnrun.config.load import load_config
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.inference.sources import about_unseen
from nnrun.errors import UsageError
from nnrun.explain.update import Explanation, explain_config, explain_run
from nnrun.models.model import Model
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array
from nnrun.reports.explain.terminal import as_data, explanation
from nnrun.reports.numbers import first_of
from nnrun.runs.sharing import is_packed
from nnrun.runs.storage.durable import write_atomically


@click.command("explain")
@options.paths_argument("CONFIG|RUN [KEY=VALUE]...", or_runs=True)
@options.number(
    "--row rows",
    "A row by its number, from 1: of a run's data or of INPUT, whose prediction is explained; of "
    "an update, a training row. Repeatable.",
    multiple=True,
)
@options.path(
    "--input new_rows", "Explain a run's predictions for the rows of this file, as `predict` reads it.",
    metavar="INPUT",
)  # fmt: skip
@click.option(
    "--class",
    "class_name",
    metavar="CLASS",
    help="Explain the probability of this class, not that of the predicted one.",
)
@options.flag("--update", "With RUN and --row: explain the update that these rows would make.")
@options.path(
    "--html", "Write a page: with a picture, or of an update with the origin of each number.",
    type=click.Path(path_type=Path, dir_okay=False),
)  # fmt: skip
@options.flag("--full", "Show all numbers of large arrays, and all columns.")
@options.data_option
@options.by_option
@options.results_options
def command(output: Output, /, arguments: tuple[str, ...], **asked: Any) -> None:
    """Show why a run predicts what it does, or one update of training with every number.

    RUN with --row or --input: what each column adds to the prediction, from the mean prediction for
    training rows. These are Shapley values: exact up to 10 columns, of more sampled, with their
    standard errors. RUN is named as for 'nnrun show'.

    CONFIG: the first update of its training: forward, loss, backward, the optimizer's step. RUN
    alone, or with --update: the one that would follow its last. Each gradient stands beside a
    numerical one. Where rows are one or two numbers, the output and every hidden unit are shown
    over the plane, while it trains.

    \b
    nnrun explain boston_arch2 --row 5
    nnrun explain iris_softmax/best --input new.csv --html why.html
    nnrun explain configs/iris_softmax.yaml
    nnrun explain configs/boston_arch2.yaml --row 5 --html update.html
    nnrun explain digits_cnn/best --html digits.html
    """
    names, overrides = split_arguments(arguments)
    if len(names) != 1:
        raise click.UsageError("give one config or one run")
    request, name = _Request(**asked), str(names[0])
    check_target(request.html, request.new_rows, option="--html")
    if not request.is_about_update(_is_config(name)):
        _refuse_overrides(overrides)
        _explain_predictions(output, name, request)
        return
    update = _explanation(name, overrides, request, output)
    output.data(as_data(update))
    if request.html is None:
        output.show(explanation(update, full=request.full))
        return
    from nnrun.reports.explain.page import render  # noqa: PLC0415  # slow to import

    _write(request.html, render(update), output)


@dataclass(frozen=True)
class _Request:
    rows: tuple[int, ...]
    new_rows: Path | None
    class_name: str | None
    update: bool
    html: Path | None
    full: bool
    by: str | None
    results: Path

    def is_about_update(self, is_config: bool) -> bool:
        """Whether an update is explained, and not predictions."""
        options = {"--input": self.new_rows, "--class": self.class_name}
        option = next((name for name, value in options.items() if value is not None), None)
        if option is not None and (is_config or self.update):
            raise UsageError(f"{option} is for predictions of a run, not for an update of training")
        if option == "--class" and not self.rows:
            raise UsageError("--class goes with --row N or --input FILE; give one of them too")
        return is_config or self.update or not (self.rows or self.new_rows)


def _is_config(name: str) -> bool:
    path = Path(name)
    return path.suffix in (".yaml", ".yml") or (path.is_file() and not is_packed(name))


def _refuse_overrides(overrides: Sequence[str]) -> None:
    if overrides:
        raise UsageError(f"{overrides[0]}: the config of a run stays as it is")


def _write(path: Path, page: str, output: Output) -> None:
    write_atomically(path, page.encode())
    output.note(f"wrote {path}")


def _explanation(name: str, overrides: list[str], request: _Request, output: Output) -> Explanation:
    if _is_config(name):
        experiment = load_config(Path(name), overrides)
        output.notes(experiment.notes)
        return explain_config(experiment, request.rows)
    _refuse_overrides(overrides)
    folder = picked(name, request.results, output, request.by)
    return explain_run(folder, report_of(folder, request.results, "explained"), request.rows)


# What columns add to predictions.


def _explain_predictions(output: Output, name: str, request: _Request) -> None:
    from nnrun.reports import contributions as made  # noqa: PLC0415  # slow to import
    from nnrun.reports.document import AT_ONCE, up_to  # noqa: PLC0415  # likewise
    from nnrun.reports.predictions import prepared_again  # noqa: PLC0415  # likewise
    from nnrun.reports.terminal.fitting import sections  # noqa: PLC0415  # likewise
    from nnrun.sweeps.planning.variants import Datasets  # noqa: PLC0415  # likewise

    model, record = load_selected(name, request.results, output, request.by)
    made.refuse_images(model)
    if record is None:
        raise UsageError(f"{name}: only the report of a run says which rows trained it")
    prepared, wanted = prepared_again(record, Datasets().load), (*dict.fromkeys(request.rows),)
    if len(wanted) > made.MOST_ROWS:
        raise UsageError(f"--row: at most {made.MOST_ROWS} rows are explained at once")
    if request.new_rows is None:
        x, rows = made.rows_by_number(prepared, wanted)
    else:
        x, rows = _read(request.new_rows, model, wanted, made.MOST_ROWS, output)
    background, total = made.background_of(prepared)
    found = made.contributions(model, x, background, total, request.class_name)
    output.data({"run_id": model.run_id, **found.to_dict(rows)})
    content = [*made.contribution_sections(found, rows, full=request.full)]
    if request.html is None:
        output.show(sections(up_to(AT_ONCE, content), first=True))
        return
    from nnrun.reports.explain.page import render_sections  # noqa: PLC0415  # slow to import

    title = f"{record.name}/{record.run_id}: why it predicts this"
    _write(request.html, render_sections(title, content), output)


def _read(
    path: Path, model: Model, wanted: Sequence[int], most: int, output: Output
) -> tuple[Array, list[dict[str, Any]]]:
    """The wanted rows of a file, or all if there are no more than `most`, with their numbers."""
    parts: list[Array] = []
    numbers: list[int] = []
    before = 0
    with open_rows(path, model.layout) as source:
        if source.ignored:
            output.note(f"ignored, as in training: {first_of(source.ignored, 8)}")
        for batch in source.batches(chunk_rows(model.network)):
            # Of series, batches come with the numbers of rows, since the first have too few before.
            own = batch.carried[0] if source.added else np.arange(len(batch)) + before + 1
            at = np.flatnonzero(np.isin(own, wanted)) if wanted else np.arange(len(batch))
            before += len(batch)
            parts.append(batch.x[at])
            numbers += own[at].tolist()
            if len(numbers) > most:
                raise UsageError(f"{path} has more than {most} rows; say which, as in --row 5")
        unseen = [*about_unseen(model.layout.columns, source.unseen)]
    lacking = next((row for row in wanted if row not in numbers), None)
    if lacking is not None or not numbers:
        why = "no row to explain" if lacking is None else f"no row {lacking} that can be predicted"
        raise UsageError(f"{path} has {why}")
    output.notes(unseen)
    return np.concatenate(parts), [{"row": number} for number in numbers]
