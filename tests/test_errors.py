"""The text of problems."""

from __future__ import annotations

from nnrun.errors import Place, Problem


def test_errors_point_into_long_lines():
    """A line that would wrap is cut around its caret, which stays below what is meant."""
    text = "network: {sizes: [" + ", ".join(["13"] * 40) + "], activations: [sigmiod, linear]}"
    column = text.index("sigmiod") + 1
    shown = str(Problem("no", place=Place("a.yaml", 2, column, text, len("sigmiod"))))
    _, line, mark = shown.splitlines()
    assert len(line) <= 80
    start = mark.index("^")
    assert "sigmiod" == line[start : start + len(mark.strip())]
