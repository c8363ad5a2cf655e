"""New rows of `nnrun predict`, the metrics of `--score`, and where predictions go."""

from __future__ import annotations

import codecs
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from nnrun.characters import clean, escaped
from nnrun.cli.group import Interruption
from nnrun.cli.models import Selected, decided, load_selected
from nnrun.cli.named_run import picked
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.data.columns.kinds import Written
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.inference.put_aside import BadRows
from nnrun.data.inference.sources import (
    FILE,
    ImageRows,
    Rows,
    WeightColumn,
    about_unseen,
    are_images,
)
from nnrun.data.inference.table_rows import CsvRows
from nnrun.errors import UsageError
from nnrun.models import scores as measured
from nnrun.models.model import Model
from nnrun.models.outside import COLUMN, values_of
from nnrun.models.predict import predict_rows
from nnrun.models.writing import WRITERS, check_carried, output_names, spelled
from nnrun.reports.numbers import count as counted
from nnrun.reports.numbers import first_of, plural
from nnrun.reports.run import scores_table
from nnrun.reports.summary import drift_table, metric_label, second_class_note
from nnrun.reports.terminal.fitting import table_of
from nnrun.runs.sharing import is_packed
from nnrun.runs.storage.durable import kept_back, written_whole
from nnrun.sweeps.named_runs import setting_word

# Where predictions go: a file or stdout, once all are made.


def format_of(file: Path | None, kind: str) -> str:
    """Format named by the ending of the output's name; `kind` if it has none.

    Raises: UsageError for an end of another format.
    """
    end = "" if file is None else file.suffix.lower()
    if end and end.removeprefix(".") not in WRITERS:
        raise UsageError(f"-o {file}: predictions are written as .csv, .json or .npz, by the name")
    return end.removeprefix(".") or kind


@contextmanager
def opened_sink(file: Path | None, kind: str) -> Iterator[BinaryIO]:
    """The file, or stdout where there is none; nothing is written if the block fails."""
    if file is not None:
        with written_whole(file) as sink:
            yield sink
        return
    if kind == "npz" and sys.stdout.isatty():
        raise UsageError("an npz archive is nothing for a terminal; name a file with -o FILE")
    sys.stdout.flush()
    stdout: Any = _Terminal() if sys.stdout.isatty() else sys.stdout.buffer
    with kept_back(stdout) as sink:
        yield sink


@contextmanager
def held_sink() -> Iterator[BinaryIO]:
    """A temporary file, in memory while it is small."""
    with tempfile.SpooledTemporaryFile(max_size=2**24) as file:
        yield cast(BinaryIO, file)


class _Terminal:
    """Shows UTF-8 text without what steers a terminal."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, content: bytes) -> None:
        sys.stdout.write(escaped(self._decode(content)))


# New rows as `nnrun predict` reads them, and the metrics of `--score` for them.


def scorer(selected: Selected) -> measured.Measured:
    """The metrics of the run's report, without the loss, for rows that are added."""
    record = selected.record
    names = [] if record is None else record.config.get("metrics") or []
    return measured.Measured(selected.model.task, names, measured.KEPT_BYTES)


def weight_column(selected: Selected) -> WeightColumn | None:
    """The column with the weights of rows that the run's metrics count by."""
    record = selected.record
    if record is None or "weights" not in record.dataset:
        return None
    columns = record.config["dataset"]["columns"]
    written = Written(selected.model.layout.columns.decimal, columns.get("formats") or {})
    return WeightColumn(columns["weight"], written.numbers(columns["weight"]))


def note_weights(output: Output, weight: WeightColumn | None, rows: Rows) -> None:
    """Say that the score is without weights where the run's own metrics have some."""
    if weight is not None and not rows.weighted:
        output.note(
            "the score counts every row once; the run's own metrics are by weights, and there is "
            f"no column '{clean(weight.name)}'"
        )


def show_score(
    output: Output, metrics: dict[str, Any], classes: Sequence[Any], *, to_stderr: bool
) -> None:
    """Print a table of the metrics, those of one class alone, and why some are undefined."""
    output.show(table_of(scores_table(metrics)), to_stderr=to_stderr)
    output.notes(map(clean, second_class_note(metrics, classes)))
    for name, reason in (metrics.get("undefined") or {}).items():
        output.note(f"{metric_label(name)} is undefined: {reason}")


# `nnrun predict RUN INPUT`: predictions for the rows of a file.


@dataclass(frozen=True)
class Request:
    """What `nnrun predict` writes, and where.

    Args:
        file: where predictions go; None for stdout.
        ids: columns of the input that predictions come with.
        skip_bad: where rows go that cannot be predicted; None to refuse the file.
        by: how NAME/best is chosen.
        score: whether to compare with the target.
        threshold: on the probability of the positive class.
        coverage: of the intervals or sets that come with the predictions.
        by_class: whether it is that of the rows of each class.
        calibrated: whether to predict by calibrated probabilities.
        outside: whether a column names cells that are unlike those of training.
        results: the results folder.
    """

    file: Path | None
    ids: tuple[str, ...]
    skip_bad: Path | None
    by: str | None
    score: bool
    threshold: float | None
    coverage: float | None
    by_class: bool
    calibrated: bool
    outside: bool
    results: Path


def predict_new_rows(output: Output, run: str, inputs: Sequence[Path], request: Request) -> None:
    """Write the predictions, and say what was ignored or put aside."""
    _check_files(run, inputs, request)
    selected = load_selected(run, request.results, output, request.by, inputs[0])
    if request.calibrated:
        selected = selected.calibrated(output)
    model, weight = selected.model, weight_column(selected) if request.score else None
    decision, promise = decided(model, request.threshold, output), None
    if request.coverage is not None:
        promise = model.promise(request.coverage, by_class=request.by_class)
    score = scorer(selected) if request.score else None
    in_json = output.json and request.file is None
    with ExitStack() as stack:
        stack.enter_context(Interruption(before="the predictions were complete"))
        source = _opened(inputs, model, request, weight, stack)
        note_weights(output, weight, source)
        if source.ignored:
            output.note(f"ignored, as in training: {first_of(source.ignored, 8)}")
        kind = "json" if in_json else format_of(request.file, source.kind)
        asked = (FILE,) if isinstance(source, ImageRows) else request.ids
        names = (*output_names(model, kind, promise), *([COLUMN] if request.outside else []))
        check_carried(asked, (*names, *source.added))
        outside = model.outside(far=request.outside)
        if request.outside and outside is None:
            raise UsageError("--outside is for columns; this network takes images or bare arrays")
        carried = (*source.added, *asked, *([COLUMN] if request.outside else []))
        place = held_sink() if in_json else opened_sink(request.file, kind)
        sink = stack.enter_context(place)
        with WRITERS[kind](model, sink, carried, promise) as writer:
            count = predict_rows(model, source, writer, score, outside, named=request.outside)
        metrics = None if score is None else score.metrics()
        data = {
            "run_id": model.run_id,
            "rows": count,
            "skipped": source.bad.total,
            "unseen": {name: category.to_dict() for name, category in source.unseen.items()},
            "outside": 0 if outside is None else outside.rows,
            **({"far": outside.far} if request.outside and outside is not None else {}),
            "unpredicted": source.unpredicted,
            "not_finite": writer.not_finite,
            "output": None if request.file is None else str(request.file),
            **decision,
            **({} if promise is None else {"coverage": promise.coverage}),
            "score": metrics,
        }
        if in_json:
            sink.seek(0)
            output.data(data, ("predictions", sink))
    output.data(data)
    output.notes(about_unseen(model.layout.columns, source.unseen))
    output.notes(() if outside is None else outside.notes())
    _note_skipped(output, source.bad, count, request)
    if source.unpredicted:
        rows_left = f"{counted(source.unpredicted)} of {plural(source.unpredicted + count, 'row')}"
        output.note(f"{rows_left} not predicted: too few known values in the rows before them")
    if writer.not_finite:
        lost = f"{counted(writer.not_finite)} of {plural(count, 'prediction')}"
        verb = "is" if writer.not_finite == 1 else "are"
        output.note(
            f"{lost} {verb} not finite (null in JSON): the numbers of these rows are too large for "
            f"the network's {model.network.dtype.name}"
        )
    if request.file is not None:
        output.note(f"wrote {plural(count, 'prediction')} to {request.file}")
    if metrics is not None:
        show_score(output, metrics, model.layout.classes, to_stderr=request.file is None)


def _check_files(run: str, inputs: Sequence[Path], request: Request) -> None:
    rows = inputs[0]
    if Path(run).is_file() and not is_packed(run) and not rows.exists():
        raise UsageError(
            f"'{run}' is a file; the run comes first, as in nnrun predict RUN {shlex.quote(run)}"
        )
    file, aside = request.file, request.skip_bad
    check_target(file, rows)
    check_target(aside, rows, "--skip-bad")
    if file is not None and aside is not None and aside.resolve() == file.resolve():
        raise UsageError(f"--skip-bad {aside}: predictions go there; name another")


def _opened(
    inputs: Sequence[Path],
    model: Model,
    request: Request,
    weight: WeightColumn | None,
    stack: ExitStack,
) -> Rows:
    if are_images(inputs):
        for option, value in (("--id", request.ids), ("--skip-bad", request.skip_bad)):
            if value:
                raise UsageError(f"{option} is for the rows of a table; images have their files")
        return ImageRows(inputs, model.layout, with_target=request.score)
    (rows,), aside = inputs, None
    if request.skip_bad is not None:
        aside = stack.enter_context(written_whole(request.skip_bad))
    opened = open_rows(
        rows,
        model.layout,
        with_target=request.score,
        carried=request.ids,
        weight=weight,
        aside=aside,
    )
    source = stack.enter_context(opened)
    if request.skip_bad is not None:
        _check_aside(request.skip_bad, source)
    return source


def _check_aside(file: Path, rows: Rows) -> None:
    """Raise a UsageError if the end of a name is that of another format than rows are put aside in.

    By the end, the file is read when its rows are predicted again.
    """
    ends = [".npz"]
    if isinstance(rows, CsvRows):
        ends = [".csv", ".tsv"] if rows.table.delimiter == "\t" else [".csv"]
    if file.suffix.lower() not in ("", *ends):
        raise UsageError(f"--skip-bad {file}: these rows are written as {' or '.join(ends)}")


def _note_skipped(output: Output, bad: BadRows, predicted: int, request: Request) -> None:
    if request.skip_bad is None:
        return
    output.notes(bad.lines())
    total = plural(bad.total + predicted, "row")
    output.note(f"put aside {counted(bad.total)} of {total}, in {request.skip_bad}")


def show_drift(output: Output, run: str, inputs: Sequence[Path], request: Request) -> None:
    """Print what moved in each column since training."""
    from nnrun.models.drift import MOST_ROWS, drift_of  # noqa: PLC0415  # for this alone

    _check_files(run, inputs, request)
    selected = load_selected(run, request.results, output, request.by, inputs[0])
    model, sample = selected.model, selected.model.sample
    if sample is None:
        raise UsageError("--drift is for columns; this network takes images or bare arrays")
    step, count, values = 1, 0, np.empty((0, sample.values.shape[1]), np.float32)
    with ExitStack() as stack:
        source = _opened(inputs, model, request, None, stack)
        for batch in source.batches(MOST_ROWS):
            rows = np.arange(-count % step, len(batch), step)
            values = np.concatenate([values, values_of(model.layout.columns, batch.x[rows])])
            count += len(batch)
            if len(values) > 2 * MOST_ROWS:  # every second row stays, and of later ones too
                step, values = 2 * step, values[::2]
    if not len(values):
        raise UsageError(f"{inputs[0]}: there are no rows to compare")
    columns = drift_of(sample, values)
    data = {"run_id": model.run_id, "rows": len(values), "training_rows": len(sample.values)}
    output.data({**data, "columns": columns})
    output.show(table_of(drift_table(columns)))
    rows_of_training = counted(len(sample.values))
    output.note(
        f"{counted(len(values))} of {plural(count, 'row')} beside {rows_of_training} of training, "
        "which are stored with the model"
    )
    _note_skipped(output, source.bad, count, request)


# `nnrun predict NAME --out-of-fold`: predictions for the data that the runs were made on.


def predict_out_of_fold(output: Output, run: str, request: Request) -> None:
    """Write the predictions, and say what they are made of."""
    # It imports engines.
    from nnrun.sweeps.out_of_fold import OUT_OF_FOLD_WRITERS, out_of_fold  # noqa: PLC0415

    file, score = request.file, request.score
    check_target(file)
    word, all_seeds = setting_word(run, request.results)
    folder = picked(word, request.results, output, request.by, in_folds=True)
    with Interruption(before="the predictions were complete"):
        tested = out_of_fold(
            folder, all_seeds=all_seeds, threshold=request.threshold, carried=request.ids
        )
        if file is not None or not output.json:
            kind = format_of(file, "csv")
            with opened_sink(file, kind) as sink:
                OUT_OF_FOLD_WRITERS[kind](tested, sink)
    several = f", each the mean of {len(tested.drawn)} runs" if len(tested.drawn) > 1 else ""
    output.note(f"out of fold: {plural(len(tested.rows), 'row')} in {tested.folds} folds{several}")
    if score and several:
        output.note("the score is of these means: as a rule better than that of a single run")
    for words in tested.incomplete:
        output.note(f"left out: {words}")
    if tested.untested:
        output.note(f"no fold tests {plural(tested.untested, 'row')}, the first by time")
    if file is not None:
        output.note(f"wrote {plural(len(tested.rows), 'prediction')} to {file}")
    data = {
        "name": tested.name,
        "folds": tested.folds,
        "seeds": tested.seeds,
        "split_seeds": [split for split, _ in tested.drawn],
        "rows": len(tested.rows),
        "untested": tested.untested,
        "incomplete": list(tested.incomplete),
        "output": None if file is None else str(file),
        "score": tested.score if score else None,
    }
    predictions = BytesIO()
    if output.json and file is None:
        OUT_OF_FOLD_WRITERS["json"](tested, predictions)
        predictions.seek(0)
        output.data(data, ("predictions", predictions))
    output.data(data)
    if score:
        show_score(output, tested.score, [*spelled(tested.classes)], to_stderr=file is None)
