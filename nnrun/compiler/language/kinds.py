"""The types of the language."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
DOUBLE, FLOAT = ir.DoubleType(), ir.FloatType()
REAL: dict[str, Any] = {"float64": DOUBLE, "float32": FLOAT}
# Types of NumPy that convert numbers when called.
NUMPY: dict[Any, Any] = {np.int64: I64, np.int32: I32, np.float64: DOUBLE, np.float32: FLOAT}
BYTES = {DOUBLE: 8, FLOAT: 4}

REGISTER = 64  # bytes


class LanguageError(TypeError):
    """Source that is not in the language, and where."""


def is_vector(kind: Any) -> bool:
    """Whether a type is one of vectors."""
    return isinstance(kind, ir.VectorType)


def is_float(kind: Any) -> bool:
    """Whether a type is one of floating-point numbers, or of vectors of them."""
    return isinstance(kind.element if is_vector(kind) else kind, ir.FloatType | ir.DoubleType)


def is_integer(kind: Any) -> bool:
    """Whether a type is one of integers."""
    return isinstance(kind, ir.IntType)


def plain(value: Any) -> Any:
    """NumPy's scalars as Python's, which take the type of the other operand."""
    return value.item() if isinstance(value, np.generic) else value
