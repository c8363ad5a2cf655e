"""Decorators for functions that are not translated and inlined like others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that writes code itself: translation calls `f(t, *values)`, with t the `Code`.

    Values and results are LLVM's, or Python's if they are constant.
    """
    function.translates = True  # type: ignore[attr-defined]
    return function


def subroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is compiled once and called from several places, instead of inlined.

    Its arguments have the types of the first call. Tuples of constants are not arguments: it is
    compiled once for each of them. It returns nothing.
    """
    function.stays = True  # type: ignore[attr-defined]
    return function
