"""The loops that call kernels, and generated functions; NumPy's random streams in compiled code."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler.arguments import ARGUMENTS, NUMBER
from nnrun.compiler.code import I64, Code, doubles, integers, intrinsic, room, subroutine
from nnrun.engines.kernels import stream_fields as at
from nnrun.engines.kernels.primitives import atomic_add, atomic_load, give_way, nanoseconds, run
from nnrun.engines.kernels.stream_fields import FULL, HALF, INCREMENT, STATE, STREAM

# NumPy's random streams in compiled code, and the loop that draws rows.

# NumPy's random numbers, bit for bit, from inside compiled code: its generator PCG64.
#
# A linear congruential generator of 128 bits; each step gives 64 by XSL-RR: two numbers of
# 32 bits, the lower half first. M. E. O'Neill, HMC-CS-2014-0905.
#
# A stream is the `STREAM` numbers at a pointer to int64 that `stream_fields` describes.

_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
_WIDE = ir.IntType(128)
_LOWER = 0xFFFFFFFF


def below(stream: Any, bound: Any) -> Any:
    """A random integer from 0 to bound - 1, for 2 ≤ bound < 2³²; the stream moves on.

    By multiplication; the few numbers that would cause a bias are drawn again. D. Lemire, ACM
    Trans. Model. Comput. Simul. 29 (2019).
    """
    product = times(half(stream), bound)
    if product & _LOWER < bound:
        over = ((1 << 32) - bound) % bound
        while product & _LOWER < over:
            product = times(half(stream), bound)
    return upper(product)


def half(stream: Any) -> Any:
    """32 random bits; the stream moves on."""
    number = stream[HALF]
    if stream[FULL] != 0:
        stream[FULL] = 0
    else:
        number = following(stream)
        stream[HALF] = upper(number)
        stream[FULL] = 1
        number = number & _LOWER
    return number


def copied(stream: Any) -> Any:
    """The stream in variables of the function, which need not be in memory while it draws."""
    copy = room(STREAM, 0)
    for index in range(STREAM):
        copy[index] = stream[index]
    return copy


def put_back(copy: Any, stream: Any) -> None:
    """Copy the stream back."""
    for index in range(STREAM):
        stream[index] = copy[index]


@intrinsic
def times(t: Code, left: Any, right: Any) -> Any:
    """A product of numbers of 32 bits: 64 bits, none of them a sign."""
    return t.builder.mul(left, right)


@intrinsic
def upper(t: Code, word: Any) -> Any:
    """The upper half of 64 bits."""
    return t.builder.lshr(word, t.integer(32))


@intrinsic
def following(t: Code, stream: Any) -> Any:
    """64 random bits from the stepped state: its halves mixed, and turned to the right."""
    b = t.builder
    state, increment = (_wide(t, stream, index) for index in (STATE, INCREMENT))
    stepped = b.add(b.mul(state, ir.Constant(_WIDE, _MULTIPLIER)), increment)
    low, high = (b.trunc(b.lshr(stepped, ir.Constant(_WIDE, n)), I64) for n in (0, 64))
    for index, part in enumerate((low, high)):
        b.store(part, t.address(stream, STATE + index))
    word, places = b.xor(low, high), b.lshr(high, t.integer(58))
    back = b.and_(b.neg(places), t.integer(63))
    return b.or_(b.lshr(word, places), b.shl(word, back))


def _wide(t: Code, stream: Any, index: int) -> Any:
    """A number of 128 bits, the lower half first."""
    low, high = (
        t.builder.zext(t.builder.load(t.address(stream, index + n)), _WIDE) for n in range(2)
    )
    return t.builder.or_(low, t.builder.shl(high, ir.Constant(_WIDE, 64)))


# Runs a generated function on some steps: draws rows block by block, and calls it for them.
#
# It also calls the function for evaluations in between.
#
# It does not depend on the network, so it is compiled once. `stream_fields` describes its data.

_ROWS, _BOUNDS, _RATES, _COUNT = (NUMBER[name] for name in ("rows", "bounds", "rates", "count"))
_UNIFORMS, _STEPS, _FRESH = (NUMBER[name] for name in ("uniforms", "steps", "fresh"))
_BOUND, _OUTPUTS, _LOSSES = (NUMBER[name] for name in ("bound", "outputs", "losses"))


def drive(fields: Any, table: Any, stops: Any, count: Any) -> None:
    """Make updates up to one stop after the other, and at each the evaluations there are.

    Args:
        fields: their address.
        table: the address of the arguments of the generated function.
        stops: the address of the stops: updates to be made before each, since the one before.
        count: how many there are.
    """
    s, stops = integers(fields), integers(stops)
    for stop in range(count):
        begun = nanoseconds()
        advance(s, integers(table), stops[stop])
        there = nanoseconds()
        for evaluation in range(s[at.TABLES]):
            evaluate(s, integers(s[at.EVALUATIONS] + 8 * (at.OUTPUT_BYTES + 1) * evaluation))
        s[at.UPDATE_TIME] += there - begun
        s[at.EVALUATION_TIME] += nanoseconds() - there


def evaluate(s: Any, table: Any) -> None:
    """Evaluate some rows; the next time outputs and losses come after these."""
    call(s[at.FUNCTION], table)
    table[_OUTPUTS] += table[at.OUTPUT_BYTES]
    table[_LOSSES] += 8 * table[_COUNT]


def advance(s: Any, table: Any, iterations: Any) -> None:
    """Make this many updates."""
    bounds, size, batch = integers(table[_BOUNDS]), s[at.SIZE], s[at.BATCH]
    while iterations > 0:
        while s[at.USED] == size:
            turn(s)
        used = s[at.USED]
        left = (size - used + batch - 1) // batch
        count = min(min(iterations, at.PIECE), left)  # noqa: PLW3301 - the language has one for two
        rows = min(count * batch, size - used)
        table[_ROWS] = s[at.BLOCK] + 8 * used
        table[_COUNT] = count
        if s[at.TOGETHER] != 0:
            draw(s, used)
            table[_FRESH] = s[at.NEXT] + 8 * used
            table[_BOUND] = s[at.BOUND]
            s[at.AHEAD] = used + rows
        bounds[count] = rows
        call(s[at.FUNCTION], table)
        bounds[count] = count * batch
        table[_RATES] += count * s[at.RATE_BYTES]
        table[_UNIFORMS] += 8 * rows * s[at.DRAWN]
        table[_STEPS] += count
        s[at.USED] = used + rows
        iterations -= count


def turn(s: Any) -> None:
    """Begin the next block."""
    if s[at.SAMPLING] == at.SHUFFLE:
        shuffle(s)
    if s[at.SAMPLING] == at.WITH_REPLACEMENT:
        draw(s, s[at.SIZE])
        s[at.BLOCK], s[at.NEXT] = s[at.NEXT], s[at.BLOCK]
    for index in range(at.STREAM):
        s[at.BLOCK_STREAM + index] = s[at.NEXT_STREAM + index]
        s[at.NEXT_STREAM + index] = s[index]
    s[at.USED] = s[at.SKIP]
    s[at.SKIP], s[at.AHEAD] = 0, 0


@subroutine
def draw(s: Any, until: Any) -> None:
    """Draw rows of the next block with replacement, up to before this one."""
    bound = s[at.BOUND]
    if bound > 1:
        fresh, stream = integers(s[at.NEXT]), copied(s)
        for index in range(s[at.AHEAD], until):
            fresh[index] = below(stream, bound)
        put_back(stream, s)


def shuffle(s: Any) -> None:
    """Put all rows into a new order: Fisher and Yates from the last one down, as NumPy does.

    Of numbers with as many bits as are needed, those that are too large are left out. No processor
    can foresee which: so each is written, and the next one over those.
    """
    stream, block, chosen = copied(s), integers(s[at.BLOCK]), integers(s[at.NEXT])
    last, index, mask = s[at.SIZE] - 1, 0, 1
    while mask < last:
        mask = 2 * mask + 1
    while last > 0:
        while last > mask // 2:
            other = half(stream) & mask
            chosen[index] = other
            fits = 1 if other <= last else 0
            index += fits
            last -= fits
        mask = mask // 2
    put_back(stream, s)
    for index in range(s[at.SIZE]):
        block[index] = index
    for index in range(s[at.SIZE] - 1):
        last, other = s[at.SIZE] - 1 - index, chosen[index]
        block[last], block[other] = block[other], block[last]


@intrinsic
def call(t: Code, function: Any, table: Any) -> None:
    """Call the generated function at an address with the arguments in a table."""
    pointer = I64.as_pointer()
    values = []
    for index, kind in enumerate(ARGUMENTS.values()):
        value = t.builder.load(t.builder.gep(table, [t.integer(index)]))
        values.append(t.builder.inttoptr(value, pointer) if kind.endswith("*") else value)
    kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
    t.builder.call(t.builder.inttoptr(function, kind.as_pointer()), values)


# The loop over the tape that every thread runs: iterations, stages, tasks, ops.

# Reads of the barrier before a waiting thread yields its processor.
_PATIENCE = 2000


def runner(stages, count, ops, bounds, rates, first, last, thread, threads, barrier, scratch):
    """Do this thread's tasks of iterations first … last - 1.

    Args:
        stages: for each stage the rows of a task (0 if the number of tasks is given), the tasks,
            the first op, the number of ops.
        count: the number of stages.
        ops: for each the addresses of its kernel and its parameters, and the first task without
            work.
        bounds: of the batches in the rows of the call.
        rates: learning rates, by iteration.
        first: iteration.
        last: the iteration after the last.
        thread: the number of this thread.
        threads: their number.
        barrier: a counter of all threads, 0 at first.
        scratch: this thread's memory.
    """
    stages, ops, bounds, rates = integers(stages), integers(ops), integers(bounds), doubles(rates)
    barrier = integers(barrier)
    for k in range(first, last):
        start = bounds[k]
        n = bounds[k + 1] - start
        rate = rates[k]
        for s in range(count):
            rows, tasks, begin = stages[4 * s], stages[4 * s + 1], stages[4 * s + 2]
            end = begin + stages[4 * s + 3]
            if rows != 0:
                tasks = (n + rows - 1) // rows
            for task in range(thread, tasks, threads):
                for op in range(begin, end):
                    if task < ops[3 * op + 2]:
                        run(ops[3 * op], ops[3 * op + 1], task, n, k, start, rate, scratch)
            if threads != 1:
                meet(barrier, threads)


def meet(barrier, threads):
    """Wait until all threads have come here."""
    goal = (atomic_add(barrier, 1) // threads + 1) * threads
    looks = 0
    while atomic_load(barrier) < goal:
        looks += 1
        if looks > _PATIENCE:
            give_way()
