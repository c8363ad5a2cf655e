"""The contestants: each module's `prepare(work)` gives what to time, or None if it has nothing.

A module that cannot be imported, since its library is not installed, is left out with a note.
"""

from __future__ import annotations

PEERS = ("pytorch", "jax", "sklearn", "c")
ENGINES = ("numpy", "compiled")
