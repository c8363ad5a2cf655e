"""`--require-published`: whether a run agrees with the numbers published in its config."""

from __future__ import annotations

from nnrun.errors import DisagreementError
from nnrun.reports.numbers import number
from nnrun.reports.summary import published_rows
from nnrun.runs.record import RunRecord

DEFAULT_TOLERANCE = 0.05


def demand_published(record: RunRecord, tolerance: float) -> None:
    """Compare all published numbers with ours.

    Args:
        record: of a completed run.
        tolerance: the largest difference, as a share of the published number.

    Raises:
        DisagreementError: naming every number that is missed, and by how much.
    """
    missed = []
    for row in published_rows(record):
        if row.difference is None:
            missed.append(f"{row.label}: published {row.published:g}, but this run has none")
        elif abs(row.difference) > tolerance * abs(row.published):
            apart = "" if row.share is None else f", {100 * abs(row.share):.2g}% apart"
            missed.append(
                f"{row.label}: published {row.published:g}, ours {number(row.ours)}{apart}"
            )
    if missed:
        limit = f"more than the {100 * tolerance:g}% that --tolerance allows"
        raise DisagreementError(f"published numbers are not met, by {limit}\n" + "\n".join(missed))
