"""The parts of a report, from a prepared run and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.held_out import duplicates
from nnrun.data.preprocessing.pipeline import Preprocessing
from nnrun.nn.layer import Layer, Place
from nnrun.nn.network import Network
from nnrun.nn.sequential import dotted
from nnrun.runs.diagnosis import Diagnostic
from nnrun.runs.metrics import Metrics
from nnrun.runs.preparation.infer_task import infer_task
from nnrun.runs.preparation.prepare import Prepared
from nnrun.training.divergence import Divergence
from nnrun.training.examples import PreparedSplit
from nnrun.training.trainer import Trainer

Description = dict[str, Any]


def describe_dataset(prepared: Prepared, examples: dict[str, PreparedSplit]) -> Description:
    """The data set and the sizes of its splits."""
    dataset, sizes = prepared.dataset, {name: len(part) for name, part in examples.items()}
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "n_train": sizes["train"],
        "n_validation": sizes.get("validation", 0),
        "n_test": sizes.get("test", 0),
        "n_features": int(examples["train"].x[0].size),
        "classes": list(dataset.classes) or None,
        "description": dataset.description,
        "note": dataset.note,
        "task": dataset.task,
        "task_from": task_from(prepared.config),
        **describe_held_out(prepared),
    }


def describe_held_out(prepared: Prepared) -> Description:
    """What is particular about rows that are held out.

    By split, `duplicates` counts those that are training rows too, and `unseen` those with a
    category of a column that no training row has. `left_out` counts rows that are in no split:
    `dropped` ones, with missing values, and own test rows of the set.
    """
    split = prepared.split
    unseen = [
        {
            "split": found.part,
            "column": found.column,
            "rows": found.rows,
            "categories": list(found.categories),
        }
        for found in split.unseen
    ]
    return {
        "left_out": split.left_out + prepared.dataset.dropped,
        "dropped": prepared.dataset.dropped,
        "duplicates": duplicates(prepared.dataset, split),
        "unseen": unseen,
    }


def task_from(config: ExperimentConfig) -> str | None:
    """What else of the config says which task it is, where the data are a file's."""
    implied = infer_task(config)
    return implied.reason if implied and implied.task == config.dataset.task else None


def describe_network(config: ExperimentConfig, network: Network) -> Description:
    """Layers as the config has them, with what they put out and how many parameters they have.

    A layer that holds layers has theirs under `layers`, each with a `name`, and counts their
    parameters with its own.
    """
    blocks: dict[Place, list[Layer]] = {}
    for place, layer in network.walk():
        blocks.setdefault(place, []).append(layer)
    found: dict[Place, Description] = {}
    outermost: list[Description] = []
    for place, config_layer in config.network.walk():
        block = blocks[place]
        own = sum(parameter.size for part in block for parameter in part.parameters)
        found[place] = {
            "type": config_layer.type,
            "activation": block[-1].type if len(block) > 1 else None,
            "output_shape": list(block[-1].output_shape),
            "parameters": own,
        }
        holders = [place[:end] for end in range(len(place)) if place[:end] in found]
        for holder in holders:
            found[holder]["parameters"] += own
        if holders:
            found[place]["name"] = dotted(place)
            found[holders[-1]].setdefault("layers", []).append(found[place])
        else:
            outermost.append(found[place])
    return {
        "input_shape": list(network.input_shape),
        "layers": outermost,
        "parameters": network.size,
    }


def describe_divergence(
    config: ExperimentConfig, found: Divergence, causes: Sequence[Diagnostic] = ()
) -> str:
    """What went wrong, where and when, and what to try, as a sentence."""
    advice = [f"{cause.message[0].upper()}{cause.message[1:]}" for cause in causes]
    return ". ".join([f"diverged: {_what(config, found)}", *advice])


def _what(config: ExperimentConfig, found: Divergence) -> str:
    at = f"at iteration {found.iteration:,}"
    where = "the loss"
    if found.parameter is not None:
        layer, _, name = found.parameter.rpartition(".")
        types = {dotted(place): layer.type for place, layer in config.network.walk()}
        where = f"the {name} of layer {layer} ({types[layer]})"
    if found.cause == "loss":
        return (
            f"the training loss left where it began ({found.began:.4g}) {at} and ended at "
            f"{found.loss:.4g}"
        )
    if found.cause == "weights":
        return (
            f"{where} left any useful range {at}, with weights up to {found.largest_weight:.1g} "
            "at the end and a loss no better than the baseline's"
        )
    if found.last_good_loss is None:
        return "the loss was beyond the range of numbers from the start"
    return (
        f"{where} left the range of numbers {at} (last good loss {found.last_good_loss:.6g} at "
        f"iteration {found.last_good_iteration:,})"
    )


def describe_timing(trainer: Trainer) -> Description:
    """Seconds of updates alone, with the speed that makes, and of the evaluations along the way."""
    seconds, found = trainer.train_seconds, trainer.divergence
    # What came after numbers that are not finite was no training.
    lost = found is not None and found.cause == "not_finite"
    iterations = found.iteration if found is not None and lost else trainer.iteration
    return {
        "train_seconds": seconds,
        "evaluation_seconds": trainer.evaluation_seconds,
        "iterations": iterations,
        "iterations_per_second": iterations / seconds if seconds > 0 else None,
    }


def describe_model(
    prepared: Prepared, network: Network, preprocessing: Preprocessing
) -> Description:
    """All that prediction needs besides the weights."""
    return {
        "run_id": prepared.run_id,
        "network": prepared.config_dict["network"],
        "loss": prepared.config_dict["loss"],
        "dtype": prepared.config.training.dtype,
        "input_shape": list(network.input_shape),
        "task": prepared.dataset.task,
        "classes": list(prepared.dataset.classes),
        "preprocessing": preprocessing.to_dict(),
    }


def compare_published(
    numbers: Mapping[str, float], metrics: Mapping[str, Metrics | None]
) -> list[Description]:
    """Every published number beside ours; `ours` is None where the run has no such number."""
    rows = []
    for key, number in numbers.items():
        split, _, metric = key.partition("_")
        ours = (metrics.get(split) or {}).get(metric)
        difference = None if ours is None else ours - number
        rows.append({"metric": key, "published": number, "ours": ours, "difference": difference})
    return rows


def published_of(config: ExperimentConfig) -> dict[str, float]:
    """The numbers from elsewhere that a config names, by `<split>_<metric>`."""
    return config.published.numbers if config.published else {}
