"""What was measured, as Markdown."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.peers import ENGINES, PEERS
from tests.benchmarks.works import Work

PACKAGES = ("numpy", "numba", "llvmlite", "torch", "jax", "scikit-learn")


def render(
    works: list[Work], results: dict[str, dict[str, float]], skipped: dict[str, str], rounds: int
) -> str:
    """A table of rates, one of ratios, what each work is, and the machine."""
    known = [*(f"nnrun {engine}" for engine in ENGINES), *PEERS.values()]
    names = [name for name in known if any(name in rates for rates in results.values())]
    lines = [
        f"Updates per second (from W6 on: rows per second), one thread, medians of {rounds} rounds "
        "in which every contestant ran in turn.",
        "",
        *_grid(["", *names], [[w.id, *_rates(w, results[w.id], names)] for w in works]),
    ]
    for engine in [name for name in names if name.startswith("nnrun")]:
        peers = [name for name in names if not name.startswith("nnrun")]
        rows = [[w.id, *_ratios(results[w.id], engine, peers)] for w in works]
        if peers and any("×" in cell for row in rows for cell in row):
            head = ["", *peers, "the best of PyTorch's"]
            lines += ["", f"How many times as fast {engine} is:", "", *_grid(head, rows)]
    lines += ["", *(f"- {w.id}: {w.title}" for w in works)]
    lines += [f"- {name} was left out: {reason}" for name, reason in skipped.items()]
    return "\n".join([*lines, "", machine(), ""])


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


def _grid(header: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{' --- |' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _rates(work: Work, rates: dict[str, float], names: list[str]) -> list[str]:
    return [_short(rates[name] * work.batch_size) if name in rates else "" for name in names]


def _ratios(rates: dict[str, float], engine: str, peers: list[str]) -> list[str]:
    variants = [name for name in peers if name.startswith("PyTorch") and name in rates]
    best = max(variants, key=rates.__getitem__, default="")
    against = [*peers, best]
    return [_ratio(rates, engine, peer) for peer in against]


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
