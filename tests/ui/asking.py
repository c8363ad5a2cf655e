"""Requests to the application, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nnrun.ui.app import make_app
from tests.waiting import PATIENCE_SECONDS

TOKEN, HOST, PORT = "a" * 32, "127.0.0.1", 8620
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


class Asker:
    """Asks the application over a results folder, with the cookie unless told otherwise."""

    def __init__(self, root: Path, host: str = HOST) -> None:
        self.app = make_app(root, TOKEN, [host], PORT)
        self.watcher = self.app.state.shared.watcher
        self.watcher.start()

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
        known = {"host": f"{HOST}:{PORT}", "cookie": f"nnrun-{PORT}={TOKEN}"}
        sent = {**known, **{name.replace("_", "-"): value for name, value in headers.items()}}
        where, _, query = path.partition("?")
        return {
            "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(where), "raw_path": where.encode(), "query_string": query.encode(),
            "headers": [(n.encode(), v.encode("latin-1")) for n, v in sent.items() if v],
            "server": (HOST, PORT), "client": (HOST, 1), "root_path": "",
        }  # fmt: skip

    async def _ask(self, scope: dict[str, Any], body: bytes) -> Answered:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, *parts = sent
        content = b"".join(part.get("body", b"") for part in parts)
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answered(start["status"], headers, content.decode())

    def events(self, path: str, done: Callable[[list[Any]], bool]) -> list[Any]:
        """The content of the events of a page, which is closed once they are `done`."""
        return asyncio.run(self._events(self.scope("GET", path, {}), done))

    async def _events(self, scope: dict[str, Any], done: Callable[[list[Any]], bool]) -> list[Any]:
        self.app.state.shared.listeners.attach()
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
