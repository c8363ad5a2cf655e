"""Random configs, and configs with planted mistakes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from hypothesis import strategies as st

from nnrun.config.schema.training import published_keys
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.steps import STEPS as PREPROCESSING
from nnrun.metrics.table import METRICS
from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.initializers import INITIALIZERS, Initializer
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.schedules import SCHEDULES
from nnrun.nn.sequential import Layers
from nnrun.nn.signature import Bounds, Named

# Random valid configs over the tables of `nnrun.nn`, drawn from its signatures alone.


def annotated(annotation: Any) -> st.SearchStrategy[Any]:
    """Config values that an argument with this annotation of `nnrun.nn.signature` may have."""
    if annotation == Layers:
        return st.lists(st.deferred(lambda: entries(LAYERS)), min_size=1, max_size=2)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        (mark,) = arguments[1:]
        return (
            st.sampled_from([*ACTIVATIONS])
            if isinstance(mark, Named)
            else bounded(arguments[0], mark)
        )
    if origin in (Union, UnionType):
        return st.one_of([annotated(argument) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.tuples(*(annotated(argument) for argument in arguments)).map(list)
    return {
        NoneType: st.none(),
        bool: st.booleans(),
        str: st.just("folder"),
        int: st.integers(-(2**63) + 1, 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        Initializer: initializers(),
    }[annotation]


def bounded(kind: type, bounds: Bounds) -> st.SearchStrategy[Any]:
    """Numbers within bounds."""
    low = bounds.ge if bounds.gt is None else bounds.gt
    high = bounds.le if bounds.lt is None else bounds.lt
    if kind is int:
        first = None if low is None else int(low) + (bounds.gt is not None)
        return st.integers(first, 2**63 - 1 if high is None else int(high))
    return st.floats(
        low,
        high,
        exclude_min=bounds.gt is not None,
        exclude_max=bounds.lt is not None,
        allow_nan=False,
        allow_infinity=False,
    )


def initializers() -> st.SearchStrategy[Any]:
    """A name, or a type with a scale, which zeros have not."""
    names = st.sampled_from([*INITIALIZERS])
    scale = st.floats(0, exclude_min=True, allow_infinity=False)
    mappings = st.fixed_dictionaries({}, optional={"type": names, "scale": scale})
    return names | mappings.filter(lambda m: m.get("type") != "zeros" or "scale" not in m)


def schedules() -> st.SearchStrategy[dict[str, Any]]:
    """Schedules whose warmup is a part of the iterations that they take."""
    any_schedule = entries(SCHEDULES, "schedule")
    return any_schedule.filter(lambda s: s.get("over") is None or s["over"] >= s.get("warmup", 0))


def entries(table: Mapping[str, Any], key: str = "type") -> st.SearchStrategy[dict[str, Any]]:
    """Entries of a table with all required and some optional arguments."""
    return st.one_of([entry(name, call, key) for name, call in table.items()])


def entry(name: str, call: Any, key: str) -> st.SearchStrategy[dict[str, Any]]:
    """One entry of a table."""
    hints = get_type_hints(call.__init__ if inspect.isclass(call) else call, include_extras=True)
    parameters = inspect.signature(call).parameters.values()
    required = {p.name: annotated(hints[p.name]) for p in parameters if p.default is p.empty}
    optional = {p.name: annotated(hints[p.name]) for p in parameters if p.default is not p.empty}
    return st.fixed_dictionaries({key: st.just(name), **required}, optional=optional)


def step(name: str) -> st.SearchStrategy[Any]:
    """A step of preprocessing: its name, or a mapping to the value of its option."""
    make = PREPROCESSING[name]
    hints = get_type_hints(make.__init__ if inspect.isclass(make) else make, include_extras=True)
    arguments = inspect.signature(make).parameters.values()
    values = {a.name: annotated(hints[a.name]) for a in arguments if a.default is a.empty}
    options = [st.fixed_dictionaries(values)] if hasattr(make, "keyed") else [*values.values()]
    return st.fixed_dictionaries({name: options[0]}) if options else st.just(name)


def fields(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of the optional keys."""
    return st.fixed_dictionaries(required, optional=optional)


def numbers_in(block: Any) -> list[float]:
    """All floating-point numbers of a block."""
    if isinstance(block, dict | list):
        parts = block.values() if isinstance(block, dict) else block
        return [number for part in parts for number in numbers_in(part)]
    return [block] if isinstance(block, float) else []


def precise_enough(config: dict[str, Any]) -> dict[str, Any]:
    """The config, in float64 where one of its numbers would be 0 or infinite in float32."""
    training = config["training"]
    found = numbers_in([config["network"], config["loss"], training.get("optimizer")])
    with np.errstate(over="ignore", under="ignore"):
        lost = any(n and np.float32(n) in (0, np.inf, -np.inf) for n in found)
    return {**config, "training": {**training, "dtype": "float64"}} if lost else config


POSITIVE = st.integers(1, 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
METRIC = st.sampled_from([*METRICS, "top_17_accuracy", "pinball_2.5"])
STEPS = st.one_of([step(name) for name in PREPROCESSING])
STACKS = st.lists(st.tuples(POSITIVE, st.sampled_from([*ACTIVATIONS])), min_size=1, max_size=4).map(
    lambda pairs: {"sizes": [n for n, _ in pairs], "activations": [name for _, name in pairs]}
)
OPTIMIZER_ENTRIES = entries(OPTIMIZERS).filter(
    lambda o: not o.get("nesterov") or o.get("momentum", 0) > 0
)
SOURCES = entries({name: entry.load for name, entry in DATASETS.items()}, "name")
PREPARATIONS = fields(
    {"validation_size": st.sampled_from([0.1, 7])},
    test_size=st.sampled_from(["given", 0, 0.25, 10, None]),
    stratify=st.booleans(),
    features=st.just("none") | STEPS | st.lists(STEPS, max_size=3),
    target=st.sampled_from(["none", "standard", "minmax"]),
    task=st.sampled_from(["regression", "classification", None]),
)
CONFIGS = fields(
    {
        "dataset": st.builds(lambda source, how: {**source, **how}, SOURCES, PREPARATIONS),
        "network": STACKS
        | fields(
            {"layers": st.lists(entries(LAYERS), min_size=1, max_size=4)},
            initializer=initializers(),
        ),
        "loss": entries(LOSSES) | st.sampled_from([*LOSSES]),
        "training": st.builds(
            lambda base, length: {**base, **length},
            fields(
                {"learning_rate": bounded(float, Bounds(gt=0)) | schedules()},
                optimizer=OPTIMIZER_ENTRIES | st.sampled_from([*OPTIMIZERS]),
                batch_size=POSITIVE,
                evaluate_every=st.none() | POSITIVE,
                early_stopping=st.none()
                | fields(
                    {},
                    monitor=METRIC.map("validation_{}".format),
                    patience=POSITIVE,
                    restore_best=st.booleans(),
                ),
                augment=st.none()
                | fields(
                    {},
                    shift=st.integers(0, 2**63 - 1),
                    flip=st.booleans(),
                    rotate=bounded(float, Bounds(ge=0, le=180)),
                    noise=bounded(float, Bounds(ge=0, le=1e6)),
                ),
                average=st.none() | fields({"ema": bounded(float, Bounds(gt=0, lt=1))}),
                clip_norm=st.none() | bounded(float, Bounds(gt=0)),
                dtype=st.sampled_from(["float64", "float32"]),
            ),
            st.fixed_dictionaries({"epochs": POSITIVE})
            | st.fixed_dictionaries({"iterations": POSITIVE}),
        ),
    },
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True),
    description=TEXT,
    seed=st.integers(0, 2**63 - 1),
    metrics=st.none() | st.lists(METRIC, max_size=3),
    published=st.none()
    | st.builds(
        lambda source, numbers: {"source": source, **numbers},
        TEXT,
        st.dictionaries(
            st.sampled_from(published_keys()),
            st.floats(allow_nan=False, allow_infinity=False),
            max_size=3,
        ),
    ),
    sweep=st.none()
    | fields(
        {},
        seeds=POSITIVE | st.lists(st.integers(0, 9), min_size=1, unique=True),
        grid=st.fixed_dictionaries({"training.learning_rate": st.just([0.1, 1e-5])}),
        order_by=st.none() | METRIC,
    ),
).map(precise_enough)


# Mistakes in text files: a line of input, and indented below it what must be said about it.


def pairs(name: str) -> list[tuple[str, str]]:
    """All (input, message) of a file beside this one; a message may end in `…` to leave a rest."""
    found: list[tuple[str, str]] = []
    planted = ""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("    "):
            found.append((planted, line.strip()))
        elif not line.startswith("#"):
            planted = line
    return found


def says(message: str, said: str) -> bool:
    """Whether this is the message."""
    first, dots, last = message.partition("…")
    return said.startswith(first) and said.endswith(last) if dots else message == said
