"""The parts that a stored run or model needs, as its files describe them."""

from __future__ import annotations

from typing import Any

from nnrun.plugins.loading import find
from nnrun.plugins.part import PluginError, Source

_KEYS = ("kind", "name", "source", "sha256")


def require(stored: Any) -> None:
    """Require that the parts are known, in any version.

    Raises: PluginError that names the first which is not, and its plugin.
    """
    for part in _described(stored):
        if find(part["kind"], part["name"]) is None:
            what = f"the {part['kind']} '{part['name']}' of the plugin {part['source']}"
            raise PluginError(f"needs {what}, which is not loaded; {_advice(part['source'])}")


def changed(stored: Any) -> dict[str, tuple[str, str]]:
    """The plugins of these parts that have changed: their SHA-256 then and now, by name."""
    found = {}
    for part in _described(stored):
        known = find(part["kind"], part["name"])
        if known is not None and known.source.sha256 != part["sha256"]:
            found[part["source"]] = part["sha256"], known.source.sha256
    return found


def _advice(source: str) -> str:
    path = source if source.endswith(".py") else None
    return Source(source, "", path).advice


def _described(stored: Any) -> list[dict[str, str]]:
    """The entries that have the form of descriptions; files may be anyone's."""
    return [
        part
        for part in (stored if isinstance(stored, list) else [])
        if isinstance(part, dict) and all(isinstance(part.get(key), str) for key in _KEYS)
    ]
