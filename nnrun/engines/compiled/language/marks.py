"""Marks for functions that are not inlined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is called while translating: `f(t, *values)`, with t the `Code` it writes.

    Values and results are LLVM's, or Python's if they are constant.
    """
    function.translates = True  # type: ignore[attr-defined]
    return function


def subroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that stays one in the machine code, once for all that call it.

    Its arguments have the types of the first call's, but tuples of constants stay constants: there
    is one function for each. It returns nothing.
    """
    function.stays = True  # type: ignore[attr-defined]
    return function
