"""The sums of one row over the indices of a mask, for products that skip zeros."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler.language.code import Code
from nnrun.compiler.language.kinds import I1, I64
from nnrun.compiler.language.marks import intrinsic
from nnrun.compiler.language.vectors import read, room, spread, write
from nnrun.engines.compiled.kernels.dense.matrix_tile import lanes

# Registers of sums: enough to hide latency, few enough for 16 registers.
WIDEST = 8


def chains(registers, word, a, a_step, b, b_step, begin, c):
    """C = begin + Σ a[i a_step] b[i b_step …] over the bits i of a word, in ascending order.

    b, begin and c are rows of so many registers.
    """
    sums, left = room(registers, spread(0, lanes())), word
    for part in range(registers):
        sums[part] = read(begin + part * lanes(), lanes())
    while left != 0:
        index = trailing(left)
        left = left & (left - 1)
        number, row = a[index * a_step], b + index * b_step
        for part in range(registers):
            sums[part] = number * read(row + part * lanes(), lanes()) + sums[part]
    for part in range(registers):
        write(sums[part], c + part * lanes())


@intrinsic
def trailing(t: Code, word: Any) -> Any:
    """The lowest bit that is set; there must be one."""
    name = "llvm.cttz.i64"
    function = t.module.globals.get(name)
    if function is None:
        function = ir.Function(t.module, ir.FunctionType(I64, [I64, I1]), name)
    return t.builder.call(function, [word, I1(1)])
