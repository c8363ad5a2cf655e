"""All parts of a file, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike

from nnrun.plugins.checker.findings import Failed, Finding, PartReport
from nnrun.plugins.checker.layers import check_layer
from nnrun.plugins.checker.losses import check_loss
from nnrun.plugins.checker.others import OTHERS
from nnrun.plugins.kinds import check_name
from nnrun.plugins.part import Part
from nnrun.plugins.running import describe_fault, read

CHECKS: dict[str, Callable[[Part], Iterator[Finding]]] = {
    "layer": check_layer,
    "activation": check_layer,
    "loss": check_loss,
    **OTHERS,
}
_OF_LAYERS = ("shapes", "forward", "input", "parameters", "calls", "rows", "gradient of x")
# What each kind is always checked for; layers have a check for the gradient of each parameter, too.
ALWAYS: dict[str, tuple[str, ...]] = {
    "layer": (*_OF_LAYERS, "needs_dx", "float32"),
    "activation": (*_OF_LAYERS, "needs_dx", "float32"),
    "loss": ("value", "input", "mean", "rows", "gradient of y", "float32"),
    "optimizer": ("step", "descends", "state", "float32"),
    "initializer": ("values", "rng"),
    "schedule": ("rates", "alone"),
    "step": ("apply", "rows", "state"),
    "metric": ("value", "order", "direction"),
    "dataset": ("data", "same again"),
}


def check_file(file: str | PathLike[str]) -> list[PartReport]:
    """A report on each part that a file registers; they may be named as nnrun's own of their kind.

    Raises: PluginError if the file cannot be loaded, registers nothing, or has a name that another
        part of it or one of another kind has.
    """
    known: dict[str, Part] = {}
    for part in read(file):
        check_name(part, known)
        known[part.name] = part
    return [check_part(part) for part in known.values()]


def check_part(part: Part) -> PartReport:
    """The findings about one part.

    After a mistake that makes the other checks meaningless, these count as not passed.
    """
    findings: list[Finding] = []
    try:
        for finding in CHECKS[part.kind](part):
            findings.append(finding)  # noqa: PERF402  # those before an error are kept
    except (Exception, SystemExit) as error:
        failed = error if isinstance(error, Failed) else _fault(error)
        findings.append(failed.finding)
        made = {finding.check for finding in findings}
        why = f"not checked, since '{failed.finding.check}' is wrong"
        rest = (name for name in ALWAYS[part.kind] if name not in made)
        findings += [Finding(name, False, why, reached=False) for name in rest]
    return PartReport(part, findings)


def _fault(error: BaseException) -> Failed:
    """An error between two checks, as of an attribute that nothing calls."""
    return Failed("code", describe_fault(error) or f"{type(error).__name__}: {error}")
