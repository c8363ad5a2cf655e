"""`nnrun predict`: predictions of a trained network for a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nnrun.cli import options
from nnrun.cli.new_rows import Request, predict_new_rows, predict_out_of_fold, show_drift
from nnrun.cli.output import Output

_STDOUT = "-"


@click.command("predict")
@options.run_argument()
@click.argument("inputs", metavar="[INPUT]...", type=click.Path(path_type=Path), nargs=-1)
@options.file_option(
    "Write the predictions there; .csv, .json or .npz say how, else it is as in INPUT."
)
@click.option(
    "--id",
    "ids",
    multiple=True,
    metavar="COLUMN",
    help="Put this column of the input in front of the predictions, unchanged; repeatable.",
)
@options.path(
    "--skip-bad",
    "Write rows that cannot be predicted into FILE, with line and reason; predict the others.",
)
@options.data_option
@options.by_option
@options.flag(
    "--score", "Show the metrics of the run's report for INPUT, which has to have the target."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    metavar="T",
    help="Of two classes, predict the positive one where its probability is at least T.",
)
@options.coverage_option(
    "Add intervals (low, high) or sets of classes that hold the truth of this share of rows."
)
@options.flag("--by-class", "With --coverage: of this share of the rows of each class.")
@options.flag("--calibrated", "Predict by probabilities that held-out rows have calibrated.")
@options.flag(
    "--outside", "Add a column that names the cells of each row that are unlike those of training."
)
@options.flag(
    "--drift", "Instead of predictions: a table of what moved in each column since training."
)
@options.flag(
    "--out-of-fold",
    "Instead of INPUT: predict every row of the run's own data by the fold that tested it.",
)
@options.results_options
def command(
    output: Output,
    /,
    run: str,
    inputs: tuple[Path, ...],
    file: Path | None,
    out_of_fold: bool,
    drift: bool,
    **asked: Any,
) -> None:
    """Predict classes, or values in the target's own units, for new rows.

    RUN is a run's folder, the name of an experiment (its newest run with a model), name/best,
    name/ID-PREFIX, or latest.
    INPUT is a table (CSV, TSV, JSON lines, Parquet, Excel) with the columns of training, in any
    order; an npz file with an array x; or - for one of them from stdin. Of a run on images, INPUT
    is any number of images and folders of them, and a column `file` has their paths. Predictions
    are a column `prediction` and, for classes, a column `p_CLASS` for each; of an npz file, arrays
    `prediction` and `probability`. They go to stdout or into FILE once all rows are predicted: if
    one is wrong, nothing is written.
    With --skip-bad, wrong rows go into a file of their own, which can be corrected and predicted.
    Categories that training has not seen are counted, and predicted as dataset.unknown of the
    config says. --id puts columns of the input in front of the predictions. With --json and without
    -o, stdout is a JSON document whose `predictions` are objects, one for each row.

    Of two classes the likelier one is predicted. With --threshold, or with the threshold of a run
    with `decide` in its config, the positive one is predicted where its probability is at least
    that: the class that `decide.positive` names, else the second.

    With --coverage, values have columns `low` and `high`, and classes a column `set` with all that
    a row may be, the likeliest first. They hold for rows like those that the network was tested on
    without being trained on them: see `nnrun help coverage`.

    With --calibrated, probabilities are those that rows held out from training bear out, and
    predictions and --threshold go by them: see `nnrun help coverage`.

    Numbers beyond the smallest or largest of training are counted, and a column `outside` names
    them with --outside, and new categories too, and rows that are far from all of training.
    --drift compares the columns of INPUT with those of training; the exit code is 0 whatever it
    finds.

    With --out-of-fold, of runs with dataset.folds, each row of their data is predicted by the run
    that tested it: columns row, fold, target, prediction, p_CLASS. NAME means its best setting with
    all seeds, whose predictions are averaged; a single run means the folds of its own seed.

    \b
    nnrun predict boston_arch2 new_houses.csv
    nnrun predict digits_cnn/s42 images.npz -o digits.npz
    nnrun predict cats tom.png new/
    nnrun predict latest houses.csv --score -o prices.csv
    nnrun predict latest sales.csv --id customer --skip-bad bad.csv -o out.csv
    nnrun predict latest new_houses.csv --coverage 0.9
    nnrun predict churn new_customers.csv --calibrated
    nnrun predict boston_arch2 --out-of-fold --score -o tested.csv
    """
    if file is not None and str(file) == _STDOUT:
        file = None
    asked["ids"] = (*dict.fromkeys(asked["ids"]),)
    request = Request(file, **asked)
    if request.by_class and request.coverage is None:
        raise click.UsageError("--by-class goes with --coverage SHARE; give that too")
    if drift:
        others = (file, out_of_fold, request.score, request.ids, request.coverage, request.outside)
        if any(others) or not inputs:
            message = "--drift takes INPUT and writes no predictions; leave out"
            raise click.UsageError(f"{message} -o, --id and what is about predictions")
        show_drift(output, run, inputs, request)
        return
    if inputs and not out_of_fold:
        predict_new_rows(output, run, inputs, request)
        return
    if not out_of_fold:
        raise click.UsageError("Missing argument 'INPUT': the rows to predict, or --out-of-fold.")
    if inputs:
        raise click.UsageError("--out-of-fold predicts the data of the runs; leave INPUT out")
    if request.coverage is not None or request.outside or request.calibrated:
        option = "--outside" if request.outside else "--coverage"
        option = "--calibrated" if request.calibrated else option
        raise click.UsageError(f"{option} is for new rows; leave --out-of-fold out")
    if request.skip_bad is not None:
        raise click.UsageError("--skip-bad is for new rows; those of a run's data were all read")
    predict_out_of_fold(output, run, request)
