"""Regressions: boards whose notes on choosing were wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from nnrun.reports.leaderboard_files import leaderboard_markdown
from nnrun.sweeps.board.leaderboard import make_leaderboard
from tests.sweeps.board.boards import named, progress, score

DRAWN = {"overlap": {"test": 0.25}}


def member(name, values, **changes):
    scores = [score(s, float(value)) for s, value in enumerate(values)]
    return named(name, seeds=range(len(scores)), **DRAWN, **changes), scores


def normal(mean, sd, n, order):
    """Values with exactly this mean and standard deviation, in an order drawn from a seed."""
    values = ndtri((np.arange(n) + 0.5) / n)
    values = mean + sd * (values - values.mean()) / values.std(ddof=1)
    return np.random.default_rng(order).permutation(values)


def settings():
    """24 settings with 8 seeds, from 0.95 down to 0.90, and one at 0.87 that is worse in each."""
    rng = np.random.default_rng(42)
    split = rng.normal(0, 0.02, size=8)
    levels = [*np.linspace(0.95, 0.90, 23), 0.87]
    return [
        member(f"s{k:02}", level + split + rng.normal(0, 0.006, size=8))
        for k, level in enumerate(levels)
    ]


def test_of_24_settings_the_worse_ones_can_be_dropped():
    """With 8 seeds that draw their splits; the last, which is worse in every seed, among them, and
    the ones that are close to the best not.
    """
    board = make_leaderboard(progress(*settings()), "")
    rows = {row.name: row for row in board.groups[0].rows}
    first, *_, last = rows.values()
    assert "s23" == last.name
    assert (True, False) == (first.tied, last.tied)
    assert last.p < 0.05
    assert all(rows[name].tied for name in ("s00", "s01", "s02"))
    assert 8 < sum(not row.tied for row in rows.values()) < 22
    text = leaderboard_markdown(board)
    assert "With 8 seeds, a row that is worse by 0.0" in text


def test_an_untrained_network_can_be_dropped():
    """Of mse 3.65 ± 1.35 and 7.05 ± 1.91 over 10 seeds, which draw their splits, the worse one is
    no candidate, with a difference that is at most so large.
    """
    error = {"metric": "mse", "larger_is_better": False}
    trained = member("trained", normal(3.65, 1.35, 10, 1), **error)
    untrained = member("untrained", normal(7.05, 1.91, 10, 2), **error)
    board = make_leaderboard(progress(untrained, trained), "")
    best, worse = board.groups[0].rows
    assert ("trained", True, False) == (best.name, best.tied, worse.tied)
    assert 3.4 == pytest.approx(worse.difference)
    assert 0 == worse.difference_low < worse.difference < worse.difference_high
    assert r"| 1 \* | trained | 3.6 ± 1.8 | 1.4 | 10 |" in leaderboard_markdown(board)


def test_two_boards_of_other_data_are_distinguished():
    """Each with what can be dropped of it, by the name of its data."""
    other = [
        member(f"w{k}", normal(0.5 + k / 5, 0.01, 5, k), dataset="wine", sha256="2") for k in (0, 1)
    ]
    text = leaderboard_markdown(make_leaderboard(progress(*settings()[:2], *other), ""))
    assert "- **digits:** 2 of 2 may be the best" in text
    assert "- **wine:** best of 2 is w1" in text
