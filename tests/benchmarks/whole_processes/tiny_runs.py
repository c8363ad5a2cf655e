"""S3: what each of a thousand tiny runs takes, all that stands around their arithmetic included."""

from __future__ import annotations

from tests.benchmarks.tables.grid import grid
from tests.benchmarks.whole_processes.processes import CONFIGS, NNRUN, seconds_of

ID = "S3"
RUNS, ITERATIONS = 1_000, 500
SWEEP = [*NNRUN, "sweep", str(CONFIGS / "iris_softmax.yaml"), "--iterations", str(ITERATIONS)]


def table(rounds: int) -> str:
    """Milliseconds per run: of two whole processes, one with one run, the difference."""
    taken = seconds_of(
        {
            "one": [*SWEEP, "-j", "1", "--seeds", "1"],
            "all": [*SWEEP, "-j", "1", "--seeds", str(RUNS)],
        },
        rounds,
    )
    each = (taken["all"] - taken["one"]) / (RUNS - 1)
    return "\n".join(
        [
            f"{ID}: {RUNS:,} runs of `iris_softmax` at {ITERATIONS} iterations, one job",
            "",
            *grid(
                ["", "seconds"],
                [
                    ["a sweep of one run", f"{taken['one']:.2f}"],
                    [f"a sweep of {RUNS:,}", f"{taken['all']:.2f}"],
                    ["beyond one run, each", f"{each:.4f}"],
                ],
            ),
        ]
    )
