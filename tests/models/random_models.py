"""Random, untrained models, and CSV files with all that tables of people have."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

from nnrun.config.schema.columns import STEP_BLOCKS
from nnrun.data.columns.categories import Embedding, OneHot, TargetMean
from nnrun.data.columns.column import Column, Number
from nnrun.data.columns.date_formats import DateFormat
from nnrun.data.columns.kinds import CYCLIC, PARTS, Date
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.layout import Columns, Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.steps import SCALERS, STEPS
from nnrun.models.calibration import Calibration
from nnrun.models.coverage import Coverage, HeldOut, likelier
from nnrun.models.model import Model, with_embeddings
from nnrun.models.task import Decision
from nnrun.nn import (
    LOSSES,
    BinaryCrossEntropy,
    CrossEntropy,
    Flatten,
    MeanSquared,
    Network,
    conv1d,
    dense,
)
from nnrun.nn.signature import Array, Shape
from tests.architectures.walks import Deal, at_random, draw
from tests.nn.examples import NETWORKS

SHAPE = (2, 7, 6)
# Values for the option of each step that has one.
OPTIONS: dict[str, tuple[Any, ...]] = {
    "binarize": (0.1, 0, 5),
    "clip": ({"margin": 0.0}, {"margin": 0.1}),
    "piecewise_linear": ({"bins": 2}, {"bins": 8}),
}
# Steps that keep the shape of rows, so that a network can be made before they are fitted.
KEEPING = [name for name in STEPS if name != "piecewise_linear"]


def model_of(
    network: Network, shape: Shape, features: list[Any], task: str, target: str = "none"
) -> Model:
    """A model of an initialized network; its preprocessing is fitted on random rows.

    Where steps add columns, the network is made again for as many.
    """
    outputs = network.output_shape[0]
    classes = tuple(str(3 * number) for number in range(max(2, outputs)))
    names = tuple(f"x{number}" for number in range(int(np.prod(shape))))
    layout = Layout(
        task=task,
        shape=shape,
        columns=Columns.numbers(names),
        classes=classes if task == "classification" else (),
        target_names=tuple(f"y{number}" for number in range(outputs)),
    )
    preprocessing = Preprocessing(features, target, layout)
    y = np.random.default_rng(5).normal(20, 7, (40, outputs))
    preprocessing.fit(rows_of(preprocessing, shape, 40, seed=4), y)
    if preprocessing.added:
        width = (len(names) + preprocessing.added,)
        network = Network(network.blocks, network.loss, width, network.dtype.name)
        network.initialize(rng=np.random.default_rng(0))
    unsettle(network)
    return Model(network, preprocessing, layout, "s1-0123456789")


def unsettle(network: Network) -> None:
    """Running means and variances as training would leave them, and biases that are not zero."""
    rng = np.random.default_rng(6)
    for name, array in network.buffers.items():
        array[...] = (
            rng.uniform(0.5, 2, array.shape) if "variance" in name else rng.normal(size=array.shape)
        )
    network.theta += (0.1 * rng.standard_normal(network.size)).astype(network.dtype)


def rows(model: Model, count: int, seed: int = 0) -> Array:
    """Raw rows that single precision holds exactly.

    Their features are of very different scale where the first step takes that away; else sums of
    large numbers would leave little of what single precision holds, in any program.
    """
    return rows_of(model.preprocessing, model.layout.shape, count, seed)


def rows_of(preprocessing: Preprocessing, shape: Shape, count: int, seed: int = 0) -> Array:
    """Likewise for the model with this preprocessing."""
    steps = preprocessing.steps
    scaled = bool(steps) and steps[0].name in SCALERS
    scale = np.random.default_rng(1).uniform(0.1, 100 if scaled else 1, shape)
    x = np.random.default_rng(seed).normal(scale, scale, (count, *shape))
    return x.astype(np.float32).astype(np.float64)


def judged(model: Model, *, groups: bool = False) -> Model:
    """The model with random errors on 3,000 rows, so that some scores are left out."""
    rng = np.random.default_rng(7)
    shape = (3000, *model.network.output_shape)
    group = rng.integers(50, size=3000) if groups else None
    if model.layout.classes:
        probabilities = rng.dirichlet([1] * len(model.layout.classes), 3000)
        truth = (probabilities.cumsum(axis=1) < rng.random((3000, 1))).sum(axis=1)
        held_out = HeldOut(probabilities, truth, groups=group)
        model.errors = Coverage.of_classes(held_out, "validation")
        return model
    variance, times = None, None
    if len(model.networks) > 1:
        variance, times = rng.exponential(size=shape), np.array([[2]])
    held_out = HeldOut(np.zeros(shape), rng.standard_normal(shape), variance, times, group)
    model.errors = Coverage.of_numbers(held_out, "validation")
    return model


def several(seed: int, dtype: str) -> Model:
    """A model of three networks, for numbers or for classes."""
    last, loss = (dense(2), MeanSquared()) if seed % 2 else (dense(3, "softmax"), CrossEntropy())
    networks = [Network([dense(7, "tanh"), last], loss, (5,), dtype) for _ in range(3)]
    for number, network in enumerate(networks):
        network.initialize(rng=np.random.default_rng([seed, number]))
    task, target = ("regression", "standard") if seed % 2 else ("classification", "none")
    model = model_of(networks[0], (5,), ["standard"], task, target)
    values = {"members": {"number": 3, "settings": [{}]}}
    return Model(*networks[:1], model.preprocessing, model.layout, "s1-0", values, networks[1:])


CALIBRATED = [
    (3, Calibration("temperature", (2.5,), "validation", 90), None),
    (1, Calibration("platt", (1.7, -0.6)), None),
    (1, Calibration("platt", (0.3, 0.8)), Decision(0, 0.4, calibrated=True)),
    (2, Calibration("isotonic", (0.2, 0.4, 0.5, 0.8, 0.1, 0.1, 0.6, 0.9)), None),
    (1, Calibration("isotonic", (0.2, 0.4, 0.8, 0.1, 0.3, 0.9)), Decision(1, 0.6)),
]
"""Outputs for classes (3: of several networks), what calibrates probabilities, what decides."""


def calibrated(dtype: str, outputs: int, *calibration: Any) -> Model:
    """A model that predicts by calibrated probabilities."""
    calibrates, decision = calibration
    model = several(0, dtype)
    if outputs < 3:
        last = dense(outputs, "softmax" if outputs > 1 else "sigmoid")
        network = Network([dense(7, "tanh"), last], MeanSquared(), (5,), dtype)
        network.initialize(rng=np.random.default_rng(0))
        model = model_of(network, (5,), ["standard"], "classification")
    model.task = replace(model.task, calibration=calibrates, decision=decision)
    return model


MADE = {
    "several": lambda dtype: [several(seed, dtype) for seed in range(6)],
    "calibrated": lambda dtype: [calibrated(dtype, *case) for case in CALIBRATED],
}
"""Models of several networks, whose intervals are wider where these differ; and calibrated ones."""


def limits(model: Model, x: Array, by_class: bool = False) -> tuple[Array, ...]:
    """The ends of intervals of 80%; or whether classes are in sets, and how clear that is."""
    assert model.errors is not None
    promise = model.promise(0.8, by_class=by_class)
    if not model.layout.classes:
        covered = model.predict_covered(x, 0.8)
        return np.asarray(covered.low), np.asarray(covered.high)
    probabilities = model.probabilities(model.outputs(x), own=True)
    distance = likelier(probabilities) - model.errors.set_limits(promise)
    return model.errors.sets(probabilities, promise), np.abs(distance)


def table_model(name: str, index: int, dtype: str) -> Model:
    """A network that uses a layer of the table, in one of several ways."""
    network = Network(NETWORKS[name][index](), MeanSquared(), SHAPE, dtype)
    network.initialize(rng=np.random.default_rng(0))
    return model_of(network, SHAPE, ["standard"], "regression", "standard")


def series_model(dtype: str) -> Model:
    """A network of series for a table of numbers."""
    blocks = [conv1d(2, activation="tanh"), Flatten(), dense(1)]
    network = Network(blocks, MeanSquared(), (1, 1, 5), dtype)
    network.initialize(rng=np.random.default_rng(0))
    return model_of(network, (5,), ["standard"], "regression")


def random_model(seed: int, dtype: str) -> Model:
    """A random architecture, with random steps before it and a random meaning after."""
    deal = at_random(seed)
    plan = draw(deal, images=deal("images", (True, False)), batch_norm=True, dropout=True)
    network = plan.build(seed, dtype)
    steps = [step_of(name, deal) for name in KEEPING]
    features = [deal("step", steps) for _ in range(deal("steps", (0, 1, 2)))]
    kind = deal("kind", ("regression", "classification"))
    target = deal("target", ("none", "standard", "minmax")) if kind == "regression" else "none"
    assert plan.loss in LOSSES
    return model_of(network, plan.input_shape, features, kind, target)


def step_of(name: str, deal: Deal | None = None) -> Any:
    """A step as a config has it, with one of the values of its option, the first unless dealt."""
    if name not in STEP_BLOCKS:
        return name
    options = OPTIONS[name]
    return option_step(name, options[0] if deal is None else deal(f"option of {name}", options))


def option_step(name: str, value: Any) -> Any:
    """A step with this value of its option."""
    return STEP_BLOCKS[name].model_validate({name: value})


# Random CSV files with all that tables of people have, and untrained models for them.

TEXTS = ("red", "dark blue", 'the "big" one', "a,b;c", "two\nlines", "Größe", "=1+1", "none", "-")
MISSING = ("", "NA", "nan", "N/A", "?")


@dataclass(frozen=True)
class Table:
    """A model, and rows for it as a CSV file."""

    model: Model
    content: bytes


def random_table(
    seed: int, rows: int = 60, dtype: str = "float64", target: str = "standard"
) -> Table:
    """Numbers, some with missing values, and categories that are texts or numbers."""
    rng = np.random.default_rng(seed)
    decimal = ".,"[seed % 2]
    columns, cells = [], []
    for index in range(rng.integers(1, 7)):
        name = ("size", "Preis (€)", 'the "odd" one', "a,b", "x;y", "tab\there")[index]
        made = (_number, _category, _amount, _date)[rng.integers(4)]
        column, found = made(rng, name, decimal, rows)
        columns.append(column)
        cells.append(found)
    layout = _layout(rng, tuple(columns), decimal)
    return Table(_model(rng, layout, dtype, target), _content(rng, columns, cells))


def _number(
    rng: np.random.Generator, name: str, decimal: str, rows: int
) -> tuple[Column, list[str]]:
    fills = bool(rng.integers(2))
    values = rng.normal(3, 10.0 ** rng.integers(-3, 6), rows)
    texts = [f" {value!r} ".replace(".", decimal) for value in values.tolist()]
    texts[0] = " 17"
    if fills:
        texts = [rng.choice(MISSING) if rng.random() < 0.2 else text for text in texts]
    return Number(name, "mean" if fills else ""), texts


def _category(
    rng: np.random.Generator, name: str, decimal: str, rows: int
) -> tuple[Column, list[str]]:
    by_value = bool(rng.integers(2))
    known = ["1", "2.5", "-3", "1000"] if by_value else list(TEXTS[: rng.integers(2, 10)])
    spellings = {"1": ["1", "1.0", "+1"], "2.5": ["2.50"], "-3": ["-3", "-3.0"], "1000": ["1e3"]}
    fills = bool(rng.integers(2))
    texts = []
    for label in rng.choice(known, rows).tolist():
        text = rng.choice(spellings[label]).replace(".", decimal) if by_value else label
        texts.append(rng.choice(MISSING) if fills and rng.random() < 0.2 else text)
    return _kind(rng, name, [*known, ""] if fills else known, by_value), _with_new(rng, texts)


def _kind(rng: np.random.Generator, name: str, known: list[str], by_value: bool) -> Column:
    """A column of categories, some of them rare; others are no mistake."""
    cut = int(rng.integers(2, len(known) + 1))
    given = {"known": tuple(known[:cut]), "rare": tuple(known[cut:]), "by_value": by_value}
    given["unknown"] = "ignore"
    if rng.integers(2):
        given |= {"unknown": "most_frequent", "frequent": known[1]}
    kind = rng.integers(3)
    if kind == 0:
        return OneHot(name, **given)
    if kind == 1:
        return Embedding(name, **given, dimensions=int(rng.integers(1, 4)))
    several = bool(rng.integers(2))
    means = rng.normal(0, 3, (cut + 1, 3 if several else 1)).tolist()
    classes = ("x", "y", "z") if several else ()
    return TargetMean(name, **given, classes=classes, means=tuple(map(tuple, means)))


def _with_new(rng: np.random.Generator, texts: list[str]) -> list[str]:
    return ["unheard of" if rng.random() < 0.05 else text for text in texts]


def _amount(
    rng: np.random.Generator, name: str, decimal: str, rows: int
) -> tuple[Column, list[str]]:
    example = str(rng.choice(["1,234.50 €", "1.234,50", "(1 234,50 kg)", "$1'234.50", "45 %"]))
    form, fills = NumberFormat.from_example(example, decimal), bool(rng.integers(2))
    signs = {ord(","): form.thousands, ord("."): form.decimal}
    texts = []
    for value in rng.normal(0, 10.0 ** rng.integers(1, 6), rows).tolist():
        text = f"{form.before} {abs(value):,.3f} {form.after}".translate(signs)
        sign = str(rng.choice(["-{}", "({})", "{}-", "\u2212{}"])) if value < 0 else "{}"
        texts.append(rng.choice(MISSING) if fills and rng.random() < 0.2 else sign.format(text))
    return Number(name, "mean" if fills else "", form), texts


def _date(rng: np.random.Generator, name: str, decimal: str, rows: int) -> tuple[Column, list[str]]:
    codes = str(
        rng.choice(["", "%d.%m.%Y", "%m/%d/%y %I:%M %p", "%B %d, %Y", "%Y%m%d %H:%M:%S %z"])
    )
    drawn = rng.permutation([*PARTS, CYCLIC])[: rng.integers(1, 9)]
    fills, start = bool(rng.integers(2)), datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=-3)))
    texts = []
    for seconds in rng.integers(0, 1_900_000_000, rows).tolist():
        moment = start + timedelta(seconds=seconds)
        text = moment.strftime(codes) if codes else moment.isoformat()
        texts.append(rng.choice(MISSING) if fills and rng.random() < 0.2 else text)
    wanted = tuple(dict.fromkeys([*drawn.tolist(), "elapsed"]))
    zoned = not codes or "%z" in codes
    return Date(name, wanted, "mean" if fills else "", DateFormat(codes), zoned), texts


def _layout(rng: np.random.Generator, columns: tuple[Column, ...], decimal: str) -> Layout:
    width = sum(column.width for column in columns)
    kinds = (
        {"task": "regression", "target_names": ("y",)},
        {"task": "regression", "target_names": ("y", "=z")},
        {"task": "classification", "classes": ("=no", "yes"), "target_names": ("y",)},
        {"task": "classification", "classes": ("1", "2", "3"), "target_names": ("y",)},
    )
    return Layout(shape=(width,), columns=Columns(columns, None, decimal), **kinds[rng.integers(4)])


def _model(rng: np.random.Generator, layout: Layout, dtype: str, target: str) -> Model:
    loss, last = MeanSquared(), dense(len(layout.target_names))
    if len(layout.classes) == 2:
        loss, last = BinaryCrossEntropy(), dense(1, "sigmoid")
    elif layout.classes:
        loss, last = CrossEntropy(), dense(3, "softmax")
    hidden = dense(7, str(rng.choice(["tanh", "relu", "gelu"])))
    blocks = with_embeddings([hidden, last], layout.columns)
    network = Network(blocks, loss, layout.shape, dtype)
    network.initialize(rng=rng)
    scaling = target if layout.task == "regression" else "none"
    preprocessing = Preprocessing(["standard"], scaling, layout)
    y = rng.normal(20, 7, (30, network.output_shape[0]))
    preprocessing.fit(rng.normal(0, 3, (30, *layout.shape)), y)
    return Model(network, preprocessing, layout, "s1-0123456789")


def _content(rng: np.random.Generator, columns: list[Column], cells: list[list[str]]) -> bytes:
    """The columns in another order beside one more, with or without BOM, CRLF, blank lines."""
    names = [column.name for column in columns]
    order = rng.permutation(len(names)).tolist()
    end = str(rng.choice(["\n", "\r\n"]))
    text = io.StringIO()
    separator = str(rng.choice([",", ";", "\t"]))
    writer = csv.writer(text, delimiter=separator, lineterminator=end)
    writer.writerow(["id", *(names[place] for place in order)])
    for number, row in enumerate(zip(*cells, strict=True)):
        writer.writerow([f"0{number}", *(row[place] for place in order)])
        text.write(end * (number % 20 == 7))
    return ("\ufeff" * int(rng.integers(2)) + text.getvalue()).encode()
