"""Stored files that say something else than what was written, with a digest that agrees."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nnrun.runs.storage.contents.sealed import read_sealed, sealed_json
from nnrun.runs.storage.contents.strict_json import sealed, strict_json


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
