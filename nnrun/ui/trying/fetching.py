"""A server that sends nothing: data sets that would have to be fetched are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import BaseHandler, OpenerDirector, Request, install_opener


class _Refusing(BaseHandler):
    """Refuses every address."""

    def default_open(self, _: Request) -> None:
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
