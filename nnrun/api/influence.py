"""Which columns or pixels the predictions of a run depend on."""

from __future__ import annotations

from nnrun.api.arguments import at_least_one, explained
from nnrun.api.given import Path_, folder_of
from nnrun.api.values.run import Run, read
from nnrun.reports.importance.measure import REPEATS, Importance, importance_of
from nnrun.sweeps.planning.datasets import Datasets


@explained
def importance(
    run: Run | Path_, *, repeats: int = REPEATS, results: Path_ = "results"
) -> Importance:
    """The permutation importance of each column on the test rows; for images, maps of pixels.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        repeats: how often each column is shuffled.
        results: the results folder, for looking up names.

    Returns:
        Its `columns`, the most important first, each with a 95% interval: over the stored runs of
        its setting, else over the repeats. `to_dict()` has all of it as plain values.

    Raises:
        UsageError: there is no such run, or no model is kept of it.
        NnrunError: its data are missing or have changed.
    """
    repeats = at_least_one("repeats", repeats) or REPEATS
    folder = folder_of(run, results)
    return importance_of(folder, read(folder).record, Datasets().load, repeats)
