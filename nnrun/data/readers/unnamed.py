"""A first column without a name, where pandas and R write the numbers or names of rows."""

from __future__ import annotations

from collections.abc import Sequence

NUMBERS_AS_HEADER = (
    "the first line holds numbers; a header row with the column names is needed, like a,b,c"
)


def unnamed(names: Sequence[str]) -> str | None:
    """What pandas calls the first column, if it has no name and others follow."""
    if len(names) < 2 or names[0]:
        return None
    return "Unnamed: 0.1" if "Unnamed: 0" in names else "Unnamed: 0"
