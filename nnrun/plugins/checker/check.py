"""All parts of a file, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike

from nnrun.plugins.checker.findings import Failed, Finding, PartReport
from nnrun.plugins.checker.layers import check_layer
from nnrun.plugins.checker.losses import check_loss
from nnrun.plugins.checker.others import OTHERS
from nnrun.plugins.loading import read
from nnrun.plugins.part import Part

CHECKS: dict[str, Callable[[Part], Iterator[Finding]]] = {
    "layer": check_layer,
    "activation": check_layer,
    "loss": check_loss,
    **OTHERS,
}


def check_file(file: str | PathLike[str]) -> list[PartReport]:
    """A report on each part that a file registers; they may have the names of nnrun's own.

    Raises: PluginError if the file cannot be loaded, or registers nothing.
    """
    return [check_part(part) for part in read(file)]


def check_part(part: Part) -> PartReport:
    """The findings about one part, up to the first after which others make no sense."""
    findings: list[Finding] = []
    try:
        for finding in CHECKS[part.kind](part):
            findings.append(finding)  # noqa: PERF402  # those before an error are kept
    except Failed as failed:
        findings.append(failed.finding)
    return PartReport(part, findings)
