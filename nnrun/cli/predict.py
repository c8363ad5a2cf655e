"""`nnrun predict`: predictions of a trained network for a file."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.arguments import check_target
from nnrun.cli.models import decided, load_selected
from nnrun.cli.output import Output
from nnrun.cli.signals import Interruption
from nnrun.cli.sinks import format_of, opened_sink
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.inference.unseen import about_unseen
from nnrun.errors import UsageError
from nnrun.models.predict import predict_rows
from nnrun.models.scores import score_of
from nnrun.models.writing import WRITERS
from nnrun.reports.numbers import first_of, plural
from nnrun.reports.terminal.tables import score_table

_STDOUT = "-"


@click.command("predict")
@options.run_argument()
@click.argument("rows", metavar="[INPUT]", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the predictions there; .csv or .npz say how, else it is as in INPUT.",
)
@options.by_option
@click.option("--score", is_flag=True, help="Compare with the target, which INPUT has to have.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    metavar="T",
    help="Of two classes, predict the positive one where its probability is at least T.",
)
@click.option(
    "--out-of-fold",
    is_flag=True,
    help="Instead of INPUT: predict every row of the run's own data by the fold that tested it.",
)
@options.results_option
@options.json_option
@options.quiet_option
@options.debug_option
@click.pass_obj
def command(
    output: Output,
    /,
    run: str,
    rows: Path | None,
    file: Path | None,
    by: str | None,
    score: bool,
    threshold: float | None,
    out_of_fold: bool,
    results: Path,
) -> None:
    """Predict classes, or values in the target's own units, for new rows.

    RUN is a run's folder, the name of an experiment (its newest run), name/best, name/ID-PREFIX, or
    latest.
    INPUT is a CSV file with the columns of training, in any order; an npz file with an array x;
    or - for either from stdin. Predictions are a column `prediction` and, for classes, a column
    `p_CLASS` for each; of an npz file, arrays `prediction` and `probability`. They go to stdout or
    into FILE once all rows are predicted: if one is wrong, nothing is written. Categories that
    training has not seen are counted, and predicted as dataset.unknown of the config says.

    Of two classes the likelier one is predicted. With --threshold, or with the threshold of a run
    with `decide` in its config, the positive one is predicted from a probability on: the class that
    `decide.positive` names, else the second.

    With --out-of-fold, of runs with dataset.folds, each row of their data is predicted by the run
    that tested it: columns row, fold, target, prediction, p_CLASS. NAME means its best setting with
    all seeds, whose predictions are averaged; a single run means the folds of its own seed.

    \b
    nnrun predict boston_arch2 new_houses.csv
    nnrun predict digits_cnn/s42 images.npz -o digits.npz
    nnrun predict latest houses.csv --score -o prices.csv
    nnrun predict boston_arch2 --out-of-fold --score -o tested.csv
    """
    if file is not None and str(file) == _STDOUT:
        file = None
    if output.json and file is None and not score:
        raise UsageError("--json needs stdout for itself; say where predictions go with -o FILE")
    if rows is None and not out_of_fold:
        raise click.UsageError("Missing argument 'INPUT': the rows to predict, or --out-of-fold.")
    if rows is None or out_of_fold:
        if rows is not None:
            raise click.UsageError("--out-of-fold predicts the data of the runs; leave INPUT out")
        from nnrun.cli.out_of_fold import predict_out_of_fold  # noqa: PLC0415  # imports engines

        predict_out_of_fold(output, run, file, by, score, threshold, results)
        return
    if Path(run).is_file() and not rows.exists():
        raise UsageError(
            f"'{run}' is a file; the run comes first, as in nnrun predict RUN {shlex.quote(run)}"
        )
    if file is not None:
        check_target(file, rows)

    model = load_selected(run, results, output, by, rows, score=score)
    decision = decided(model, threshold, output)
    keeper = score_of(model.task) if score else None
    with (
        Interruption(before="the predictions were complete"),
        open_rows(rows, model.layout, with_target=score) as source,
    ):
        if source.ignored:
            output.note(f"ignored, as in training: {first_of(source.ignored, 8)}")
        if output.json and file is None:
            count = predict_rows(model, source, None, keeper)
        else:
            kind = format_of(file, source.kind)
            with opened_sink(file, kind) as sink, WRITERS[kind](model, sink) as writer:
                count = predict_rows(model, source, writer, keeper)
    output.notes(about_unseen(model.layout.columns, source.unseen))
    metrics = None if keeper is None else keeper.metrics()
    output.data(
        {
            "run_id": model.run_id,
            "rows": count,
            "output": None if file is None else str(file),
            "unseen": {name: found.to_dict() for name, found in source.unseen.items()},
            **decision,
            "score": metrics,
        }
    )
    if file is not None:
        output.note(f"wrote {plural(count, 'prediction')} to {file}")
    if metrics is not None:
        output.show(score_table(metrics), to_stderr=file is None)
