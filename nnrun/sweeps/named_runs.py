"""Which run a word means, `NAME/best` among them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.config.names import is_name
from nnrun.errors import UsageError
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import BEST, LATEST, is_run_folder, named, select_run
from nnrun.runs.catalog.summary import varied
from nnrun.runs.storage.sweep_progress import folders

if TYPE_CHECKING:
    from nnrun.sweeps.board.best import Choice


def pick_run(
    run: str,
    root: Path,
    by: str | None = None,
    *,
    in_folds: bool = False,
    passed_over: Collection[str] = (),
) -> Path:
    """The folder of one run.

    Args:
        run: as `select_run` takes it; or `name/best`, for the median run of the setting that is
            first on the experiment's leaderboard.
        root: the results folder that names are looked for in.
        by: the split by which the best is chosen; by default, the leaderboard's.
        in_folds: the best is one of those trained in folds, if there are any.
        passed_over: as `select_run` takes it.

    Raises:
        UsageError: there is no such run, or several; or `by` is given where no best is asked for.
    """
    choice = choice_of(run, root, by, in_folds=in_folds)
    if choice is not None:
        return root / choice.record.name / choice.record.run_id
    if by is not None:
        raise UsageError(f"--by {by} says how NAME/{BEST} is chosen, and '{run}' is another run")
    return select_run(run, root, passed_over)


def choice_of(
    run: str, root: Path, by: str | None = None, *, in_folds: bool = False
) -> Choice | None:
    """The choice that a word asks for, as by `pick_run`; None where it means another run.

    Raises: UsageError if there is no such experiment, or nothing to choose.
    """
    name = _experiment(run, root)
    return None if name is None else best(root, name, by, in_folds=in_folds)


def best(
    root: Path,
    name: str,
    by: str | None = None,
    *,
    in_folds: bool = False,
    order_by: str | None = None,
) -> Choice:
    """The best of an experiment; see `best_of`.

    Raises: UsageError if there is no such experiment, or nothing to choose.
    """
    from nnrun.sweeps.board.best import best_of  # noqa: PLC0415  # needs SciPy, other words do not

    if not any(is_run_folder(root / name / run_id) for run_id in folders(root / name)):
        select_run(name, root)  # what is wrong with a name is said in the same words everywhere
    return best_of(root, name, by, in_folds=in_folds, order_by=order_by)


def setting_word(run: str, root: Path) -> tuple[str, bool]:
    """The word for a run of a setting, and whether it stands for all of its seeds.

    An experiment's name alone means its best setting; a single run means its own setting and seed.
    """
    name, _, rest = named(run, root).rstrip("/").partition("/")
    whole = is_name(name) and rest in ("", BEST) and run != LATEST
    if not whole or is_run_folder(Path(run)):
        return run, False
    return f"{name}/{BEST}", True


def settings_vary(name: str, root: Path) -> bool:
    """Whether the runs of an experiment differ in more than their seeds."""
    return bool(varied(look(root, (name,))).get(name))


def _experiment(run: str, root: Path) -> str | None:
    """The experiment whose best is asked for."""
    if is_run_folder(Path(run)) or not root.is_dir():
        return None
    name, _, rest = named(run, root).rstrip("/").partition("/")
    return name if rest == BEST and is_name(name) else None
