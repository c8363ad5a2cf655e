"""What tells each run of a list from the others, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from nnrun.config.setting_words import choice_words
from nnrun.config.settings import choice_of, in_common, rebuilt, told_apart, told_within
from nnrun.runs.catalog.summary import DATA, RunSummary

LEAST_DIGITS = 4
"""Of the digest in a run's id, in short forms."""

Varied = Mapping[str, Sequence[str]]
Choices = Mapping[tuple[str, str], Mapping[str, Any]]
Searched = tuple[Choices, Set[tuple[str, str]]]
"""The settings that a search chose, by name and id of their runs, and which runs it ended early."""
NOT_SEARCHED: Searched = {}, frozenset()


def settings_of_each(
    runs: Sequence[RunSummary], keys: Varied, choices: Choices, short: bool = False
) -> list[str]:
    """What tells each run from the other listed ones of its name; of blocks, if `short`, parts."""
    found = _choices(runs, keys, choices)
    places: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        places.setdefault(run.name, []).append(place)
    texts = [""] * len(runs)
    for own in places.values():
        told = told_apart([found[place] for place in own])
        told = [*map(rebuilt, told_within(told), told)] if short else told
        for place, choice in zip(own, told, strict=True):
            texts[place] = " ".join(_words(runs[place], choice, short))
    return texts


def _choices(runs: Sequence[RunSummary], keys: Varied, choices: Choices) -> list[Mapping[str, Any]]:
    """The settings in which runs of a name differ, or those that a search chose."""
    known: dict[tuple[str, int], Mapping[str, Any]] = {}  # seeds of one config share their settings
    found = []
    for run in runs:
        own = run.name, id(run.settings)
        if own not in known:
            known[own] = choice_of(run.settings, keys.get(run.name, ()))
        found.append(choices.get((run.name, run.run_id)) or known[own])
    return found


def in_every_row(
    runs: Sequence[RunSummary], keys: Varied, sort: str | None, searched: Searched
) -> str:
    """`In every row: depth=2.`, the settings that several runs of a name share; or nothing."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for run, choice in zip(runs, _choices(runs, without(keys, sort), searched[0]), strict=True):
        by_name.setdefault(run.name, []).append(choice)
    shared = {name: in_common(own) for name, own in by_name.items() if len(own) > 1}
    words = {name: " ".join(_setting_words(own)) for name, own in shared.items()}
    alone = len(by_name) == 1
    texts = [text if alone else f"{name}: {text}" for name, text in words.items() if text]
    return f"In every row{': ' if alone else ' of '}{'; of '.join(texts)}." if texts else ""


def without(keys: Varied, sort: str | None) -> Varied:
    """The settings but for that which a column of its own shows."""
    return {name: [key for key in found if key != sort] for name, found in keys.items()}


def _words(run: RunSummary, choice: Mapping[str, Any], short: bool) -> list[str]:
    """Its fold, these settings, and the run that it goes on from."""
    own = {"split.seed": run.split_seed, "fold": run.fold}
    words = [f"{key}={value}" for key, value in own.items() if value is not None]
    words += _setting_words(choice, short)
    if run.extended_from is not None:
        words.append(f"extended from {start_of(run.extended_from, LEAST_DIGITS)}")
    return words


def _setting_words(choice: Mapping[str, Any], short: bool = False) -> list[str]:
    """Null values are left out: extended runs would have many of them."""
    values = {key: value for key, value in choice.items() if value is not None}
    data = values.pop(DATA, None)
    return choice_words(values, short=short) + (
        [] if data is None else [f"data with digest {data}"]
    )


def start_of(run_id: str, digits: int) -> str:
    """A run's id with this many digits of its digest."""
    seed, dash, digest = run_id.partition("-")
    return f"{seed}{dash}{digest[:digits]}"
