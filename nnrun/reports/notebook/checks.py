"""A checked config in a notebook: its layers, its data and its training."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from nnrun.characters import clean
from nnrun.reports.charts.svg import element
from nnrun.reports.notebook.parts import table
from nnrun.reports.run_tables import network_table
from nnrun.reports.summary import data_line
from nnrun.reports.terminal.checking.checks import CheckedRun, memory_line, training_line


def check_html(run: CheckedRun) -> str:
    """What `nnrun check` shows."""
    return str(element("div", *_check(run)))


def _check(run: CheckedRun) -> Iterator[Markup]:
    description = f": {run.description}" if run.description else ""
    title = element("strong", clean(f"{run.name}/{run.run_id}"))
    yield element("p", title, " valid", clean(description))
    if run.beside is None:
        grid = network_table(run.network)
        yield table(grid.header, grid.words)
    about = [data_line(run.dataset), training_line(run)]
    if run.memory is not None:
        about.append(f"memory: {memory_line(run.memory)}")
    yield element("p", clean(f"{'. '.join(about)}."))
    if run.gradients is not None:
        header = ("gradient of", "entries", "compared", "at a kink", "worst error", "")
        yield table(
            header,
            (
                (
                    *(one.name, str(one.entries), str(one.compared), str(one.skipped)),
                    *(f"{one.error:.2g}", "agree" if one.passed else "WRONG"),
                )
                for one in run.gradients
            ),
        )
