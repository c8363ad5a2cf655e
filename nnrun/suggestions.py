"""Suggestions for unknown words."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

from nnrun.synonyms import SYNONYMS

MAX_LISTED = 24
PLUGINS = "; --plugin FILE.py adds others"
# From this similarity on, a word counts as misspelt.
_SURE = 0.8


def nearest(word: object, names: Iterable[str]) -> str | None:
    """The name that this word most likely stands for."""
    if not isinstance(word, str):
        return None
    by_folded = {_fold(name): name for name in names}
    folded = _fold(word)
    if folded in by_folded:
        return by_folded[folded]
    meant = synonym(word, by_folded.values())
    if meant is not None:
        return meant
    close = get_close_matches(folded, by_folded, n=1, cutoff=0.65)
    return by_folded[close[0]] if close else None


def is_slip(word: str, names: Iterable[str]) -> bool:
    """Whether the word is one of these names, a synonym of one, or nearly spelt like one."""
    near = nearest(word, names := tuple(names))
    if near is None:
        return False
    sure = _fold(near) == _fold(word) or synonym(word, names) == near
    return sure or bool(get_close_matches(_fold(word), [_fold(near)], cutoff=_SURE))


def synonym(word: str, names: Iterable[str]) -> str | None:
    """The name among these that this word is a synonym of."""
    known = set(names)
    return next((name for name in _synonyms().get(_fold(word), ()) if name in known), None)


@cache
def _synonyms() -> dict[str, list[str]]:
    """The names of nnrun by the words of others."""
    found: dict[str, list[str]] = {}
    for name, words in SYNONYMS.items():
        for word in words.split():
            found.setdefault(_fold(word), []).append(name)
    return found


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


def part_suggestion(word: object, names: Iterable[str]) -> str:
    """Likewise of names that plugins add to."""
    names = tuple(names)
    unknown = isinstance(word, str) and nearest(word, names) is None
    return suggestion(word, names) + PLUGINS * unknown
