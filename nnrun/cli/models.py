"""The model of the run that a command is given."""

from __future__ import annotations

from pathlib import Path

from nnrun.cli.output import Output
from nnrun.cli.picking import picked
from nnrun.models.load import load
from nnrun.models.model import Model
from nnrun.reports.numbers import count
from nnrun.runs.catalog.select import lies_in
from nnrun.runs.storage.integrity import refuse_unusable_model
from nnrun.runs.storage.reading import read_run, refuse_damaged


def load_selected(run: str, results: Path, output: Output, by: str | None) -> Model:
    """The model of a run, with notes on which it is and where it has not come to its end.

    Raises:
        UsageError: there is no such run, it is damaged, or it keeps no model.
        NnrunError: the model's file is damaged.
    """
    folder = picked(run, results, output, by)
    found = read_run(folder, placed=lies_in(folder, results)) if folder.is_dir() else None
    refuse_damaged(found, folder)
    if found is not None and found.record is not None:
        refuse_unusable_model(folder, found.record)
    model = load(folder)
    if found is not None and found.record is not None and found.record.status == "interrupted":
        iterations = count(found.record.timing["iterations"])
        output.note(f"this run was interrupted: its weights are those of iteration {iterations}")
    return model
