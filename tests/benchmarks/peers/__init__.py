"""The contestants: each module's `prepare(work)` gives what to time, or None if it has nothing.

A module that cannot be imported, since its library is not installed, is left out with a note.
"""

from __future__ import annotations

ENGINES = ("numpy", "compiled")
# By module, or way of one, how tables call it.
PEERS = {
    "pytorch": "PyTorch",
    "pytorch_channels_last": "PyTorch, channels last",
    "pytorch_compiled": "PyTorch, torch.compile",
    "jax": "JAX",
    "sklearn": "scikit-learn",
    "c": "C",
}
# Further ways to use a library: its module, and the function in the place of `prepare`.
WAYS = {
    "pytorch_channels_last": ("pytorch", "channels_last"),
    "pytorch_compiled": ("pytorch", "compiled"),
}
# Those whose `prepare` takes a number of threads.
THREADED = ("pytorch", "pytorch_channels_last", "pytorch_compiled")


class LeftOutError(Exception):
    """A contestant that is installed cannot run here; the message says why."""
