"""search.json: what a search has come to, in the folder of its experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.runs.storage.contents.strict_json import strict_json
from nnrun.runs.storage.store import Store
from nnrun.search.spaces.choices import Label
from nnrun.search.state import SearchState
from nnrun.sweeps.board.from_store.searched import DAMAGE, FILE


def write_search(store: Store, state: SearchState) -> None:
    """Write the state of a search; an OSError if that fails."""
    content = strict_json(state.to_dict()).encode()
    store.write({FILE: content}, state.plan.name)


@dataclass(frozen=True)
class Before:
    """What earlier calls of the same search have come to.

    Args:
        seconds: that they took.
        trials: the parameters of trials that were proposed.
        random: of those of the random search beside.
        final: how many settings and seeds the final comparison has, if it has begun.
        limit: of the seconds, if there was one.
    """

    seconds: float = 0.0
    trials: Sequence[Mapping[str, Label]] = ()
    random: Sequence[Mapping[str, Label]] = ()
    final: tuple[int, int] | None = None
    limit: float | None = None

    @classmethod
    def of(cls, found: Mapping[str, Any] | None, identity: str) -> Before:
        """From the content of search.json; nothing of another search."""
        try:
            if found is None or found["identity"] != identity:
                return cls()
            trials, random = ([dict(t["params"]) for t in found[k]] for k in ("trials", "random"))
            final = found["final"]
            size = None if final is None else (int(final["top"]), int(final["seeds"]))
            limit = found["budget"]["seconds"]
            return cls(max(0.0, float(found["seconds"])), trials, random, size, limit)
        except DAMAGE:
            return cls()
