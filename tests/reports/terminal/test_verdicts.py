"""What verifying runs has shown, in words."""

from __future__ import annotations

from nnrun.reports.terminal.verdicts import summary
from nnrun.runs.verify import Verification


def test_both_counts_have_commas():
    """The sum of many runs, and its parts."""
    same = [Verification("cars", f"s{seed}", "", "same_bits") for seed in range(1600)]
    damaged = [Verification("cars", "s1600", "", "damaged")]
    assert "1,600 runs: 1,600 with the same bits" == summary(same)
    assert "1,601 runs: 1,600 with the same bits, 1 damaged" == summary([*same, *damaged])
