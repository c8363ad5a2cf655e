"""search.json: what a search has come to, in the folder of its experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnrun.runs.storage.contents.strict_json import strict_json
from nnrun.runs.storage.durable.files import read_regular
from nnrun.runs.storage.store import Store
from nnrun.search.space import Label
from nnrun.search.state import SCHEMA_VERSION, SearchState

FILE = "search.json"
_MOST_BYTES = 2**28
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def write_search(store: Store, state: SearchState) -> None:
    """Write the state of a search; an OSError if that fails."""
    content = strict_json(state.to_dict()).encode()
    store.write({FILE: content}, state.plan.name)


def read_search(root: Path, name: str) -> dict[str, Any] | None:
    """The state of an experiment's search; None where there is none that can be read."""
    try:
        content = json.loads(read_regular(root / name / FILE, _MOST_BYTES))
        known = content["schema_version"] == SCHEMA_VERSION and isinstance(content["trials"], list)
    except _DAMAGE:
        return None
    return content if known else None


def before(found: Mapping[str, Any] | None, identity: str) -> tuple[float, list[Any]]:
    """The seconds that earlier calls have used, and the parameters of trials that they proposed.

    Nothing of another search.
    """
    try:
        if found is None or found["identity"] != identity:
            return 0.0, []
        params: Sequence[Mapping[str, Label]] = [dict(one["params"]) for one in found["trials"]]
        return max(0.0, float(found["seconds"])), [*params]
    except _DAMAGE:
        return 0.0, []
