"""Reports that say something else than what was written, with a digest that agrees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
