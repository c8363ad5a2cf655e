"""The campaign of random networks without pytest: `python -m tests.engines.campaign`.

Tries suites of 500 networks, by default all 40; numbers after the command choose some of them, so
that several processes can share the work. Prints networks with faults, a line for each suite and
the sum. Exits with 1 if there are faults.
"""

from __future__ import annotations

import sys
import time

from tests import conftest  # whose environment and cache it runs in
from tests.architectures.coverage import CAMPAIGN, missing, suite
from tests.engines.trials import faults_of

__all__ = ["conftest", "main"]


def main(numbers: list[int]) -> int:
    """Try these suites; the number of networks with faults."""
    tried = faulty = 0
    for number in numbers:
        began, trials = time.monotonic(), suite(number)
        found = faults_of(trials)
        lacking = missing(trials)
        for trial, texts in found.items():
            print(trial, *texts, sep="\n", flush=True)
        tried, faulty = tried + len(trials), faulty + len(found)
        seconds = time.monotonic() - began
        covered = f"not covered: {lacking}" if lacking else "the table covered"
        print(
            f"suite {number}: {len(trials)} networks, {len(found)} with faults, {covered}, "
            f"{seconds:.0f} s",
            flush=True,
        )
        suite.cache_clear()
    print(f"{tried} networks of {len(numbers)} suites, {faulty} with faults", flush=True)
    return faulty


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or list(range(CAMPAIGN))) > 0)
