"""Notes on runs: texts and tags by the runs' labels, in one file of the results folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from nnrun.config.names import NOTES
from nnrun.errors import DamageError
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.storage.durable import locked, remove_leftovers, write_together
from nnrun.runs.storage.sealed import read_sealed, sealed_json

MOST = 1000
"""Characters of a note."""
_MOST_BYTES = 2**26


class RunNote(NamedTuple):
    """What is noted of a run: a text, and tags in the order of the alphabet."""

    text: str = ""
    tags: tuple[str, ...] = ()


def read_notes(root: Path) -> dict[str, RunNote]:
    """The notes by label, `name/run id`.

    Raises: DamageError if the file is not as it was written.
    """
    file = root / NOTES
    try:
        content = read_sealed(file, _MOST_BYTES)
        texts, tags = content["notes"], content.get("tags", {})
        words = [*texts.values(), *(word for each in tags.values() for word in each)]
        if all(isinstance(word, str) for word in words):
            labels = dict.fromkeys([*texts, *tags])
            return {k: RunNote(texts.get(k, ""), (*tags.get(k, ()),)) for k in labels}
    except FileNotFoundError:
        return {}
    except DamageError as error:
        raise DamageError(f"{file} is damaged: {error}; remove it to go on without notes") from None
    except (KeyError, AttributeError, TypeError):
        pass
    raise DamageError(f"{file} is damaged: it holds no notes; remove it to go on without them")


def change_notes(root: Path, changes: Mapping[str, RunNote]) -> None:
    """Write these notes beside the others; a blank one is removed.

    Raises: DamageError as `read_notes`; OSError if the file cannot be written.
    """
    with locked(root):
        remove_leftovers(root)
        notes = {**read_notes(root), **changes}
        texts = {label: note.text for label, note in notes.items() if note.text}
        tags = {label: note.tags for label, note in notes.items() if note.tags}
        content = {"notes": texts, **({"tags": tags} if tags else {})}
        write_together(root, {NOTES: sealed_json(content)})


def with_notes(runs: Iterable[RunSummary], root: Path) -> list[RunSummary]:
    """The runs with what is noted of them.

    Raises: DamageError as `read_notes`.
    """
    notes = read_notes(root)
    if not notes:
        return [*runs]
    pairs = ((run, notes.get(run.label, RunNote())) for run in runs)
    return [run._replace(note=note.text, tags=note.tags) for run, note in pairs]
