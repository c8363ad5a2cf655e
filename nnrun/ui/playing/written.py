"""A session as a config that `nnrun train` takes."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from nnrun.config.yaml.dump import dump
from nnrun.ui.playing.session import Session

_AT_LEAST = 1000  # iterations of a config where none have been made


def config_text(session: Session) -> str:
    """YAML that trains the network as far as the page has; comments say if it had other settings.

    Without changes on the way, training has the losses of the page, bit for bit.
    """
    config = session.config
    iterations = session.iteration or _AT_LEAST
    config["training"] = {**config["training"], "iterations": iterations}
    return "".join(f"# {line}\n" for line in _comments(session)) + dump(config)


def _comments(session: Session) -> Iterator[str]:
    yield f"From the playground of nnrun ui: {session.start.title}."
    if not session.iteration:
        yield "Nothing has been trained there yet; change the iterations as you like."
        return
    if session.changes:
        yield "These are its last settings. Some were others before, so that training from the"
        yield f"start does not give the network of its iteration {session.iteration:,}:"
        yield from (f"  {change}" for change in session.changes)
        return
    row = session.evaluate()
    losses = ((name, value) for name, value in row.items() if name.endswith("_loss"))
    words = ", ".join(f"{n.replace('_', ' ')} {v!r}" for n, v in losses if isfinite(v))
    yield f"Training it gives what the page shows at iteration {session.iteration:,}: {words}"
