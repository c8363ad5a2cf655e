"""Loading the model of a run: its network, weights and tensors; nothing in the file is trusted."""

from __future__ import annotations

import base64
import copyreg
import hashlib
import json
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nnrun.config.schema.fields import Integer, Number, OneOf
from nnrun.config.schema.network import Loss, NetworkConfig
from nnrun.config.schema.training import DTYPES
from nnrun.data.columns.column import Number as NumberColumn
from nnrun.data.dataset import Task
from nnrun.data.layout import Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.rows import refuse_if_too_big
from nnrun.data.steps import PerFeature
from nnrun.errors import DataError, NnrunError, UsageError
from nnrun.models import MODEL
from nnrun.models.calibration import MOST_POINTS, OF_TWO, Calibration
from nnrun.models.coverage import MOST_SCORES, Coverage
from nnrun.models.model import Model, with_embeddings
from nnrun.models.outside import MOST_ROWS, Sample, categories_of
from nnrun.models.task import Classification, Decision, gives_probabilities
from nnrun.nn.layer import Parameter
from nnrun.nn.network import Network
from nnrun.nn.signature import Array, Shape
from nnrun.plugins.loading import changed, require
from nnrun.plugins.part import PluginError

# Weights by name, and their SHA-256.


def weights_views(network: Network) -> dict[str, Array]:
    """Parameters and buffers by `<layer's index in the config>.<name>`; views, not copies."""
    parameters = {name: parameter.value for name, parameter in network.parameters.items()}
    return {**parameters, **network.buffers}


def weights_shapes(network: Network) -> dict[str, Shape]:
    """Their shapes, which are known before memory is allocated."""
    parameters = {name: parameter.shape for name, parameter in network.parameters.items()}
    return {**parameters, **{name: array.shape for name, array in network.buffers.items()}}


def weights_of(network: Network) -> dict[str, Array]:
    """Copies of parameters and buffers, by the same names."""
    return {name: array.copy() for name, array in weights_views(network).items()}


V = TypeVar("V")


def of_members(each: Sequence[Mapping[str, V]]) -> dict[str, V]:
    """What several networks have by name, each name with the number of its network."""
    return {
        f"members.{number}.{name}": array
        for number, arrays in enumerate(each)
        for name, array in arrays.items()
    }


def of_member(arrays: Mapping[str, V], number: int = 0) -> dict[str, V]:
    """What one network has, of the first or only one by default."""
    head = f"members.{number}."
    own = {name.removeprefix(head): a for name, a in arrays.items() if name.startswith(head)}
    return own or dict(arrays)


def weights_of_model(model: Model) -> dict[str, Array]:
    """The weights of all its networks, as they are stored; views, not copies."""
    each = [weights_views(network) for network in model.networks]
    several = model.values is not None and model.values.get("members") is not None
    return of_members(each) if several else each[0]


def load_weights(network: Network, weights: dict[str, Array]) -> None:
    """Copy stored weights into an initialized network."""
    for name, array in weights_views(network).items():
        array[...] = weights[name]


def weights_sha256(weights: dict[str, Array]) -> str:
    """SHA-256 over names, types, shapes and little-endian bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


class Names:
    """`names[parameter or buffer]` is its name in the file of weights, after `head`."""

    def __init__(self, network: Network, head: str = "") -> None:
        self._names = {id(value): head + name for name, value in network.parameters.items()}
        self._names |= {id(array): head + name for name, array in network.buffers.items()}

    def __getitem__(self, part: Parameter | Array) -> str:
        return self._names[id(part)]


# Arrays and plain values in one safetensors file; reading it executes nothing.

# All values are under one key: the order of several keys would not be fixed, nor would the bytes.
_KEY = "nnrun"
_DAMAGE = (SafetensorError, struct.error)


def pack(arrays: Mapping[str, Array], values: Any) -> bytes:
    """The bytes of a file with these arrays and JSON-able values."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, {_KEY: json.dumps(values)})


def unpack(path: Path, content: bytes | None = None) -> tuple[dict[str, Array], Any]:
    """Arrays and values of a file.

    Raises:
        NnrunError: it is not such a file, is damaged, or does not fit into memory.
        OSError: it cannot be read.
    """
    if content is None:
        refuse_if_too_big(2 * path.stat().st_size, str(path))
        content = path.read_bytes()
    try:
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        return load(content), json.loads(header["__metadata__"][_KEY])
    except (*_DAMAGE, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NnrunError(f"{path}: damaged or no file of nnrun's ({error})") from error


_NETWORK = "the network"


class PluginChangedWarning(UserWarning):
    """A model predicts with another version of a plugin than it was trained with."""


class _StoredDecision(BaseModel):
    """The threshold at which the positive class is predicted."""

    positive: Annotated[int, Integer(ge=0, le=1)]
    threshold: Annotated[float, Number(ge=0, le=2)]


class _StoredNetwork(BaseModel):
    """The values that describe a network."""

    model_config = ConfigDict(extra="ignore")

    network: NetworkConfig
    loss: Loss
    dtype: Annotated[str, OneOf(DTYPES)]
    input_shape: tuple[Annotated[int, Integer(gt=0)], ...]


class _StoredMembers(BaseModel):
    """How many networks predict together, and their descriptions in turn."""

    number: Annotated[int, Integer(ge=1, le=1000)]
    settings: Annotated[list[_StoredNetwork], Field(min_length=1)]


class _StoredErrors(BaseModel):
    """The errors on rows that were not trained on."""

    source: str
    scores: list[Annotated[list[Annotated[float, Number(ge=0)]], Field(max_length=MOST_SCORES)]]
    rows: list[Annotated[int, Integer(ge=0)]]
    scale: list[tuple[Annotated[float, Number(ge=0)], Annotated[float, Number(ge=0)]]] = []
    groups: Annotated[int, Integer(ge=0)] = 0
    stands: list[list[Annotated[float, Number(ge=0)]]] = []

    def restored(self, entries: int, networks: int) -> Coverage:
        """What was stored, for so many outputs or classes."""
        scaled = entries if networks > 1 and self.scale else 0
        kept = [min(rows, MOST_SCORES) for rows in self.rows]
        right = [*map(len, self.scores)] == kept and len(kept) == entries
        right = right and [*map(len, self.stands)] == (kept if self.groups else [])
        if not right or len(self.scale) != scaled or self.scores != [*map(sorted, self.scores)]:
            raise ValueError("its errors are not those of its outputs")
        return Coverage(
            self.source,
            tuple(map(tuple, self.scores)),
            tuple(self.rows),
            tuple(self.scale),
            self.groups,
            tuple(map(tuple, self.stands)),
        )


class _StoredSample(BaseModel):
    """Some training rows, and how far others are from them."""

    values: str
    cut: Annotated[float, Number(ge=0)]

    def restored(self, layout: Layout) -> Sample:
        """What was stored, for a table with these columns."""
        values = np.frombuffer(base64.b64decode(self.values, validate=True), "<f4")
        values = values.reshape(-1, len(categories_of(layout.columns)))
        if not 2 <= len(values) <= MOST_ROWS or np.isinf(values).any():
            raise ValueError("its training rows are not those of its columns")
        return Sample(layout.columns, values, self.cut)


class _StoredCalibration(BaseModel):
    """What becomes of probabilities, and whether they are predicted with."""

    method: str
    numbers: Annotated[list[Annotated[float, Number()]], Field(max_length=MOST_POINTS)]
    source: str
    rows: Annotated[int, Integer(ge=0)]
    used: bool = False


class _Stored(_StoredNetwork):
    """The values stored with the weights, which describe network and preprocessing."""

    run_id: str
    preprocessing: dict[str, Any]
    decision: _StoredDecision | None = None
    errors: _StoredErrors | None = None
    calibration: _StoredCalibration | None = None
    ranges: list[tuple[Annotated[float, Number()], Annotated[float, Number()]]] = []
    sample: _StoredSample | None = None
    members: _StoredMembers | None = None

    @property
    def each(self) -> list[_StoredNetwork]:
        """The description of each network."""
        if self.members is None:
            return [self]
        settings, number = self.members.settings, self.members.number
        return [settings[at % len(settings)] for at in range(number)]


def load_model(folder: Path) -> Model:
    """The trained model of a run.

    Args:
        folder: the run's folder, or the model's file.

    Raises:
        UsageError: there is no model; runs that diverged or failed have none.
        NnrunError: the file is damaged, or not written by nnrun.
        OSError: it cannot be read.
    """
    path = folder / MODEL if folder.is_dir() else folder
    if not path.is_file():
        what = "no trained model is kept there" if folder.is_dir() else "there is no such run"
        raise UsageError(f"{path}: {what}")
    return make_model(*unpack(path), str(path))


def make_model(arrays: dict[str, Array], values: Any, origin: str) -> Model:
    """The model with these weights and stored values.

    `origin` says where they come from, for errors.

    Raises:
        NnrunError: they are damaged, or not written by nnrun.
        PluginError: they need a plugin that is not loaded.
    """
    try:
        model = restore(arrays, values)
    except PluginError as error:
        raise PluginError(f"{origin}: {error}") from None
    except (
        DataError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ) as error:
        raise NnrunError(
            f"{origin}: damaged, or of another version of nnrun ({_reason(error)})"
        ) from error
    for part, (then, now) in changed(values.get("plugins")).items():
        message = f"{origin}: {part} has changed since: SHA-256 {then[:10]}… then, {now[:10]}… now"
        warnings.warn(message, PluginChangedWarning, stacklevel=2)
    return model


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        place = ".".join(str(part) for part in error.errors()[0]["loc"] if part != "<long>")
        return f"{place} cannot be used"
    return (str(error) or repr(error)).splitlines()[0]


def restore(arrays: dict[str, Array], values: Any) -> Model:
    """The model with these weights by name and the values of `describe_model`.

    Raises:
        PluginError: they need a plugin that is not loaded.
        Exception: of many kinds, if something does not fit together.
    """
    require(values.get("plugins"))
    stored = _Stored.model_validate(values)
    preprocessing = Preprocessing.from_dict(stored.preprocessing)
    layout = preprocessing.layout
    if layout is None:
        raise ValueError("it does not say what its rows look like")
    for each in stored.each:
        _check_layout(layout, each.input_shape, preprocessing.added)
    _check_statistics(preprocessing, layout)
    networks = [_network(each, layout) for each in stored.each]
    if len({(n.output_shape, gives_probabilities(n)) for n in networks}) > 1:
        raise ValueError("its networks do not put out the same")
    shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    forms = [
        {name: (shape, network.dtype) for name, shape in weights_shapes(network).items()}
        for network in networks
    ]
    expected = forms[0] if stored.members is None else of_members(forms)
    if shapes != expected:
        odd = sorted(n for n in shapes | expected if shapes.get(n) != expected.get(n))[0]
        raise ValueError(f"the weights '{odd}' do not fit the network")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("its weights are no finite numbers")
    for number, network in enumerate(networks):
        network.initialize(rng=np.random.default_rng(0))
        load_weights(network, of_member(arrays, number))
    first, *others = networks
    model = Model(first, preprocessing, layout, stored.run_id, values, others)
    _decide(model, stored)
    _try_out(model)
    if stored.ranges:
        if len(stored.ranges) != sum(isinstance(each, NumberColumn) for each in layout.columns):
            raise ValueError("its ranges are not those of its columns")
        model.ranges = stored.ranges
    model.sample = None if stored.sample is None else stored.sample.restored(layout)
    if stored.errors is not None:
        entries = len(layout.classes) or len(layout.target_names)
        model.errors = stored.errors.restored(entries, len(networks))
    return model


def _decide(model: Model, stored: _Stored) -> None:
    """Restore the calibration of probabilities, and the threshold."""
    given = stored.calibration
    if given is not None:
        found = Calibration(**{**vars(given), "numbers": tuple(given.numbers)})
        fits = found.method not in OF_TWO or len(model.layout.classes) == 2
        task = model.task
        if not (isinstance(task, Classification) and task.probabilistic and found.sound and fits):
            raise ValueError("it has a calibration that its outputs cannot have")
        model.calibration = found
        model.task = replace(task, calibration=found) if found.used else task
    if stored.decision is not None:
        if not model.decides:
            raise ValueError("it has a threshold, but not the probabilities of two classes")
        by = given is not None and given.used
        model.decide(Decision(stored.decision.positive, stored.decision.threshold, by))


def _reduced(model: Model) -> tuple[Any, ...]:
    """Pickle support: a model is restored from its weights and values, as from a file."""
    if model.values is None:
        raise TypeError("a model without stored values cannot be pickled")
    return restore, (weights_of_model(model), model.values)


copyreg.pickle(Model, _reduced)


def _check_layout(layout: Layout, input_shape: Shape, added: int) -> None:
    sides = layout.shape
    if not all(type(side) is int and side > 0 for side in sides) or len(sides) not in (1, 3):
        raise ValueError(f"rows cannot have the shape {sides}")
    flat = added == 0 or len(sides) == len(input_shape) == 1
    if prod(sides) + added != prod(input_shape) or len(input_shape) not in (1, 3) or not flat:
        raise ValueError(f"rows of {sides} do not become inputs of {input_shape}")
    if layout.task not in get_args(Task):
        raise ValueError(f"there is no task '{layout.task}'")
    width = len(layout.columns.feature_names)
    fits = sides == (width,) if not layout.columns.plain else width in (0, prod(sides))
    if not fits:
        raise ValueError(f"its columns do not make rows of the shape {sides}")
    names = (*layout.classes, *layout.target_names, *layout.columns.features)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a name is no text")
    if len(set(layout.classes)) != len(layout.classes):
        raise ValueError("a class is there twice")
    if layout.bool_labels and not {"False", "True"}.issuperset(layout.classes):
        raise ValueError("its classes are not False and True")


def _check_statistics(preprocessing: Preprocessing, layout: Layout) -> None:
    target = [] if preprocessing.target is None else [preprocessing.target]
    if target and layout.task == "classification":
        raise ValueError("it scales classes")
    for step in (*preprocessing.steps, *target):
        places = [*getattr(step, "kept", ()), *getattr(step, "place", ())]
        if not np.isin(places, np.arange(prod(layout.shape))).all():
            raise ValueError(f"'{step.name}' is of features that there are not")
        if isinstance(step, PerFeature) and not step.sound(layout.shape):
            raise ValueError(f"the statistics of '{step.name}' do not fit")
        for name, value in step.state().items():
            if not np.isfinite(np.asarray(value, np.float64)).all():
                raise ValueError(f"the {name} of '{step.name}' is no finite number")


def _network(stored: _StoredNetwork, layout: Layout) -> Network:
    layers = [layer.build() for layer in stored.network.layers]
    blocks = with_embeddings(layers, layout.columns)
    network = Network(blocks, stored.loss.build(), stored.input_shape, stored.dtype)
    for _, layer in network.named_layers():
        refuse_if_too_big(8 * layer.activation_count, _NETWORK)
    return network


def _try_out(model: Model) -> None:
    """Compute the outputs of two rows, and check their shape."""
    layout = model.layout
    rows = np.zeros((2, *layout.shape))
    if not layout.columns.plain:
        rows[:] = np.concatenate([column.example() for column in layout.columns])
    outputs = model.outputs(rows)
    decoded = model.task.decode(outputs)
    if isinstance(model.task, Classification):
        classes = len(layout.classes)
        right = len(model.network.output_shape) == 1 and (
            model.task.outputs == classes or (model.task.outputs == 1 and classes == 2)
        )
    else:
        right = len(layout.target_names) == outputs.shape[-1] and decoded.shape == outputs.shape
        right = right and bool(np.isfinite(decoded).all())
    if not right:
        raise ValueError("the network's outputs are not what they should stand for")
