"""Conversions of numbers and addresses, the bits of numbers, their square roots."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir

from nnrun.compiler.language.code import Code, intrinsic
from nnrun.compiler.language.kinds import DOUBLE, FLOAT, I32, I64


@intrinsic
def real(t: Code, value: Any) -> Any:
    """A number in the precision of the code."""
    return t.number(value)


@intrinsic
def double(t: Code, value: Any) -> Any:
    """A number as float64."""
    return t.typed(value, DOUBLE)


@intrinsic
def whole(t: Code, value: Any, below: Any) -> Any:
    """A number from 0 to less than `below` without its fraction, as an integer; else 0."""
    limit = t.typed(t.integer(below), value.type)
    zero = t.typed(0.0, value.type)
    fits = t.builder.and_(
        t.builder.fcmp_ordered(">=", value, zero), t.builder.fcmp_ordered("<", value, limit)
    )
    return t.builder.fptosi(t.builder.select(fits, value, zero), I64)


@intrinsic
def sqrt(t: Code, value: Any) -> Any:
    """The square root."""
    return t.call("llvm.sqrt", value) if isinstance(value, ir.Value) else math.sqrt(value)


@intrinsic
def bits(t: Code, number: Any) -> Any:
    """The bits of a number, as an integer of its size."""
    return t.builder.bitcast(number, I64 if number.type == DOUBLE else I32)


@intrinsic
def from_bits(t: Code, integer: Any) -> Any:
    """The number that has these bits."""
    return t.builder.bitcast(integer, DOUBLE if integer.type == I64 else FLOAT)


@intrinsic
def integers(t: Code, address: Any) -> Any:
    """A pointer to int64."""
    return t.builder.inttoptr(address, I64.as_pointer())


@intrinsic
def doubles(t: Code, address: Any) -> Any:
    """A pointer to float64."""
    return t.builder.inttoptr(address, DOUBLE.as_pointer())
