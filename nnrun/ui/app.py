"""The application: routes of all pages, errors as pages, and who may see them; it sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import BaseHandler, OpenerDirector, install_opener

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nnrun.errors import NnrunError
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.ui.access import Access
from nnrun.ui.content import draw, draw_now
from nnrun.ui.listeners import Listeners
from nnrun.ui.pages import ROUTES
from nnrun.ui.pages.base import State, message
from nnrun.ui.playing.sessions import IDLE_SECONDS, Sessions
from nnrun.ui.trying.answers import Answers
from nnrun.ui.watcher import Watcher


def make_app(root: Path, secret: str, hosts: Sequence[str], port: int) -> Access:
    """The application over a results folder, for requests to these hosts and this port.

    `secret` is what its addresses begin with.
    """
    datasets, listeners, sessions = Datasets(), Listeners(), Sessions()
    drawn = partial(draw, load_data=datasets.load)
    watcher = Watcher(root, draw_now, drawn, listeners.publish)
    app = Starlette(
        routes=ROUTES,
        exception_handlers={
            HTTPException: _refused,
            NnrunError: _failed,
            OSError: _failed,
            Exception: _broken,
        },
        lifespan=_lifespan(watcher, listeners, sessions),
    )
    app.state.shared = State(watcher, listeners, Answers(datasets.load), datasets, sessions)
    # Outside of all that Starlette has: it answers errors itself.
    return Access(app, secret, hosts, port)


def _lifespan(
    watcher: Watcher, listeners: Listeners, sessions: Sessions
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with nothing_fetched():
            listeners.attach()
            watcher.start()
            dropping = asyncio.create_task(_drop_idle(sessions))
            try:
                yield
            finally:
                dropping.cancel()
                watcher.close()

    return lifespan


async def _drop_idle(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(IDLE_SECONDS / 2)
        sessions.drop_idle()


async def _refused(request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    return message(request, code, detail)


async def _failed(request: Request, error: Exception) -> Response:
    return message(request, 500, str(error))


async def _broken(request: Request, error: Exception) -> Response:
    return message(request, 500, f"nnrun has a mistake here: {type(error).__name__}.")


class _Refusing(BaseHandler):
    """Refuses every address."""

    def default_open(self, _: object) -> None:
        raise URLError("nnrun ui sends no requests")


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """While this lasts, `urllib.request.urlopen` fails in the whole process."""
    refusing = OpenerDirector()
    refusing.add_handler(_Refusing())
    install_opener(refusing)
    try:
        yield
    finally:
        install_opener(None)  # as it is from the start
