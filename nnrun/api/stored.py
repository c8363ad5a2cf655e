"""Functions for stored runs: their files, what their predictions depend on, and out of fold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nnrun.api.given import Path_, at_least_one, explained, folder_of
from nnrun.api.values.run import Run, read
from nnrun.reports.importance.measure import REPEATS, Importance, importance_of
from nnrun.runs.sharing.pack import pack as pack_run
from nnrun.sweeps.out_of_fold.collect import out_of_fold as collect
from nnrun.sweeps.out_of_fold.table import OutOfFold
from nnrun.sweeps.picking import pick_run, setting_word
from nnrun.sweeps.planning.datasets import Datasets


@explained
def pack(
    run: Run | Path_, file: Path_, *, results: Path_ = "results", with_data: bool = False
) -> Path:
    """Write a complete run as a zip file, which `load`, `verify` and others take in its place.

    The same run gives the same bytes; nothing in them names a folder or a user.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        file: to write, a .zip.
        results: the results folder, for looking up names.
        with_data: whether the data file is in it, too.

    Returns:
        The file.

    Raises:
        UsageError: there is no such run, or it is not complete, or its data are no file.
        OSError: the file cannot be written.
    """
    path = Path(os.fspath(file))
    pack_run(folder_of(run, results), path, with_data=with_data)
    return path


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


@explained
def out_of_fold(
    run: Run | Path_,
    *,
    results: Path_ = "results",
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
    if isinstance(run, Run):
        folder, all_seeds = folder_of(run, None), False
    else:
        word, all_seeds = setting_word(os.fspath(run), Path(results))
        folder = pick_run(word, Path(results), in_folds=True)
    return collect(folder, all_seeds=all_seeds, threshold=threshold, carried=ids)
