"""The details of a run: result, learning curves, predictions, weights, config, network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nnrun.errors import NnrunError
from nnrun.models.files import MODEL
from nnrun.models.load import load
from nnrun.models.model import Model
from nnrun.reports.charts.svg import shortened
from nnrun.reports.examine import LoadData, Predictions, predictions_of
from nnrun.reports.html.about import again_blocks, config_blocks
from nnrun.reports.html.blocks import Block, Code, Note, Section, StatusMark
from nnrun.reports.html.class_curves import curve_blocks
from nnrun.reports.html.curves import run_curves
from nnrun.reports.html.importance import importance_blocks
from nnrun.reports.html.inside.layers import layer_blocks
from nnrun.reports.html.inside.rows import boundary_blocks
from nnrun.reports.html.inside.training import film_blocks, training_blocks
from nnrun.reports.html.predictions import agree, class_blocks, regression_blocks
from nnrun.reports.html.weights import activity_blocks, surface_blocks, weight_blocks
from nnrun.reports.importance.measure import importance_of
from nnrun.reports.markup import sentence
from nnrun.reports.run_tables import (
    metrics_table,
    network_table,
    published_table,
)
from nnrun.reports.split_words import decision_line, decision_table
from nnrun.reports.summary import (
    baseline_line,
    held_out_notes,
    metric_notes,
    published_source,
    split_line,
    training_line,
    warnings_of,
)
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.history import read_history
from nnrun.runs.storage.contents.names import HISTORY, TRACEBACK
from nnrun.runs.storage.durable.files import read_regular
from nnrun.runs.storage.integrity import changed_file, no_model, refuse_changed

Part = tuple[str, Callable[[], Iterator[Block]]]
_LONGEST_TRACEBACK = 1_000_000
_TRACEBACK_LINES = 40
# What is worth printing in brief.
_BRIEF = ("Result", "Traceback", "Learning curves", "Predictions", "Config")
_WITHOUT_DATA = (
    "The outputs of its layers and the rows near its boundary are left out, since its data cannot "
    "be used."
)
_DISAGREE = "Its network, loaded again, gives other metrics than its report."
# Errors that reading the values of a damaged report can raise.
DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)


@dataclass(frozen=True)
class RunSections:
    """Everything about one run, whose id in the page is `anchor`."""

    anchor: str
    name: str
    status: StatusMark
    sections: Sequence[Section]


def run_sections(
    record: RunRecord,
    folder: Path,
    anchor: str,
    varying: Sequence[str],
    load_data: LoadData,
    *,
    importance: bool = False,
    brief: bool = False,
) -> RunSections:
    """The details of a run; a section that cannot be shown says why.

    `anchor` is its id in the page, and runs of its name differ in the keys `varying`; with
    `importance` it is computed which columns count, and `brief` is what is worth printing.
    """
    parts: list[Part] = [
        ("Result", lambda: _result(record)),
        ("Traceback", lambda: _traceback(folder)),
        ("Learning curves", lambda: _curves(record, folder)),
        ("Inside while it trained", lambda: training_blocks(record, folder)),
        *_trained(record, folder, anchor, load_data),
        *(_important(record, folder, load_data) if importance else ()),
        ("Config", lambda: config_blocks(record, varying)),
        ("Network", lambda: iter([] if record.beside else [network_table(record.network)])),
        ("To repeat it", lambda: again_blocks(record)),
    ]
    sections = []
    for title, blocks in parts:
        if brief and title not in _BRIEF:
            continue
        try:
            found = list(blocks())
        except DAMAGE as error:
            kind = shortened(f"{type(error).__name__}: {error}", 80)
            found = [Note(f"This part of its report is damaged ({kind}).", "bad")]
        if found:
            sections.append(Section(title, found))
    name = shortened(f"{record.name}/{record.run_id}")
    return RunSections(anchor, name, StatusMark.of(record.status, len(record.warnings)), sections)


def _trained(record: RunRecord, folder: Path, anchor: str, load_data: LoadData) -> list[Part]:
    model, predictions, warning = _predictions(record, folder, load_data)

    def classes() -> Iterator[Block]:
        if warning:
            yield Note(warning, "warning")
        if record.task == "classification":
            yield from class_blocks(record, predictions, anchor)
        elif predictions is not None:
            yield from regression_blocks(predictions)

    parts: list[Part] = [("Predictions", classes)]
    if predictions is not None and record.task == "classification":
        parts.append(("Curves by class", lambda: curve_blocks(predictions)))
    if model is not None and predictions is not None:
        parts.append(("Near the boundary", lambda: boundary_blocks(model, predictions)))
        parts.append(("Decision surface", lambda: surface_blocks(predictions, model)))
        film = ("Over training", lambda: film_blocks(record, folder, model, predictions))
        parts.append(film)
    if model is not None:
        parts.append(("Weights", lambda: weight_blocks(record, model)))
    if model is not None and predictions is not None:
        parts.append(("Units", lambda: activity_blocks(record, predictions)))
        parts.append(("Inside", lambda: layer_blocks(record, model, predictions)))
    elif model is not None:
        parts.append(("Inside", lambda: iter([Note(_WITHOUT_DATA)])))
    return parts


def _important(record: RunRecord, folder: Path, load_data: LoadData) -> Iterator[Part]:
    if record.weights_sha256 is None and record.beside is None:
        return

    def blocks() -> Iterator[Block]:
        if record.beside is not None:
            yield Note(f"This is not computed: {shortened(no_model(record))}.")
            return
        try:
            yield from importance_blocks(importance_of(folder, record, load_data))
        except (NnrunError, OSError, MemoryError) as error:
            yield Note(f"Which columns count cannot be computed: {shortened(str(error))}.", "bad")

    images = len(record.network["input_shape"]) > 1
    yield f"Which {'pixels' if images else 'columns'} count", blocks


def _curves(record: RunRecord, folder: Path) -> Iterator[Block]:
    fault = changed_file(folder, record, (HISTORY,))
    if fault is not None:
        yield Note(f"Its learning curve cannot be shown: {shortened(fault)}.", "bad")
        return
    yield from run_curves(read_history(folder), record)


def _predictions(
    record: RunRecord, folder: Path, load_data: LoadData
) -> tuple[Model | None, Predictions | None, str]:
    if record.weights_sha256 is None:
        return None, None, ""
    try:
        refuse_changed(folder, record, MODEL)
        model = load(folder)
    except (NnrunError, OSError) as error:
        return None, None, f"Its network cannot be shown: {shortened(str(error))}."
    try:
        predictions = predictions_of(record, model, load_data)
        warning = "" if agree(record, predictions) else _DISAGREE
        return model, predictions, warning
    except (NnrunError, OSError, MemoryError, *DAMAGE) as error:
        why = shortened(str(error) or type(error).__name__)
        return model, None, f"Its predictions cannot be shown: {why}."


def _result(record: RunRecord) -> Iterator[Block]:
    if record.description:
        yield Note(shortened(record.description, 500))
    if record.status != "completed":
        yield Note(sentence(shortened(record.error or record.status, 500)), "bad")
    for warning in warnings_of(record):
        yield Note(sentence(shortened(warning, 500)), "warning")
    if any(record.metrics.values()):
        yield metrics_table(record)
        yield Note(f"The baseline is {baseline_line(record)}.")
    yield from (Note(sentence(note), "warning") for note in metric_notes(record))
    if (decided := decision_table(record)) is not None:
        yield replace(decided, title=shortened(decided.title))
        yield Note(sentence(shortened(decision_line(record), 500)))
    if record.published:
        table, source = published_table(record), published_source(record)
        yield replace(table, title=f"{table.title}, from {shortened(source)}") if source else table
    yield Note(f"{shortened(split_line(record.dataset))}.")
    yield from (Note(sentence(shortened(note))) for note in held_out_notes(record.dataset))
    if record.dataset.get("note"):
        yield Note(shortened(str(record.dataset["note"]), 1000), "warning")
    yield Note(sentence(training_line(record)))


def _traceback(folder: Path) -> Iterator[Block]:
    """The last lines of the traceback of an unexpected error, if one ended the run."""
    try:
        content = read_regular(folder / TRACEBACK, _LONGEST_TRACEBACK)
    except OSError:
        return
    lines = content.decode(errors="replace").splitlines()[-_TRACEBACK_LINES:]
    yield Code("\n".join(shortened(line, 200) for line in lines))
