"""What a report says about a run, before it takes the form of a terminal table or of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnrun.config.names import SPLITS
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import count, duration, plural, shape

if TYPE_CHECKING:  # lists of runs do without
    from nnrun.runs.record import RunRecord

_LABELS = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "mse": "mse",
    "rmse": "rmse",
    "mae": "mae",
    "r2": "R²",
    "loss": "loss",
}
_INDENT = "\u00a0\u00a0"  # of layers within a layer: spaces that Markdown keeps
# Warnings in the line of a table; the report has all.
_WARNINGS_TOLD = 3
_COLUMNS_TOLD = 3
# These losses are the log loss, which need not be shown twice.
_LOG_LOSSES = ("cross_entropy", "binary_cross_entropy")


@dataclass(frozen=True)
class MetricRow:
    """One metric on each split, and for a model that ignores the features."""

    key: str
    label: str
    main: bool
    ours: list[float | None]
    baseline: list[float | None]


@dataclass(frozen=True)
class PublishedRow:
    """A published number beside ours; `share` is the difference as a share of it."""

    label: str
    published: float
    ours: float | None
    difference: float | None

    @property
    def share(self) -> float | None:
        if self.difference is None or self.published == 0:
            return None
        return self.difference / abs(self.published)


def metric_label(key: str) -> str:
    """What people call a metric."""
    return _LABELS.get(key, key)


def splits(dataset: dict[str, Any]) -> list[str]:
    """The splits that there are, the test split last."""
    return [split for split in SPLITS if dataset[f"n_{split}"]]


def metric_rows(record: RunRecord) -> list[MetricRow]:
    """The numbers of a run, its main metric first and the loss last."""
    parts = splits(record.dataset)
    reference: dict[str, Any] = record.baseline[parts[0]] or {}
    is_loss = record.config["loss"]["type"] in _LOG_LOSSES
    keys = [key for key in _LABELS if key in reference and not (is_loss and key == "log_loss")]

    def values(numbers: dict[str, Any], key: str) -> list[float | None]:
        return [(numbers[part] or {}).get(key) for part in parts]

    return [
        MetricRow(
            key=key,
            label=_LABELS[key],
            main=key == record.main_metric,
            ours=values(record.metrics, key),
            baseline=values(record.baseline, key),
        )
        for key in sorted(keys, key=lambda key: key != record.main_metric)
    ]


def baseline_line(record: RunRecord) -> str:
    """What the baseline predicts, and where its losses come from."""
    if record.task == "regression":
        return "always the mean of the training split"
    shares = "loss and log loss are those of its class shares"
    return f"always the majority class of the training split; {shares}"


def published_rows(record: RunRecord) -> list[PublishedRow]:
    """Numbers from elsewhere, in the order of the config."""
    rows = []
    for row in record.published:
        split, _, metric = row["metric"].partition("_")
        label = f"{split} {_LABELS.get(metric, metric)}"
        rows.append(PublishedRow(label, row["published"], row["ours"], row["difference"]))
    return rows


def published_source(record: RunRecord) -> str:
    """Where those numbers come from."""
    return str((record.config.get("published") or {}).get("source") or "")


def layers_by_name(network: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All layers, each followed by those that it holds, by what stands in names of parameters."""
    return {
        layer.get("name", str(index)): layer for index, layer in _walk(enumerate(network["layers"]))
    }


def _walk(layers: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, layer in layers:
        yield index, layer
        yield from _walk(enumerate(layer.get("layers", [])))


def layer_kind(layer: dict[str, Any]) -> str:
    """What the config calls a layer, with its activation."""
    activation = layer.get("activation")
    shown = activation not in (None, "linear", layer["type"])
    return f"{layer['type']}, {activation}" if shown else str(layer["type"])


def layer_rows(network: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Name, kind, output shape and number of parameters of every layer, for a table.

    Layers within a layer come after it, indented; their parameters are not counted twice.
    """
    rows = []
    for name, layer in layers_by_name(network).items():
        own = layer["parameters"] - sum(inner["parameters"] for inner in layer.get("layers", []))
        kind = _INDENT * name.count(".") + layer_kind(layer)
        rows.append((name, kind, shape(layer["output_shape"]), count(own) if own else ""))
    return rows


def data_line(dataset: dict[str, Any]) -> str:
    """The data and its splits in a sentence, with what is particular about held-out rows."""
    return "; ".join([split_line(dataset), *held_out_notes(dataset)])


def split_line(dataset: dict[str, Any]) -> str:
    """The data and its splits."""
    parts = ", ".join(f"{count(dataset[f'n_{split}'])} {split}" for split in splits(dataset))
    line = f"{dataset['name']}: {parts} rows of {plural(dataset['n_features'], 'feature')}"
    reason = dataset.get("task_from")
    return f"{line}; {dataset['task']}, {reason}" if reason else line


def held_out_notes(dataset: dict[str, Any]) -> Iterator[str]:
    """Held-out rows that are training rows too or have categories that no training row has.

    Reports of older versions do not count them.
    """
    # Rows that were dropped are counted in the set's description.
    if own := dataset.get("left_out", 0) - dataset.get("dropped", 0):
        yield f"without the set's own {plural(own, 'test row')}"
    for split, copies in dataset.get("duplicates", {}).items():
        if copies:
            some = f"{count(copies)} of {plural(dataset[f'n_{split}'], f'{split} row')}"
            yield f"{some} {'are training rows' if copies > 1 else 'is a training row'} too"
    unseen = dataset.get("unseen", [])
    for split in dict.fromkeys(found["split"] for found in unseen):
        columns = [found for found in unseen if found["split"] == split]
        told = [f"{found['column']} {count(found['rows'])}" for found in columns[:_COLUMNS_TOLD]]
        more = ["…"] if len(columns) > _COLUMNS_TOLD else []
        which = ", ".join([*told, *more])
        yield f"{split} rows with a category that no training row has: {which}"


def training_line(record: RunRecord) -> str:
    """How long training took, in a sentence."""
    timing = record.timing
    speed = timing["iterations_per_second"]
    rate = f"{count(round(speed))}/s, " if speed else ""
    seconds = duration(timing["train_seconds"])
    made, planned = timing["iterations"], _planned(record)
    share = f"{count(made)} of " if record.status == "interrupted" and planned else ""
    iterations = plural(planned if share else made, "iteration")
    line = f"{share}{iterations} in {seconds} ({rate}{record.engine} engine)"
    if record.best_iteration is not None and record.config["training"]["early_stopping"]:
        restored = record.config["training"]["early_stopping"]["restore_best"]
        ended = "stopped early" if record.stopped_early else "not stopped early"
        best = f"{'weights' if restored else 'best'} of iteration {count(record.best_iteration)}"
        line += f"; {ended}, {best}"
    if record.extended_from is not None:
        before = count(record.extended_from["iterations"])
        line += f"; the first {before} of them in {record.extended_from['run_id']}"
    return line


def _planned(record: RunRecord) -> int:
    """How many iterations the config asks for; 0 if it does not say."""
    training = record.config["training"]
    iterations, epochs, size = map(training.get, ("iterations", "epochs", "batch_size"))
    if isinstance(iterations, int):
        return iterations
    if isinstance(epochs, int) and isinstance(size, int) and size > 0:
        return epochs * -(-int(record.dataset["n_train"]) // size)
    return 0


def warnings_of(record: RunRecord) -> list[str]:
    """What its warnings say, but for what the error of a diverged run has said already."""
    told = (record.error or "").lower()
    messages = [warning["message"] for warning in record.warnings]
    return [message for message in messages if message.lower() not in told]


def warning_line(record: RunRecord) -> str:
    """What is wrong with a result and what to try, the likeliest first; empty for a good run."""
    messages = warnings_of(record)
    more = " The report says more." if len(messages) > _WARNINGS_TOLD else ""
    return " ".join(map(sentence, messages[:_WARNINGS_TOLD])) + more


# A full stop after a word; one after a single capital letter belongs to somebody's initials.
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{2}\.)\s+|(?<=\)\.)\s+")


def short_note(record: RunRecord) -> str:
    """The first sentence of what should be known about the data."""
    note = str(record.dataset.get("note") or "")
    return _SENTENCE_END.split(note, maxsplit=1)[0]
