"""Requests to the application, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nnrun.ui.access import make_app
from tests.waiting import PATIENCE_SECONDS

SECRET, HOST, PORT = "a" * 32, "127.0.0.1", 8620
ORIGIN = {"origin": f"http://{HOST}:{PORT}"}


@dataclass(frozen=True)
class Answered:
    """An answer as a whole."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """Its content as data."""
        return json.loads(self.text)


def cookie_of(answer: Answered) -> str:
    """The cookie that an answer brings, as a browser sends it."""
    return answer.headers["set-cookie"].partition(";")[0]


class Asker:
    """Asks the application over a results folder, with the cookie unless told otherwise.

    Paths are below the secret one, but for those that begin with `plain:`.
    """

    def __init__(self, root: Path, host: str = HOST, *, opened: bool = True) -> None:
        self.app = make_app(root, SECRET, [host], PORT)
        self.state = self.app.app.state.shared
        self.watcher = self.state.watcher
        self.watcher.start()
        self.cookie = ""
        if opened:
            known = host if host != "0.0.0.0" else HOST
            self.cookie = cookie_of(self.get("/", host=f"{known}:{PORT}"))
            self.get("/files/page.css", host=f"{known}:{PORT}")

    def close(self) -> None:
        self.watcher.close()

    def get(self, path: str, **headers: str) -> Answered:
        return self.ask("GET", path, headers)

    def post(self, path: str, content: Any, **headers: str) -> Answered:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        size = {"content-length": str(len(body))}
        return self.ask("POST", path, {**ORIGIN, **size, **headers}, body)

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answered:
        return asyncio.run(self._ask(self.scope(method, path, headers), body))

    def scope(self, method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
        path = path if path.startswith("plain:") else f"/{SECRET}{path}"
        known = {"host": f"{HOST}:{PORT}", "cookie": self.cookie}
        sent = {**known, **{name.replace("_", "-"): value for name, value in headers.items()}}
        where, _, query = path.removeprefix("plain:").partition("?")
        return {
            "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(where), "raw_path": where.encode(), "query_string": query.encode(),
            "headers": [(n.encode(), v.encode("latin-1")) for n, v in sent.items() if v],
            "server": (HOST, PORT), "client": (HOST, 1), "root_path": "",
        }  # fmt: skip

    async def _ask(self, scope: dict[str, Any], body: bytes) -> Answered:
        sent: list[dict[str, Any]] = []
        parts_in = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not parts_in:
                await asyncio.Event().wait()  # nothing else comes, and the page stays open
            return parts_in.pop()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        try:
            await asyncio.wait_for(self.app(scope, receive, send), PATIENCE_SECONDS)
        except ArithmeticError:  # which a test raises; errors are answered and raised again
            assert sent
        start, *parts = sent
        content = b"".join(part.get("body", b"") for part in parts)
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answered(start["status"], headers, content.decode())

    def events(self, path: str, done: Callable[[list[Any]], bool]) -> list[Any]:
        """The content of the events of a page, which is closed once they are `done`."""
        return asyncio.run(self._events(self.scope("GET", path, {}), done))

    async def _events(self, scope: dict[str, Any], done: Callable[[list[Any]], bool]) -> list[Any]:
        self.state.listeners.attach()
        closed, found = asyncio.Event(), list[Any]()

        async def receive() -> dict[str, Any]:
            await closed.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            for line in message.get("body", b"").decode().splitlines():
                if line.startswith("data: "):
                    found.append(json.loads(line.removeprefix("data: ")))
                    if await asyncio.to_thread(done, found):
                        closed.set()

        await asyncio.wait_for(self.app(scope, receive, send), PATIENCE_SECONDS)
        return found
