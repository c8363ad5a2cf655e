"""The details of a run: result, learning curves, predictions, weights, config, network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnrun.config.schema.experiment import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError
from nnrun.models.files import MODEL
from nnrun.models.load import load
from nnrun.models.model import Model
from nnrun.reports.examine import Predictions, predictions_of
from nnrun.reports.html.about import again_blocks, config_blocks, network_blocks
from nnrun.reports.html.blocks import (
    Block,
    Cell,
    Code,
    Grid,
    Note,
    Section,
    text_of,
)
from nnrun.reports.html.curves import run_curves
from nnrun.reports.html.predictions import agree, class_blocks, regression_blocks
from nnrun.reports.html.weights import activity_blocks, surface_blocks, weight_blocks
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import metric_number, number, percent, signed
from nnrun.reports.summary import (
    baseline_line,
    held_out_notes,
    metric_rows,
    published_rows,
    published_source,
    split_line,
    splits,
    training_line,
    warnings_of,
)
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.files import read_regular
from nnrun.runs.storage.history import read_history
from nnrun.runs.storage.integrity import changed_file, refuse_changed
from nnrun.runs.storage.reading import HISTORY, TRACEBACK

LoadData = Callable[[DatasetConfig], Dataset]
_LONGEST_TRACEBACK = 1_000_000
_TRACEBACK_LINES = 40
_DISAGREE = "Its network, loaded again, gives other metrics than its report."
# Errors that reading the values of a damaged report can raise.
DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)


@dataclass(frozen=True)
class RunSections:
    """Everything about one run.

    Args:
        anchor: its id in the page.
        name: of the experiment, and the run's own.
        status: how it ended.
        sections: in order.
    """

    anchor: str
    name: str
    status: str
    sections: Sequence[Section]


def run_sections(
    record: RunRecord,
    folder: Path,
    anchor: str,
    varying: Sequence[str],
    load_data: LoadData,
) -> RunSections:
    """The details of a run; a section that cannot be shown says why.

    Args:
        record: its report.
        folder: the run's folder.
        anchor: its id in the page.
        varying: the keys in which runs of its name differ.
        load_data: returns the data set of a config.
    """
    parts: list[tuple[str, Callable[[], Iterator[Block]]]] = [
        ("Result", lambda: _result(record)),
        ("Traceback", lambda: _traceback(folder)),
        ("Learning curves", lambda: _curves(record, folder)),
        *_trained(record, folder, anchor, load_data),
        ("Config", lambda: config_blocks(record, varying)),
        ("Network", lambda: network_blocks(record)),
        ("To repeat it", lambda: again_blocks(record)),
    ]
    sections = []
    for title, blocks in parts:
        try:
            found = list(blocks())
        except DAMAGE as error:
            found = [Note(f"This part of its report is damaged ({_kind_of(error)}).", "bad")]
        if found:
            sections.append(Section(title, found))
    return RunSections(anchor, text_of(f"{record.name}/{record.run_id}"), record.status, sections)


def _kind_of(error: Exception) -> str:
    return text_of(f"{type(error).__name__}: {error}", 80)


def _trained(
    record: RunRecord, folder: Path, anchor: str, load_data: LoadData
) -> list[tuple[str, Callable[[], Iterator[Block]]]]:
    """The sections that need the network or its data."""
    model, predictions, warning = _predictions(record, folder, load_data)

    def classes() -> Iterator[Block]:
        if warning:
            yield Note(warning, "warning")
        if record.task == "classification":
            yield from class_blocks(record, predictions, anchor)
        elif predictions is not None:
            yield from regression_blocks(predictions)

    def weights() -> Iterator[Block]:
        if model is not None:
            yield from weight_blocks(record, model)

    def units() -> Iterator[Block]:
        if predictions is not None:
            yield from activity_blocks(record, predictions)

    def surface() -> Iterator[Block]:
        if model is not None and predictions is not None:
            yield from surface_blocks(predictions, model)

    return [
        ("Predictions", classes),
        ("Decision surface", surface),
        ("Weights", weights),
        ("Units", units),
    ]


def _curves(record: RunRecord, folder: Path) -> Iterator[Block]:
    fault = changed_file(folder, record, (HISTORY,))
    if fault is not None:
        yield Note(f"Its learning curve cannot be shown: {text_of(fault)}.", "bad")
        return
    yield from run_curves(read_history(folder), record.main_metric)


def _predictions(
    record: RunRecord, folder: Path, load_data: LoadData
) -> tuple[Model | None, Predictions | None, str]:
    if record.weights_sha256 is None:
        return None, None, ""
    try:
        refuse_changed(folder, record, MODEL)
        model = load(folder)
    except (NnrunError, OSError) as error:
        return None, None, f"Its network cannot be shown: {text_of(str(error))}."
    try:
        predictions = predictions_of(record, folder, load_data, model)
        warning = "" if agree(record, predictions) else _DISAGREE
        return model, predictions, warning
    except (NnrunError, OSError, MemoryError, *DAMAGE) as error:
        why = text_of(str(error) or type(error).__name__)
        return model, None, f"Its predictions cannot be shown: {why}."


def _result(record: RunRecord) -> Iterator[Block]:
    if record.description:
        yield Note(text_of(record.description, 500))
    if record.status != "completed":
        yield Note(sentence(text_of(record.error or record.status, 500)), "bad")
    for warning in warnings_of(record):
        yield Note(sentence(text_of(warning, 500)), "warning")
    if any(record.metrics.values()):
        parts = splits(record.dataset)
        header = ["", *parts, *(f"baseline {part}" for part in parts)]
        rows = [
            [
                Cell(row.label, kind="strong" if row.main else ""),
                *(_metric(row.key, value, "strong" if row.main else "") for value in row.ours),
                *(_metric(row.key, value, "soft") for value in row.baseline),
            ]
            for row in metric_rows(record)
        ]
        yield Grid("Metrics", header, rows)
        yield Note(f"The baseline is {baseline_line(record)}.")
    if record.published:
        title = "Published numbers"
        if source := published_source(record):
            title += f", from {text_of(source)}"
        rows = [
            [
                Cell(text_of(row.label)),
                _number(row.published),
                _number(row.ours),
                Cell(signed(row.difference), row.difference),
                Cell(percent(row.share), row.share),
            ]
            for row in published_rows(record)
        ]
        yield Grid(title, ["", "published", "ours", "difference", "relative"], rows)
    yield Note(f"{text_of(split_line(record.dataset))}.")
    yield from (Note(sentence(text_of(note))) for note in held_out_notes(record.dataset))
    yield Note(sentence(training_line(record)))


def _traceback(folder: Path) -> Iterator[Block]:
    """The last lines of the traceback of an unexpected error, if one ended the run."""
    try:
        content = read_regular(folder / TRACEBACK, _LONGEST_TRACEBACK)
    except OSError:
        return
    lines = content.decode(errors="replace").splitlines()[-_TRACEBACK_LINES:]
    yield Code("\n".join(text_of(line, 200) for line in lines))


def _metric(key: str, value: float | None, kind: str) -> Cell:
    return Cell(metric_number(key, value), value, kind=kind)


def _number(value: float | None, kind: str = "") -> Cell:
    return Cell(number(value), value, kind=kind)
