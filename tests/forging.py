"""Files that say something else than what was written, with digests that agree."""

from __future__ import annotations

import copy
import functools
import json
import operator
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.runs.storage.sealed import read_sealed, sealed, sealed_json, strict_json


def said(report: Path) -> dict[str, Any]:
    """What a report says, but for the digest of itself."""
    content = json.loads(report.read_text())
    del content["report_sha256"]
    return dict(content)


def forge(report: Path, content: Mapping[str, Any]) -> None:
    """Write a report as nnrun would, whatever it says."""
    report.write_bytes(sealed(strict_json(dict(content)).encode()))


def revise(report: Path, **changes: Any) -> None:
    """Change some entries of a report."""
    forge(report, {**said(report), **changes})


def reseal(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a search.json or the leaderboard of a sweep says, as nnrun would write it."""
    content = read_sealed(file)
    change(content)
    file.write_bytes(sealed_json(content))


def redo(folder: Path, name: str, content: bytes) -> None:
    """Put another file in the place of one of a run, with a report that agrees."""
    (folder / name).write_bytes(content)
    report = folder / "report.json"
    revise(report, files={**said(report)["files"], name: sha256(content).hexdigest()})


def leaves(value: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """The places of all values in a tree, and of empty mappings and lists."""
    inside = list(enumerate(value)) if isinstance(value, list) else []
    inside += value.items() if isinstance(value, dict) else []
    for key, entry in inside:
        yield from leaves(entry, *path, key)
    if not inside:
        yield path


def altered(content: Any, path: tuple[str | int, ...], change: Callable[[Any], Any]) -> Any:
    """A copy of a tree with another value in one place."""
    changed = copy.deepcopy(content)
    part = functools.reduce(operator.getitem, path[:-1], changed)
    part[path[-1]] = change(part[path[-1]])
    return changed


def forged(value: Any) -> Any:
    """Another value of the same kind, where there is one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return float(np.nextafter(value, 9e9))
    return f"{value}." if isinstance(value, str) else 7
