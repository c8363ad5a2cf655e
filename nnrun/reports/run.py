"""The document of a run, and its tables."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nnrun.config.names import naive_words
from nnrun.config.settings import flatten
from nnrun.errors import NnrunError
from nnrun.reports.document import (
    ASKED,
    AT_ONCE,
    WHOLE,
    Block,
    Cell,
    Code,
    Curve,
    Curves,
    Document,
    Folded,
    Grid,
    Note,
    Section,
    StatusMark,
)
from nnrun.reports.markup import document_markdown
from nnrun.reports.numbers import (
    MISSING,
    count,
    metric_number,
    moment,
    number,
    percent,
    shape,
    signed,
)
from nnrun.reports.run_verdict import run_verdict
from nnrun.reports.summary import (
    History,
    baseline_line,
    calibration_table,
    calibration_words,
    coverage_line,
    coverage_tables,
    curve_names,
    data_line,
    decision_line,
    decision_table,
    first_sentence,
    layer_rows,
    members_line,
    metric_label,
    metric_notes,
    metrics_of,
    monitored,
    published_rows,
    split_title,
    splits,
    training_line,
    warnings_of,
)

if TYPE_CHECKING:  # not imported for lists of runs
    from nnrun.runs.record import RunRecord, RunResult
    from nnrun.training.watched import Watched

Part = tuple[str, Callable[[], Iterable[Block]]]
"""The title of a section, and what makes its blocks."""

_OF_CLASSES = ("precision", "recall", "f1")
# A larger matrix does not fit a page; report.json has it.
_MOST_CLASSES = 20


def run_document(record: RunRecord, parts: Sequence[Part]) -> Document:
    """What there is to say of a run, in these parts."""
    return Document(
        record.name,
        run_verdict(record),
        [Section(title, [*blocks()]) for title, blocks in parts],
        record.run_id,
        StatusMark.of(record.status, len(record.warnings)),
        record.description,
    )


def run_parts(
    record: RunRecord,
    history: History,
    place: Code | None = None,
    again: str = "",
    watched: Callable[[], Watched | None] = lambda: None,
    config_yaml: str = "",
) -> list[Part]:
    """The sections about a run.

    Args:
        record: its report.
        history: the columns of history.csv.
        place: where its report is.
        again: the command that trains it again; its default is for the run's folder.
        watched: reads what was recorded while it trained.
        config_yaml: the config with all defaults.
    """
    return [
        ("Result", partial(_result, record, place)),
        ("Learning curves", partial(_curves, record, history)),
        ("Inside while it trained", partial(_inside, record, watched)),
        ("Predictions", partial(_predictions, record)),
        ("Network", partial(_network, record)),
        ("Config", partial(_config, config_yaml)),
        ("To repeat it", partial(again_blocks, record, again)),
    ]


def report_markdown(result: RunResult) -> str:
    """The content of report.md: everything about a run, for people."""
    rows = result.history
    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
    parts = run_parts(
        result.record, columns, watched=lambda: result.watched, config_yaml=result.config_yaml
    )
    return document_markdown(run_document(result.record, parts))


def _result(record: RunRecord, place: Code | None) -> Iterator[Block]:
    if record.error and record.status != "completed":
        yield Note(record.error, "bad", "error", level=ASKED)
    level = AT_ONCE if any(record.metrics.values()) else WHOLE
    yield replace(metrics_table(record), level=level)
    for warning in warnings_of(record):
        asked = AT_ONCE if record.status == "completed" else ASKED
        yield Note(warning, "warning", "warning", level=asked)
    for note in metric_notes(record):
        yield Note(note, "warning", "metrics")
    yield Note(baseline_line(record), label="baseline", level=level)
    if members := members_line(record):
        yield Note(members, label="members", level=level)
    if (decided := decision_table(record)) is not None:
        yield decided
        yield Note(decision_line(record), label="threshold")
    yield from coverage_tables(record)
    if covered := coverage_line(record):
        yield Note(covered, label="coverage", level=ASKED)
    if (calibrated := calibration_table(record)) is not None and record.calibration:
        yield calibrated
        words = f"probabilities {calibration_words(record.calibration)}"
        yield Note(f"{words}; `nnrun predict --calibrated`", label="chances", level=ASKED)
    if record.published:
        yield published_table(record)
        source = str((record.config.get("published") or {}).get("source") or "")
        yield Note(source or "the config names no source", label="published")
    if note := str(record.dataset.get("note") or ""):
        first = first_sentence(note)
        more = f" (`nnrun datasets {record.dataset['name']}` says more.)"
        yield Note(note, "warning", "note", first + more * (first != note))
    if about := record.dataset.get("description"):
        yield Note(str(about), label="data set", level=WHOLE)
    yield Note(data_line(record.dataset), label="data")
    yield Note(training_line(record), label="training")
    if place is not None:
        yield place


def _curves(record: RunRecord, history: History) -> Iterator[Block]:
    names = curve_names(record.main_metric, [history], monitored(record))
    curves = curves_of(history, names, splits(record.dataset), kept_moment(record))
    if curves is not None:
        yield curves
        yield Note("Every evaluation is in history.csv of the run's folder.", "small", level=WHOLE)
    sizes = {split: history.get(f"{split}_rows") for split in splits(record.dataset)}
    parts = [f"{count(int(rows[0]))} {split}" for split, rows in sizes.items() if rows]
    if parts:
        yield Note(
            f"Evaluations before the last one are on {', '.join(parts)} rows, the last on all.",
            level=ASKED,
        )


def _config(config_yaml: str) -> Iterator[Block]:
    if config_yaml:
        yield Note("Resolved, with all defaults; the same as config.yaml.", level=WHOLE)
        yield Code(config_yaml, language="yaml", level=WHOLE)


def curves_of(
    history: History,
    names: Sequence[str],
    parts: Sequence[str],
    moment: tuple[int, str] | None = None,
) -> Curves | None:
    """The curves of these metrics on these splits; None without evaluations."""
    iterations = history.get("iteration") or ()
    curves = [
        Curve(metric_label(name), name, lines)
        for name in names
        if (lines := {s: column for s in parts if (column := history.get(f"{s}_{name}"))})
    ]
    epochs = history.get("epoch") or ()
    return Curves(iterations, epochs, curves, moment) if len(iterations) and curves else None


def kept_moment(record: RunRecord) -> tuple[int, str] | None:
    """Iteration whose weights early stopping has kept, or the best it saw if it restores none."""
    stopping = (record.config.get("training") or {}).get("early_stopping")
    if not stopping or record.best_iteration is None:
        return None
    what = "weights kept from" if stopping["restore_best"] else "best at"
    return record.best_iteration, f"{what} iteration {count(record.best_iteration)}"


def _inside(record: RunRecord, watched: Callable[[], Watched | None]) -> Iterator[Block]:
    try:
        recorded = watched()
    except NnrunError as error:
        yield Note(f"What was recorded cannot be shown: {error}", "bad", level=ASKED)
        return
    if recorded is None or not recorded.iterations:
        return
    from nnrun.reports.watched import inside_table, looks_line  # noqa: PLC0415 - slow

    yield inside_table(recorded, record)
    looks = looks_line(recorded)
    yield Note(f"{looks}.", short=f"{looks}; nnrun report has it as charts.", level=ASKED)


def _predictions(record: RunRecord) -> Iterator[Block]:
    """Metrics of each class and the confusion matrix on the last split; nothing for regression."""
    split = splits(record.dataset)[-1]
    numbers: Mapping[str, Any] = record.metrics[split] or {}
    classes = [str(name) for name in record.dataset.get("classes") or ()]
    matrix = numbers.get("confusion")
    if record.task != "classification" or not matrix or len(matrix) != len(classes):
        return
    if len(classes) <= _MOST_CLASSES:
        yield _confusion(matrix, classes, split)
        words = "A row for each true class, a column for each predicted class"
        yield Note(f"{words}, on the {split_title(split)}.", "small", level=ASKED)
    yield classes_table(record, split)


def _confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str], split: str) -> Grid:
    rows = [
        [
            Cell(name),
            *(
                Cell(count(value) if value or row == column else "·", value,
                     kind="strong" if row == column else "")
                for column, value in enumerate(line)
            ),
        ]
        for row, (name, line) in enumerate(zip(classes, matrix, strict=True))
    ]  # fmt: skip
    needs = [0, *(k + 1 if len(classes) > 2 else 0 for k in range(len(classes)))]
    return Grid(
        f"Confusion matrix, {split_title(split)}", ["true class", *classes], rows, needs=needs,
        more="--wide or report.md", level=ASKED,
    )  # fmt: skip


def _network(record: RunRecord) -> Iterator[Block]:
    if record.beside is None:
        yield network_table(record.network, ASKED)


def again_blocks(record: RunRecord, again: str = "") -> Iterator[Block]:
    """The command that repeats a run, the environment, and the digests of data and weights."""
    alike = record.engine == "compiled" and record.environment.get("architecture") == "x86_64"
    machine = f"the same machine{' or another of this architecture with FMA' * alike}"
    yield Note(
        f"In the run's folder this command trains it again, into the folder again; on {machine} "
        "to the same bits:",
        level=WHOLE,
    )
    options = plugin_options(record)
    command = again or "nnrun train config.yaml --results again"
    yield Code(f"{command}{options}", "again", "sh", level=ASKED)
    table = environment_table(record)
    yield Folded(table.title, [table])


def metrics_table(record: RunRecord) -> Grid:
    """Metrics by split, the main metric first and the loss last; then those of the baselines."""
    parts = splits(record.dataset)

    def cells(
        numbers: dict[str, Any], key: str, kind: str, parts: Sequence[str] = parts
    ) -> list[Cell]:
        by_split = [numbers[part] or {} for part in parts]
        return [
            Cell("undefined", kind="soft")
            if key in (split.get("undefined") or {})
            else Cell(metric_number(key, split.get(key)), split.get(key), kind=kind)
            for split in by_split
        ]

    rows = []
    for key in metrics_of(record):
        kind = "strong" if key == record.main_metric else ""
        ours, baseline = cells(record.metrics, key, kind), cells(record.baseline, key, "soft")
        naive = [cells(each, key, "soft", parts[-1:])[0] for each in record.naive.values()]
        rows.append([Cell(metric_label(key), kind=kind), *ours, *baseline, *naive])
    n = len(parts)
    header = ["", *parts, *(f"baseline {part}" for part in parts)]
    header += [f"{naive_words(steps)} {parts[-1]}" for steps in record.naive]
    # Of the baselines, terminals show the first two of the last split: lines are narrow.
    return Grid("Metrics", header, rows, narrow=[*range(n + 1), *range(2 * n, len(header))[:2]])


def scores_table(metrics: Mapping[str, Any]) -> Grid:
    """How good the predictions for a file are: a row for each metric that is a single number."""
    undefined = metrics.get("undefined") or {}
    rows = [
        [
            Cell(metric_label(name)),
            Cell("undefined" if name in undefined else metric_number(name, value), value),
        ]
        for name, value in metrics.items()
        if value is None or isinstance(value, float)
    ]
    return Grid("Scores", ["", "score"], rows)


def published_table(record: RunRecord) -> Grid:
    """Published numbers compared with ours."""
    rows = [
        [
            Cell(row.label),
            Cell(f"{row.published:g}", row.published),
            Cell(number(row.ours), row.ours),
            Cell(signed(row.difference), row.difference),
            Cell(percent(row.share), row.share),
        ]
        for row in published_rows(record)
    ]
    return Grid("Published numbers", ["", "published", "ours", "difference", "relative"], rows)


def network_table(network: dict[str, Any], level: int = AT_ONCE) -> Grid:
    """The layers of a network with shapes and parameters."""
    rows = [
        [Cell(text, kind="soft") for text in ("", "input", shape(network["input_shape"]), "")],
        *([Cell(text) for text in row] for row in layer_rows(network)),
        [Cell(text, kind="strong") for text in ("", "total", "", count(network["parameters"]))],
    ]
    header = ["#", "layer", "output", "parameters"]
    return Grid("Layers", header, rows, texts=2, level=level)


def classes_table(record: RunRecord, split: str) -> Grid:
    """The metrics of each class on a split."""
    numbers = record.metrics[split]
    rows = [
        [
            Cell(name),
            Cell(count(numbers["support"][index]), numbers["support"][index]),
            *(Cell(number(v := numbers[key][index]), v) for key in _OF_CLASSES),
        ]
        for index, name in enumerate(record.dataset["classes"])
    ]
    header = ["class", "rows", "precision", "recall", "F1"]
    return Grid(f"Classes, {split_title(split)}", header, rows, sortable=len(rows) > 3, level=WHOLE)


def plugins_of(record: RunRecord) -> dict[str, str]:
    """The SHA-256 of each plugin whose parts a run has, by its name."""
    return {part["source"]: part["sha256"] for part in record.plugins}


def plugin_options(record: RunRecord) -> str:
    """The options that name these files, for a command that needs them."""
    files = (name for name in plugins_of(record) if name.endswith(".py"))
    return "".join(f" --plugin {shlex.quote(name)}" for name in files)


def environment_table(record: RunRecord) -> Grid:
    """What a run was trained with, and its digests."""
    environment = record.last_environment
    packages = environment.get("packages") or {}
    rows = [
        ("seed", record.seed),
        ("engine", record.engine),
        ("nnrun", record.nnrun_version),
        *((key, value) for key, value in environment.items() if key != "packages"),
        ("packages", ", ".join(f"{name} {version}" for name, version in packages.items())),
        *(("earlier updates", text) for text in _earlier(record)),
        ("SHA-256 of the data", record.dataset["sha256"]),
        ("SHA-256 of the weights", record.weights_sha256 or MISSING),
        *((f"SHA-256 of {name}", sha256) for name, sha256 in plugins_of(record).items()),
        ("started", moment(record.started)),
        *([("commit of the config", record.commit)] if record.commit else []),
    ]
    cells = [[Cell(key), Cell(str(value))] for key, value in rows]
    return Grid("Environment and digests", ["", ""], cells, texts=2, hidden=True, level=WHOLE)


def _earlier(record: RunRecord) -> Iterator[str]:
    """What each environment of earlier updates has that that of the last one has not."""
    last = flatten(record.last_environment)
    for environment in record.earlier_environments:
        differing = {k: v for k, v in flatten(environment).items() if v != last.get(k)}
        yield ", ".join(f"{k.removeprefix('packages.')} {v}" for k, v in differing.items())
