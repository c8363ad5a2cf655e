"""The tables of a run's report."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

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
from nnrun.reports.split_words import split_title
from nnrun.reports.summary import (
    layer_rows,
    metric_label,
    metrics_of,
    published_rows,
    splits,
)
from nnrun.reports.tables import Cell, Grid

if TYPE_CHECKING:  # not imported for lists of runs
    from nnrun.runs.record import RunRecord

_OF_CLASSES = ("precision", "recall", "f1")


def metrics_table(record: RunRecord) -> Grid:
    """Metrics by split, the main metric first and the loss last; then those of the baseline."""
    parts = splits(record.dataset)

    def cells(numbers: dict[str, Any], key: str, kind: str) -> list[Cell]:
        found = [numbers[part] or {} for part in parts]
        return [
            Cell("undefined", kind="soft")
            if key in (split.get("undefined") or {})
            else Cell(metric_number(key, split.get(key)), split.get(key), kind=kind)
            for split in found
        ]

    rows = []
    for key in metrics_of(record):
        kind = "strong" if key == record.main_metric else ""
        ours, baseline = cells(record.metrics, key, kind), cells(record.baseline, key, "soft")
        rows.append([Cell(metric_label(key), kind=kind), *ours, *baseline])
    return Grid("Metrics", ["", *parts, *(f"baseline {part}" for part in parts)], rows)


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


def network_table(network: dict[str, Any]) -> Grid:
    """The layers of a network with shapes and parameters."""
    rows = [
        [Cell(text, kind="soft") for text in ("", "input", shape(network["input_shape"]), "")],
        *([Cell(text) for text in row] for row in layer_rows(network)),
        [Cell(text, kind="strong") for text in ("", "total", "", count(network["parameters"]))],
    ]
    return Grid("Layers", ["#", "layer", "output", "parameters"], rows, texts=2)


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
    return Grid(f"Classes, {split_title(split)}", header, rows, sortable=len(rows) > 3)


def plugins_of(record: RunRecord) -> dict[str, str]:
    """The SHA-256 of each plugin whose parts a run has, by its name."""
    return {part["source"]: part["sha256"] for part in record.plugins}


def plugin_options(record: RunRecord) -> str:
    """The options that name these files, for a command that needs them."""
    files = (name for name in plugins_of(record) if name.endswith(".py"))
    return "".join(f" --plugin {shlex.quote(name)}" for name in files)


def environment_table(record: RunRecord) -> Grid:
    """What a run was trained with, and its digests."""
    environment = record.environment
    packages = environment.get("packages") or {}
    rows = [
        ("seed", record.seed),
        ("engine", record.engine),
        ("nnrun", record.nnrun_version),
        *((key, value) for key, value in environment.items() if key != "packages"),
        ("packages", ", ".join(f"{name} {version}" for name, version in packages.items())),
        ("SHA-256 of the data", record.dataset["sha256"]),
        ("SHA-256 of the weights", record.weights_sha256 or MISSING),
        *((f"SHA-256 of {name}", sha256) for name, sha256 in plugins_of(record).items()),
        ("started", moment(record.started)),
    ]
    cells = [[Cell(key), Cell(str(value))] for key, value in rows]
    return Grid("Environment and digests", ["", ""], cells, texts=2)
