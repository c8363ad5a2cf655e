"""A config that has been read once, to be loaded with any number of overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnrun.config.yaml.parse import KeyPath, parse
from nnrun.config.yaml.plain import plain
from nnrun.config.yaml.source_map import Source
from nnrun.config.yaml.text import read_text
from nnrun.errors import Place

Origin = Path | Mapping[str, Any]
"""A config: its file, or the content of one."""

UNNAMED = Path("run")
"""The file of a config that was given as content."""


@dataclass(frozen=True)
class Content:
    """A config that has been read; it can be loaded with any number of overrides."""

    source: Source
    file: Path

    def without_sweep(self) -> Content:
        """The same without what its `sweep` and `search` blocks vary."""
        source, order = self.source, ("sweep", "order_by")

        def others(places: dict[KeyPath, Place]) -> dict[KeyPath, Place]:
            return {
                path: place
                for path, place in places.items()
                if path[:1] not in (("sweep",), ("search",)) or path in (order, order[:1])
            }

        data = {key: value for key, value in source.data.items() if key not in ("sweep", "search")}
        sweep = source.data.get("sweep")
        if isinstance(sweep, dict) and "order_by" in sweep:
            data["sweep"] = {"order_by": sweep["order_by"]}
        keys, values = others(source.keys), others(source.values)
        return replace(self, source=replace(source, data=data, keys=keys, values=values))


def read_config(origin: Origin) -> Content:
    """The content of a config, before any override.

    Raises:
        ConfigError: it cannot be read.
    """
    if isinstance(origin, Path):
        return Content(Source(**vars(parse(read_text(origin)))), origin)
    return Content(Source(plain(origin)), UNNAMED)
