"""Bytes, and numbers of 64 bits without a sign."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler.language.code import Code, intrinsic
from nnrun.compiler.language.kinds import I1, I64

_BYTE, _WIDE = ir.IntType(8), ir.IntType(128)


@intrinsic
def byte(t: Code, address: Any) -> Any:
    """The byte at an address."""
    return t.builder.zext(t.builder.load(t.builder.inttoptr(address, _BYTE.as_pointer())), I64)


@intrinsic
def with_digit(t: Code, word: Any, digit: Any) -> Any:
    """A number with one more decimal digit, modulo 2⁶⁴."""
    return t.builder.add(t.builder.mul(word, t.integer(10)), digit)


@intrinsic
def leading_zeros(t: Code, word: Any) -> Any:
    """The number of bits before the first that is 1."""
    kind = ir.FunctionType(I64, [I64, I1])
    name = "llvm.ctlz.i64"
    function = t.module.globals.get(name) or ir.Function(t.module, kind, name)
    return t.builder.call(function, [word, ir.Constant(I1, 1)])


@intrinsic
def shifted(t: Code, word: Any, places: Any) -> Any:
    """A number without its last bits."""
    return t.builder.lshr(word, t.integer(places))


@intrinsic
def upper_product(t: Code, left: Any, right: Any) -> Any:
    """The upper 64 bits of a product."""
    left, right = (t.builder.zext(word, _WIDE) for word in (left, right))
    product = t.builder.mul(left, right)
    return t.builder.trunc(t.builder.lshr(product, ir.Constant(_WIDE, 64)), I64)
