"""The digest that a report carries of itself, in its last line.

It is over every byte before that line, as the digests of the other files are over every byte of
theirs: a report that another program has laid out anew is not the file that was written either.
"""

from __future__ import annotations

import hashlib

_KEY = "report_sha256"


def sealed(report: bytes) -> bytes:
    """A report with its digest as the last entry.

    Args:
        report: an object with a line for each entry, as `strict_json` writes it.
    """
    return _closed(report.removesuffix(b"\n}\n"))


def is_sealed(content: bytes) -> bool:
    """Whether a report is, to the last bit, the one that was written."""
    return content == _closed(content[: -len(_closed(b""))])


def _closed(body: bytes) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    return body + f',\n  "{_KEY}": "{digest}"\n}}\n'.encode()
