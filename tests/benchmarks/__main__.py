"""`python -m tests.benchmarks`: nnrun's engines and its peers on W1 to W13, one thread, as a table.

For example, the NumPy engine beside PyTorch; two threads beside one; whole processes and folders of
20,000 runs; what compiling takes; and what a run costs beyond its updates, and scikit-learn's
estimators:

    python -m tests.benchmarks --only W1,W4,W6 --engines numpy --peers pytorch
    python -m tests.benchmarks --only W9,W12 --threads 2 --peers pytorch,pytorch_channels_last
    python -m tests.benchmarks --only slopes,S1,S2,S3,S4,S5,S6,S7
    python -m tests.benchmarks --only compiling
    python -m tests.benchmarks --only overhead,estimators

All tables of the documentation, in a quarter of an hour: `python -m tests.benchmarks.report`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

# Read when the libraries load, hence before they are imported.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

from tests.benchmarks import (  # noqa: E402
    compiling,
    folders,
    large,
    processes,
    tables,
)
from tests.benchmarks.contest import (  # noqa: E402
    Prepare,
    contestants,
    measure,
    one_core,
    threaded,
)
from tests.benchmarks.peers import ENGINES, PEERS  # noqa: E402
from tests.benchmarks.works import WORKS, Work  # noqa: E402

# What is no network, by id, as a function of the number of rounds.
OTHERS: dict[str, Callable[[int], str]] = {
    **{name: partial(processes.table, name) for name in processes.PROCESSES},
    processes.SLOPES: processes.table_of_slopes,
    processes.TINY: processes.table_of_tiny_runs,
    folders.ID: folders.table,
    folders.GRIDS: folders.table_of_grids,
    folders.MANY: folders.table_of_many,
    large.ID: large.table,
    compiling.ID: compiling.table,
    processes.OVERHEAD: processes.table_of_overhead,
    processes.ESTIMATORS: processes.table_of_estimators,
}
_ALL = [*WORKS, *OTHERS]


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", type=_names, default=_ALL, help="works, e.g. W1,S2")
    parser.add_argument("--engines", type=_names, default=list(ENGINES), help=",".join(ENGINES))
    parser.add_argument("--peers", type=_names, default=list(PEERS), help=",".join(PEERS))
    parser.add_argument("--threads", type=int, default=1, help="minibatches, on this many")
    parser.add_argument("--rounds", type=int, default=5, help="medians are over these")
    parser.add_argument("--seconds", type=float, default=0.5, help="one contestant, one round")
    parser.add_argument("-o", "--output", type=Path, help="write the table to this file too")
    arguments = parser.parse_args()
    for given, known in (
        (arguments.only, _ALL),
        (arguments.engines, ENGINES),
        (arguments.peers, PEERS),
    ):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return arguments


def main() -> None:
    arguments = _arguments()
    works = [WORKS[name] for name in arguments.only if name in WORKS]
    skipped: dict[str, str] = {}
    parts = []
    if works and arguments.threads == 1:
        everyone = contestants(arguments.engines, arguments.peers, skipped)
        with one_core():
            results = _contests(works, everyone, skipped, arguments)
        parts.append(tables.one_thread(works, results, skipped, arguments.rounds))
    elif works:
        works = [work for work in works if work.batch_size > 1]
        everyone = threaded(arguments.peers, skipped, arguments.threads)
        results = _contests(works, everyone, skipped, arguments)
        parts.append(tables.threads(works, results, arguments.threads))
    parts += [OTHERS[name](arguments.rounds) for name in arguments.only if name in OTHERS]
    text = "\n\n".join(parts) + "\n"
    print()
    print(text)
    print(tables.machine())
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


def _contests(
    works: list[Work],
    everyone: dict[str, Prepare],
    skipped: dict[str, str],
    arguments: argparse.Namespace,
) -> dict[str, dict[str, float]]:
    results = {}
    for work in works:
        print(f"{work.id}: {work.title}", flush=True)
        found = measure(work, everyone, skipped, rounds=arguments.rounds, seconds=arguments.seconds)
        for name, rate in found.items():
            print(f"    {name:36} {rate * work.batch_size:14,.0f}/s", flush=True)
        results[work.id] = found
    return results


if __name__ == "__main__":
    main()
