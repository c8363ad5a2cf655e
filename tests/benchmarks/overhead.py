"""What a run of a sweep costs beyond its training, from the config to the files on disk."""

from __future__ import annotations

import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import mean, median

from nnrun.config.load import load_config
from nnrun.reports.run import report_markdown
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare, prepare_again
from nnrun.runs.storage.store import Store
from tests.benchmarks.tables.grid import grid
from tests.benchmarks.whole_processes.processes import CONFIGS, NOTEBOOK

ID = "overhead"


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one run, medians."""

    updates: float
    evaluations: float
    rest: float


def measure(name: str, rounds: int) -> Cost:
    """Runs of one config with new seeds, its data loaded; the first may compile, and is extra."""
    first = prepare(load_config(CONFIGS / f"{name}.yaml"))
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), report_markdown)
        for seed in range(rounds + 1):
            start = time.perf_counter()
            config = first.config.model_copy(update={"seed": seed})
            timing = train(prepare_again(config, first.dataset), store).record.timing
            seconds = time.perf_counter() - start
            updates, evaluations = timing["train_seconds"], timing["evaluation_seconds"]
            taken.append((updates, evaluations, seconds - updates - evaluations))
    return Cost(*(1000 * median(part) for part in zip(*taken[1:], strict=True)))


def table(rounds: int) -> str:
    """A Markdown table of the notebook's eight experiments, the mean over all at its end."""
    costs = {name: measure(name, 4 * rounds) for name in NOTEBOOK}
    costs["mean"] = Cost(*map(mean, zip(*map(astuple, costs.values()), strict=True)))
    header = ["", "updates", "evaluations along the way", "all else", "beyond updates"]
    rows = []
    for name, cost in costs.items():
        parts = (*astuple(cost), cost.evaluations + cost.rest)
        rows.append([name, *(f"{part:.1f}" for part in parts)])
    return "\n".join(
        [
            "Milliseconds a run of the notebook's experiments takes in one process",
            "",
            *grid(header, rows),
        ]
    )
