"""What `nnrun help` finds for a word."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.reports.reference.topics import PAGES, Topic
from nnrun.suggestions import synonym


def found(word: str, known: tuple[Topic, ...]) -> tuple[list[Topic], list[Topic]]:
    """Topics of this name, or of keys whose last step it is; and the others that mention it.

    Of several words that are nowhere together, the others mention each. A word of other libraries
    stands for ours.
    """
    word = word.strip()
    exact = _named(word, known)
    others = [topic for topic in known if topic not in exact]
    mentioned = _mentioning([word], others) or _mentioning(word.split(), others)
    mentioned.sort(key=lambda topic: all(key.name != word for key in topic.keys))
    keys = {key.name for topic in known for key in topic.keys}
    meant = synonym(word, {*keys, *(topic.name.rpartition(".")[2] for topic in known)})
    if exact or meant is None:
        return exact, mentioned
    exact = _named(meant, known)
    having = [topic for topic in known if any(key.name == meant for key in topic.keys)]
    return exact, [topic for topic in mentioned if topic not in exact] or having


def _mentioning(words: Sequence[str], known: Sequence[Topic]) -> list[Topic]:
    """The topics that mention all words, those that do so most often first."""
    counts = [(topic.mentions(words), topic) for topic in known]
    return [topic for n, topic in sorted(counts, key=lambda each: -each[0]) if n]


def _named(word: str, known: tuple[Topic, ...]) -> list[Topic]:
    wanted = {word.lower().replace(" ", sign) for sign in "-_"}
    exact = [topic for topic in known if topic.name.lower() in wanted]
    exact.sort(key=lambda topic: topic.kind not in PAGES)  # a page says more than a key of its name
    return exact or [topic for topic in known if topic.name.lower().rpartition(".")[2] in wanted]
