"""`nnrun export`: a trained network for programs that know nothing of nnrun."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.arguments import check_target
from nnrun.cli.models import load_selected
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.models.code.script import LANGUAGES, script
from nnrun.models.model import Model
from nnrun.runs.files import write_atomically


@click.command("export")
@options.run_argument()
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="What to write; .onnx or .py say what it is.",
)
@click.option(
    "--code",
    type=click.Choice(list(LANGUAGES)),
    help="The library that a .py file is to use; numpy by default.",
)
@options.results_option
@options.json_option
@options.quiet_option
@options.debug_option
@click.pass_obj
def command(output: Output, /, run: str, file: Path, code: str | None, results: Path) -> None:
    """Write a trained network as an ONNX file, or as a script.

    RUN is a run's folder, the name of an experiment (its newest run), name/ID-PREFIX, or latest.
    Preprocessing is part of what is written. An ONNX file takes `x`, raw rows in float32, and
    gives `prediction` and, for classes, `probability`; it needs the extra nnrun[onnx]. A script
    has functions `predict` and `predict_proba`, and its weights in it.

    \b
    nnrun export digits_cnn -o digits.onnx
    nnrun export boston_arch2/s42 -o houses.py
    nnrun export latest -o model.py --code pytorch
    """
    kind = file.suffix.lower()
    if kind not in (".onnx", ".py"):
        raise UsageError(f"-o {file}: .onnx and .py are what can be written")
    if code is not None and kind != ".py":
        raise UsageError(f"--code is for scripts, but -o {file} is none; name it .py")
    check_target(file)
    model = load_selected(run, results, output)
    if kind == ".onnx":
        content = _onnx(model)
    else:
        content = script(model, LANGUAGES[code or "numpy"]).encode()
    write_atomically(file, content)
    output.data({"run_id": model.run_id, "output": str(file)})
    output.note(f"wrote {file}")


def _onnx(model: Model) -> bytes:
    try:
        from nnrun.models.onnx.export import onnx_bytes  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        message = "an ONNX file needs the package onnx: pip install 'nnrun[onnx]'"
        raise UsageError(message) from None
    return onnx_bytes(model)
