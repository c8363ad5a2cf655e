"""Categories of new rows that training has not seen, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nnrun.characters import escaped
from nnrun.data.cells.problems import UnseenCategories
from nnrun.data.columns.categorical import Categorical
from nnrun.data.layout import Columns


class UnknownCategoryWarning(UserWarning):
    """Rows have categories that training has not seen, and are predicted all the same."""


def about_unseen(columns: Columns, unseen: Mapping[str, UnseenCategories]) -> Iterator[str]:
    """A line for each column with such categories: how many cells, some, and what they count as."""
    for column in columns:
        found = unseen.get(column.source)
        if found is not None and isinstance(column, Categorical):
            several = found.cells > 1
            cells = f"{found.cells:,} cell{'s' * several} {'have' if several else 'has'}"
            names = ", ".join(f"'{name}'" for name in found.examples)
            more = ", …" * found.more
            text = (
                f"{column.source}: {cells} a category that training has not seen ({names}{more}), "
                f"predicted as {column.stands_for}"
            )
            yield escaped(text, kept="")
