"""Steps whose rows compiled code draws by itself, also with evaluations in between."""

from __future__ import annotations

import ctypes
import json
import tracemalloc
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.compiler.arguments import ARGUMENTS, NUMBER
from nnrun.engines.base import Batches, Sampler, Steps
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.generated.steps import Sampling
from nnrun.engines.kernels.stream_fields import PIECE, RATE_BYTES, SAMPLINGS
from nnrun.nn import SGD, Adam, Dropout, MeanSquared, conv2d, dense
from nnrun.nn.layers.flatten import Flatten
from nnrun.nn.schedules import Constant, Cosine

ROWS, TOTAL = 40, 20_000


class Run:
    """A compiled engine and the sampler that it draws with; 40 rows."""

    def __init__(self, kind: Any, task: Any, sampling: str, schedule: Any) -> None:
        self.task = task
        self.engine = task.train(kind, batches=Batches(*[np.zeros(0, int)] * 2, np.zeros(0)))
        self.sampler = Sampler(ROWS, task.batch_size, sampling, rng=np.random.default_rng(11))
        self.schedule = schedule
        self.iteration = 0

    def go(self, iterations: int) -> None:
        """Make updates."""
        steps = Steps(
            self.sampler, self.schedule, first=self.iteration, iterations=iterations, total=TOTAL
        )
        self.engine.run(steps)
        self.iteration += iterations

    def state(self) -> Any:
        """All that a checkpoint would hold, as bytes and plain values."""
        engine = self.engine
        arrays = [engine.network.theta, *engine.optimizer.state.values()]
        return (
            [array.tobytes() for array in arrays],
            engine.optimizer.steps,
            engine.rng.bit_generator.state,
            self.sampler.state(),
        )

    def restore(self, other: Run) -> None:
        """Be where the other run is, by what a checkpoint holds."""
        engine, theirs = self.engine, other.engine
        engine.network.theta[...] = theirs.network.theta
        for name, array in engine.optimizer.state.items():
            array[...] = theirs.optimizer.state[name]
        engine.optimizer.steps = theirs.optimizer.steps
        engine.rng.bit_generator.state = theirs.rng.bit_generator.state
        self.sampler.restore(json.loads(json.dumps(other.sampler.state())))
        self.iteration = other.iteration


NETWORKS = {
    "rows": {"blocks": lambda: [dense(5, "tanh"), dense(3, "softmax")], "batch_size": 1},
    "rows, Adam": {"blocks": lambda: [dense(3, "softmax")], "optimizer": Adam, "batch_size": 1},
    "rows, dropout": {
        "blocks": lambda: [dense(5, "tanh"), Dropout(0.3), dense(3, "softmax")],
        "batch_size": 1,
    },
    "batches": {
        "blocks": lambda: [dense(5, "tanh"), Dropout(0.3), dense(3, "softmax")],
        "optimizer": lambda: SGD(momentum=0.9),
        "batch_size": 7,
    },
}
SCHEDULES = {"constant": Constant(0.05), "cosine": Cosine(0.1)}


@pytest.fixture(params=NETWORKS)
def small(request: Any, task: Any) -> Any:
    """Networks whose generated functions draw by themselves, and others."""
    return task(input_shape=(4,), **NETWORKS[request.param])


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_as_if_the_rows_had_been_given(small: Any, sampling: str, schedule: Any) -> None:
    """The bits of a run to which NumPy's rows are given, over blocks and portions."""
    drawn = Run(CompiledEngine, small, sampling, schedule)
    for iterations in (1, 2, 0, 37, 8000, TOTAL - 8040):
        drawn.go(iterations)
    given = Run(CompiledEngine, small, sampling, schedule)
    rows, bounds = given.sampler.take(TOTAL)
    rates = schedule.rates(np.arange(float(TOTAL)), TOTAL)
    given.engine.run(Batches(rows, bounds, rates))
    assert given.state() == drawn.state()


@settings(max_examples=25, deadline=None)
@given(
    sampling=st.sampled_from(SAMPLINGS),
    schedule=st.sampled_from(list(SCHEDULES)),
    cuts=st.lists(st.integers(1, 400), min_size=1, max_size=6),
    far=st.sampled_from([0, 2339, 16_383]),
)
@pytest.mark.parametrize("name", NETWORKS)
def test_interrupted_is_uninterrupted(
    task: Any, name: str, sampling: str, schedule: str, cuts: list[int], far: int
) -> None:
    """From any moment another process goes on to the same bits, however it groups the steps."""
    one = task(input_shape=(4,), **NETWORKS[name])
    whole = Run(CompiledEngine, one, sampling, SCHEDULES[schedule])
    whole.go(far + sum(cuts))
    run = Run(CompiledEngine, one, sampling, SCHEDULES[schedule])
    if far:
        run.go(far)
    for cut in cuts:
        run.go(cut)
        after = Run(CompiledEngine, one, sampling, SCHEDULES[schedule])
        after.restore(run)
        run = after
    assert whole.state() == run.state()


def test_memory_does_not_grow_with_the_number_of_iterations(task: Any) -> None:
    """A million rows are drawn without a place for each."""
    run = Run(CompiledEngine, task(input_shape=(4,), **NETWORKS["rows"]), "shuffle", Cosine(0.1))
    run.go(1)
    tracemalloc.start()
    run.go(1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


def test_rows_that_are_not_there_are_refused(task: Any) -> None:
    """An order of more rows than the training split has is an error."""
    run = Run(CompiledEngine, task(input_shape=(4,), **NETWORKS["rows"]), "shuffle", Cosine(0.1))
    run.sampler = Sampler(ROWS + 1, 1, "shuffle", rng=np.random.default_rng(0))
    with pytest.raises(IndexError, match="row numbers"):
        run.go(1)


def test_batches_for_a_function_of_single_rows_are_refused(task: Any) -> None:
    """The faster function for batches of one row cannot be handed larger ones."""
    run = Run(CompiledEngine, task(input_shape=(4,), **NETWORKS["rows"]), "shuffle", Cosine(0.1))
    run.sampler = Sampler(ROWS, 2, "shuffle", rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="one row"):
        run.go(1)


# Steps with evaluations in between, in one call, give the bits of one after the other.

SMALL = {
    **{name: {"input_shape": (4,), **given} for name, given in NETWORKS.items()},
    "one output, float32": {
        "blocks": lambda: [dense(1)],
        "input_shape": (3,),
        "loss": MeanSquared(),
        "dtype": "float32",
        "optimizer": lambda: SGD(momentum=0.5, nesterov=True, weight_decay=0.01),
    },
    "images, clipped": {
        "blocks": lambda: [conv2d(3, activation="tanh"), Flatten(), dense(3, "softmax")],
        "input_shape": (1, 5, 5),
        "optimizer": Adam,
        "clip_norm": 0.1,
        "batch_size": 3,
    },
}
# Within a block and over several; two evaluations after the same update.
STOPS = [1, 2, 2, 9, 50, 300, 1000]


def going(task: Any, sampling: str = "shuffle", schedule: Any = None) -> Run:
    """A run that has come some way already."""
    run = Run(CompiledEngine, task, sampling, schedule or Constant(0.05))
    run.go(5)
    return run


def ahead(run: Run, iterations: int) -> Steps:
    return Steps(
        run.sampler, run.schedule, first=run.iteration, iterations=iterations, total=20_000
    )


def splits(run: Run) -> list[Any]:
    """Evaluators of the training split, and of some rows."""
    x, target = run.task.data()
    engine = run.engine
    return [engine.evaluator(engine.x, engine.target), engine.evaluator(x[3:20], target[3:20])]


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("name", SMALL)
def test_the_bits_of_one_thing_after_the_other(
    task: Any, name: str, sampling: str, schedule: Any
) -> None:
    """Weights, streams, and each loss and output on the way; also of what comes afterwards."""
    whole, stepwise = (going(task(**SMALL[name]), sampling, schedule) for _ in range(2))
    found = whole.engine.run_and_evaluate(ahead(whole, STOPS[-1]), STOPS, splits(whole))
    evaluators = splits(stepwise)
    for index, (before, stop) in enumerate(zip([0, *STOPS], STOPS, strict=False)):
        stepwise.go(stop - before)
        for split, evaluate in enumerate(evaluators):
            loss, outputs = evaluate()
            assert loss == found.losses[split][index]
            assert outputs.tobytes() == found.outputs[split][index].tobytes()
    assert stepwise.state() == whole.state()
    for run in (whole, stepwise):
        run.iteration = 5 + STOPS[-1]
        run.go(100)
    assert stepwise.state() == whole.state()


def test_its_time_is_measured_separately(task: Any) -> None:
    """Updates take theirs and evaluations theirs, together no longer than the call."""
    for often, stops in ((True, [1] * 2000), (False, [5000])):
        times = []
        for _ in range(5):  # least where no other process interrupts it
            run = going(task(**SMALL["batches"]))
            start = perf_counter()
            found = run.engine.run_and_evaluate(ahead(run, stops[-1]), stops, splits(run))
            elapsed = perf_counter() - start
            assert 0 < found.update_seconds + found.evaluation_seconds <= elapsed
            times.append((found.update_seconds, found.evaluation_seconds))
        updates, evaluations = map(min, zip(*times, strict=True))
        assert often == (evaluations > updates)


def untouched(run: Run, steps: Steps, stops: list[int], evaluators: list[Any]) -> bool:
    """Whether the engine does not do this at once, and leaves all as it was."""
    before = run.state()
    return run.engine.run_and_evaluate(steps, stops, evaluators) is None and (before == run.state())


def test_what_takes_long_is_not_done_at_once(task: Any) -> None:
    """Many updates, many evaluations, or many outputs: the run can be watched then."""
    run = going(task(**SMALL["rows"]))
    short, many = [100], [1] * 200_000
    assert untouched(run, ahead(run, 2_000_000), [2_000_000], splits(run))
    assert untouched(run, ahead(run, 1), many, splits(run))
    wide = going(task(lambda: [dense(40)], (4,), MeanSquared()))
    assert untouched(wide, ahead(wide, 1), [1] * 500, splits(wide))
    assert not untouched(run, ahead(run, 100), short, splits(run))


def test_more_learning_rates_than_are_computed_at_once(task: Any) -> None:
    """Of a schedule that changes them; constant ones are no matter."""
    stops = [33_000]
    for schedule, refused in ((Cosine(0.1), True), (Constant(0.1), False)):
        run = going(task(**SMALL["rows"]), schedule=schedule)
        assert refused == untouched(run, ahead(run, 33_000), stops, [])


def test_splits_of_several_portions_are_not_done_at_once(task: Any) -> None:
    """One call evaluates a portion of rows."""
    run = going(task(**SMALL["rows"]))
    rows = run.engine._evaluation.portion
    x, target = (np.resize(array, (rows + 1, array.shape[1])) for array in run.task.data())
    assert not untouched(run, ahead(run, 1), [1], [run.engine.evaluator(x[:-1], target[:-1])])
    assert untouched(run, ahead(run, 1), [1], [run.engine.evaluator(x, target)])


# The loop that draws rows and calls the generated function: here one that notes what it gets.

_INTEGERS = ctypes.POINTER(ctypes.c_int64)
_GENERATED = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(ARGUMENTS))


class Calls:
    """A function in the place of a generated one, and what it was called with."""

    def __init__(self, drawn: int = 0) -> None:
        self.batches: list[list[int]] = []
        self.rates: list[float] = []
        self.steps: list[int] = []
        self.uniforms: list[int] = []
        self.longest = 0
        self.drawn = drawn
        self._callback = _GENERATED(self._call)
        self.address: int = ctypes.cast(self._callback, ctypes.c_void_p).value or 0

    def _call(self, *arguments: int) -> None:
        def numbers(name: str, count: int, kind: str = "int64") -> np.ndarray:
            size = 8 * count
            held = ctypes.string_at(arguments[NUMBER[name]], size)
            return np.frombuffer(held, kind)

        count = arguments[NUMBER["count"]]
        bounds = numbers("bounds", count + 1)
        rows = numbers("rows", int(bounds[-1]))
        self.batches += [rows[a:b].tolist() for a, b in pairwise(bounds)]
        self.rates += numbers("rates", count, "float64").tolist()
        self.steps.append(arguments[NUMBER["steps"]])
        self.uniforms.append(arguments[NUMBER["uniforms"]])
        self.longest = max(self.longest, count)

    def run(self, sampling: Sampling, iterations: int, rates: np.ndarray | None = None) -> None:
        """Have the loop make this many updates."""
        table = np.zeros(len(ARGUMENTS), np.int64)
        given = np.full(min(iterations, PIECE), 0.1) if rates is None else rates
        sampling.fields[RATE_BYTES] = 0 if rates is None else 8
        table[NUMBER["rates"]] = given.ctypes.data
        table[NUMBER["bounds"]] = sampling.bounds.ctypes.data
        sampling.take_over()
        sampling.run(table.ctypes.data, iterations)
        sampling.hand_back()


def sampler(rows: int, batch_size: int, kind: str, seed: int) -> Sampler:
    return Sampler(rows, batch_size, kind, rng=np.random.default_rng(seed))


def taken(source: Sampler, iterations: int) -> list[list[int]]:
    """What NumPy draws."""
    rows, bounds = source.take(iterations)
    return [rows[a:b].tolist() for a, b in pairwise(bounds)]


def started(source: Sampler, calls: Calls) -> Sampling:
    return Sampling(source, calls.address, together=False, drawn=calls.drawn)


@pytest.mark.parametrize("kind", SAMPLINGS)
@settings(deadline=None)  # the loop may have to be compiled
@given(
    rows=st.integers(1, 300),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 2**64),
    cuts=st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_rows_are_those_that_numpy_draws(
    kind: str, rows: int, batch_size: int, seed: int, cuts: list[int]
) -> None:
    """However many iterations at a time: the same batches, and the same state after each."""
    expected, actual, calls = (
        sampler(rows, batch_size, kind, seed),
        sampler(rows, batch_size, kind, seed),
        Calls(),
    )
    sampling = started(actual, calls)
    batches = []
    for cut in cuts:
        if cut:
            batches += taken(expected, cut)
        calls.run(sampling, cut)
        if batches:
            assert expected.state() == actual.state()
    assert batches == calls.batches


@pytest.mark.parametrize("kind", SAMPLINGS)
@pytest.mark.parametrize("before", [0, 1, 5, 1234, 40_000])
def test_either_goes_on_where_the_other_has_stopped(kind: str, before: int) -> None:
    """NumPy and compiled code take turns; a state goes through JSON to others in between."""
    expected = taken(sampler(70, 3, kind, 5), before + 2000)
    first, calls = sampler(70, 3, kind, 5), Calls()
    actual = taken(first, before) if before else []
    second = sampler(70, 3, kind, 6)
    second.restore(json.loads(json.dumps(first.state())))
    calls.run(started(second, calls), 1500)
    third = sampler(70, 3, kind, 7)
    third.restore(json.loads(json.dumps(second.state())))
    assert expected == [*actual, *calls.batches, *taken(third, 500)]


def test_a_sampler_that_was_put_elsewhere_is_followed() -> None:
    """Between two calls the order may go back: what had been drawn ahead does not count."""
    source, calls = sampler(50, 1, "with_replacement", 1), Calls()
    sampling = started(source, calls)
    start = source.state()
    calls.run(sampling, 100)
    source.restore(start)
    calls.run(sampling, 100)
    assert calls.batches[:100] == calls.batches[100:]


@pytest.mark.parametrize("rows", [2, 2**31 + 1, 3 * 2**30, 2**32 - 1])
def test_bounds_of_any_size(rows: int) -> None:
    """Numbers that would favour some rows are drawn anew, up to every other one of them."""
    expected = taken(sampler(rows, 1, "with_replacement", 3), 40_000)
    calls = Calls()
    calls.run(started(sampler(rows, 1, "with_replacement", 3), calls), 40_000)
    assert expected == calls.batches


def test_pieces_fit_the_cache() -> None:
    """No call is longer than PIECE, whatever the block; rates, steps and masks move along."""
    calls, rates = Calls(drawn=3), np.linspace(1, 2, 10_000)
    calls.run(started(sampler(9_000, 1, "in_order", 0), calls), 10_000, rates)
    assert PIECE == calls.longest
    assert rates.tolist() == calls.rates
    assert [0, PIECE, 2 * PIECE, 9_000] == calls.steps
    assert [0, 24 * PIECE, 48 * PIECE, 24 * 9_000] == calls.uniforms


def steps(order: Sampler) -> Steps:
    return Steps(order, Constant(0.1), first=0, iterations=4, total=4)


def test_other_generators_are_left_to_numpy() -> None:
    """Compiled code knows PCG64 alone."""
    others: Any = np.random.Generator(np.random.Philox(1))
    assert not Sampling.fits(steps(Sampler(10, 1, "shuffle", rng=others)))
    assert Sampling.fits(steps(sampler(10, 1, "shuffle", 1)))


def test_rows_that_have_been_asked_for_are_not_drawn_again() -> None:
    """The arrays of steps that have been read are taken from the order, and count."""
    one = steps(sampler(10, 1, "shuffle", 1))
    assert Sampling.fits(one)
    assert [0, 1, 2, 3, 4] == one.bounds.tolist()
    assert not Sampling.fits(one)
