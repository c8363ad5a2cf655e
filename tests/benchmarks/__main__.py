"""`python -m tests.benchmarks`: nnrun's engines and its peers on W1 to W13, one thread, as a table.

For example, the NumPy engine beside PyTorch; and whole processes, what a run costs beyond its
training, and scikit-learn's estimators:

    python -m tests.benchmarks --only W1,W4,W6 --engines numpy --peers pytorch
    python -m tests.benchmarks --only S1,S2,S3,S4
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

# Read when the libraries load, hence before they are imported.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

from tests.benchmarks import estimators, overhead, processes  # noqa: E402
from tests.benchmarks.contest import measure  # noqa: E402
from tests.benchmarks.peers import ENGINES, PEERS  # noqa: E402
from tests.benchmarks.table import render  # noqa: E402
from tests.benchmarks.works import WORKS  # noqa: E402

_ALL = [*WORKS, *processes.PROCESSES, overhead.ID, estimators.ID]


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", type=_names, default=_ALL, help="works, e.g. W1,S2")
    parser.add_argument("--engines", type=_names, default=list(ENGINES), help=",".join(ENGINES))
    parser.add_argument("--peers", type=_names, default=list(PEERS), help=",".join(PEERS))
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
    results, skipped = {}, {}
    for work in works:
        print(f"{work.id}: {work.title}", flush=True)
        results[work.id] = measure(
            work,
            arguments.engines,
            arguments.peers,
            skipped,
            rounds=arguments.rounds,
            seconds=arguments.seconds,
        )
        for name, rate in results[work.id].items():
            print(f"    {name:22} {rate * work.batch_size:14,.0f}/s", flush=True)
    parts = [render(works, results, skipped, arguments.rounds)] if works else []
    parts += [
        processes.render(name, processes.measure(name, arguments.rounds))
        for name in arguments.only
        if name in processes.PROCESSES
    ]
    if overhead.ID in arguments.only:
        parts.append(overhead.render(overhead.measure_all(4 * arguments.rounds)))
    if estimators.ID in arguments.only:
        parts.append(estimators.render(estimators.measure_all(arguments.rounds)))
    table = "\n\n".join(parts)
    print()
    print(table)
    if arguments.output:
        arguments.output.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
