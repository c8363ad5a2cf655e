"""The checks of the other kinds of parts: what training and the config ask of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nnrun.data.preprocessing.statistics import Numbers
from nnrun.nn.signature import Array
from nnrun.plugins.checker import samples
from nnrun.plugins.checker.findings import Failed, Finding, differing, number, verdict
from nnrun.plugins.checker.reference import compare
from nnrun.plugins.checker.subject import calling
from nnrun.plugins.entries import dataset_entry, metric_entry
from nnrun.plugins.part import Part

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
    """On |θ|² / 2, whose gradient is θ."""
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
