"""The texts and rows of a run's report, shared by the terminal, Markdown and HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import isclose
from typing import TYPE_CHECKING, Any, NamedTuple

from nnrun.characters import shortened
from nnrun.config.names import SPLITS, naive_words
from nnrun.metrics.table import LOSS, are_unequal, find
from nnrun.reports.document import ASKED, WHOLE, Cell, Grid
from nnrun.reports.numbers import count, duration, measured, number, plural, shape

if TYPE_CHECKING:  # not imported for lists of runs
    from nnrun.runs.record import RunRecord


def split_title(split: str) -> str:
    """`training split`, `test split`."""
    return f"{'training' if split == 'train' else split} split"


def split_words(split: Mapping[str, Any]) -> Iterator[str]:
    """The fold, and the groups or times of each split; nothing of a plain split at random.

    Args:
        split: the `split` of the data set in a report.
    """
    stratified = ", stratified" if split.get("stratified") else ""
    if "folds" in split:
        yield f"fold {split['fold']} of {split['folds']}{stratified}"
        stratified = ""
    if "groups" in split:
        parts = _by_split(split["groups"], count)
        yield f"no {split['column']} is in two splits: {parts}{stratified}"
    if "times" in split:
        yield f"split by time, {split['column']}: {_by_split(split['times'], _range)}"


def _by_split(values: Mapping[str, Any], words: Callable[[Any], str]) -> str:
    return ", ".join(f"{words(values[part])} {part}" for part in SPLITS if part in values)


def _range(times: tuple[float | str, float | str]) -> str:
    first, last = (time if isinstance(time, str) else f"{time:.10g}" for time in times)
    return f"{first} to {last}"


_MOST_WEIGHTED = 10
_COUNTED = ("tp", "fp", "fn", "tn")


def weight_words(dataset: Mapping[str, Any]) -> Iterator[str]:
    """The weights of the rows of each split, and of classes; nothing where there are none."""
    if weights := dataset.get("weights"):
        parts = ", ".join(
            f"{part['min']:.6g} to {part['max']:.6g} in {name} (sum {part['sum']:.6g})"
            for name, part in weights.items()
            if name in SPLITS
        )
        yield f"rows weighted by {weights['column']}: {parts}"
    if classes := dataset.get("class_weight"):
        shown = [f"{name} {weight:.4g}" for name, weight in [*classes.items()][:_MOST_WEIGHTED]]
        more = ", …" * (len(classes) > _MOST_WEIGHTED)
        yield f"class weights: {', '.join(shown)}{more}"


def decision_line(record: RunRecord) -> str:
    """When the positive class is predicted, in a sentence; empty without `decide`."""
    fit = record.decision
    if fit is None:
        return ""
    weighted = "; TP, FP, FN and TN count rows, the rest weights" * ("weights" in record.dataset)
    if not fit["fitted"]:
        return f"{fit['note']}{weighted}"
    aim = {"cost": "the cost is smallest", "recall": "the recall is largest"}.get(
        fit["objective"], f"{_title(fit['objective'])} is largest"
    )
    bound = f" with a precision of at least {fit['precision']:g}" if "precision" in fit else ""
    return (
        f"'{fit['positive']}' is predicted from a {'calibrated ' * fit.get('calibrated', False)}"
        f"probability of {fit['threshold']:.6g} on, "
        f"where {aim} on the validation split{bound}; learning curves are without this threshold"
        f"{weighted}"
    )


def decision_table(record: RunRecord) -> Grid | None:
    """Right and wrong predictions of held-out rows, with the threshold and without."""
    decision = record.decision
    if decision is None:
        return None
    objective = decision["objective"]
    measures = ["precision", "recall", *([] if objective == "recall" else [objective])]
    rows = []
    for split, both in decision["splits"].items():
        thresholds = {"fitted": decision["threshold"], "default": 0.5}
        for key, threshold in [*thresholds.items()][: 1 + decision["fitted"]]:
            kind = "" if key == "fitted" else "soft"
            values = [both[key][name] for name in measures]
            rows.append(
                [
                    Cell(split, kind=kind),
                    Cell(number(threshold), threshold, kind=kind),
                    *(Cell(count(both[key][n]), both[key][n], kind=kind) for n in _COUNTED),
                    *(Cell(number(value), value, kind=kind) for value in values),
                ]
            )
    header = ["", "threshold", *map(str.upper, _COUNTED), *map(_title, measures)]
    return Grid(f"Threshold for '{decision['positive']}'", header, rows)


def coverage_line(record: RunRecord) -> str:
    """Sentence on the rows by which a run judges its errors, and what that is worth."""
    found = record.coverage
    if found is None:
        return ""
    rows = plural(found["rows"], "row")
    if "groups" in found:
        rows += f" of {plural(found['groups'], 'group')}, each of which counts the same"
    what = "sets of classes" if record.task == "classification" else "intervals"
    if found["source"] == "out_of_bag":
        line = f"{what} by {rows}, each held out from some of the networks"
    else:
        line = f"{what} by {rows} of the {found['source']} split"
        stopped = (record.config["training"].get("early_stopping") or {}).get("monitor")
        if stopped and found["source"] == "validation":
            line += ", which early stopping chose by too: a little too narrow as a rule"
    by = (record.dataset.get("split") or {}).get("by")
    if by == "time":
        line += "; later rows need not be like these, so nothing is promised of them"
    elif by == "group":
        line += "; it holds on average over new groups, and not of each"
    return f"{line}; `nnrun predict --coverage` writes them"


def coverage_tables(record: RunRecord) -> Iterator[Grid]:
    """The test rows that lie in intervals or sets, and how wide these are."""
    found = record.coverage
    if found is None or not found["levels"]:
        return
    classes = record.task == "classification"
    what = "Sets of classes" if classes else "Intervals"
    size = "classes in a set" if classes else "width"
    header = ["promised", "covered", "95% interval", size, "test rows"]
    rows = [
        [Cell(f"{row['promised']:.0%}", row["promised"]), *_covered(row)] for row in found["levels"]
    ]
    yield Grid(f"{what} on the test split", header, rows, level=ASKED)
    if fifths := found.get("fifths"):
        header = ["prediction", *header[1:]]
        shown = [
            [Cell(f"{number(row['from'])} to {number(row['to'])}"), *_covered(row)]
            for row in fifths
        ]
        yield Grid("Intervals of 90% by fifths of the prediction", header, shown, level=WHOLE)


def calibration_words(found: Mapping[str, Any]) -> str:
    """What becomes of probabilities, and by how many rows."""
    how = {
        "none": "stay as they are, since no calibration is better on",
        "temperature": "are calibrated by the temperature {:.4g}, fitted to",
        "platt": "are calibrated by Platt's line, {:.4g} log odds + {:.4g}, fitted to",
        "isotonic": "are calibrated by a monotone function, fitted to",
    }[found["method"]]
    return f"{how.format(*found['numbers'])} {plural(found['rows'], 'row')} held out from training"


def calibration_table(record: RunRecord) -> Grid | None:
    """Scores of the test split before and after calibration."""
    test = (record.calibration or {}).get("test")
    if test is None:
        return None
    rows = [
        [Cell(kind), *(Cell(number(value), value) for value in test[kind].values())]
        for kind in ("before", "after")
    ]
    header = ["calibration", *map(_title, test["before"])]
    return Grid(f"Probabilities of {plural(test['rows'], 'test row')}", header, rows, level=ASKED)


def _covered(row: Mapping[str, Any]) -> list[Cell]:
    sizes = row["size"] if isinstance(row["size"], list) else [row["size"]]
    return [
        Cell(f"{row['covered']:.1%}", row["covered"]),
        Cell(f"{row['low']:.1%} to {row['high']:.1%}"),
        Cell(", ".join(map(number, sizes)), sizes[0]),
        Cell(count(row["rows"]), row["rows"]),
    ]


def drift_table(columns: Sequence[Mapping[str, Any]]) -> Grid:
    """Columns of training beside those of new rows, what moved first."""
    rows = []
    for each in columns:
        keys = [key for key in ("mean", "median", "missing", "share") if any(each.get(key, ()))]
        names = {"share": f"'{each.get('category')}'"}
        sides = [
            Cell(", ".join(f"{names.get(key, key)} {number(each[key][side])}" for key in keys))
            for side in range(2)
        ]
        measures = [Cell(f"{each['distance']:.3f}", each["distance"]), Cell(f"{each['p']:.2g}")]
        rows.append([Cell(each["column"]), *measures, Cell("moved" * each["moved"]), *sides])
    return Grid("Columns", ["column", "distance", "p", "", "training", "new"], rows)


def _title(name: str) -> str:
    return {"f1": "F1", "mcc": "MCC"}.get(name, name.replace("_", " "))


History = Mapping[str, Sequence[float]]
"""The columns of history.csv."""

_INDENT = (
    "\u00a0\u00a0"  # of layers within a layer; non-breaking, since Markdown drops other spaces
)
# In a line of the terminal; the report has all.
_MOST_COLUMNS = 3
# These losses equal the log loss, which is then not shown again.
_LOG_LOSSES = ("cross_entropy", "binary_cross_entropy")


class PublishedRow(NamedTuple):
    """A published number beside ours; `share` is the difference as a share of it."""

    label: str
    published: float
    ours: float | None
    difference: float | None
    share: float | None


def metric_label(key: str) -> str:
    """The name of a metric as shown to users."""
    metric = find(key)
    return key if metric is None else metric.title


def split_label(key: str) -> str:
    """`test ROC AUC` for `test_roc_auc`."""
    split, _, metric = key.partition("_")
    return f"{split} {metric_label(metric)}"


def monitored(record: RunRecord) -> str:
    """The metric that early stopping followed; empty without early stopping."""
    stopping = (record.config.get("training") or {}).get("early_stopping") or {}
    return str(stopping.get("monitor", "")).removeprefix("validation_")


def curve_names(metric: str, histories: Iterable[History], followed: str = "") -> list[str]:
    """The loss, the main metric unless they are equal, and what early stopping followed."""
    same = all(
        _alike(history.get(f"{split}_loss"), history.get(f"{split}_{metric}"))
        for history in histories
        for split in SPLITS
    )
    names = ["loss"] if same else ["loss", metric]
    return names + ([followed] if followed and followed not in ("loss", metric) else [])


def _alike(loss: Sequence[float] | None, metric: Sequence[float] | None) -> bool:
    """Whether they are equal but for rounding, as both are computed on their own."""
    if loss is None or metric is None:
        return loss is metric
    return len(loss) == len(metric) and all(map(partial(isclose, rel_tol=1e-9), loss, metric))


def splits(dataset: dict[str, Any]) -> list[str]:
    """The splits that have rows, the test split last."""
    return [split for split in SPLITS if dataset[f"n_{split}"]]


def metrics_of(record: RunRecord) -> list[str]:
    """The metrics of a run that are a number each, the main one first and the loss last."""
    reference: dict[str, Any] = record.baseline[splits(record.dataset)[0]] or {}
    # Class weights change the loss, and no metric.
    weighted = (record.config.get("training") or {}).get("class_weight") is not None
    is_loss = (record.config.get("loss") or {}).get("type") in _LOG_LOSSES and not weighted
    keys = [key for key in reference if find(key) and not (is_loss and key == "log_loss")]
    keys += [LOSS] * (LOSS in reference)
    return sorted(keys, key=lambda key: key != record.main_metric)


def metric_notes(record: RunRecord) -> Iterator[str]:
    """Notes that classes are unequal or weighted, and why metrics are undefined."""
    classes: list[str] = record.dataset["classes"] or []
    numbers = {split: record.metrics[split] or {} for split in splits(record.dataset)}
    supports = [of_split["support"] for of_split in numbers.values() if of_split.get("support")]
    counts = [sum(rows) for rows in zip(*supports, strict=False)]
    if len(counts) == len(classes) and are_unequal(counts):
        rarest = counts.index(min(counts))
        share, equal = 100 * counts[rarest] / sum(counts), 100 / len(counts)
        name = shortened(str(classes[rarest]), 40)
        yield (
            f"the classes are unequal: {share:.2g}% of the rows are of class {name}, and an equal "
            f"share is {equal:.2g}%, so accuracy alone says little"
        )
    metrics = metrics_of(record)
    if record.dataset.get("class_weight") and "log_loss" in metrics:
        yield (
            "the loss counts rows by class weights, and log loss as they are: probabilities that "
            "the weights have raised may have a log loss worse than the baseline's"
        )
    yield from second_class_note(metrics, classes)
    yield from _undefined(numbers)
    yield from _undefined({split: record.baseline[split] or {} for split in numbers}, "baseline ")


def _undefined(metrics: Mapping[str, Mapping[str, Any]], whose: str = "") -> Iterator[str]:
    """Why metrics are undefined, by split; a line for all splits with one reason."""
    splits_by_reason: dict[tuple[str, str], list[str]] = {}
    for split, numbers in metrics.items():
        for key, reason in (numbers.get("undefined") or {}).items():
            splits_by_reason.setdefault((key, reason), []).append(split)
    for (key, reason), names in splits_by_reason.items():
        titles = " and the ".join(map(split_title, names))
        where = "" if len(names) == len(metrics) > 1 else f" of the {titles}"
        yield f"{whose}{metric_label(key)}{where} is undefined: {reason}"


def second_class_note(metrics: Iterable[str], classes: Sequence[str]) -> Iterator[str]:
    """Which metrics are of the second of two classes alone, if some are."""
    of_second = [metric_label(m) for m in metrics if (f := find(m)) and f.of_second]
    if len(classes) == 2 and of_second:
        *before, last = of_second
        names = f"{', '.join(before)} and {last} are" if before else f"{last} is"
        yield f"{names} of class {shortened(str(classes[1]), 40)}"


def baseline_line(record: RunRecord) -> str:
    """What the baseline predicts."""
    if record.task == "regression":
        return f"always the mean of the training split{_naive_words(record)}"
    shares = "loss and log loss are those of its class shares"
    return f"always the majority class of the training split; {shares}"


def _naive_words(record: RunRecord) -> str:
    """What the naive baselines predict, where there are any."""
    if not record.naive:
        return ""
    lags = (record.config["dataset"].get("lags") or {}).values()
    of_group = " of its group" * any(lag.get("group") for lag in lags)
    last, *others = map(naive_words, record.naive)
    words = [f"{last}: the target{of_group} at the time before, which may be held out too, as lags"]
    words += [f"{' and '.join(others)} likewise"] * bool(others)
    words += ["rows without such a time get the mean"]
    return f"; {'; '.join(words)}"


def naive_title(steps: str) -> str:
    """The head of a column of a naive baseline."""
    return f"baseline ({naive_words(steps)})"


def published_rows(record: RunRecord) -> list[PublishedRow]:
    """Published numbers, in the order of the config."""
    rows = []
    for row in record.published:
        published, difference = row["published"], row["difference"]
        share = None if difference is None or published == 0 else difference / abs(published)
        label = split_label(row["metric"])
        rows.append(PublishedRow(label, published, row["ours"], difference, share))
    return rows


def layers_by_name(network: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All layers by name, each followed by the layers within it."""
    return {
        layer.get("name", str(index)): layer for index, layer in _walk(enumerate(network["layers"]))
    }


def _walk(layers: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, layer in layers:
        yield index, layer
        yield from _walk(enumerate(layer.get("layers", [])))


def layer_kind(layer: dict[str, Any]) -> str:
    """The layer's type in the config, with its activation."""
    activation = layer.get("activation")
    shown = activation not in (None, "linear", layer["type"])
    return f"{layer['type']}, {activation}" if shown else str(layer["type"])


def layer_rows(network: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Name, kind, output shape and number of parameters of every layer, for a table.

    Layers within a layer come after it, indented; their parameters are not counted twice. The
    embeddings of columns come first.
    """
    rows = [
        (
            "",
            f"embedding of {table['column']}",
            f"{count(table['entries'])} × {table['dimensions']}",
            count(table["parameters"]),
        )
        for table in network.get("embeddings", [])
    ]
    for name, layer in layers_by_name(network).items():
        size = layer["parameters"] - sum(inner["parameters"] for inner in layer.get("layers", []))
        kind = _INDENT * name.count(".") + layer_kind(layer)
        rows.append((name, kind, shape(layer["output_shape"]), count(size) if size else ""))
    return rows


def data_line(dataset: dict[str, Any]) -> str:
    """The data, its splits and the notes on held-out rows, in a sentence."""
    named = [*splits(dataset), *(["calibration"] if dataset.get("n_calibration") else [])]
    parts = ", ".join(f"{count(dataset[f'n_{split}'])} {split}" for split in named)
    line = f"{dataset['name']}: {parts} rows of {plural(dataset['n_features'], 'feature')}"
    # `task_from` is what implies the task, also of a run whose config has it in dataset.task.
    task = [str(dataset["task"])] if dataset.get("task_from") else []
    return "; ".join([line, *task, *held_out_notes(dataset)])


def held_out_notes(dataset: dict[str, Any]) -> Iterator[str]:
    """Notes on how rows were split, and on held-out rows that are also training rows, or have
    categories unknown in training.
    """
    yield from split_words(dataset.get("split") or {})
    yield from weight_words(dataset)
    if dropped := dataset.get("dropped", 0):
        lack = "lacks" if dropped == 1 else "lack"
        yield f"without {plural(dropped, 'row')} of the file that {lack} values"
    if set_aside := dataset.get("left_out", 0) - dataset.get("dropped", 0):
        hidden = dataset.get("hidden", False)
        yield (
            f"{plural(set_aside, 'test row')} set aside"
            if hidden
            else (f"without the set's own {plural(set_aside, 'test row')}")
        )
    for split, copies in dataset.get("duplicates", {}).items():
        if copies:
            some = f"{count(copies)} of {plural(dataset[f'n_{split}'], f'{split} row')}"
            yield f"{some} {'are training rows' if copies > 1 else 'is a training row'} too"
    unseen = dataset.get("unseen", [])
    for split in dict.fromkeys(new["split"] for new in unseen):
        columns = [new for new in unseen if new["split"] == split]
        named = [f"{new['column']} {count(new['rows'])}" for new in columns[:_MOST_COLUMNS]]
        more = ["…"] if len(columns) > _MOST_COLUMNS else []
        which = ", ".join([*named, *more])
        yield f"{split} rows with a category that no training row has: {which}"


def members_line(record: RunRecord) -> str:
    """What several networks reach together and each alone, in a sentence; empty of a single one."""
    found = record.members
    if found is None or record.status not in ("completed", "stopped"):
        return ""
    networks = plural(found["number"], "network")
    split = splits(record.dataset)[-1]
    name = record.main_metric
    alone = (found["metrics"].get(split) or {}).get(name)
    together = (record.metrics[split] or {}).get(name)
    line = f"the mean of {networks}"
    if alone is not None and together is not None:
        line += (
            f", with a {split} {metric_label(name)} of {number(together)}; one alone has "
            f"{measured(alone['mean'], alone['sd'])} (mean and standard deviation)"
        )
    if rows := found.get("rows_judged"):
        line += (
            f"; validation is of {plural(rows, 'row')}, each judged by the networks that were not "
            "trained on it"
        )
    return f"{line}; curves and weights are shown of the first"


def training_line(record: RunRecord) -> str:
    """How long training took, in a sentence."""
    timing = record.timing
    if record.beside is not None:
        return f"scikit-learn's '{record.beside}', in {duration(timing['train_seconds'])}"
    speed = timing["iterations_per_second"]
    rate = f"{count(round(speed))}/s, " if speed else ""
    seconds = duration(timing["train_seconds"])
    done, planned = timing["iterations"], planned_iterations(record)
    cut = record.status in ("interrupted", "stopped")
    share = f"{count(done)} of " if cut and planned else ""
    iterations = plural(planned if share else done, "iteration")
    line = f"{share}{iterations} in {seconds} ({rate}{record.engine} engine)"
    if record.best_iteration is not None and record.config["training"]["early_stopping"]:
        restored = record.config["training"]["early_stopping"]["restore_best"]
        ended = "stopped early" if record.stopped_early else "not stopped early"
        best = f"{'weights' if restored else 'best'} of iteration {count(record.best_iteration)}"
        line += f"; {'the first network ' if record.members else ''}{ended}, {best}"
    if record.extended_from is not None:
        before = count(record.extended_from["iterations"])
        line += f"; the first {before} of them in {record.extended_from['run_id']}"
    return line


def planned_iterations(record: RunRecord) -> int:
    """How many iterations the config asks for; 0 if it does not say."""
    training, members = record.config["training"], record.members or {"number": 1}
    iterations, epochs, size = map(training.get, ("iterations", "epochs", "batch_size"))
    if isinstance(iterations, int):
        return iterations * int(members["number"])
    if isinstance(epochs, int) and isinstance(size, int) and size > 0:
        return epochs * -(-int(record.dataset["n_train"]) // size) * int(members["number"])
    return 0


def warnings_of(record: RunRecord) -> list[str]:
    """The messages of its warnings that the error of a diverged run does not contain already."""
    error = (record.error or "").lower()
    messages = [warning["message"] for warning in record.warnings]
    return [message for message in messages if message.lower() not in error]


# A full stop after a word, but not after a single capital letter, as in initials.
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{2}\.)\s+|(?<=\)\.)\s+")


def first_sentence(text: str) -> str:
    """The first of several sentences."""
    return _SENTENCE_END.split(text, maxsplit=1)[0]
