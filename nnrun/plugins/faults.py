"""Errors in the code of plugins, with the line that raised them."""

from __future__ import annotations

from traceback import extract_tb

from nnrun.plugins.running import is_source, place_of


def describe_fault(error: BaseException) -> str | None:
    """The error with its place in a plugin; None if it was raised elsewhere."""
    frames = [frame for frame in extract_tb(error.__traceback__) if is_source(frame.filename)]
    if not frames:
        return None
    place = place_of(frames[-1].filename, frames[-1].lineno or 1)
    says = f": {error}" if str(error) else ""
    return f"{place}: {type(error).__name__}{says}"
