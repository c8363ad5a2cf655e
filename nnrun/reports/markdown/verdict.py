"""A verdict as Markdown."""

from __future__ import annotations

from nnrun.reports.markup import escape
from nnrun.reports.verdict.lines import Verdict


def verdict_markdown(verdict: Verdict) -> str:
    """A list of its lines."""
    return "\n".join(f"- **{line.lead}:** {escape(line.text)}." for line in verdict.lines)
