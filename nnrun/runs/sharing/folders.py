"""Whether the stored config of a run names a folder of its author."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from nnrun.config.content import read_config
from nnrun.runs.storage.contents.names import CONFIG, REPORT
from nnrun.runs.storage.durable.files import read_regular
from nnrun.runs.storage.paths.data_place import path_of

_MOST_BYTES = 1 << 24
# Paths that begin at a root, a drive or a home.
_WHOLE = re.compile(r"[/\\~]|[A-Za-z]:")
# From a run's folder to data beside the results folder, or in a folder beside it.
_NEAR = re.compile(r"(\.\./){0,3}([^/]+/)?[^/]+")


def names_folders(folder: Path) -> bool:
    """Whether config or report have a whole or long path of the data, as older versions wrote it.

    Raises: ConfigError if config.yaml cannot be read; OSError or ValueError for the report.
    """
    report = json.loads(read_regular(folder / REPORT, _MOST_BYTES))
    configs = [report.get("config") if isinstance(report, dict) else None]
    configs.append(read_config(folder / CONFIG).source.data)
    paths = [path_of(config) for config in configs if isinstance(config, Mapping)]
    return any(path is not None and _names_folders(path) for path in paths)


def _names_folders(path: str) -> bool:
    return bool(_WHOLE.match(path)) or not _NEAR.fullmatch(path.replace("\\", "/"))
