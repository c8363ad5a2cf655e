"""What may grow while nnrun works for long, and what did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import psutil

KIB, MIB = 1024, 1024**2
RUNS = "runs"
# By the first words of a quantity: how many units it may grow by between the second quarter of the
# time and the last one, at all and with each run. A sweep keeps the scores of each run in memory,
# the index has a line for it, and the cache the code of each new network, up to 256 MB; nothing
# else may grow.
BOUNDS: dict[str, tuple[int, int]] = {
    "memory of the client": (4 * MIB, KIB),
    "memory": (8 * MIB, 0),
    "index": (MIB, 16 * KIB),
    "compiled code": (MIB, 32 * KIB),
}
Sample = dict[str, float]


@dataclass(frozen=True)
class Growth:
    """One quantity: its medians in the second and in the last quarter of the samples."""

    quantity: str
    before: float
    after: float
    bound: float

    @property
    def passes(self) -> bool:
        return self.after - self.before <= self.bound


def growths(samples: Sequence[Sample]) -> Iterator[Growth]:
    """How each quantity grew; medians, since files are opened and closed all the time."""
    quarter = len(samples) // 4
    if not quarter:
        raise SystemExit("there are fewer than four samples; what it printed is in output.txt")
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    runs = last[0][RUNS] - second[0][RUNS]
    for quantity in second[0]:
        if quantity != RUNS:
            at_all, each = next((b for q, b in BOUNDS.items() if quantity.startswith(q)), (0, 0))
            before, after = (median(one[quantity] for one in part) for part in (second, last))
            yield Growth(quantity, before, after, at_all + each * runs)


def of_process(process: psutil.Process, role: str) -> Sample:
    """A sample of one process."""
    with process.oneshot():
        return {
            f"memory of the {role}": process.memory_info().rss,
            f"open files of the {role}": process.num_fds(),
            f"threads of the {role}": process.num_threads(),
            f"children of the {role}": len(process.children()),
        }
