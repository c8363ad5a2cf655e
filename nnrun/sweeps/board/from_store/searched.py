"""The runs of an experiment's search, as search.json in its folder names them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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


def searched_choices(folder: Path) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    """Each run of a search, as the name of its experiment and its id, with its settings."""
    content = read_search(folder.parent, folder.name)
    try:
        parts = () if content is None else _parts(content)
        return [
            ((folder.name, str(run_id)), {str(key): value for key, value in part["choice"].items()})
            for part in parts
            for run_id in part["run_ids"]
        ]
    except DAMAGE:
        return []


def searched_among(
    root: Path, names: Iterable[str]
) -> tuple[dict[tuple[str, str], dict[str, Any]], set[tuple[str, str]]]:
    """The settings of runs of searches of these experiments, and which of them ended early."""
    choices: dict[tuple[str, str], dict[str, Any]] = {}
    early: set[tuple[str, str]] = set()
    for name in dict.fromkeys(names):
        choices |= dict(searched_choices(root / name))
        with suppress(*DAMAGE):
            trials = (read_search(root, name) or {"trials": ()})["trials"]
            early |= {
                (name, run) for t in trials if t["status"] == "pruned" for run in t["run_ids"]
            }
    return choices, early


def _parts(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What has runs; those of the test have the settings of the winner."""
    test = content["test"] and {**content["test"], "choice": content["winner"]["choice"]}
    parts = [*content["trials"], *content["random"], *content["finalists"], test]
    return [part for part in parts if part]


def _all_ids(content: Mapping[str, Any]) -> Iterator[str]:
    for part in _parts(content):
        yield from map(str, part["run_ids"])
