"""The digest of a report in its own last line.

It is over every byte before that line. So a report that another program has only reformatted counts
as changed, too.
"""

from __future__ import annotations

import hashlib

_KEY = "report_sha256"


def sealed(report: bytes) -> bytes:
    """A report with its digest as the last entry; `strict_json` gives each entry a line."""
    return _closed(report.removesuffix(b"\n}\n"))


def is_sealed(content: bytes) -> bool:
    """Whether a report is unchanged since it was written."""
    return content == _closed(content[: -len(_closed(b""))])


def _closed(body: bytes) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    return body + f',\n  "{_KEY}": "{digest}"\n}}\n'.encode()
