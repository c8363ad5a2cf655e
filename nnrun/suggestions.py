"""What may have been meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_LISTED = 24


def nearest(word: object, names: Iterable[str]) -> str | None:
    """The name that this word is most likely a slip for."""
    if not isinstance(word, str):
        return None
    by_folded = {_fold(name): name for name in names}
    folded = _fold(word)
    if folded in by_folded:
        return by_folded[folded]
    close = get_close_matches(folded, by_folded, n=1, cutoff=0.65)
    return by_folded[close[0]] if close else None


def suggestion(word: object, names: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean 'sigmoid'?`, or else what names there are."""
    names = tuple(names)
    near = nearest(word, names)
    if near is not None:
        return f"; did you mean '{near}'?"
    if not names or len(names) > MAX_LISTED:
        return ""
    return f" ({'only' if len(names) == 1 else 'one of'} {', '.join(names)})"


def _fold(word: str) -> str:
    """Spellings that differ only in case or in `-`, `_`, blanks are the same word."""
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
