"""The data and the network of a run as a record describes them, and the file of its weights."""

from __future__ import annotations

import json
from math import prod
from typing import Any

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.columns.categories import NONE, Categorical
from nnrun.data.columns.categories import Embedding as EmbeddedColumn
from nnrun.data.layout import Columns
from nnrun.data.splits import describe_split, describe_weights, duplicates
from nnrun.nn.embedding import Embedding
from nnrun.nn.layer import Layer, Place
from nnrun.nn.network import Network
from nnrun.nn.sequential import dotted
from nnrun.runs.preparation.prepare import PreparedBeside
from nnrun.runs.preparation.prepared import Prepared

Description = dict[str, Any]

# The kinds of parts that a model cannot do without; its config names initializers, too.
_IN_MODELS = ("layer", "activation", "loss", "initializer", "step")


def describe_dataset(prepared: Prepared) -> Description:
    """The data set and the sizes of its splits."""
    dataset, split = prepared.dataset, prepared.split
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "n_train": len(split.train),
        "n_validation": len(split.validation) if split.validation else 0,
        "n_test": len(split.test) if split.test else 0,
        "n_features": prod(dataset.shape),
        "classes": list(dataset.classes) or None,
        "description": dataset.description,
        "note": dataset.note,
        "task": dataset.task,
        "task_from": prepared.task_from,
        **describe_held_out(prepared),
    }


def describe_held_out(prepared: Prepared) -> Description:
    """How rows were split, and counts of unusual held-out rows.

    By split, `duplicates` counts those that are training rows too, and `unseen` those with a
    category of a column that no training row has. `left_out` counts rows that are in no split:
    `dropped` ones, with missing values, and own test rows of the set, or `hidden` test rows.
    """
    split, weights = prepared.split, _described_weights(prepared)
    how = describe_split(prepared.dataset, prepared.config.dataset, split)
    columns = prepared.dataset.columns or ()
    stand_ins = {one.name: one.stands_for for one in columns if isinstance(one, Categorical)}
    unseen = [
        {
            "split": found.part,
            "column": found.column,
            "rows": found.rows,
            "categories": list(found.categories),
            **({} if stand_ins[found.column] == NONE else {"as": stand_ins[found.column]}),
        }
        for found in split.unseen
    ]
    return {
        **({"hidden": True} if prepared.config.dataset.hide_test else {}),
        "left_out": split.left_out + len(prepared.dataset.dropped),
        "dropped": len(prepared.dataset.dropped),
        "duplicates": duplicates(prepared.dataset, split),
        "unseen": unseen,
        **({} if how is None else {"split": how}),
        **weights,
    }


def _described_weights(prepared: Prepared) -> Description:
    """The weights of rows and of classes, by split and by class, where there are any."""
    columns, factors = prepared.config.dataset.columns, prepared.class_factors
    rows = describe_weights(prepared.split, None if columns is None else columns.weight)
    found: Description = {} if rows is None else {"weights": rows}
    if factors is not None:
        classes = prepared.dataset.classes
        found["class_weight"] = dict(zip(classes, factors.tolist(), strict=True))
    return found


def described_network(prepared: Prepared) -> Description:
    """The description of the network, made once; each run has a copy of its own."""
    if isinstance(prepared, PreparedBeside):
        return {"input_shape": list(prepared.dataset.shape), "layers": [], "parameters": 0}
    network = prepared.network
    text = prepared.cache.code.get(
        f"network for {network.input_shape} of {network.size}",
        lambda: json.dumps(describe_network(prepared.config, network, prepared.dataset.columns)),
    )
    found: Description = json.loads(text)
    return found


def describe_network(
    config: ExperimentConfig, network: Network, columns: Columns | None = None
) -> Description:
    """The layers of the config, with their output shapes and numbers of parameters.

    A layer with inner layers has them under `layers`, each with a `name`, and counts their
    parameters. The embeddings of columns, which are before the first layer, are listed apart.
    """
    blocks: dict[Place, list[Layer]] = {}
    for place, layer in network.named_layers():
        blocks.setdefault(place, []).append(layer)
    found: dict[Place, Description] = {}
    outermost: list[Description] = []
    for place, config_layer in config.network.named_layers():
        block = blocks[place]
        learning = (part for part in block if not isinstance(part, Embedding))
        own = sum(parameter.size for part in learning for parameter in part.parameters)
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
        **describe_embeddings(columns),
        "layers": outermost,
        "parameters": network.size,
    }


def describe_embeddings(columns: Columns | None) -> Description:
    """The tables of vectors of columns, if there are any."""
    found = [
        {
            "column": column.name,
            "entries": column.entries,
            "dimensions": column.dimensions,
            "parameters": column.entries * column.dimensions,
        }
        for column in columns or ()
        if isinstance(column, EmbeddedColumn)
    ]
    return {"embeddings": found} if found else {}


def describe_model(prepared: Prepared, decision: Description | None = None) -> Description:
    """The metadata that prediction needs besides the weights.

    `decision` is that of the record.
    """
    classes = prepared.dataset.classes
    needed = [part.fingerprint for part in prepared.plugins if part.kind in _IN_MODELS]
    fitted = {}
    if decision is not None and decision["fitted"]:
        positive, threshold = classes.index(decision["positive"]), decision["threshold"]
        fitted["decision"] = {"positive": positive, "threshold": threshold}
    return {
        **fitted,
        "run_id": prepared.run_id,
        "network": prepared.config_dict["network"],
        "loss": prepared.config_dict["loss"],
        "dtype": prepared.config.training.dtype,
        "input_shape": list(prepared.network.input_shape),
        "task": prepared.dataset.task,
        "classes": list(prepared.dataset.classes),
        "preprocessing": prepared.preprocessing.to_dict(),
        **({"plugins": needed} if needed else {}),
    }
