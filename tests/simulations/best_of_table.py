"""`python -m tests.simulations.best_of_table`: how often the best row is dropped, and worse ones.

Prints Markdown: the best row dropped, intervals that miss the truth, and worse rows dropped, by the
leaderboard's rule, the one before it, and others. `-o results/COMPARISONS.md` writes it to that
file too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import binom

from tests.simulations import ten_data_sets
from tests.simulations.comparisons import designs, second_opinion
from tests.simulations.comparisons.designs import SEED, TRUTHS, Size, chunks, intervals_missed
from tests.simulations.comparisons.rules import LEVEL, RULES, before, ours
from tests.simulations.comparisons.tables import (
    COMMON_SPLITS,
    ROWS,
    SEEDS,
    TESTED,
    TRAINED,
    Kind,
    learned,
    over_data_sets,
)

SIZES = [(rows, seeds) for rows in ROWS for seeds in SEEDS]
OVERLAP = TESTED / TRAINED
_ALARM = 1e-3
_FEWER = 8
_COMMAND = "python -m tests.simulations.best_of_table -o results/COMPARISONS.md"
Rule = Callable[..., np.ndarray]


def most_by_chance(tables: int, cells: int) -> int:
    """The tables in which a rule of 5% drops the best, in all cells at once, but for 1 in 1,000."""
    return int(binom.isf(_ALARM / cells, tables, LEVEL))


def drawn(kind: Kind, size: Size, tables: int, rng: np.random.Generator) -> np.ndarray:
    """(tables, rows, seeds)"""
    return np.stack([kind.draw(*size, rng) for _ in range(tables)])


def best_dropped(rule: Rule, kind: Kind, size: Size, tables: int) -> dict[str, float]:
    """Of equal rows, how often one is dropped, by the classes of rows that are alike."""
    rng = np.random.default_rng([SEED, *size])
    counts = dict.fromkeys((name for name, _ in kind.classes), 0.0)
    for part in chunks(tables):
        dropped = rule(drawn(kind, size, part, rng), resolution=kind.resolution)
        for name, rows in kind.classes:
            counts[name] += dropped[:, rows].mean(axis=1).sum()
    return {name: count / tables for name, count in counts.items()}


def shared_dropped(rule: Rule, size: Size, tables: int, *, heavy: bool) -> float:
    """The same where seeds draw splits of one data set."""
    rng, found = np.random.default_rng([SEED, *size]), 0.0
    for part in chunks(tables):
        values = over_data_sets((part, *size), rng, heavy=heavy)
        found += rule(values, overlap=OVERLAP).mean(axis=1).sum()
    return found / tables


def learned_dropped(size: Size, tables: int) -> dict[tuple[str, str, float], float]:
    """The same for rows that learn from splits that overlap, by metric, rule and overlap."""
    rng = np.random.default_rng([SEED, *size])
    both = [learned(*size, rng) for _ in range(tables)]
    found = {}
    for index, (metric, step) in enumerate((("accuracy", 1 / TESTED), ("R²", 0.0))):
        values = np.stack([pair[index] for pair in both])
        for overlap in (0.0, OVERLAP):
            for name, rule in (("before", before), ("now", ours)):
                dropped = rule(values, overlap=overlap, resolution=step)
                found[metric, name, overlap] = float(dropped.mean())
    return found


def worse_dropped(
    rule: Rule, gap: float, size: Size, tables: int, *, overlap: float
) -> tuple[float, float]:
    """Half of the rows are worse by a gap, in standard deviations of a row's results.

    Returns:
        The share of these that is dropped, and the share of the others.
    """
    rng = np.random.default_rng([SEED, *size])
    good, found = (size[0] + 1) // 2, np.zeros(2)
    for part in chunks(tables):
        values = over_data_sets((part, *size), rng, overlap=overlap)
        values[:, good:] -= gap * (1 + overlap) ** 0.5
        dropped = rule(values, overlap=overlap)
        found += dropped[:, good:].mean(axis=1).sum(), dropped[:, :good].mean(axis=1).sum()
    worse, equal = found / tables
    return float(worse), float(equal)


def report(tables: int) -> Iterator[str]:
    """The page, block by block."""
    yield "# Which rows may be the best: how often that is wrong, and what is dropped"
    yield (
        "A leaderboard marks the rows that may be the best; the others can be dropped. At least "
        "95% of leaderboards are to keep the row that is truly best. This page measures it on "
        "tables whose truth is known, beside the rule that leaderboards had before, which asked "
        "another question: that of equal rows none is called worse. The rule and its sources are "
        "in `nnrun/sweeps/board/means.py`. All shares are in percent, of "
        f"{tables:,} tables a cell, and of {tables // _FEWER:,} for the rule before, which takes "
        f"them one by one; random numbers from seed {SEED}, fixed before looking. n seeds, and 20% "
        "of the rows tested where splits are drawn."
    )
    yield f"Made by\n\n```sh\n{_COMMAND}\n```"
    yield from _kept(tables)
    yield from _over_data_sets(tables)
    yield from _learned(tables // _FEWER)
    yield from _intervals(tables)
    yield from _power(tables)
    yield from designs.report(tables // 4, table)
    yield from ten_data_sets.report(table)
    yield from _others(tables // _FEWER)
    yield from second_opinion.report(tables // _FEWER, table)


def _both(tables: int) -> Iterator[tuple[str, Rule, int]]:
    """The two rules, with the number of tables for each."""
    yield "before", before, tables // _FEWER
    yield "now", ours, tables


def _kept(tables: int) -> Iterator[str]:
    yield "## The best row is dropped"
    most = most_by_chance(tables, 12 * len(SIZES)) / tables
    yield (
        "All rows have the same mean, so that any of them may be called the best: how often one "
        "given row is dropped. All rows share seeds and one split for all of them, whose luck adds "
        "three times the noise of a row to each. What is above "
        f"{100 * most:.1f} is in bold: a rule of exactly 5% stays below that in all cells at once, "
        f"but for 1 page in {1 / _ALARM:,.0f}."
    )
    rows = []
    for kind in COMMON_SPLITS.values():
        for name, rule, number in _both(tables):
            found = [best_dropped(rule, kind, size, number) for size in SIZES]
            for which, _ in kind.classes:
                shares = [one[which] for one in found]
                rows.append([f"{kind.title}{which}, {name}", *_percent(shares, most)])
    yield _table("rows × seeds", rows)


def _over_data_sets(tables: int) -> Iterator[str]:
    yield "## Splits that overlap"
    yield (
        "Each seed draws its split of one data set. What a row gains on this data set is then the "
        "same for all seeds, and its variance is n_test/n_train of that over seeds: the variance "
        "of a mean is s²·(1/n + 1/4). Where this part has heavy tails, the best is dropped more "
        "often: no rule can see that from the seeds, since all of them share it."
    )
    rows = []
    for heavy, words in ((False, "normal"), (True, "the shared part Student's t, 3 degrees")):
        for name, rule, number in _both(tables):
            found = [shared_dropped(rule, size, number, heavy=heavy) for size in SIZES]
            rows.append([f"{words}, {name}", *_percent(found, 1.0)])
    yield _table("rows × seeds", rows)


def _learned(tables: int) -> Iterator[str]:
    yield (
        f"Rows that do learn, {tables:,} tables: a data set of {TESTED + TRAINED} rows is drawn, "
        f"each row of the table learns by a feature of its own (all equally good), and each seed "
        f"draws {TESTED} rows to test on. With 1/n alone, what is chance of this data set is taken "
        "for a difference."
    )
    found = [learned_dropped(size, tables) for size in SIZES]
    rows = [
        [
            f"{metric}, s²·(1/n{' + 1/4' if overlap else ''}), {name}",
            *_percent([one[metric, name, overlap] for one in found], 1.0),
        ]
        for metric, name, overlap in found[0]
    ]
    yield _table("rows × seeds", rows)


def _intervals(tables: int) -> Iterator[str]:
    yield "## Intervals that miss"
    yield (
        "How often any interval of a table misses the true difference of its row to the best of "
        "the others. They hold for all rows at once where that is at most 5%."
    )
    rows = []
    for overlap, words in ((0.0, "one split"), (OVERLAP, "splits drawn")):
        for truth in TRUTHS:
            found = [intervals_missed(truth, size, tables, overlap=overlap) for size in SIZES]
            rows.append([f"{truth}, {words}", *_percent(found, 1.0)])
    yield _table("rows × seeds", rows)


def _power(tables: int) -> Iterator[str]:
    yield "## Worse rows are dropped"
    yield (
        "Half of the rows are worse by this many standard deviations of a row's results: the share "
        "of them that is dropped."
    )
    rows = []
    for overlap, words in ((0.0, "one split"), (OVERLAP, "splits drawn")):
        for gap in (1, 2, 3, 4):
            for name, rule, number in _both(tables):
                found = [
                    worse_dropped(rule, gap, size, number, overlap=overlap)[0] for size in SIZES
                ]
                rows.append([f"{gap} sd, {words}, {name}", *_percent(found, 1.0)])
    yield _table("difference", rows)


def _others(tables: int) -> Iterator[str]:
    yield "## Other rules"
    yield (
        f"On the same tables, {tables:,} of them. Separate tests forget that the best row was "
        "picked by the same numbers. One variance for all rows, as in Tukey's and Gupta's rules, "
        "fails where rows differ in noise. Dunnett's quantile belongs to one variance: with a "
        "variance for each pair and held against every row, it drops the best of many rows too "
        "often. Held against the best row alone it keeps to 5% where all rows have the same noise, "
        "but not where they differ, and finds no more than the leaderboard's rule, which is "
        "Bonferroni's over the other rows."
    )
    rows = []
    for name, rule in RULES.items():
        normal = [best_dropped(rule, COMMON_SPLITS["normal"], size, tables) for size in SIZES]
        wild = [best_dropped(rule, COMMON_SPLITS["wild"], size, tables) for size in SIZES]
        half = [best_dropped(rule, COMMON_SPLITS["half"], size, tables) for size in SIZES]
        power = [worse_dropped(rule, 2, size, tables, overlap=OVERLAP)[0] for size in SIZES]
        for words, shares in (
            ("best dropped, normal", [one[""] for one in normal]),
            ("best dropped, one row 30 times as noisy", [one[": another"] for one in wild]),
            ("best dropped, half 10 times as noisy", [max(one.values()) for one in half]),
            ("dropped at 2 sd, splits drawn", power),
        ):
            rows.append([f"{name}: {words}", *_percent(shares, 1.0)])
    yield _table("rule", rows)


def _percent(shares: Iterable[float], most: float) -> list[str]:
    return [f"**{100 * s:.1f}**" if s > most else f"{100 * s:.1f}" for s in shares]


def _table(corner: str, rows: list[list[str]]) -> str:
    return table(corner, [f"{k}×{n}" for k, n in SIZES], rows)


def table(corner: str, header: Sequence[str], rows: list[list[str]]) -> str:
    """As Markdown."""
    rule = [":--", *["--:"] * len(header)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ([corner, *header], rule, *rows))


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
