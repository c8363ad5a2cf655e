"""What the pages of one server share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from nnrun.sweeps.planning.datasets import Datasets
from nnrun.ui.listeners import Listeners
from nnrun.ui.playing.sessions import Sessions
from nnrun.ui.trying.answers import Answers
from nnrun.ui.watcher import Watcher


@dataclass(frozen=True)
class State:
    """The watcher of the results folder, the pages that listen, loaded networks and data, and the
    networks that train on pages.
    """

    watcher: Watcher
    listeners: Listeners
    answers: Answers
    datasets: Datasets
    sessions: Sessions


def state_of(request: Request) -> State:
    """That of the server which the request is for."""
    return cast(State, request.app.state.shared)
