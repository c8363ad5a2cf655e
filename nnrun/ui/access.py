"""Who may ask the server: a token, host names, and the origin of requests."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from secrets import token_bytes
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nnrun.compiler.llvm.private_files import (
    OTHERS_READ,
    OTHERS_WRITE,
    NotPrivateError,
    read,
    write,
)
from nnrun.systems.caches import cache_folder

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_METHODS = ("GET", "HEAD", "POST")
_MOST_BYTES = 1 << 20

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


class Access:
    """Refuses requests that are not of a page of this server, opened by who may see it.

    The first request has the token in its address, the others have it as a cookie; `hosts` are the
    names and addresses that the server listens on.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Sequence[str], port: int) -> None:
        self._app = app
        self._token = token
        self._names = {*LOOPBACK, *(host.lower() for host in hosts)}
        self._any = any(map(is_any, hosts))
        self._cookie = f"nnrun-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._refusal(Request(scope)) or self._app
        await answer(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that may not pass."""
        if (why := self._fault(request)) is not None:
            return PlainTextResponse(f"{why}\n", 403)
        if request.method not in _METHODS:
            return PlainTextResponse("this server only reads\n", 405)
        size = request.headers.get("content-length", "" if request.method == "POST" else "0")
        if not size.isdecimal() or int(size) > _MOST_BYTES:
            return PlainTextResponse("this is far too much, or of unknown size\n", 413)
        given = request.query_params.get("token")
        if given is not None and self._is_token(given):
            return self._welcome(request)
        if not self._is_token(request.cookies.get(self._cookie, "")):
            text = "Open the address that nnrun ui has printed: its token is missing here."
            return PlainTextResponse(f"{text}\n", 403)
        return None

    def _fault(self, request: Request) -> str | None:
        """Why a request is not of a page of this server."""
        host, *others = request.headers.getlist("host") or [""]
        if others or not self._is_known(host):
            return "the server is not known by this name; open the address that it has printed"
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
        name = _name_of(host)
        return name in self._names or (self._any and _is_address(name))

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _welcome(self, request: Request) -> Response:
        """To the same address without the token, which a cookie has from now on."""
        rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
        path = "/" + request.url.path.lstrip("/")  # two slashes would name another server
        answer = RedirectResponse(path + (f"?{urlencode(rest)}" if rest else ""), 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="lax")
        return answer


def _name_of(host: str) -> str:
    """The name in a header such as `localhost:8080` or `[::1]:8080`."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


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


_FILE = "secret"
_BYTES = 32


def token_for(root: Path, port: int) -> str:
    """The token of a server of this results folder: the same when it is started again.

    It is made from a secret that only this user can read; where that cannot be kept, it is new.
    """
    content = f"{root.absolute()}\n{port}".encode()
    return hmac.new(_secret(), content, sha256).hexdigest()[:32]


def _secret() -> bytes:
    new = token_bytes(_BYTES)
    try:
        folder = cache_folder() / "ui"
        # Of two servers that start together, the first one's is kept.
        write(folder, _FILE, new, replace=False)
        kept = read(folder, _FILE, forbidden=OTHERS_READ | OTHERS_WRITE)
    except (OSError, RuntimeError, NotPrivateError):  # RuntimeError: there is no home
        return new
    return kept if kept is not None and len(kept) == _BYTES else new
