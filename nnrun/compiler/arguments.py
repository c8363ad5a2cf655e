"""The arguments of generated functions."""

from __future__ import annotations

# By name, in order: what it is, or what it points to. `real` is the network's dtype.
ARGUMENTS = {
    "inputs": "real*",
    "targets": "real*",
    "rows": "int64*",
    "bounds": "int64*",
    "rates": "float64*",
    "count": "int64",
    "theta": "real*",
    "gradient": "real*",
    "state": "real*",
    "values": "real*",
    "uniforms": "float64*",
    "steps": "int64",
    "outputs": "real*",
    "losses": "float64*",
    "evaluating": "int64",
    # Rows of the next block are drawn where that costs nothing; see `kernels.loops`.
    "fresh": "int64*",
    "stream": "int64*",
    "bound": "int64",
}
NUMBER = {name: index for index, name in enumerate(ARGUMENTS)}
