"""The runs that a report is about, by the words for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from nnrun.config.names import is_name
from nnrun.errors import UsageError
from nnrun.reports.html.overview.found import Found
from nnrun.runs.catalog.index import BOARD, RECORD, Content, look_through
from nnrun.runs.catalog.select import is_run_folder, lies_in
from nnrun.runs.catalog.summarize import read_with_summary
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.identity import by_seed
from nnrun.sweeps.board.from_store.entry import entry_of, ordered_by
from nnrun.sweeps.board.from_store.searched import read_search
from nnrun.sweeps.picking import pick_run


def find_runs(words: tuple[str, ...], results: Path, order_by: str | None = None) -> list[Found]:
    """The selected runs, each once, by name and id, as this metric orders them.

    Raises:
        UsageError: there is none, or none has the metric.
    """
    found = _found(words, results, order_by)
    ordered_by((one.entry for one in found if one.entry), order_by)
    return found


def _found(words: tuple[str, ...], results: Path, order_by: str | None) -> list[Found]:
    if not words:
        if not results.is_dir():
            raise UsageError(f"there is no results folder {results}; nnrun train and sweep make it")
        found = _inside(results, (), order_by)
        if not found:
            raise UsageError(f"there is no run in {results}; nnrun train and sweep put them there")
        return found
    by_key = {one.key: one for word in words for one in _meant(word, results, order_by)}
    return sorted(by_key.values(), key=_order)


def _order(found: Found) -> tuple[str, tuple[int, str]]:
    name, _, run_id = found.key.partition("/")
    return name, by_seed(run_id)


def _inside(results: Path, names: Iterable[str], order_by: str | None) -> list[Found]:
    """The runs of these experiments, by default of all in a results folder."""

    def found(run: RunSummary, content: Content) -> Found:
        return Found(f"{results}/{run.label}", run, entry_of(run, content, order_by))

    runs = look_through(results, names, found, BOARD if order_by is None else RECORD)
    return sorted(runs, key=lambda one: (one.overview.name, by_seed(one.overview.run_id)))


def _meant(word: str, results: Path, order_by: str | None) -> Iterator[Found]:
    """The run that an argument names, or all runs in the folder that it names."""
    folder = Path(word)
    if is_name(word) and not folder.exists() and read_search(results, word) is not None:
        folder = results / word  # a search is all of its runs
    if folder.is_dir() and not is_run_folder(folder):
        if is_name(folder.name) and lies_in(folder / "run", results):
            found = _inside(results, [folder.name], order_by)
        else:
            paths = sorted({*folder.glob("*"), *folder.glob("*/*")})
            found = [
                one
                for path in paths
                if path.is_dir() and (one := _look(path, order_by)) is not None
            ]
        if found:
            yield from found
            return
    folder = pick_run(word, results)
    only = _look(folder, order_by, placed=lies_in(folder, results))
    if only is not None:
        yield only


def _look(folder: Path, order_by: str | None, *, placed: bool = False) -> Found | None:
    read = read_with_summary(folder, placed=placed)
    return None if read is None else Found(folder, read[0], entry_of(*read, order_by))
