"""The model of the run that a command is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from nnrun.characters import clean
from nnrun.cli.named_run import picked
from nnrun.cli.output import Output
from nnrun.data.readers.opening import file_sha256
from nnrun.models.load import load_model
from nnrun.models.model import Model
from nnrun.reports.commands import command_line
from nnrun.reports.numbers import count
from nnrun.reports.summary import calibration_words
from nnrun.runs.catalog.select import lies_in
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import (
    WITHOUT_MODEL,
    read_run,
    refuse_damaged,
    refuse_unusable_model,
)


class Selected(NamedTuple):
    """The model of a run, and its report if it has one."""

    model: Model
    record: RunRecord | None

    def calibrated(self, output: Output) -> Self:
        """The same with calibrated probabilities, and a note on how; raises as the model does."""
        model = self.model.calibrated()
        output.note(f"probabilities {calibration_words(vars(model.calibration))}")
        return self._replace(model=model)


def load_selected(
    run: str, results: Path, output: Output, by: str | None, rows: Path | None = None
) -> Selected:
    """The model of a run, with notes on which it is and where it has not come to its end.

    Another note says if `rows`, the file to predict, is the data of the run.

    Raises:
        UsageError: there is no such run, it is damaged, or it keeps no model.
        NnrunError: the model's file is damaged.
    """
    folder = picked(run, results, output, by, passed_over=WITHOUT_MODEL)
    stored = read_run(folder, placed=lies_in(folder, results)) if folder.is_dir() else None
    refuse_damaged(stored, folder)
    record = None if stored is None else stored.record
    if record is not None:
        refuse_unusable_model(folder, record)
    model = load_model(folder)
    if record is None:
        return Selected(model, None)
    if record.status in ("interrupted", "stopped"):
        iterations = count(record.timing["iterations"])
        output.note(
            f"this run was {record.status}: its weights are those of iteration {iterations}"
        )
    if rows is not None and rows.is_file():
        output.notes(_own_data(run, results, record, rows))
    return Selected(model, record)


def decided(model: Model, threshold: float | None, output: Output) -> dict[str, Any]:
    """Have a model predict by a threshold, if one is given, and say by which it does.

    Returns:
        The `positive` class and the `threshold` on its probability; None each for neither.

    Raises:
        UsageError: the model has no probabilities of two classes, or the threshold is NaN.
    """
    if threshold is not None:
        model.decide_from(threshold)
    if model.decision is None:
        return {"positive": None, "threshold": None}
    positive, least = model.layout.classes[model.positive], model.decision.threshold
    output.note(f"'{clean(positive)}' is predicted from a probability of {least:.6g} on")
    return {"positive": positive, "threshold": least}


def _own_data(run: str, results: Path, record: RunRecord, rows: Path) -> Iterator[str]:
    """What to know of predictions for the file that a run was trained on; else nothing."""
    if file_sha256(rows) != record.dataset.get("sha256"):
        return
    rows_held_out = record.dataset["n_validation"]
    own = (record.members or {}).get("validation") == "own"  # every row trains some member
    trained = count(record.dataset["n_train"] + rows_held_out * own)
    yield f"{rows} is the data of this run, which was trained on {trained} of its rows"
    if record.config["dataset"].get("folds"):
        command = command_line("predict", [run], results, {"--out-of-fold": True})
        yield f"`{command}` predicts each row by a run that was not trained on it"
