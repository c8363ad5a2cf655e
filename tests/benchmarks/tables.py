"""What was measured, as Markdown."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.peers import ENGINES, PEERS
from tests.benchmarks.works import Work


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [
        f"| {' | '.join(header)} |",
        f"|{' --- |' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


# Four rows for the README, out of the tables of all measurements.

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


PACKAGES = ("numpy", "llvmlite", "torch", "jax", "scikit-learn")


def one_thread(
    works: list[Work], results: dict[str, dict[str, float]], skipped: dict[str, str], rounds: int
) -> str:
    """A table of rates, one of ratios, and what each work is."""
    known = [*(f"nnrun {engine}" for engine in ENGINES), *PEERS.values()]
    names = [name for name in known if any(name in rates for rates in results.values())]
    lines = [
        "Updates per second (from W6 on: rows per second), one thread, medians of "
        f"{rounds} rounds in which every contestant ran in turn.",
        "",
        *grid(["", *names], [[w.id, *_rates(w, results[w.id], names)] for w in works]),
    ]
    ours = [name for name in names if name.startswith("nnrun")]
    peers = [name for name in names if name not in ours]
    if ours and peers:
        header = ["", *peers, "the best of PyTorch's"]
        rows = [[w.id, *_ratios(results[w.id], ours, peers)] for w in works]
        lines += ["", "How many times as fast the better engine is:", "", *grid(header, rows)]
        if losses := [*_losses(works, results, ours, peers)]:
            lines += ["", *losses]
    lines += ["", *(f"- {w.id}: {w.title}" for w in works)]
    lines += [f"- {name} was left out: {reason}" for name, reason in skipped.items()]
    return "\n".join(lines)


def _losses(
    works: list[Work], results: dict[str, dict[str, float]], ours: list[str], peers: list[str]
) -> Iterator[str]:
    """Where a peer is faster than both engines, in words."""
    for work in works:
        rates = results[work.id]
        best = _best(rates, ours)
        for name in peers:
            if best and rates.get(name, 0.0) > rates[best]:
                yield f"{work.id}: {name} wins, {_ratio(rates, name, best)} as fast as nnrun."


def threads(works: list[Work], results: dict[str, dict[str, float]], number: int) -> str:
    """A table of rates on several threads, beside one thread of ours and beside the peers."""
    names = list(dict.fromkeys(name for rates in results.values() for name in rates))
    alone, together, at_once, *peers = names
    rows = []
    for work in works:
        rates = results[work.id]
        best = _best(rates, peers)
        ratios = [_ratio(rates, together, other) for other in (alone, at_once, best)]
        rows.append([work.id, *_rates(work, rates, names), *ratios])
    of = ["of its own single thread", f"of {number} runs at once", "of the best of PyTorch's"]
    return "\n".join([f"Rows per second, {number} threads:", "", *grid(["", *names, *of], rows)])


def machine() -> str:
    """One sentence on what it was measured with."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    python = f"Python {platform.python_version()}"
    return f"Measured on {_processor()}, {platform.system()}, {python}, {', '.join(versions)}."


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _rates(work: Work, rates: dict[str, float], names: list[str]) -> list[str]:
    return [_short(rates[name] * work.batch_size) if name in rates else "" for name in names]


def _ratios(rates: dict[str, float], ours: list[str], peers: list[str]) -> list[str]:
    """Of our best to each peer, and to the best of PyTorch's variants."""
    best = _best(rates, ours)
    variants = [name for name in peers if name.startswith("PyTorch")]
    return [_ratio(rates, best, peer) for peer in (*peers, _best(rates, variants))]


def _best(rates: dict[str, float], names: list[str]) -> str:
    """The fastest of these; empty where none of them ran."""
    return max((name for name in names if name in rates), key=rates.__getitem__, default="")


def _ratio(rates: dict[str, float], name: str, other: str) -> str:
    if name not in rates or other not in rates:
        return ""
    return f"{_digits(rates[name] / rates[other])}×"


def _short(rate: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if rate >= size:
            return f"{_digits(rate / size)} {letter}"
    return _digits(rate)


def _digits(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
