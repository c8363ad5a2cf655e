"""The token in the address of a server, which others who share the machine do not know."""

from __future__ import annotations

import hmac
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes

from nnrun.compiler.llvm.private_files import (
    OTHERS_READ,
    OTHERS_WRITE,
    NotPrivateError,
    read,
    write,
)
from nnrun.systems.caches import cache_folder

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
