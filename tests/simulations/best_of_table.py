"""`python -m tests.simulations.best_of_table`: how often the leaderboard calls a row worse.

Prints Markdown: false differences among rows that are equal, missed differences among rows that are
not, and the same for other rules. `-o results/COMPARISONS.md` writes it to that file too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.stats import binom

from nnrun.sweeps.board.comparisons import Differences, paired_differences, unpaired_differences
from tests.simulations.rules import LEVEL, RULES
from tests.simulations.tables import (
    COMMON_SPLITS,
    EQUAL,
    ROWS,
    SEEDS,
    TESTED,
    TRAINED,
    UNEQUAL,
    learned,
)

SEED = 42
SIZES = [(rows, seeds) for rows in ROWS for seeds in SEEDS]
_ALARM = 1e-3
_COMMAND = "python -m tests.simulations.best_of_table -o results/COMPARISONS.md"
Compare = Callable[..., Differences]


def ranked(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows in their order, the best first, and which they were."""
    order = np.argsort(-values.mean(axis=1), kind="stable")
    return values[order], order


def called_worse(compare: Compare, values: np.ndarray, **settings: float) -> np.ndarray:
    """Of each row, whether it is called worse than the best of the table."""
    ordered, order = ranked(values)
    worse = np.zeros(len(values), dtype=bool)
    worse[order[1:]] = compare(ordered, rows=len(values), **settings).p <= LEVEL
    return worse


def most_by_chance(tables: int, cells: int) -> int:
    """The false verdicts that a rule of 5% stays within, in all cells at once, but for 1 in 1,000.

    The count is binomial at worst, and the cells share the chance of a false alarm.
    """
    return int(binom.isf(_ALARM / cells, tables, LEVEL))


def false_shares(
    compare: Compare, kinds: dict, sizes: Iterable[tuple[int, int]], tables: int, seed: int = SEED
) -> dict[str, list[int]]:
    """For each kind and size, the number of tables of equal rows in which any is called worse."""
    rng = np.random.default_rng(seed)
    sizes = list(sizes)
    return {
        name: [
            sum(
                called_worse(compare, kind.draw(*size, rng), resolution=kind.resolution).any()
                for _ in range(tables)
            )
            for size in sizes
        ]
        for name, kind in kinds.items()
    }


def learned_shares(tables: int) -> Iterator[tuple[str, list[int]]]:
    """The same for rows that learn from splits that overlap, with and without knowing of it."""
    rng = np.random.default_rng(SEED)
    factors = (0.0, TESTED / TRAINED)
    names = [(metric, factor) for metric in ("accuracy", "R²") for factor in factors]
    counts = {name: [0] * len(SIZES) for name in names}
    for column, size in enumerate(SIZES):
        for _ in range(tables):
            for metric, values in zip(("accuracy", "R²"), learned(*size, rng), strict=True):
                step = 1 / TESTED if metric == "accuracy" else 0.0
                for factor in factors:
                    worse = called_worse(
                        paired_differences, values, overlap=factor, resolution=step
                    )
                    counts[metric, factor][column] += worse.any()
    for (metric, factor), found in counts.items():
        yield f"{metric}, s²·(1/n{' + 1/4' if factor else ''})", found


def missed_shares(
    compare: Compare,
    gap: float,
    overlap: float,
    tables: int,
    sizes: Iterable[tuple[int, int]] = SIZES,
) -> tuple[list[float], list[int]]:
    """Half of the rows are worse by a gap in units of a row's noise.

    Returns:
        The share of these that are not called worse, and the tables in which another row is.
    """
    rng = np.random.default_rng(SEED)
    missed, false = [], []
    for rows, seeds in sizes:
        good = (rows + 1) // 2
        found = wrong = 0
        for _ in range(tables):
            values = COMMON_SPLITS["normal"].draw(rows, seeds, rng)
            values[good:] -= gap
            worse = called_worse(compare, values, overlap=overlap)
            found += worse[good:].mean()
            wrong += worse[:good].any()
        missed.append(1 - found / tables)
        false.append(wrong)
    return missed, false


def rule_shares(name: str, tables: int) -> Iterator[list[float]]:
    """Of another rule: false among equal rows, among these with a wild one, missed at 4 sd."""
    rng = np.random.default_rng(SEED)
    rule = RULES[name]
    for kind in (COMMON_SPLITS["normal"], COMMON_SPLITS["cauchy"], COMMON_SPLITS["wild"]):
        yield [
            sum(rule(ranked(kind.draw(*size, rng))[0]).any() for _ in range(tables)) / tables
            for size in SIZES
        ]
    missed = []
    for rows, seeds in SIZES:
        good, found = (rows + 1) // 2, 0.0
        for _ in range(tables):
            values = COMMON_SPLITS["normal"].draw(rows, seeds, rng)
            values[good:] -= 4
            ordered, order = ranked(values)
            found += rule(ordered)[order[1:] >= good].mean()
        missed.append(1 - found / tables)
    yield missed


def report(tables: int) -> Iterator[str]:
    """The page, block by block."""
    yield "# Comparisons with the best row: what is called worse, and what is missed"
    yield (
        "A leaderboard says of each row whether it can be told from the best. This page measures "
        "how often it errs, on tables whose truth is known: the share of tables of equal rows in "
        "which *any* row is called worse, and the share of worse rows that are not. The rule and "
        "its sources are in `nnrun/sweeps/board/comparisons.py`. All shares are in percent, of "
        f"{tables:,} tables; random numbers from seed {SEED}."
    )
    yield f"Made by\n\n```sh\n{_COMMAND}\n```"
    cells = 2 * len(COMMON_SPLITS) * len(SIZES)
    most = most_by_chance(tables, cells)
    yield "## False differences"
    yield (
        "Paired rows share seeds and splits (which add three times the noise of a row to all of "
        "them), unpaired ones do not. The first kinds are rows that are equal in everything; the "
        "last three have one mean and different noise, for which nothing is promised. A rule of "
        f"exactly 5% stays below {100 * most / tables:.1f} in all cells at once, but for 1 page in "
        f"{1 / _ALARM:,.0f}; what is above is in bold."
    )
    for title, compare, kinds in (
        ("Paired", paired_differences, COMMON_SPLITS),
        ("Unpaired", unpaired_differences, EQUAL | UNEQUAL),
    ):
        counts = false_shares(compare, kinds, SIZES, tables)
        rows = [
            [kinds[name].title, *_percent(found, tables, most)] for name, found in counts.items()
        ]
        yield _table(f"{title}: rows × seeds", rows)
    yield "## Splits that overlap"
    yield (
        f"Rows that learn: a data set of {TESTED + TRAINED} rows is drawn, each row of the table "
        f"learns by a feature of its own (all equally good), and each seed draws {TESTED} rows to "
        "test on. "
        "With 1/n alone, what is chance of this data set is called a difference, and the more "
        "surely, the more seeds there are."
    )
    yield _table(
        "rows × seeds",
        [[name, *_percent(found, tables, most)] for name, found in learned_shares(tables)],
    )
    yield "## Missed differences"
    yield (
        "Half of the rows are worse by so many standard deviations of a row's noise (normal, "
        "paired): the share of them that is not called worse. Beside it, in how many tables one of "
        "the equally good rows was called worse."
    )
    rows = []
    for overlap, words in ((0.0, "split is fixed"), (TESTED / TRAINED, "drawn, 1/4 tested")):
        for gap in (1, 2, 4, 8):
            missed, false = missed_shares(paired_differences, gap, overlap, tables // 4)
            rows.append([f"{gap} sd, {words}", *_percent([m * 100 for m in missed], 100)])
            rows.append(["– false", *_percent(false, tables // 4)])
    yield _table("difference", rows)
    yield "## Other rules"
    yield (
        "On the same tables of paired rows. Separate tests of each row, and Holm's correction of "
        "them, forget that the best row was picked by the same numbers. Tukey's one variance for "
        "all fails where rows differ in noise or have heavy tails. Own variances of three seeds "
        "find nothing in a table of many rows."
    )
    rows = []
    for name in RULES:
        columns = ("false, normal", "false, Cauchy", "false, one wild row", "missed, 4 sd")
        for column, shares in zip(columns, rule_shares(name, tables // 4), strict=True):
            rows.append([f"{name}: {column}", *_percent([s * 100 for s in shares], 100)])
    yield _table("rule", rows)


def _percent(counts: Iterable[float], of: int, most: float = float("inf")) -> list[str]:
    cells = [f"{100 * count / of:.1f}" for count in counts]
    return [f"**{c}**" if n > most else c for c, n in zip(cells, counts, strict=True)]


def _table(corner: str, rows: list[list[str]]) -> str:
    header = [corner, *(f"{k}×{n}" for k, n in SIZES)]
    rule = [":--", *["--:"] * len(SIZES)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.best_of_table")
    parser.add_argument("--tables", type=int, default=2000, help="for each cell")
    parser.add_argument("-o", "--output", type=Path, help="write the page to this file too")
    arguments = parser.parse_args()
    blocks = []
    for block in report(arguments.tables):
        blocks.append(block)
        print(block, end="\n\n", flush=True)
    if arguments.output:
        arguments.output.write_text("\n\n".join(blocks) + "\n")


if __name__ == "__main__":
    main()
