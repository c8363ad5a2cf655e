"""The verdict on one run."""

from __future__ import annotations

from nnrun.characters import shortened
from nnrun.config.names import naive_words
from nnrun.reports.document import Line, Verdict
from nnrun.reports.numbers import metric_number, plural, spread
from nnrun.reports.progress_words import iteration_words
from nnrun.reports.summary import metric_label, split_label, splits
from nnrun.runs.catalog.summary import COMPLETED, INTERRUPTED, QUEUED, RUNNING, RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.severity import leading

SO_FAR = "Result so far"
_LONGEST = 200
_KINDS = {
    "worse_than_baseline": "ended worse than the baseline",
    "worse_than_naive": "ended worse than the value before, or one season before",
    "negative_r2": "had an R² below 0",
    "one_prediction": "predicted the same for every row",
    "majority_share": "ended no better than the majority class",
    "hardly_better": "ended hardly better than the mean",
    "hardly_moved": "did not learn",
    "sure_and_wrong": "gave worse probabilities than the class shares",
    "far_apart": "fitted the training rows far better than others",
    "learning_rate": "had a learning rate that does not suit",
    "too_few_iterations": "stopped too early",
    "leak": "used a column that gives the target away",
    "unequal_classes": "had classes too unequal for accuracy",
    "weak_signal": "separated the classes, but not by accuracy",
    "unseen_category": "met categories that no training row has",
    "duplicates": "had copies of rows among its data",
    "identifier": "used a column that only numbers the rows",
    "unlike_splits": "had held-out rows unlike those of training",
    "constant_column": "had a column with a single value",
    "undefined": "had no number for what judges them",
    "nothing_monitored": "had nothing to stop early by",
    "no_threshold": "found no threshold",
    "not_calibrated": "had too few rows to calibrate by",
    "scikit_learn": "had a warning of scikit-learn",
    "trained_past_the_best": "trained past their best",
    "many_parameters": "had more parameters than rows",
    "few_rows": "had too few rows",
    "dead_units": "had units that say nothing",
    "saturated_units": "had units that hardly learn",
    "vanishing_gradients": "had gradients that vanish",
    "exploding_gradients": "had gradients that explode",
    "feature_scale": "had features of unlike scale",
    "target_scale": "had a target that is not scaled",
    "outliers": "had a few rows that decide the error",
    "unknown_cause": "had no known cause",
}


def kind_words(kind: str) -> str:
    """What a warning of this kind says; its name, if it is of another version."""
    return _KINDS.get(kind, f"had a warning: {kind.replace('_', ' ')}")


def run_verdict(record: RunRecord, place: str = "") -> Verdict:
    """Its main metric beside the baseline and what is published, and what is wrong with it.

    `place` is that among its siblings, in words.
    """
    result = _result(record)
    others = Line("Others", place) if place else _alone(record)
    return Verdict(result, others, _wrong(record, result))


def summary_verdict(run: RunSummary) -> Verdict:
    """Verdict on a run without a readable report: in progress, waiting, interrupted or damaged."""
    if run.status == RUNNING and run.progress is not None:
        return Verdict(Line("No result yet", f"it is at {iteration_words(run.progress)}"))
    if run.status == QUEUED:
        return Verdict(Line("No result yet", "it waits in a sweep"))
    why = f": {run.error}" if run.error else ""
    return Verdict(Line("No result", shortened(f"the run is {run.status}{why}", _LONGEST)))


def _result(record: RunRecord) -> Line:
    split = splits(record.dataset)[-1]
    ours, base = (numbers[split] or {} for numbers in (record.metrics, record.baseline))
    value = ours.get(record.main_metric)
    metric = record.main_metric
    if value is None:
        reason = (ours.get("undefined") or {}).get(metric)
        undefined = f"the {split} {metric_label(metric)} is undefined: {reason}"
        return Line("No result", undefined if reason else f"the run {_ended(record.status)}")
    text = f"{split} {metric_label(metric)} {metric_number(metric, value)}"
    beside = []
    if (reference := base.get(metric)) is not None:
        beside.append(f"baseline {metric_number(metric, reference)}")
    for steps, naive in record.naive.items():
        if (reference := (naive[split] or {}).get(metric)) is not None:
            beside.append(f"{naive_words(steps)} {metric_number(metric, reference)}")
    key = f"{split}_{metric}"
    for row in record.published:
        if row["metric"] == key or len(record.published) == 1:
            what = "" if row["metric"] == key else f" {split_label(row['metric'])}"
            beside.append(f"published{what} {row['published']:g}{_off(row['difference'])}")
            break
    lead = "Result" if record.status == COMPLETED else SO_FAR
    return Line(lead, "; ".join([text, ", ".join(beside)]) if beside else text)


def _off(difference: float | None) -> str:
    """` (-0.036)`, in two digits."""
    if difference is None:
        return ""
    return f" ({'-' if difference < 0 else '+'}{spread(abs(difference))})"


def _alone(record: RunRecord) -> Line | None:
    if record.status != COMPLETED:
        return None
    what = "other folds" if record.config.get("dataset", {}).get("folds") else "other seeds"
    return Line("Others", f"a single run shows no spread; nnrun sweep tries {what}")


def _wrong(record: RunRecord, result: Line) -> Line | None:
    kinds = [str(warning["kind"]) for warning in record.warnings]
    if record.status != COMPLETED:
        # Its error says more, and is in every form of the report.
        why = str(record.warnings[0]["kind"]).replace("_", " ") if record.warnings else ""
        ended = [f"it {_ended(record.status)}"] if result.lead == SO_FAR else []
        said = [*ended, *([f"the likeliest cause: {why}"] if why else [])]
        return Line("Problems", shortened("; ".join(said), _LONGEST)) if said else None
    if not kinds:
        return None
    more = f"; {plural(len(kinds), 'warning')} say why" if len(kinds) > 1 else ""
    first = leading(kinds)
    return Line("Problems", f"it {kind_words(first)}{_elsewhere(record, first)}{more}")


def _elsewhere(record: RunRecord, kind: str) -> str:
    """The split that a warning is about, where that is not the split of the result."""
    message = next(str(each["message"]) for each in record.warnings if each["kind"] == kind)
    said = message.partition("; ")[0].rpartition(", on ")[2]
    split = said.removesuffix(" data")
    shown = splits(record.dataset)[-1]
    return f" on {said}" if split in splits(record.dataset) and split != shown else ""


def _ended(status: str) -> str:
    return f"was {status}" if status in (INTERRUPTED, "stopped") else status
