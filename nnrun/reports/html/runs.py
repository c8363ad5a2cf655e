"""The details of a run: result, learning curves, predictions, weights, config, network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from nnrun.characters import shortened
from nnrun.config.load import canonical, config_from_dict
from nnrun.config.names import SPLITS, changes_nothing
from nnrun.config.settings import choice_of, flatten, setting_words
from nnrun.config.yaml_scalars import flow
from nnrun.errors import NnrunError
from nnrun.models import MODEL
from nnrun.models.load import load_model
from nnrun.models.model import Model
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.lines import lines
from nnrun.reports.document import (
    NOW,
    Block,
    Cell,
    Code,
    Curves,
    Figures,
    Folded,
    Grid,
    Note,
    Section,
    Setting,
    Settings,
    StatusMark,
)
from nnrun.reports.html.curves import by_split, figures_of
from nnrun.reports.html.layers import activity_blocks, layer_blocks, surface_blocks, weight_blocks
from nnrun.reports.html.predictions import (
    agree,
    boundary_blocks,
    class_blocks,
    curve_blocks,
    regression_blocks,
)
from nnrun.reports.importance import importance_blocks, known_importance
from nnrun.reports.left_out import left_out, left_out_blocks
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import MISSING, count, number, plural, remaining
from nnrun.reports.predictions import LoadData, Predictions, predictions_of
from nnrun.reports.progress_words import share_words, sweep_line, telling
from nnrun.reports.run import Part, curves_of, run_parts
from nnrun.reports.slices import report_slices
from nnrun.reports.watched import film_blocks, training_blocks
from nnrun.runs.catalog.summarize import PLACES
from nnrun.runs.catalog.summary import QUEUED, RunSummary, most_varied
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.durable import read_regular
from nnrun.runs.storage.progress import RunProgress
from nnrun.runs.storage.reading import (
    HISTORY,
    TRACEBACK,
    changed_file,
    read_history,
    refuse_changed,
)
from nnrun.runs.storage.sweep_progress import SweepCounts


def config_blocks(record: RunRecord, varying: Sequence[str]) -> Iterator[Block]:
    """Every key of the config, defaults dimmed."""
    config = {key: value for key, value in record.config.items() if not changes_nothing(key)}
    written = _given(record.config)
    # Of the paths of data the names alone, since the page is made to be shared.
    values = {
        key: Path(value).name if key in PLACES and isinstance(value, str) else value
        for key, value in flatten(config).items()
    }
    settings = [
        Setting(
            shortened(key, 80), MISSING if value is None else shortened(flow(value)),
            default=not _is_within(key, written), differs=_is_within(key, varying),
        )
        for key, value in values.items()
    ]  # fmt: skip
    chosen = [setting for setting in settings if setting.differs or not setting.default]
    yield Settings(chosen, [setting for setting in settings if setting not in chosen])
    if varying:
        yield Note(
            "Marked keys are those in which runs of this name differ; grey ones are defaults."
        )


def _is_within(key: str, blocks: Iterable[str]) -> bool:
    """Whether it is one of these keys, or of a block that is one of them."""
    return any(f"{key}.".startswith(f"{block}.") for block in blocks)


def _given(config: dict[str, Any]) -> set[str]:
    """The keys that differ from their defaults, and the blocks that are there of their own."""
    try:
        whole = config_from_dict(config)
    except NnrunError:
        return set(flatten(config))
    default = type(whole).model_fields["seed"].get_default()
    return set(flatten(canonical(whole))) | ({"seed"} if whole.seed != default else set())


_LONGEST_TRACEBACK = 1_000_000
_TRACEBACK_LINES = 40
# What is worth printing in brief.
_BRIEF = ("Result", "Traceback", "Learning curves", "Predictions", "Config")
# What few readers come for is below the rest, and closed.
_FOLDED = (
    *("Curves by class", "Near the boundary", "Inside while it trained", "Over training"),
    *("Weights", "Units", "Inside", "Config", "Network", "To repeat it"),
)
_AT_ONCE = ("Metrics", "Published numbers", "baseline", "")
_MOST_IMPORTANT = 6  # columns
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
    place: str = "",
    importance: float = 0.0,
    brief: bool = False,
) -> RunSections:
    """The details of a run; a section that cannot be shown says why.

    `anchor` is its id in the page, and runs of its name differ in the keys `varying`; `place` is
    its place among its siblings. It is computed which columns count where that is not stored, and
    would take at most `importance` seconds. `brief` is what is worth printing.
    """
    document = dict(run_parts(record, {}))
    about = [Note(text) for text in (sentence(place) if place else "", record.description) if text]
    parts: list[Part] = [
        ("Result", lambda: _result(chain(about, document["Result"]()))),
        ("Traceback", lambda: _traceback(folder)),
        *_important(record, folder, load_data, importance),
        ("Learning curves", lambda: _curves(record, folder)),
        *_trained(record, folder, anchor, load_data),
        ("Inside while it trained", lambda: training_blocks(record, folder)),
        ("Config", lambda: config_blocks(record, varying)),
        *((title, document[title]) for title in ("Network", "To repeat it")),
    ]
    parts.sort(key=lambda part: part[0] in _FOLDED)
    sections = []
    for title, blocks in parts:
        if brief and title not in _BRIEF:
            continue
        try:
            content = [*drawn(blocks())]
        except DAMAGE as error:
            kind = shortened(f"{type(error).__name__}: {error}", 80)
            content = [Note(f"This part of its report is damaged ({kind}).", "bad")]
        if brief:  # paper cannot be opened
            inner = (b.blocks if isinstance(b, Folded) else [b] for b in content)
            content = [*chain.from_iterable(inner)]
        if content:
            sections.append(Section(title, content, folded=title in _FOLDED and not brief))
    name = shortened(f"{record.name}/{record.run_id}")
    return RunSections(anchor, name, StatusMark.of(record.status, len(record.warnings)), sections)


def _result(blocks: Iterable[Block]) -> Iterator[Block]:
    """The metrics and what is wrong with them; the rest is folded, by the names of what it is."""
    rest: list[Block] = []
    for block in blocks:
        name = block.label if isinstance(block, Note) else getattr(block, "title", None)
        if name in _AT_ONCE or (isinstance(block, Note) and block.kind):
            yield block
        else:
            rest.append(block)
    if rest:
        labels = dict.fromkeys(block.label for block in rest if isinstance(block, Note))
        yield Folded(", ".join(labels).capitalize() or "More", rest)


def _trained(record: RunRecord, folder: Path, anchor: str, load_data: LoadData) -> Iterator[Part]:
    model, predictions, warning = _predictions(record, folder, load_data)

    def classes() -> Iterator[Block]:
        if warning:
            yield Note(warning, "warning")
        if record.task == "classification":
            yield from class_blocks(record, predictions, anchor)
        elif predictions is not None:
            yield from regression_blocks(predictions)

    yield "Predictions", classes
    if model is None:
        return
    if predictions is None:
        yield "Weights", lambda: weight_blocks(record, model)
        yield "Inside", lambda: [Note(_WITHOUT_DATA)]
        return
    yield "For whom it is worse", lambda: report_slices(record, model, predictions)
    if record.task == "classification":
        yield "Curves by class", lambda: curve_blocks(predictions)
    yield "Left out", lambda: left_out_blocks(left_out(record, model, load_data))
    yield "Near the boundary", lambda: boundary_blocks(model, predictions)
    yield "Decision surface", lambda: surface_blocks(predictions, model)
    yield "Over training", lambda: film_blocks(record, folder, model, predictions)
    yield "Weights", lambda: weight_blocks(record, model)
    yield "Units", lambda: activity_blocks(record, predictions)
    yield "Inside", lambda: layer_blocks(record, model, predictions)


def _important(record: RunRecord, folder: Path, data: LoadData, most: float) -> Iterator[Part]:
    if record.weights_sha256 is None and not most:
        return

    def blocks() -> Iterator[Block]:
        try:
            every = [*importance_blocks(known_importance(folder, record, data, most))]
        except (NnrunError, OSError, MemoryError) as error:
            yield Note(f"This is not computed: {shortened(str(error))}.", "small")
            return
        rest = [block for block in every if isinstance(block, Note) and block.kind == "small"]
        yield from (_first_rows(block) for block in every if block not in rest)
        long = [b for b in every if isinstance(b, Grid) and len(b.rows) > _MOST_IMPORTANT]
        if rest:
            yield Folded(f"How to read it{', and all columns' * len(long)}", [*rest, *long])

    images = len(record.network["input_shape"]) > 1
    yield f"Which {'pixels' if images else 'columns'} count", blocks


def _first_rows(block: Block) -> Block:
    if not isinstance(block, Grid):
        return block
    return replace(block, rows=block.rows[:_MOST_IMPORTANT], sortable=False)


def _curves(record: RunRecord, folder: Path) -> Iterator[Block]:
    fault = changed_file(folder, record, (HISTORY,))
    if fault is not None:
        yield Note(f"Its learning curve cannot be shown: {shortened(fault)}.", "bad")
        return
    parts = dict(run_parts(record, read_history(folder)))
    yield from parts["Learning curves"]()


def _predictions(
    record: RunRecord, folder: Path, load_data: LoadData
) -> tuple[Model | None, Predictions | None, str]:
    if record.weights_sha256 is None:
        return None, None, ""
    try:
        refuse_changed(folder, record, MODEL)
        model = load_model(folder)
    except (NnrunError, OSError) as error:
        return None, None, f"Its network cannot be shown: {shortened(str(error))}."
    try:
        predictions = predictions_of(record, model, load_data)
        warning = "" if agree(record, predictions) else _DISAGREE
        return model, predictions, warning
    except (NnrunError, OSError, MemoryError, *DAMAGE) as error:
        why = shortened(str(error) or type(error).__name__)
        return model, None, f"Its predictions cannot be shown: {why}."


def drawn(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks of a document as pages have them: curves as charts."""
    for block in blocks:
        if isinstance(block, Curves):
            yield from figures_of(block)
        else:
            yield block


def _traceback(folder: Path) -> Iterator[Block]:
    """The last lines of the traceback of an unexpected error, if one ended the run."""
    try:
        content = read_regular(folder / TRACEBACK, _LONGEST_TRACEBACK)
    except OSError:
        return
    lines = content.decode(errors="replace").splitlines()[-_TRACEBACK_LINES:]
    yield Code("\n".join(shortened(line, 200) for line in lines))


# Runs in progress: how far they have come, and their losses so far.

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
    seen = [(run, run.progress) for run in running if run.progress is not None]
    charts = [
        chart
        for run, progress in seen[:_MOST_DRAWN]
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
    return setting_words(choice_of(dict(run.settings), keys))


def _chart(run: RunSummary, progress: RunProgress, keys: Sequence[str]) -> Chart | None:
    """Its losses, over all of the iterations that it will make."""
    curves = curves_of(progress.columns(), ["loss"], SPLITS)
    if curves is None:
        return None
    series = by_split(curves.iterations, curves.curves[0])
    choice = _choice(run, keys)
    name = f"{choice} seed={run.seed}" if choice and run.seed is not None else run.label
    reach = (0.0, float(progress.iterations))
    title = f"loss of {shortened(name)}"
    return lines(title, series, y_label="loss", reach=reach)
