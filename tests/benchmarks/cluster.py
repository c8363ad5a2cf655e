"""S8: what a run on a Dask cluster costs the client, which gives out all runs and stores results.

`python -m tests.benchmarks.cluster 16 64 --processes 8 16` measures with this many workers, as
threads of one process and as processes.

The workers are in processes of their own, so that the CPU time of `nnrun sweep` is the client's
alone: two sweeps of different length, their difference by run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil

from tests.benchmarks.folders import CONFIG, Taken, in_temporary_folder, nnrun
from tests.benchmarks.tables import grid

ID = "S8"
FEW, MANY = 200, 1_200
ROUNDS = 1
MB = 1e6
_CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    number, processes = int(sys.argv[1]), sys.argv[2] == "processes"
    with LocalCluster(
        n_workers=number, threads_per_worker=1, processes=processes, protocol="tcp",
        dashboard_address=None, memory_limit=None,
    ) as cluster:
        cluster.get_client().wait_for_workers(number)
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def cluster(workers: int, kind: str) -> Iterator[tuple[str, psutil.Process]]:
    """The address of a scheduler with this many workers, and the process that started them."""
    script = Path("cluster.py")
    script.write_text(_CLUSTER)
    process = subprocess.Popen(
        [sys.executable, str(script), str(workers), kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), psutil.Process(process.pid)
    finally:
        process.communicate()


def row(workers: int, kind: str) -> list[str]:
    """A line of the table: medians."""
    with in_temporary_folder():
        Path("iris.yaml").write_text(CONFIG)
        with cluster(workers, kind) as (address, process):
            few, many = ([swept(address, runs, n) for n in range(ROUNDS)] for runs in (FEW, MANY))
            own = [child.memory_info().rss / MB for child in process.children(recursive=True)]
            whole = process.memory_info().rss / MB
    cpu, wall = (
        (median(getattr(one, what) for one in many) - median(getattr(one, what) for one in few))
        / (MANY - FEW)
        for what in ("cpu", "seconds")
    )
    memory = f"{median(own):.0f} each" if kind == "processes" else f"{whole:.0f} in all"
    return [
        *(f"{workers} {kind}", f"{1000 * cpu:.2f}", f"{1 / cpu:,.0f}", f"{1 / wall:,.0f}"),
        *(memory, f"{max(one.memory for one in many):.0f}"),
    ]


def swept(address: str, runs: int, turn: int) -> Taken:
    """A sweep of this many runs, none of which was trained before."""
    where = ["--results", f"{runs}-{turn}", "-q"]
    return nnrun("sweep", "iris.yaml", "--seeds", str(runs), "--dask", address, *where)


def table(threads: list[int], processes: list[int]) -> str:
    """A Markdown table with a row for each number and kind of workers."""
    wanted = [(n, "threads") for n in threads] + [(n, "processes") for n in processes]
    header = [
        *("workers", "client, CPU ms a run", "runs/s it could give out", "runs/s here"),
        *("memory of workers, MB", "of the client, MB"),
    ]
    title = f"{ID}: `nnrun sweep --dask` of runs that end at once, {FEW:,} to {MANY:,} of them"
    return "\n".join([title, "", *grid(header, [row(*one) for one in wanted])])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cluster")
    parser.add_argument("threads", type=int, nargs="*", default=[16, 64])
    parser.add_argument("--processes", type=int, nargs="*", default=[8, 16])
    arguments = parser.parse_args()
    print(table(arguments.threads, arguments.processes))


if __name__ == "__main__":
    main()
