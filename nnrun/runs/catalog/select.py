"""Finding the run that a word of the command line names."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from nnrun.config.names import is_name
from nnrun.config.setting_words import choice_words
from nnrun.config.settings import BESIDE, differing
from nnrun.errors import UsageError, clipped
from nnrun.models.files import MODEL
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.identity import is_run_id
from nnrun.runs.sharing import refuse_packed
from nnrun.runs.storage.contents.names import CHECKPOINT, REPORT
from nnrun.runs.storage.folders import folders, is_held
from nnrun.runs.storage.reading import read_run

LATEST, BEST = "latest", "best"
_SHOWN = 8
# The most characters of a run's settings in a message.
_WORDS = 80


def select_run(run: str, root: Path, passed_over: Collection[str] = ()) -> Path:
    """The folder of one run.

    Args:
        run: a run's folder anywhere; `name`, for the newest run of that name; `name/ID-PREFIX`;
            either with the results folder before it; or `latest`, for the newest of all.
        root: the results folder in which names are looked up.
        passed_over: statuses of runs that `name` alone does not mean where there are others.

    Raises: UsageError if there is no such run, or several.
    """
    if is_run_folder(Path(run)):
        return Path(run)
    refuse_packed(run)
    if not root.is_dir():
        raise UsageError(
            f"'{run}' is no run folder, and there is no results folder {root}; nnrun train and "
            "sweep make one"
        )
    name, _, prefix = named(run, root).rstrip("/").partition("/")
    if run == LATEST:
        return _newest(root, None)
    if not is_name(name) or "/" in prefix:
        raise UsageError(
            f"'{run}' is no run folder; a run is also named by its experiment (its newest run), by "
            f"experiment/{BEST}, by experiment/ID-PREFIX, or by '{LATEST}'"
        )
    return _by_prefix(root, name, prefix) if prefix else _newest(root, name, passed_over)


def named(run: str, root: Path) -> str:
    """A word for a run, with "/", without the results folder that shells complete before it."""
    place = Path(run)
    if not place.is_relative_to(root) or place == root:
        return run.replace(os.sep, "/")
    # An experiment may be called as the folder of all of them is.
    is_name_itself = not place.is_absolute() and (root / place.parts[0]).is_dir()
    return (run if is_name_itself else str(place.relative_to(root))).replace(os.sep, "/")


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is of a run, damaged or just begun ones included."""
    if any(os.path.lexists(folder / file) for file in (REPORT, MODEL, CHECKPOINT)):
        return True
    if not is_run_id(folder.name):
        return False
    return is_held(folder) or read_run(folder, placed=True) is not None


def lies_in(folder: Path, root: Path) -> bool:
    """Whether a run's folder is in this results folder, where its path names the run."""
    try:
        return folder.absolute().parent.parent.samefile(root)
    except OSError:
        return False


def name_in(folder: Path, root: Path) -> str | None:
    """The name of the parent folder for a run in the results folder; None for others."""
    return folder.absolute().parent.name if lies_in(folder, root) else None


def _newest(root: Path, name: str | None, passed_over: Collection[str] = ()) -> Path:
    """The run that was started last; of runs that were started together, the last by name and id.

    Runs without metrics, being damaged or just begun, count only if there is no other; so do models
    of scikit-learn, since most commands want a network.
    """
    found = look(root, () if name is None else (name,))
    if not found:
        raise _unknown(root, name)
    found = [run for run in found if run.status not in passed_over] or found
    return root / max(found, key=_newness).label


def _newness(run: RunSummary) -> tuple[bool, bool, str, str, str]:
    known = run.metric is not None
    return BESIDE not in run.settings, known, run.started or "", run.name, run.run_id


def _by_prefix(root: Path, name: str, prefix: str) -> Path:
    folder = root / name
    ids = folders(folder)
    if not any(is_run_folder(folder / run_id) for run_id in ids):
        raise _unknown(root, name)
    # A whole seed comes before the seeds that only start like it: s3 is not s31.
    tests = (prefix.__eq__, lambda i: i.startswith(f"{prefix}-"), lambda i: i.startswith(prefix))
    chosen = ([i for i in ids if test(i) and is_run_folder(folder / i)] for test in tests)
    found = next(filter(None, chosen), [])
    if not found:
        ids = [run_id for run_id in ids if is_run_folder(folder / run_id)]
        raise UsageError(f"no run of {name} in {root} starts with '{prefix}'; {_listed(ids)}")
    if len(found) > 1:
        listed = _listed(_with_differences(root, name, found))
        raise UsageError(f"'{name}/{prefix}' is the start of {len(found)} runs; {listed}")
    return folder / found[0]


def _with_differences(root: Path, name: str, ids: list[str]) -> list[str]:
    """Each of these runs with the settings that differ."""
    runs = {run.run_id: run.settings for run in look(root, (name,)) if run.run_id in ids}
    keys = differing([settings for settings in runs.values() if settings])
    described = []
    for run_id in ids:
        settings: Mapping[str, Any] = runs.get(run_id, {})
        words = choice_words({key: settings[key] for key in keys if key in settings})
        described.append(f"{run_id} ({clipped(' '.join(words), _WORDS)})" if words else run_id)
    return described


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"there {'is' if len(ids) == 1 else 'are'} {', '.join(ids[:_SHOWN])}{more}"


def _unknown(root: Path, name: str | None) -> UsageError:
    if name is None:
        return UsageError(f"there is no run in {root}; nnrun train and sweep put them there")
    from nnrun.suggestions import suggestion  # noqa: PLC0415  # for mistakes only

    names = sorted({run.name for run in look(root)})
    return UsageError(f"no run in {root} is called '{name}'{suggestion(name, names)}")
