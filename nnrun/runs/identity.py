"""What makes a run the same run: the digest that its name is taken from."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from nnrun import NUMERICS_VERSION


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, floats by their shortest exact form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Identity:
    """What a run is but for its seed, as one text."""

    text: str

    @classmethod
    def of(cls, canonical: dict[str, Any], data_sha256: str) -> Identity:
        """From the essence of the config, the data and the version of the numerics.

        The data themselves stand for the file that a config names: moving it changes nothing.
        """
        content = {"config": canonical, "data": data_sha256, "numerics": NUMERICS_VERSION}
        return cls(canonical_json(content))

    def digest(self, seed: int) -> str:
        """SHA-256 over all that decides the numbers of the run."""
        return hashlib.sha256(f"{self.text} {seed}".encode()).hexdigest()

    def run_id(self, seed: int) -> str:
        """The name of the run's folder."""
        return f"s{seed}-{self.digest(seed)[:10]}"


def is_run_id(text: str) -> bool:
    """Whether a run's folder may be called this."""
    return re.fullmatch(r"s\d+-[0-9a-f]{10}", text) is not None


def by_seed(run_id: str) -> tuple[int, str]:
    """What run ids are sorted by, so that s7 comes before s10; what is none comes first."""
    return (int(run_id[1:].partition("-")[0]) if is_run_id(run_id) else -1, run_id)
