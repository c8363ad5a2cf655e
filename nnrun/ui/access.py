"""Who may ask the server: a secret path, a cookie, host names, and the origin of requests."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from secrets import token_hex
from urllib.error import URLError
from urllib.request import BaseHandler, OpenerDirector, install_opener

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from nnrun.errors import NnrunError
from nnrun.sweeps.planning.variants import Datasets
from nnrun.ui.form import Answers
from nnrun.ui.pages import ROUTES
from nnrun.ui.pages.pages import State, message
from nnrun.ui.watcher import Listeners, Watcher, draw, draw_now, rendered, whole_number

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_METHODS = ("GET", "HEAD", "POST")
_MOST_BYTES = 1 << 20
_COOKIE_SECONDS = 30 * 24 * 3600
# Browsers that have opened the address and have not come back with their cookie yet.
_OFFERS = 16

_NEW = "nnrun ui prints a new address each time it starts: open the last one, not an earlier one."
_TAKEN = (
    "It works in the browser that opened it first, which has to accept cookies. For this browser, "
    "end nnrun ui by Ctrl-C and start it again: it prints a new address."
)

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""The headers of every answer."""


class Access:
    """Refuses requests that are not of a page of this server, opened by who may see it.

    All pages are below a path that is secret, and need a cookie. The first browser that opens the
    path and comes back with the cookie is the only one. Cookies are sent to every port of a host,
    where servers of other users may be: this one below the secret path alone.

    `hosts` are the names and addresses that the server listens on.
    """

    def __init__(self, app: Starlette, secret: str, hosts: Sequence[str], port: int) -> None:
        self.app = app
        self._path = f"/{secret}"
        # No other server of the host knows its name, and could set another value for it.
        self._cookie = f"nnrun-{port}-{token_hex(4)}"
        self._offers: deque[str] = deque(maxlen=_OFFERS)
        self._session = ""
        self._port = port
        self._names = {*LOOPBACK, *(host.lower() for host in hosts)}
        self._any = any(map(is_any, hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(Request(scope))
        if refusal is not None:
            refusal.headers["connection"] = "close"
            await refusal(scope, receive, with_headers)
            return
        if "admit" in scope.get("state", {}):
            scope["state"]["admit"]()
        await self.app({**scope, "root_path": self._path}, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that may not pass."""
        if (why := self._fault(request)) is not None:
            return PlainTextResponse(f"{why}\n", 403)
        if request.method not in _METHODS:
            return PlainTextResponse("this server only reads\n", 405)
        length = request.headers.get("content-length", "" if request.method == "POST" else "0")
        size = whole_number(length)
        if size is None or size > _MOST_BYTES or "transfer-encoding" in request.headers:
            return PlainTextResponse("this is far too much, or of unknown size\n", 413)
        first = "/" + request.scope["path"].removeprefix("/").partition("/")[0]
        if not _same(first, self._path):
            return _closed("No page has this address", _NEW)
        if self._has_session(request):
            return None
        return self._opening(request) or _closed("This address is in use", _TAKEN)

    def _fault(self, request: Request) -> str | None:
        """Why a request is not of a page of this server."""
        host, *others = request.headers.getlist("host") or [""]
        if others or not self._is_known(host):
            return (
                "the server is not known by this name and port; open the address that it has "
                "printed (a tunnel needs the same port at both ends)"
            )
        origins = request.headers.getlist("origin")
        if any(origin != f"http://{host}" for origin in origins):
            return "a page of another server has sent this request"
        if request.method == "POST" and not origins:
            return "a page sends its origin with what it posts"
        site = request.headers.get("sec-fetch-site", "none")
        opened = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
        if site not in ("none", "same-origin") and not opened:
            return "a page of another server has sent this request"
        return None

    def _is_known(self, host: str) -> bool:
        """Whether this server may be called so; other names may be made to lead here."""
        name, _, port = host.lower().rpartition(":")
        if self._port == 80 and port != "80":  # which browsers leave out
            name = host.lower()
        elif port != str(self._port):
            return False
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
        return name in self._names or (self._any and _is_address(name))

    def _has_session(self, request: Request) -> bool:
        cookie = request.cookies.get(self._cookie, "")
        if not self._session:
            self._session = next((offer for offer in self._offers if _same(offer, cookie)), "")
        return self._session != "" and _same(cookie, self._session)

    def _opening(self, request: Request) -> Response | None:
        """A page that opens its own address again, once for each navigation; otherwise None.

        It brings the cookie, while no browser has come back with one. Later it serves links on
        pages of other servers: browsers leave the cookie out when those are followed.
        """
        site = request.headers.get("sec-fetch-site")
        again = site == "same-origin" or (site is None and self._session)
        navigates = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
        if request.method != "GET" or again or not navigates:
            return None
        answer = HTMLResponse(rendered("opening.html", title="Opening", text="", address=""))
        if not self._session:
            self._offers.append(token_hex(16))
            answer.set_cookie(
                self._cookie, self._offers[-1], path=self._path, httponly=True, samesite="strict",
                max_age=_COOKIE_SECONDS,
            )  # fmt: skip
        return answer


def _closed(title: str, text: str) -> Response:
    return HTMLResponse(rendered("opening.html", title=title, text=text, address=None), 403)


def _same(text: str, secret: str) -> bool:
    return hmac.compare_digest(text.encode(errors="replace"), secret.encode())


def is_any(host: str) -> bool:
    """Whether this stands for all addresses of the machine, such as 0.0.0.0."""
    return _is_address(host) and ip_address(host).is_unspecified


def is_loopback(host: str) -> bool:
    """Whether this address can be reached from this machine alone."""
    return _is_address(host) and ip_address(host).is_loopback


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


# The application: routes of all pages, errors as pages, and who may see them; it sends nothing.


def make_app(root: Path, secret: str, hosts: Sequence[str], port: int) -> Access:
    """The application over a results folder, for requests to these hosts and this port.

    `secret` is what its addresses begin with.
    """
    datasets, listeners = Datasets(), Listeners()
    drawn = partial(draw, load_data=datasets.load)
    watcher = Watcher(root, draw_now, drawn, listeners.publish)
    app = Starlette(
        routes=ROUTES,
        exception_handlers=dict.fromkeys((HTTPException, NnrunError, OSError, Exception), _wrong),
        lifespan=_lifespan(watcher, listeners),
    )
    app.state.shared = State(watcher, listeners, Answers(datasets.load), datasets)
    # Outside of all that Starlette has: it answers errors itself.
    return Access(app, secret, hosts, port)


def _lifespan(
    watcher: Watcher, listeners: Listeners
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with nothing_fetched():
            listeners.attach()
            watcher.start()
            try:
                yield
            finally:
                watcher.close()

    return lifespan


async def _wrong(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return message(request, error.status_code, error.detail)
    is_known = isinstance(error, NnrunError | OSError)
    text = str(error) if is_known else f"nnrun has a mistake here: {type(error).__name__}."
    return message(request, 500, text)


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
