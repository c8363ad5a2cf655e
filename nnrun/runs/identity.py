"""The identity of a run: the digest in its id."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nnrun import NUMERICS_VERSION
from nnrun.config.canonical_json import canonical_json

_RUN_ID = re.compile(r"s(\d+)-[0-9a-f]{10}")


@dataclass(frozen=True)
class Identity:
    """Everything that decides a run except its seed, as one text."""

    text: str

    @classmethod
    def of(
        cls, canonical: Mapping[str, Any], data_sha256: str, plugins: Mapping[str, str]
    ) -> Identity:
        """From the canonical config, the digest of the data and the version of the numerics.

        The path of a data file is no part of it, so that moving the file changes nothing. `plugins`
        has the digest of the source of each part of a plugin that the config names.
        """
        content = {"config": canonical, "data": data_sha256, "numerics": NUMERICS_VERSION}
        return cls(canonical_json({**content, "plugins": plugins} if plugins else content))

    def with_split_seed(self, seed: int | None) -> Identity:
        """The identity of the same run with this split seed; None changes nothing."""
        return self if seed is None else _with_split_seed(self, seed)

    def digest(self, seed: int) -> str:
        """SHA-256 over everything that decides the numbers of the run."""
        return hashlib.sha256(f"{self.text} {seed}".encode()).hexdigest()

    def run_id(self, seed: int) -> str:
        """The name of the run's folder."""
        return f"s{seed}-{self.digest(seed)[:10]}"


@lru_cache(maxsize=1024)
def _with_split_seed(identity: Identity, seed: int) -> Identity:
    content = json.loads(identity.text)
    dataset = content["config"]["dataset"]
    dataset["split"] = {**dataset.get("split", {}), "seed": seed}
    return Identity(canonical_json(content))


def is_run_id(text: str) -> bool:
    """Whether a text is a run id."""
    return _RUN_ID.fullmatch(text) is not None


def by_seed(run_id: str) -> tuple[int, str]:
    """The sort key of run ids: s7 comes before s10, and other names come first."""
    found = _RUN_ID.fullmatch(run_id)
    return (int(found[1]) if found else -1, run_id)
