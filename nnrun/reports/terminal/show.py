"""One run, for the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.names import SPLITS
from nnrun.config.settings import setting_of, value_words
from nnrun.reports.document import ASKED, AT_ONCE, Code
from nnrun.reports.numbers import moment, number, plural
from nnrun.reports.progress_words import iteration_words, pace_words, status_of
from nnrun.reports.run import curves_of, run_document, run_parts
from nnrun.reports.run_verdict import summary_verdict
from nnrun.reports.summary import History
from nnrun.reports.terminal.fitting import blocks, document, labelled, plots, unbroken, verdict_text
from nnrun.runs.catalog.summary import DAMAGED, FAULTY, RunSummary
from nnrun.runs.record import Replicate, RunRecord
from nnrun.runs.storage.progress import RunProgress
from nnrun.runs.storage.reading import WATCHED, remedy

if TYPE_CHECKING:  # imports NumPy
    from nnrun.nn.signature import Array
    from nnrun.reports.importance import Importance, PixelMap
    from nnrun.training.watched import Watched


_BLOCKS = ("dataset", "network", "loss", "training")


def run_summary(record: RunRecord, folder: Path) -> RenderableType:
    """A run's result: name, metrics, remarks, and the path of its report."""
    place = Code(str(folder / "report.md"), "report")
    return document(run_document(record, run_parts(record, {}, place)))


@group()
def run_in_full(
    run: RunSummary, record: RunRecord, history: History, folder: Path, packed: str | None = None
) -> Iterator[RenderableType]:
    """Results, learning curves, confusion matrix, network, and the command that repeats it.

    `packed` is the file that the run was unpacked from; its folder is there for this command alone.
    """
    if run.status != record.status:
        yield Text(f"{run.status}: the following is from its last report", "bold yellow")
    if run.error and run.error != record.error:
        yield Text(clean(run.error), "bold red")
    if run.error and run.status == DAMAGED:
        yield unbroken("to do", clean(remedy(run.error, None if packed else folder)))
    if run.note:
        yield labelled("note", clean(run.note))
    if record.commit:
        yield labelled("commit", record.commit)
        yield Text()
    if packed is None:
        place, command = Code(str(folder / "report.md"), "report"), again(folder)
    else:
        place, command = Code(packed, "file"), shlex.join(["nnrun", "verify", packed])

    def watched() -> Watched | None:
        if WATCHED not in record.files:
            return None
        from nnrun.runs.storage.contents import read_watched  # noqa: PLC0415  # slow

        return read_watched(folder, record)

    yield document(run_document(record, run_parts(record, history, place, command, watched)), ASKED)


@group()
def run_at_a_glance(run: RunSummary, folder: Path) -> Iterator[RenderableType]:
    """The summary of a run without a readable report, and its curve if it is in progress."""
    yield Text.assemble((clean(run.name), "bold"), "  ", run.run_id, f"  {status_of(run)}")
    yield verdict_text(summary_verdict(run))
    yield Text()
    if run.progress is not None:
        yield from _so_far(run, run.progress)
    if run.error:
        yield labelled("why", clean(run.error))
    if run.status in FAULTY:
        yield unbroken("to do", clean(remedy(run.error, folder)))
    if run.started:
        changed = moment(run.started).replace("T", " ").partition("+")[0]
        yield labelled("changed", f"{changed} UTC")
    yield unbroken("folder", clean(str(folder)))


def _so_far(run: RunSummary, progress: RunProgress) -> Iterator[RenderableType]:
    pace = pace_words(progress.rate, progress.left)
    yield labelled("at", ", ".join(filter(None, [iteration_words(progress), *pace])))
    if progress.losses:
        losses = (f"{number(loss)} {split}" for split, loss in progress.losses.items())
        yield labelled("loss", ", ".join(losses))
    replicate = Replicate(progress.seed, progress.split_seed, progress.fold)
    yield labelled("seed", replicate.words.removeprefix("seed="))
    for key in _BLOCKS:
        if block := setting_of(run.settings, key):
            yield labelled(key, clean(value_words(key, block)))
    if (curves := curves_of(progress.columns(), ["loss"], SPLITS)) is not None:
        for plot in plots(curves):
            yield Text()
            yield plot
            yield Text()


def again(folder: Path) -> str:
    """The command that repeats a run, into another folder."""
    return shlex.join(["nnrun", "train", str(folder / "config.yaml"), "--results", "again"])


# Which columns or pixels count.

_SHADES = " ░▒▓█"


@group()
def importance_table(importance: Importance) -> Iterator[RenderableType]:
    """A row for each column, the most important first; for images the maps of occlusion."""
    from nnrun.reports.importance import importance_blocks  # noqa: PLC0415  # slow

    yield Text.assemble((clean(importance.name), "bold"), "  ", (importance.run_id, "dim"))
    yield from blocks([b for b in importance_blocks(importance) if b.level == AT_ONCE])
    if importance.pixels:
        yield Text()
        for pixels in importance.pixels:
            yield from _map(pixels)
        yield Text()
        yield Text(
            "Where a patch has the mean pixels of these images, the probability of the class is "
            "lower by so much; nnrun report --importance draws this, and the gradients.",
            "dim",
        )


def _map(pixels: PixelMap) -> Iterator[Text]:
    lost = pixels.occlusion
    largest, most, rows = float(abs(lost).max()), float(lost.max()), plural(pixels.rows, "row")
    yield Text(f"{clean(pixels.name)}: the darkest pixels lose {number(most)} ({rows})")
    yield Text("\n".join(_line(row, largest) for row in lost))


def _line(row: Array, largest: float) -> str:
    shares = (row / (largest or 1.0)).clip(0, 1)
    return "".join(2 * _SHADES[round(float(share) * (len(_SHADES) - 1))] for share in shares)
