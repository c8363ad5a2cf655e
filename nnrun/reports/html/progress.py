"""Runs in progress: how far they have come, and their losses so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnrun.characters import shortened
from nnrun.config.names import SPLITS
from nnrun.config.setting_words import choice_words
from nnrun.config.settings import choice_of
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.lines import lines
from nnrun.reports.document import NOW, Block, Cell, Figures, Grid, Note, Section
from nnrun.reports.html.curves import by_split
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import MISSING, count, number, plural, remaining
from nnrun.reports.progress_words import share_words, sweep_line, telling
from nnrun.reports.run import curves_of
from nnrun.runs.catalog.summary import QUEUED, RunSummary, most_varied
from nnrun.runs.storage.contents.progress import RunProgress
from nnrun.runs.storage.sweep_progress import SweepCounts

_MOST_ROWS = 100
_MOST_DRAWN = 12


def in_progress(
    runs: Sequence[RunSummary], sweeps: Sequence[SweepCounts] = ()
) -> Iterator[Section]:
    """A section about those that are running, and these sweeps; none where there are none."""
    running = telling(runs, sweeps)
    notes = [Note(sentence(sweep_line(sweep))) for sweep in sweeps]
    if running or notes:
        blocks = _blocks(running, runs, counted=bool(sweeps)) if running else ()
        yield Section("In progress", [*notes, *blocks], NOW)


def _blocks(
    running: Sequence[RunSummary], runs: Sequence[RunSummary], *, counted: bool
) -> Iterator[Block]:
    keys = most_varied(runs)
    header = ["run", "settings", "seed", "done", "left", *(f"{split} loss" for split in SPLITS)]
    rows = [_row(run, keys.get(run.name, ())) for run in running[:_MOST_ROWS]]
    yield Grid("In progress", header, rows, texts=2, hidden=True)
    if len(running) > _MOST_ROWS:
        yield Note(f"{count(len(running) - _MOST_ROWS)} more are left out.", "warning")
    queued = sum(run.status == QUEUED for run in runs)
    if queued and not counted:
        yield Note(f"Next in a sweep: {plural(queued, 'run')}.", "small")
    known = [(run, run.progress) for run in running if run.progress is not None]
    charts = [
        chart
        for run, progress in known[:_MOST_DRAWN]
        if (chart := _chart(run, progress, keys.get(run.name, ())))
    ]
    if charts:
        yield Figures(charts, [(index, split) for index, split in enumerate(SPLITS)])


def _row(run: RunSummary, keys: Sequence[str]) -> list[Cell]:
    choice = _choice(run, keys)
    progress = run.progress
    losses = {} if progress is None else progress.losses
    left = None if progress is None else progress.left
    return [
        Cell(shortened(run.label)),
        Cell(shortened(choice) or MISSING),
        Cell(MISSING if run.seed is None else str(run.seed), run.seed),
        Cell(" ".join(share_words(progress)) or MISSING),
        Cell(MISSING if left is None else remaining(left), left),
        *(Cell(number(loss), loss) for loss in map(losses.get, SPLITS)),
    ]


def _choice(run: RunSummary, keys: Sequence[str]) -> str:
    return " ".join(choice_words(choice_of(dict(run.settings), keys)))


def _chart(run: RunSummary, progress: RunProgress, keys: Sequence[str]) -> Chart | None:
    """Its losses, over all of the iterations that it will make."""
    found = curves_of(progress.columns(), ["loss"], SPLITS)
    if found is None:
        return None
    series = by_split(found.iterations, found.curves[0])
    choice = _choice(run, keys)
    name = f"{choice} seed={run.seed}" if choice and run.seed is not None else run.label
    reach = (0.0, float(progress.iterations))
    title = f"loss of {shortened(name)}"
    return lines(title, series, x_label="iteration", y_label="loss", reach=reach)
