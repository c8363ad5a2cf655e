"""The checks of the other kinds of parts: what training and the config ask of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from inspect import signature
from typing import Any

import numpy as np

from nnrun.data.steps import Numbers
from nnrun.nn.signature import Array, Shape, ShapeError
from nnrun.plugins.checker import subject as samples
from nnrun.plugins.checker.findings import (
    Failed,
    Finding,
    differing,
    first_difference,
    number,
    shape_words,
    verdict,
)
from nnrun.plugins.checker.mistakes import FACTOR, SIGN, ZERO, jacobian
from nnrun.plugins.checker.subject import Subject, Trial, calling
from nnrun.plugins.kinds import KINDS, dataset_entry, metric_entry
from nnrun.plugins.part import Part

# Comparison with the part of nnrun that has the same name.

_PREFIX = "my_"


def reference_of(part: Part) -> tuple[str, Any] | None:
    """The name and the entry of nnrun's own part with this name, or with it after `my_`."""
    table = KINDS[part.kind].table
    name = part.name.removeprefix(_PREFIX)
    return (name, table[name]) if name in table.own else None


def compare(part: Part, what: str, compute: Callable[[Any], Any]) -> Iterator[Finding]:
    """The numbers of a part beside those of nnrun's own part with the same name.

    Args:
        part: whose numbers they are.
        what: they are, in a sentence, such as `its numbers are`.
        compute: from the entry of either.
    """
    found = reference_of(part)
    if found is None:
        return
    name, entry = found
    check = f"beside {name}"
    with calling(check):
        ours, expected = np.asarray(compute(part.entry)), np.asarray(compute(entry))
    wrong = differing(ours, expected)
    if not wrong.any():
        yield Finding(check, True, f"{what} those of nnrun's {name}")
        return
    place = int(wrong.argmax())
    detail = f"{number(ours.flat[place])}, and {number(expected.flat[place])} by nnrun's {name}"
    factor = _factor(ours, expected)
    times = f": all are {number(factor)} times the right ones" if factor else ""
    yield Finding(check, False, f"{what} not those of {name}{times}", detail)


def _factor(ours: Array, expected: Array) -> float | None:
    """Factor between ours and what is expected, if all have the same; otherwise None."""
    ratio = float(np.vdot(ours, expected) / np.vdot(expected, expected))
    return None if differing(ours, ratio * expected, 1e-5).any() else ratio


def compare_layer(trial: Trial, shapes: list[Shape]) -> Iterator[Finding]:
    """y and its gradient beside those of the layer with the same name, with the same weights."""
    found = reference_of(trial.part)
    if found is None:
        return
    name, entry = found
    shared = {
        key: value for key, value in trial.defaults.items() if key in signature(entry).parameters
    }
    arguments = {**shared, **trial.arguments}
    for shape in shapes:
        try:
            right = Subject(lambda: entry(**deepcopy(arguments)), shape)
        except (Failed, ShapeError):  # it has other arguments, or takes other shapes
            continue
        yield _beside(name, trial.subject(shape), right, samples.rows(shape))
        return


def _beside(name: str, ours: Subject, right: Subject, x: Array) -> Finding:
    check = f"beside {name}"
    if [p.shape for p in ours.parameters.values()] != [p.shape for p in right.parameters.values()]:
        return Finding(check, True, "its parameters have other shapes, so y is not compared")
    right.network.theta[...] = ours.network.theta
    y, expected = np.array(ours.forward(x)), np.array(right.forward(x))
    if y.shape != expected.shape:
        return Finding(check, False, f"its shape is {y.shape}, and that of {name} {expected.shape}")
    wrong = differing(y, expected)
    if not wrong.any():
        return Finding(check, True, f"y is that of nnrun's {name}")
    detail = first_difference("y", y, expected, wrong, f"nnrun's {name}")
    return Finding(check, False, _why(y, expected) or f"y is not that of {name}", detail)


def _why(y: Array, expected: Array) -> str:
    if not differing(y, -expected).any():
        return "y has the opposite sign"
    if factor := _factor(y, expected):
        return f"y is {number(factor)} times the right one"
    away = y - expected
    if not differing(away, np.broadcast_to(away[:1], away.shape), 1e-5).any():
        return "all rows are off by the same numbers, as where a bias is left out or added twice"
    return ""


_STEPS = 400
_NUMBERS = "its numbers are"
_SHAPE, _FANS = (40, 30), (40, 30)


def _check_optimizer(part: Part) -> Iterator[Finding]:
    build = _builder(part)
    start, rate = samples.rows((6,), count=1)[0], getattr(part.entry, "usual_limit", None) or 0.05
    theta, _ = _stepped(build, start, rate, 1)
    if not differing(theta, start).any():
        says = "step leaves θ as it was; change it in place, as in theta -= …"
        raise Failed("step", says)
    yield Finding("step", True, "it changes θ in place")
    yield _descends(build, start, rate)
    yield _resumes(build, start, rate)
    single, _ = _stepped(build, start.astype(np.float32), rate, 3)
    kept = single.dtype == np.float32 and np.isfinite(single).all()
    yield verdict("float32", kept, "it stays float32", "θ is not float32 any more")
    yield from compare(part, _NUMBERS, lambda entry: _stepped(_made(entry), start, rate, 3)[0])


def _descends(build: Callable[[], Any], start: Array, rate: float) -> Finding:
    """Finding of steps on |θ|² / 2, whose gradient is θ."""
    theta, _ = _stepped(build, start, rate, _STEPS)
    before, after = (float(np.sqrt(one @ one)) for one in (start, theta))
    says = "it steps uphill: the sign of the step" if after > before else "it makes no progress"
    detail = f"|θ| is {number(before)} at first, and {number(after)} after {_STEPS} steps"
    return verdict("descends", after < before, "it makes a square smaller", says, detail)


def _resumes(build: Callable[[], Any], start: Array, rate: float) -> Finding:
    """An interrupted run continues from `state` and `steps` alone."""
    theta, optimizer = _stepped(build, start, rate, 5)
    other = build()
    other.allocate(theta)
    other.steps = optimizer.steps
    for name, array in optimizer.state.items():
        if name in other.state:
            other.state[name][...] = array
        else:
            other.state[name] = array.copy()
    one, two = theta.copy(), theta.copy()
    with calling("state"):
        optimizer.step(one, one.copy(), rate)
        other.step(two, two.copy(), rate)
    says = "what it keeps is not in self.state, so that an interrupted run would go on otherwise"
    right = "all that it keeps is in self.state and self.steps"
    return verdict("state", not differing(one, two).any(), right, says)


def _stepped(build: Callable[[], Any], start: Array, rate: float, steps: int) -> tuple[Array, Any]:
    optimizer, theta = build(), start.copy()
    with calling("step"):
        optimizer.allocate(theta)
        for _ in range(steps):
            optimizer.step(theta, theta.copy(), rate)
    return theta, optimizer


def _check_initializer(part: Part) -> Iterator[Finding]:
    def draw(seed: int) -> Array:
        with calling("values"):
            return np.asarray(part.entry(_SHAPE, _FANS, rng=np.random.default_rng(seed)))

    values = draw(1)
    if values.shape != _SHAPE:
        raise Failed("values", f"they have the shape {values.shape}, and not {_SHAPE}")
    if not np.isfinite(values).all():
        raise Failed("values", "some are not finite")
    spread = f"mean {number(values.mean())}, standard deviation {number(values.std())}"
    yield Finding("values", True, spread)
    same = not differing(draw(1), values).any()
    says = "the same rng gives other values; draw from rng alone, not from np.random"
    fixed = "; all rngs give the same" * (not differing(draw(2), values).any())
    yield verdict("rng", same, f"it draws from rng alone{fixed}", says)
    yield from compare(
        part, _NUMBERS, lambda entry: entry(_SHAPE, _FANS, rng=np.random.default_rng(1))
    )


def _check_schedule(part: Part) -> Iterator[Finding]:
    schedule, t = _builder(part)(), np.arange(100, dtype=np.float64)
    with calling("rates"):
        rates = np.asarray(schedule.rates(t, 100))
    if rates.shape != t.shape:
        raise Failed("rates", f"rates gives {rates.shape} for 100 iterations, and not (100,)")
    sound = np.isfinite(rates).all() and (rates >= 0).all()
    yield verdict("rates", sound, "they are finite", "some are negative or not finite")
    with calling("alone"):
        alone = [schedule.rate_at(k, 100) for k in (99, 0, 50)]
    same = not differing(np.nan_to_num(alone), np.nan_to_num(rates[[99, 0, 50]])).any()
    says = "the rate of an iteration depends on those that were asked for before"
    yield verdict("alone", same, "each iteration has its rate", says)
    yield from compare(part, _NUMBERS, lambda entry: _made(entry)().rates(t, 100))


def _check_step(part: Part) -> Iterator[Finding]:
    step, x = _builder(part)(), samples.rows((4,), count=20)
    with calling("fit"):
        step.fit(Numbers(x.copy()))
    given = x.copy()
    with calling("apply"):
        found = np.array(step.apply(given))
    if differing(given, x).any():
        raise Failed("apply", "apply overwrites x; it returns a new array")
    if found.shape != x.shape or not np.isfinite(found).all():
        raise Failed("apply", "its result has another shape than x, or numbers that are not finite")
    yield Finding("apply", True, "rows keep their shape")
    with calling("rows"):
        alone = np.concatenate([step.apply(x[i : i + 1].copy()) for i in range(len(x))])
    same = not differing(alone, found).any()
    says = "a row gives another result alone: statistics belong into fit"
    yield verdict("rows", same, "each gives the same alone", says)
    try:
        stored = json.dumps(step.state())
    except TypeError as error:
        says = "state holds numbers, texts and lists of them; write array.tolist()"
        raise Failed("state", says, str(error)) from error
    with calling("state"):
        again = part.entry(**json.loads(stored)).apply(x.copy())
    same = not differing(np.asarray(again), found).any()
    says = "made from its state it gives another result; state names all that fit computes"
    yield verdict("state", same, "it can be stored and made again", says)


def _check_metric(part: Part) -> Iterator[Finding]:
    metric, rng = metric_entry(part), np.random.default_rng(3)
    if metric.needs == "values":
        y, predicted = rng.normal(size=(2, 30, 1))
        best = y
    else:
        y = rng.integers(3, size=30)
        p = rng.dirichlet(np.ones(3), size=30)
        best = np.eye(3)[y] if metric.needs == "probabilities" else y
        predicted = p if metric.needs == "probabilities" else p.argmax(axis=1)
    with calling("value"):
        value: Any = part.entry(y, predicted)
        right = part.entry(y, best)
    if value is None or np.ndim(value) or not np.isfinite(value):
        raise Failed("value", f"it is {value!r}, and not one finite number")
    yield Finding("value", True, f"for example {number(float(value))}")
    order = rng.permutation(30)
    same = abs(part.entry(y[order], predicted[order]) - value) <= 1e-9 * max(1.0, abs(value))
    says = "the order of the rows changes it"
    yield verdict("order", same, "the order of rows does not matter", says)
    better = right >= value if metric.larger_is_better else right <= value
    wanted = "larger" if metric.larger_is_better else "smaller"
    says = f"perfect predictions are no better than others, and {wanted} is said to be better"
    says += "; larger_is_better says which"
    detail = f"{number(float(right))} where all is right, and {number(float(value))} elsewhere"
    yield verdict("direction", better, f"{wanted} is better", says, detail)


def _check_dataset(part: Part) -> Iterator[Finding]:
    load = dataset_entry(part).load
    with calling("data"):
        arguments = samples.arguments(part.entry)
        one, two = load(**arguments), load(**arguments)
    yield Finding("data", True, f"{len(one.x)} rows of {one.shape}, {one.task}")
    same = one.sha256 == two.sha256 and not differing(two.x, one.x).any()
    says = "a second call gives other data; draw from a seed among the arguments"
    yield verdict("same again", same, "a second call gives the same data", says)


def _builder(part: Part) -> Callable[[], Any]:
    with calling("arguments"):
        return _made(part.entry)


def _made(entry: Any) -> Callable[[], Any]:
    arguments = samples.arguments(entry)
    return lambda: entry(**arguments)


OTHERS: dict[str, Callable[[Part], Iterator[Finding]]] = {
    "optimizer": _check_optimizer,
    "initializer": _check_initializer,
    "schedule": _check_schedule,
    "step": _check_step,
    "metric": _check_metric,
    "dataset": _check_dataset,
}


# The checks of losses.

_ROWS = "it is that of a sum over the rows, and the value is their mean"
_OUTPUTS = "it lacks the division by the number of outputs"
_BOTH = "it lacks the division by rows and outputs, since the value is a mean"
_TWICE = "it is divided by the number of rows once too often"
_NO_OUTPUTS = "it is divided by the number of outputs, over which the value is a sum"
_TARGET = "it is that along the target: y and target are swapped"


def check_loss(part: Part) -> Iterator[Finding]:
    """All checks of a loss.

    Raises: Failed for a mistake after which the other checks are meaningless.
    """
    with calling("arguments"):
        loss = part.entry(**samples.arguments(part.entry))
    y, target = samples.predictions(loss.needs)
    value = _value(loss, y, target)
    if _value(loss, y, target) != value:
        raise Failed("value", "a second call gives another: state is carried over")
    yield Finding("value", True, "it is a finite number")
    yield _unchanged(loss, y, target)
    yield _mean(loss, y, target, value)
    yield _rows(loss, y, target)
    yield _gradient(loss, y, target)
    yield _float32(loss, y, target)
    yield from compare(part, "its values are", _values)


def _values(entry: Any) -> list[float]:
    """Values of two batches."""
    loss = entry(**samples.arguments(entry))
    return [loss.value(*samples.predictions(loss.needs, seed=seed)) for seed in (2, 5)]


def _value(loss: Any, y: Array, target: Array) -> float:
    with calling("value"):
        value = loss.value(y.copy(), target.copy())
    if value is None:
        raise Failed("value", "it returns nothing; it ends in return and one number")
    if np.ndim(value):
        raise Failed("value", f"it is an array of {shape_words(value.shape)}; a loss is one number")
    if not np.isfinite(value):
        raise Failed("value", "it is not finite")
    return float(value)


def _unchanged(loss: Any, y: Array, target: Array) -> Finding:
    for method in ("value", "gradient"):
        given = y.copy(), target.copy()
        with calling(f"{method}"):
            getattr(loss, method)(*given)
        for name, before, after in zip(("y", "target"), (y, target), given, strict=True):
            if differing(after, before).any():
                raise Failed("input", f"{method} overwrites {name}")
    return Finding("input", True, "y and target keep their numbers")


def _mean(loss: Any, y: Array, target: Array, value: float) -> Finding:
    twice = _value(loss, np.concatenate([y, y]), np.concatenate([target, target]))
    if abs(twice - value) <= 1e-9 * max(1.0, abs(value)):
        return Finding("mean", True, "it does not grow with the batch")
    says = f"of the same rows twice the value is {number(twice / value)} times as large"
    if abs(twice - 2 * value) <= 1e-9 * abs(value):
        says = "of the same rows twice the value is twice as large"
    raise Failed("mean", f"{says}: a loss is a mean over the rows")


def _rows(loss: Any, y: Array, target: Array) -> Finding:
    """`rows` gives each row's own loss, whose mean the value is."""
    single = np.array([_value(loss, y[i : i + 1], target[i : i + 1]) for i in range(len(y))])
    with calling("rows"):
        found = np.asarray(loss.rows(y.copy(), target.copy()))
    same = found.shape == single.shape and not differing(found, single).any()
    says = "rows gives other numbers than the value of each row alone"
    return verdict("rows", same, "rows gives the loss of each row", says)


def _gradient(loss: Any, y: Array, target: Array) -> Finding:
    check = "gradient of y"
    with calling(check):
        given = loss.gradient(y.copy(), target.copy())
    if given is None:
        return Finding(check, False, "it returns nothing; it ends in return dy")
    given = np.asarray(given)
    if given.shape != y.shape:
        shapes = f"{shape_words(given.shape)}, and that of y {shape_words(y.shape)}"
        return Finding(check, False, f"its shape is {shapes}")
    along = jacobian(lambda: np.array(loss.value(y, target)), y)
    right = along.values.reshape(y.shape)
    wrong = differing(given, right) & along.known
    if not wrong.any():
        return Finding(check, True, "it agrees with differences of the value")
    detail = first_difference("dL/dy", given, right, wrong, "differences of the value")
    return Finding(check, False, _named(loss, given, right, y, target), detail)


def _named(loss: Any, given: Array, right: Array, y: Array, target: Array) -> str:
    rows, outputs = y.shape
    mistakes = (
        (ZERO, 0.0), (SIGN, -1.0), (_ROWS, rows), (_OUTPUTS, outputs), (_BOTH, rows * outputs),
        (_TWICE, 1 / rows), (_NO_OUTPUTS, 1 / outputs),
    )  # fmt: skip
    for says, factor in mistakes:
        if not differing(given, factor * right, 1e-5).any():
            return says
    factor = float(np.vdot(given, right) / np.vdot(right, right))
    if not differing(given, factor * right, 1e-5).any():
        return FACTOR.format(number(factor))
    along = jacobian(lambda: np.array(loss.value(y, target)), target).values.reshape(y.shape)
    return "it is wrong" if differing(given, along, 1e-5).any() else _TARGET


def _float32(loss: Any, y: Array, target: Array) -> Finding:
    with calling("float32"):
        narrow = loss.gradient(y.astype(np.float32), target.astype(np.float32))
    says = "float32 becomes float64; keep the dtype of y"
    return verdict("float32", narrow.dtype == np.float32, "it stays float32", says)
