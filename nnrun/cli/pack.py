"""`nnrun pack`: a run as one file that others can verify."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.named_run import picked
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.runs.pack import pack
from nnrun.runs.preparation.memory import human_bytes
from nnrun.runs.sharing import SUFFIX
from nnrun.runs.storage.data_place import path_of


@click.command("pack")
@options.run_argument()
@options.file_option("The file to write, a .zip.", required=True)
@options.flag("--with-data", "Put the data file into it, too.")
@options.data_option
@options.by_option
@options.results_option
@options.output_options
def command(
    output: Output, /, run: str, file: Path, with_data: bool, by: str | None, results: Path
) -> None:
    """Write a run with its config, report and model as one file, for others.

    RUN is a run's folder, the name of an experiment (its newest run), name/best, name/ID-PREFIX, or
    latest; one file holds one run. Nothing in it names a folder or a user of this machine, and the
    same run gives the same bytes. verify, show, predict and export take the file in place of a run,
    on any machine; verify needs the data: from the file, from --data, or from where nnrun read them
    before.

    \b
    nnrun pack digits_cnn/best -o digits.zip
    nnrun pack houses -o houses.zip --with-data
    nnrun verify houses.zip
    nnrun predict houses.zip new_houses.csv
    """
    if file.suffix.lower() != SUFFIX:
        raise UsageError(f"-o {file}: a packed run is a {SUFFIX} file")
    check_target(file)
    folder = picked(run, results, output, by)
    record = pack(folder, file, with_data=with_data)
    size = file.stat().st_size
    output.data(
        {"run": f"{record.name}/{record.run_id}", "file": str(file), "bytes": size}
        | {"data": with_data}
    )
    what = "with its data" if with_data and path_of(record.config) else "without data"
    output.note(f"wrote {record.name}/{record.run_id} {what} to {file}, {human_bytes(size)}")
