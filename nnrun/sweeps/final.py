"""The best setting of an experiment, trained on all rows: the network to use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_low
from typing import Any

from nnrun.config.load import load_config
from nnrun.data.splits import load_dataset, loader_of
from nnrun.errors import NnrunError, UsageError
from nnrun.plugins.loading import require
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import read_run
from nnrun.runs.stored_config import require_data
from nnrun.sweeps.board.best import Choice, chosen_config, final_name


@dataclass(frozen=True)
class Final:
    """The last training of a setting.

    Args:
        prepared: the run, ready to start; its description names the judged runs.
        config: of the run, as a file may have it.
        words: what it trains on, and what is known of it, a line each.
    """

    prepared: Prepared
    config: dict[str, Any]
    words: list[str]


def final_of(choice: Choice, root: Path, estimate: str, data: Any = None) -> Final:
    """The best setting on all rows, as an experiment of its own without a test split.

    Validation rows stay where training needs them: for early stopping and for a threshold. By time
    these would be the newest rows; then early stopping is replaced by the length of the judged
    runs, the median over them.

    Args:
        choice: the best setting.
        root: the results folder of its runs.
        estimate: what the judged runs reached, in words.
        data: what these were trained on, if that was given in Python.

    Raises: UsageError if the judged runs have trained on all rows; NnrunError if the data have
    changed; DataError or ConfigError if they cannot be read.
    """
    record = choice.record
    label = f"{record.name}/{record.run_id}"
    require(record.plugins)
    if data is None:
        require_data(record)
    config, length = _config(choice, root)
    prepared = _prepared(config, data)
    if prepared.split.left_out:  # the test rows of the set itself
        config["dataset"]["test_size"] = "pooled"
        prepared = _prepared(config, data)
    if prepared.dataset.sha256 != record.dataset["sha256"]:
        raise NnrunError(
            f"the data of {label} have changed since it was trained, so that its result says "
            "little of them; train the settings on the data as they are now, then choose"
        )
    own = prepared.config.own_validation
    rows = len(prepared.split.train) + own * len(prepared.split.validation or ())
    judged = record.dataset["n_train"] + own * record.dataset["n_validation"]
    if not record.dataset["n_test"] and rows <= judged:
        raise UsageError(f"{label} was trained on all rows that can be trained on already")
    share = f"{100 * judged / rows:.0f}%"
    words = f"{record.name}/best on {_rows(prepared)}; {estimate}, of training on {share} of them"
    own_words = config["description"].rstrip(".")
    config["description"] = f"{own_words}. {words}" if own_words else words
    described = prepared.config.model_copy(update={"description": config["description"]})
    notes = [
        f"{config['name']}: trains on {_rows(prepared)}, and {label} on {judged:,}",
        f"  it has no test rows left; {estimate}, of a network trained on {share} of these rows",
        *length,
    ]
    return Final(replace(prepared, config=described), config, notes)


def _prepared(config: dict[str, Any], data: Any) -> Prepared:
    return prepare(load_config(config), loader_of(data) or load_dataset)


def _config(choice: Choice, root: Path) -> tuple[dict[str, Any], list[str]]:
    """The config, and a line on how long it trains if that is not as before."""
    config, record = chosen_config(choice), choice.record
    block = {
        **config["dataset"], "test_size": 0, "folds": None, "fold": None, "hide_test": False,
    }  # fmt: skip
    training, stopping = config["training"], config["training"]["early_stopping"]
    length: list[str] = []
    by_time = (block.get("split") or {}).get("by") == "time"
    lengths = _lengths(choice, root, restored=stopping["restore_best"]) if stopping else []
    if by_time and stopping and lengths and config["decide"] is None:
        longest = {"iterations": median_low(lengths), "epochs": None, "early_stopping": None}
        training = {**training, **longest}
        length = [
            f"  {longest['iterations']:,} iterations without early stopping, whose validation rows "
            "are the newest: the median of the judged runs"
        ]
    own = isinstance(config["members"], dict) and config["members"]["validation"] == "own"
    if not (training["early_stopping"] or config["decide"] or own):
        block["validation_size"] = 0
    dropped = dict.fromkeys(("published", "search"))
    name = {"name": final_name(record.name)}
    return {**config, **dropped, **name, "dataset": block, "training": training}, length


def _lengths(choice: Choice, root: Path, *, restored: bool) -> list[int]:
    """The iterations after which the judged runs had their weights, as far as these are stored."""
    ids = [{run.run_id for run in variant.runs} for variant in choice.variants]
    judged = next(found for found in ids if choice.record.run_id in found)
    runs = [read_run(root / choice.record.name / run_id, placed=True) for run_id in sorted(judged)]
    records: list[RunRecord] = [run.record for run in runs if run and run.record]
    every = [
        record.best_iteration if restored else record.timing["iterations"]
        for record in records
        if record.status == "completed"
    ]
    return [length for length in every if length]


def _rows(prepared: Prepared) -> str:
    """`all 392 rows`, or `314 of all 392 rows`, with what the others are for."""
    split = prepared.split
    held_out = 0 if split.validation is None else len(split.validation)
    every = split.sizes.total + len(split.calibration or ())
    if split.calibration:
        return f"{len(split.train):,} of all {every:,} rows, some of the others for calibration"
    if not held_out or prepared.config.own_validation:
        return f"all {every:,} rows"
    why = "early stopping" if prepared.config.training.early_stopping else "the threshold"
    return f"{len(split.train):,} of all {every:,} rows, the others being for {why}"
