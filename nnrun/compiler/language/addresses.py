"""Addresses that arrive as integers, as pointers to numbers."""

from __future__ import annotations

from typing import Any

from nnrun.compiler.language.code import Code
from nnrun.compiler.language.kinds import DOUBLE, I64
from nnrun.compiler.language.marks import intrinsic


@intrinsic
def integers(t: Code, address: Any) -> Any:
    """A pointer to int64."""
    return t.builder.inttoptr(address, I64.as_pointer())


@intrinsic
def doubles(t: Code, address: Any) -> Any:
    """A pointer to float64."""
    return t.builder.inttoptr(address, DOUBLE.as_pointer())
