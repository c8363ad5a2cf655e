"""The data, network and environment of a run as a record describes them."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import safetensors
import yaml
from threadpoolctl import ThreadpoolController

from nnrun import NUMERICS_VERSION
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.columns.categories import NONE, Categorical
from nnrun.data.columns.categories import Embedding as EmbeddedColumn
from nnrun.data.layout import Columns
from nnrun.data.splits import describe_split, describe_weights, duplicates
from nnrun.models.calibration import Calibration
from nnrun.models.coverage import Coverage
from nnrun.models.outside import Sample, ranges_of
from nnrun.nn.embedding import Embedding
from nnrun.nn.layer import Layer, Place
from nnrun.nn.network import Network
from nnrun.nn.sequential import dotted
from nnrun.runs.preparation.prepare import PreparedBeside
from nnrun.runs.preparation.prepared import Prepared

# The data and the network of a run as a record describes them, and the file of its weights.

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
        **({"n_calibration": len(split.calibration)} if split.calibration else {}),
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


def describe_model(
    prepared: Prepared,
    decision: Description | None = None,
    networks: int = 1,
    errors: Coverage | None = None,
    calibration: Calibration | None = None,
) -> Description:
    """The metadata that prediction needs besides the weights.

    Args:
        prepared: the run.
        decision: that of the record.
        networks: how many have been trained.
        errors: on rows that they were not trained on.
        calibration: of their probabilities, by the same rows.
    """
    classes, several = prepared.dataset.classes, prepared.config.networks > 1
    needed = [part.fingerprint for part in prepared.plugins if part.kind in _IN_MODELS]
    fitted = {}
    if decision is not None and decision["fitted"]:
        positive, threshold = classes.index(decision["positive"]), decision["threshold"]
        fitted["decision"] = {"positive": positive, "threshold": threshold}
    if errors is not None:
        fitted["errors"] = errors.to_dict()
    if calibration is not None:
        fitted["calibration"] = calibration.to_dict()
    layout = prepared.dataset.layout
    is_table = len(layout.shape) == 1
    ranges = ranges_of(layout.columns, prepared.split.train.raw) if is_table else []
    held_out = prepared.split.validation
    rows = prepared.split.train.raw, None if held_out is None else held_out.raw
    sample = Sample.of(layout.columns, *rows) if is_table else None
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
        **({"ranges": ranges} if ranges else {}),
        **({"sample": sample.to_dict()} if sample is not None else {}),
        **({"plugins": needed} if needed else {}),
        **({"members": _described_members(prepared, networks)} if several else {}),
    }


def _described_members(prepared: Prepared, networks: int) -> Description:
    """How many networks there are, and their settings in turn."""
    described = [
        {"network": config["network"], "loss": config["loss"], "dtype": config["training"]["dtype"],
         "input_shape": list(setting.network.input_shape)}
        for setting in prepared.settings
        for config in [setting.config_dict]
    ]  # fmt: skip
    return {"number": networks, "settings": described}


# The environment of a run: everything that its bits may depend on.


@cache
def environment() -> dict[str, Any]:
    """Python, platform, CPU, package versions, BLAS and its kernel, NumPy's vector instructions,
    and the version of nnrun's numerics.

    A BLAS has a kernel for each kind of processor, and NumPy a loop for each vector width. Another
    kernel or loop adds in another order, which gives other bits.
    """
    return {
        "numerics": NUMERICS_VERSION,
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "platform": _platform(),
        "cpu": _cpu(),
        "architecture": platform.machine(),
        "packages": _packages(),
        "blas": _blas(),
        "blas_kernel": _blas_kernel(),
        "vectors": _vectors(),
    }


@cache
def libraries() -> ThreadpoolController:
    """The BLAS libraries in use; cached, since finding them takes longer than a small run."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def run_arithmetic() -> Iterator[None]:
    """Sums always have the same order, as every BLAS has one thread; and NumPy does not warn.

    A run that leaves the range of numbers reports where and why.
    """
    found = [(blas, blas.num_threads) for blas in libraries().lib_controllers]
    changed = [(blas, number) for blas, number in found if number != 1]
    for blas, _ in changed:
        blas.set_num_threads(1)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        for blas, number in changed:
            blas.set_num_threads(number)


def _platform() -> str:
    """`platform.platform()`; on Linux without the process that it starts for the processor's name,
    which is that of the architecture or unknown.
    """
    here = platform.uname()
    if here.system != "Linux":
        return platform.platform()
    library = "".join(platform.libc_ver())
    return "-".join(filter(None, (here.system, here.release, here.machine, "with", library)))


def _packages() -> dict[str, str]:
    from importlib.metadata import version  # noqa: PLC0415  # slow; scikit-learn is slower still

    return {
        "numpy": np.__version__,
        "scikit-learn": version("scikit-learn"),
        "safetensors": safetensors.__version__,
        "pydantic": pydantic.VERSION,
        "pyyaml": yaml.__version__,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> str:
    details: Any = np.show_config(mode="dicts")
    blas = details["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def _blas_kernel() -> str:
    """The kernel in use, such as `Haswell`; empty if the BLAS does not report it."""
    found = libraries().info()
    # SciPy may have loaded its own.
    found.sort(key=lambda library: "numpy" not in Path(library["filepath"]).parent.name)
    return str(found[0].get("architecture", "")) if found else ""


def _vectors() -> str:
    """The vector instructions that NumPy uses on this processor."""
    details: Any = np.show_config(mode="dicts")
    sets = details.get("SIMD Extensions", {})
    return " ".join([*sets.get("baseline", []), *sets.get("found", [])])
