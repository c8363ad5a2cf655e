"""The runs of an experiment's search, as search.json in its folder names them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnrun.runs.storage.durable.files import read_regular
from nnrun.sweeps.board.from_store.entry import RunEntry

FILE = "search.json"
SCHEMA_VERSION = 1
_MOST_BYTES = 2**28
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class SearchedRuns:
    """The ids of all runs of a search, and of those of its winner."""

    known: Collection[str]
    winner: Collection[str]

    def taken(self, runs: Sequence[RunEntry]) -> Sequence[RunEntry]:
        """The winner's runs, unless another run was trained after the search: then all."""
        last = max(runs, key=lambda run: (run.started, run.score.run_id), default=None)
        if last is None or last.score.run_id not in self.known:
            return runs
        return [run for run in runs if run.score.run_id in self.winner] or runs


def read_search(root: Path, name: str) -> dict[str, Any] | None:
    """The content of search.json of an experiment; None where there is none that can be read."""
    try:
        content = json.loads(read_regular(root / name / FILE, _MOST_BYTES))
        known = content["schema_version"] == SCHEMA_VERSION and isinstance(content["trials"], list)
    except DAMAGE:
        return None
    return content if known else None


def searched_runs(root: Path, name: str) -> SearchedRuns | None:
    """The runs of an experiment's search; None without one that has ended."""
    content = read_search(root, name)
    if content is None or content.get("winner") is None:
        return None
    try:
        test = content["test"] or content["winner"]
        return SearchedRuns({*_all_ids(content)}, {*map(str, test["run_ids"])})
    except DAMAGE:
        return None


Key = tuple[str, str]
"""The name of an experiment, and the id of a run."""


@dataclass(frozen=True)
class Searches:
    """What the searches of some experiments say about their runs.

    Args:
        choices: the settings of each run.
        early: the runs that ended early.
        judged: the runs of trials, of searches with a winner: by other runs it was chosen.
    """

    choices: dict[Key, dict[str, Any]] = field(default_factory=dict)
    early: set[Key] = field(default_factory=set)
    judged: set[Key] = field(default_factory=set)


def searches_of(folders: Iterable[Path]) -> Searches:
    """What the searches of experiments with these folders say; nothing where one is damaged."""
    found = Searches()
    for folder in folders:
        content = read_search(folder.parent, folder.name)
        with suppress(*DAMAGE):
            if content is not None:
                _add(found, folder.name, content)
    return found


def _add(found: Searches, name: str, content: Mapping[str, Any]) -> None:
    trials = [(t["status"], _keys(name, t)) for t in (*content["trials"], *content["random"])]
    for part in _parts(content):
        choice = {str(key): value for key, value in part["choice"].items()}
        found.choices.update(dict.fromkeys(_keys(name, part), choice))
    found.early.update(key for status, keys in trials if status == "pruned" for key in keys)
    if content.get("winner") is not None:
        found.judged.update(key for _, keys in trials for key in keys)


def _keys(name: str, part: Mapping[str, Any]) -> list[Key]:
    return [(name, str(run_id)) for run_id in part["run_ids"]]


def _parts(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What has runs; those of the test have the settings of the winner."""
    test = content["test"] and {**content["test"], "choice": content["winner"]["choice"]}
    parts = [*content["trials"], *content["random"], *content["finalists"], test]
    return [part for part in parts if part]


def _all_ids(content: Mapping[str, Any]) -> Iterator[str]:
    for part in _parts(content):
        yield from map(str, part["run_ids"])
