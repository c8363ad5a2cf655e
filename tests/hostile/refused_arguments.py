"""Arguments and options that make no sense."""

from __future__ import annotations

from tests.hostile.refusals import argument

CASES = [
    argument("an index beyond", "network.sizes.7=1", "network.sizes has no entry 7"),
]
