"""Messages about rows with another number of cells than the header."""

from __future__ import annotations

from nnrun.data.cells.cell_errors import Mistake

_COMMON = ("comma", "semicolon", "tab")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|", ":": "colon", " ": "space"}


def about_width(found: int, width: int, delimiter: str = "", *, first: bool = False) -> Mistake:
    """A row of so many cells below a header of this width.

    The header may be a title if no row stands before this one, or if its separator is a rare one.

    Args:
        found: the number of cells.
        width: that of the header.
        delimiter: of a CSV file.
        first: whether it is the first row.
    """
    text = f"has {found} cell{'s' * (found != 1)} where the header has {width}"
    sign = _NAMES.get(delimiter, "")
    if not first and sign in ("", *_COMMON):
        return Mistake(text, text)
    cut = f", cut at each {sign}," if sign else ""
    hint = f"; if line 1{cut} is a title or a comment, remove it: the names of columns come first"
    return Mistake(text, text, hint)
