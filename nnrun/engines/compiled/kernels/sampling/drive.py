"""Runs a generated function on some steps: draws rows block by block, and calls it for them.

It also calls the function for evaluations in between.

It does not depend on the network, so it is compiled once. `fields` describes its data.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler.arguments import ARGUMENTS, NUMBER
from nnrun.compiler.code import I64, Code, integers, intrinsic, subroutine
from nnrun.engines.compiled.kernels.access import nanoseconds
from nnrun.engines.compiled.kernels.sampling import fields as at
from nnrun.engines.compiled.kernels.sampling.pcg64 import below, copied, half, put_back

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
