"""What makes a run the same run: the digest that its name is taken from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from nnrun import NUMERICS_VERSION


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, floats by their shortest exact form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_digest(config: dict[str, Any], data_sha256: str) -> str:
    """SHA-256 over the resolved config, the data and the version of the numerics.

    Where the config names a file, the data stands for it: moving the file changes nothing.
    """
    dataset = {**config["dataset"], "path": None}
    content = {
        "config": {**config, "dataset": dataset},
        "data": data_sha256,
        "numerics": NUMERICS_VERSION,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def run_id(seed: int, digest: str) -> str:
    """The name of the run's folder."""
    return f"s{seed}-{digest[:10]}"
