"""Notes on runs: texts by their labels, in one file of the results folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from nnrun.config.names import NOTES
from nnrun.errors import DamageError
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.storage.durable import locked, remove_leftovers, write_together
from nnrun.runs.storage.sealed import read_sealed, sealed_json

MOST = 1000
"""Characters of a note."""
_MOST_BYTES = 2**26


def read_notes(root: Path) -> dict[str, str]:
    """The notes by label, `name/run id`.

    Raises: DamageError if the file is not as it was written.
    """
    file = root / NOTES
    try:
        notes = read_sealed(file, _MOST_BYTES)["notes"]
        if all(isinstance(text, str) for text in notes.values()):
            return dict(notes)
    except FileNotFoundError:
        return {}
    except DamageError as error:
        raise DamageError(f"{file} is damaged: {error}; remove it to go on without notes") from None
    except (KeyError, AttributeError):
        pass
    raise DamageError(f"{file} is damaged: it holds no notes; remove it to go on without them")


def change_notes(root: Path, changes: Mapping[str, str]) -> None:
    """Write these notes beside the others; a blank one is removed.

    Raises: DamageError as `read_notes`; OSError if the file cannot be written.
    """
    with locked(root):
        remove_leftovers(root)
        notes = {label: text for label, text in {**read_notes(root), **changes}.items() if text}
        write_together(root, {NOTES: sealed_json({"notes": notes})})


def with_notes(runs: Iterable[RunSummary], root: Path) -> list[RunSummary]:
    """The runs with what is noted of them.

    Raises: DamageError as `read_notes`.
    """
    notes = read_notes(root)
    if not notes:
        return [*runs]
    return [run._replace(note=notes.get(run.label, "")) for run in runs]
