"""Leaderboards as sweeps have written them."""

from __future__ import annotations

from pathlib import Path

from nnrun.errors import DamageError, UsageError
from nnrun.runs.storage.contents.sealed import read_sealed
from nnrun.sweeps.board.rows import Leaderboard

_AGAIN = "the same sweep again writes it anew"


def read_board(file: Path) -> Leaderboard:
    """A leaderboard in a results folder.

    Raises: FileNotFoundError if there is none; DamageError if it is not as it was written.
    """
    try:
        return Leaderboard.from_dict(read_sealed(file))
    except DamageError as error:
        raise DamageError(f"{file} is damaged: {error}", _AGAIN) from None
    except (ValueError, TypeError, KeyError, AttributeError, UsageError):
        message = f"{file} is damaged, or of another version of nnrun"
        raise DamageError(message, _AGAIN) from None
