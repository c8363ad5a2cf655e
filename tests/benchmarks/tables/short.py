"""Four rows for the README, out of the tables of all measurements."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.benchmarks.tables.grid import grid

ROWS = ("W1", "W4", "W6", "W9")
"""Single rows and minibatches, dense and convolutional; W6 is where a peer comes nearest."""

_BEST = "the best of PyTorch's"
_SIZES = {"": 1.0, "k": 1e3, "M": 1e6}

Table = dict[str, dict[str, str]]


def short_table(text: str, sentence: str) -> str:
    """The rows of `ROWS` with the peers' rates, and how many times as fast nnrun is.

    Args:
        text: all tables, as Markdown.
        sentence: what they were measured on.

    Raises:
        KeyError: a row is not in them.
    """
    rates, ratios = _merged(text, "nnrun compiled"), _merged(text, _BEST)
    titles = dict(re.findall(r"^- (W\d+): (.*)$", text, re.MULTILINE))
    lines = [_row(name, rates[name], ratios[name]) for name in ROWS]
    named = [[f"{name}: {titles[name]}", *cells] for name, cells in zip(ROWS, lines, strict=True)]
    header = ["", "nnrun", "PyTorch, the best of its ways", "JAX", "scikit-learn"]
    intro = (
        "Updates per second (W6 and W9: rows per second) on one thread, and in brackets how many "
        "times as fast nnrun is:"
    )
    return "\n".join([intro, "", *grid(header, named), "", sentence])


def _row(name: str, rates: dict[str, str], ratios: dict[str, str]) -> list[str]:
    ours = max((rates[engine] for engine in rates if engine.startswith("nnrun")), key=_number)
    torch = (peer for peer in rates if peer.startswith("PyTorch"))
    best = max((rates[peer] for peer in torch), key=_number)
    others = [_cell(rates.get(peer, ""), ratios.get(peer, "")) for peer in ("JAX", "scikit-learn")]
    return [ours, _cell(best, ratios[_BEST]), *others]


def _cell(rate: str, ratio: str) -> str:
    return f"{rate} ({ratio})" if rate else ""


def _number(rate: str) -> float:
    """0 where there is none."""
    digits, _, size = rate.partition(" ")
    return float(digits) * _SIZES[size] if digits else 0.0


def _merged(text: str, column: str) -> Table:
    """The rows of all tables that have a column."""
    found: Table = {}
    for table in _tables(text):
        found |= {name: row for name, row in table.items() if column in row}
    return found


def _tables(text: str) -> Iterator[Table]:
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        header, _, *rows = [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in block.splitlines()
        ]
        yield {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}
