"""A local page that leads the browser to the server.

Every user of a machine can read the command lines of all processes. The one that starts the browser
has the path of this page, which only its user can open, in place of the secret address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_state_path

from nnrun.compiler.llvm import private_files
from nnrun.ui.parts import rendered


@contextmanager
def page_to(address: str, port: int) -> Iterator[Path]:
    """The page, which is removed in the end.

    Raises: OSError or NotPrivateError if no such page can be kept.
    """
    folder, name = user_state_path("nnrun", appauthor=False), f"ui-{port}.html"
    page = rendered("opening.html", title="Opening", text="", address=address)
    private_files.write(folder, name, page.encode())
    try:
        yield folder / name
    finally:
        with suppress(OSError):
            (folder / name).unlink()
