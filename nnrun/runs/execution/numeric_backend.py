"""The part of the environment that a run's bits depend on.

The compiled engine calls no BLAS and computes alike on every processor; NumPy's own arithmetic
depends on the BLAS, on its kernel for the processor, and on the vectors of NumPy's loops.
"""

from __future__ import annotations

from typing import Any

from nnrun.runs.record import RunRecord

_ALWAYS = ("architecture",)
_BY_NUMPY = ("blas", "blas_kernel", "vectors")


def numeric_backend(record: RunRecord) -> str:
    """A text that is equal for runs with equal bits; empty if the report has no environment."""
    environment = record.environment
    if not environment.get("architecture"):
        return ""
    keys = _ALWAYS if record.engine == "compiled" else (*_ALWAYS, *_BY_NUMPY)
    numpy = (environment.get("packages") or {}).get("numpy")
    return ", ".join([record.engine, f"numpy {numpy}", *(str(environment.get(k)) for k in keys)])


def numeric_environment(environment: dict[str, Any]) -> dict[str, Any]:
    """The part of an environment that `numeric_backend` uses."""
    packages = environment.get("packages") or {}
    found = {key: environment[key] for key in (*_ALWAYS, *_BY_NUMPY) if key in environment}
    return {**found, "packages": {"numpy": packages.get("numpy")}} if found else {}
