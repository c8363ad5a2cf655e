"""`nnrun export`: a trained network for programs without nnrun."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.models import load_selected
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.models.code.script import LANGUAGES, script
from nnrun.models.coverage import Promise
from nnrun.models.model import Model
from nnrun.models.rounding import rounding_of
from nnrun.runs.storage.durable import write_atomically


@click.command("export")
@options.run_argument()
@options.file_option("What to write; .onnx or .py say what it is.", required=True)
@click.option(
    "--code",
    type=click.Choice(list(LANGUAGES)),
    help="The library that a .py file is to use; numpy by default.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    help="Of x, values and probabilities of an .onnx file; by default float32, unless that would "
    "move a column by more than 1e-5 of its spread.",
)
@options.flag(
    "--columns",
    "Give an .onnx file an input for each column of the table, in place of x: numbers, and texts "
    "for categories.",
)
@options.coverage_option(
    "Have an .onnx file put out intervals (low, high) or sets of classes (set) as well, which hold "
    "the truth of this share of rows."
)
@options.flag("--calibrated", "Have probabilities that held-out rows have calibrated.")
@options.by_option
@options.results_options
def command(
    output: Output,
    /,
    run: str,
    file: Path,
    code: str | None,
    dtype: str | None,
    columns: bool,
    coverage: float | None,
    calibrated: bool,
    by: str | None,
    results: Path,
) -> None:
    """Write a trained network as an ONNX file, or as a script.

    RUN is a run's folder, the name of an experiment (its newest run with a model), name/best,
    name/ID-PREFIX, or latest.
    Preprocessing is part of what is written. An ONNX file takes `x`, raw rows in float32 (or
    float64, see --dtype), and gives `prediction` and, for classes, `probability`; it needs the
    extra nnrun[onnx]. With --columns it takes a table's columns by their names, each (rows, 1).
    A script predicts CSV files with the columns of training, as in
    `python houses.py new_houses.csv`, and has functions `predict` and `predict_proba`.

    With --coverage, an ONNX file has outputs `low` and `high`, or `set`: whether each class is in
    it. A script takes it when it runs: `python houses.py --coverage 0.9 new_houses.csv`. They are
    those of `nnrun predict --coverage`: see `nnrun help coverage`.

    With --calibrated, probabilities and predictions are those of `nnrun predict --calibrated`.

    \b
    nnrun export digits_cnn -o digits.onnx
    nnrun export boston_arch2/s42 -o houses.py
    nnrun export latest -o model.py --code pytorch
    nnrun export sales -o sales.onnx --columns --dtype float64
    """
    kind = file.suffix.lower()
    if kind not in (".onnx", ".py"):
        raise UsageError(f"-o {file}: .onnx and .py are what can be written")
    if code is not None and kind != ".py":
        raise UsageError(f"--code is for scripts, but -o {file} is none; name it .py")
    if dtype is not None and kind != ".onnx":
        raise UsageError(f"--dtype is for ONNX files, but -o {file} is none; name it .onnx")
    if columns and kind != ".onnx":
        raise UsageError(f"--columns is for ONNX files; -o {file} takes columns as it is")
    if coverage is not None and kind != ".onnx":
        message = (
            f"-o {file}: a script takes --coverage when it runs, as in python {file} --coverage"
        )
        raise UsageError(f"{message} {coverage:g} ROWS.csv; leave it out here")
    check_target(file)
    selected = load_selected(run, results, output, by)
    model = (selected.calibrated(output) if calibrated else selected).model
    if kind == ".onnx":
        dtype = _dtype(model, dtype, output)
        promise = None if coverage is None else model.promise(coverage)
        content = _onnx(model, dtype, columns, promise)
    else:
        content = script(model, LANGUAGES[code or "numpy"]).encode()
    write_atomically(file, content)
    output.data({"run_id": model.run_id, "output": str(file), "dtype": dtype})
    output.note(f"wrote {file}")


def _dtype(model: Model, asked: str | None, output: Output) -> str:
    """The dtype given, else float64 where the data need it; prints what float32 costs."""
    rounding = rounding_of(model)
    if not rounding.needs_float64 or asked == "float64":
        return asked or "float32"
    lost = rounding.effect
    if asked is None:
        output.note(f"x is float64, since float32 {lost}; --dtype float32 has it so all the same")
        return "float64"
    output.note(f"float32 {lost}, and predictions with it; --dtype float64 keeps them")
    return asked


def _onnx(model: Model, dtype: str, by_column: bool, promise: Promise | None) -> bytes:
    try:
        from nnrun.models.onnx import onnx_bytes  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        message = "an ONNX file needs the package onnx: pip install 'nnrun[onnx]'"
        raise UsageError(message) from None
    return onnx_bytes(model, dtype, by_column=by_column, promise=promise)
