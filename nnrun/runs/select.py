"""Which run a word of the command line means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nnrun.config.names import is_name
from nnrun.errors import UsageError
from nnrun.models.load import MODEL
from nnrun.runs.listing import list_runs
from nnrun.runs.reading import CHECKPOINT, REPORT
from nnrun.suggestions import suggestion

LATEST = "latest"
_SHOWN = 8


def select_run(run: str, root: Path) -> Path:
    """The folder of one run.

    Args:
        run: a run's folder, wherever it lies; `name`, for the newest run of that name;
            `name/ID-PREFIX`; or `latest`, for the newest of all.
        root: the results folder that names are looked for in.

    Raises:
        UsageError: there is no such run, or several.
    """
    if is_run_folder(Path(run)):
        return Path(run)
    if not root.is_dir():
        raise UsageError(
            f"'{run}' is no run folder, and there is no results folder {root}; nnrun train and "
            "sweep make one"
        )
    name, _, prefix = run.rstrip("/").partition("/")
    if run == LATEST:
        return _newest(root, None)
    if not is_name(name) or "/" in prefix:
        raise UsageError(
            f"'{run}' is no run folder; a run is also named by its experiment (its newest run), by "
            f"experiment/ID-PREFIX, or by '{LATEST}'"
        )
    return _by_prefix(root, name, prefix) if prefix else _newest(root, name)


def is_run_folder(folder: Path) -> bool:
    """Whether a run has left something there."""
    return any((folder / file).is_file() for file in (REPORT, MODEL, CHECKPOINT))


def _newest(root: Path, name: str | None) -> Path:
    """The run that was started last; of runs that were started together, the last by name."""
    runs = [
        (found.record.started, found.name, found.run_id)
        for found in list_runs(root)
        if found.record is not None and name in (None, found.name)
    ]
    if not runs:
        raise _unknown(root, name)
    _, *place = max(runs)
    return root.joinpath(*place)


def _by_prefix(root: Path, name: str, prefix: str) -> Path:
    folder = root / name
    ids = sorted(f.name for f in folder.glob("*") if is_run_folder(f)) if folder.is_dir() else []
    if not ids:
        raise _unknown(root, name)
    # A whole seed comes before the seeds that only start like it: s3 is not s31.
    tests = (prefix.__eq__, lambda i: i.startswith(f"{prefix}-"), lambda i: i.startswith(prefix))
    found = next(filter(None, ([i for i in ids if test(i)] for test in tests)), [])
    if not found:
        raise UsageError(f"no run of {name} in {root} starts with '{prefix}'; {_listed(ids)}")
    if len(found) > 1:
        message = f"'{name}/{prefix}' is the start of {len(found)} runs; {_listed(found)}"
        raise UsageError(message)
    return folder / found[0]


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"there {'is' if len(ids) == 1 else 'are'} {', '.join(ids[:_SHOWN])}{more}"


def _unknown(root: Path, name: str | None) -> UsageError:
    names: Iterable[str] = sorted({found.name for found in list_runs(root)})
    if name is None:
        return UsageError(f"there is no run in {root}; nnrun train and sweep put them there")
    return UsageError(f"no run in {root} is called '{name}'{suggestion(name, names)}")
