"""Out-of-fold predictions of an experiment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nnrun.api.arguments import explained
from nnrun.api.values.run import Run
from nnrun.errors import UsageError
from nnrun.sweeps.out_of_fold.collect import out_of_fold as collect
from nnrun.sweeps.out_of_fold.table import OutOfFold
from nnrun.sweeps.picking import pick_run, setting_word


@explained
def out_of_fold(
    run: Run | str | os.PathLike[str],
    *,
    results: str | os.PathLike[str] = "results",
    threshold: float | None = None,
    ids: Sequence[str] = (),
) -> OutOfFold:
    """Predictions for every row of the data by the models that were not trained on it.

    Args:
        run: the name of an experiment whose runs are folds, for its best setting with all seeds;
            or one of its runs, for the setting and the seed of that run.
        results: the results folder, for looking up names.
        threshold: from which probability on the positive one of two classes is predicted; by
            default that of each run.
        ids: columns of the data file that the table has in front, unchanged.

    Returns:
        Row numbers, folds, targets, predictions and probabilities; `to_frame()` is a table.

    Raises:
        UsageError: there is no such run, or it has no folds, or is damaged.
        NnrunError: no seed has a completed run of each fold, or the data have changed.
    """
    root = Path(results)
    if isinstance(run, Run):
        if run.path is None:
            raise UsageError(f"{run.name}/{run.run_id} was kept in memory only")
        return collect(run.path, all_seeds=False, threshold=threshold, carried=ids)
    word, all_seeds = setting_word(os.fspath(run), root)
    folder = pick_run(word, root, in_folds=True)
    return collect(folder, all_seeds=all_seeds, threshold=threshold, carried=ids)
