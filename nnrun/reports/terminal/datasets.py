"""The built-in data sets as terminal tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.config.schema.dataset import Option
from nnrun.config.yaml_scalars import flow
from nnrun.data.builtin.registry import Entry
from nnrun.reports.numbers import count, shape
from nnrun.reports.terminal.fitting import Column, FittedTable, labelled


@group()
def datasets_overview(entries: Mapping[str, Entry]) -> Iterator[RenderableType]:
    """A row for each data set, and their notes below the table."""
    every = entries.values()
    targets = [f"{entry.classes} classes" if entry.classes else "a number" for entry in every]
    columns = [
        Column("name", [*entries], left=True),
        Column("rows", [count(entry.rows) for entry in every], need=1),
        Column("features", [shape(entry.shape) for entry in every], need=3),
        Column("predicts", targets, need=2, left=True),
        Column("what it is", [entry.description for entry in every], left=True, wraps=True),
    ]
    yield FittedTable(columns, more="`nnrun datasets NAME`")
    yield Text()
    width = max(map(len, entries))
    for name, entry in entries.items():
        if entry.note:
            yield labelled(name, entry.note, width)
    yield Text()
    yield Text("`nnrun datasets NAME` shows where one comes from and how it is divided.")


@group()
def dataset_details(name: str, entry: Entry, options: Sequence[Option]) -> Iterator[RenderableType]:
    """Everything about one data set; of shipped tables, the names of the columns too."""
    yield Text(name, "bold")
    yield Text(entry.description)
    yield Text()
    task = f"{entry.task}, {entry.classes} classes" if entry.classes else entry.task
    yield labelled("task", task)
    yield labelled("rows", _rows(entry))
    images = " (channels × height × width)" if len(entry.shape) > 1 else ""
    yield labelled("features", shape(entry.shape) + images)
    if table := entry.table():
        yield labelled("columns", ", ".join(table.columns.features))
        classes = f" ({', '.join(table.classes)})" if table.classes else ""
        yield labelled("target", ", ".join(table.target_names) + classes)
    yield labelled("source", entry.source)
    if entry.note:
        yield labelled("note", entry.note)
    for number, option in enumerate(options):
        default = "" if option.default is None else f" ({flow(option.default)} by default)"
        text = f"{option.name}: {option.description}{default}"
        yield labelled("" if number else "options", text)
    named = [option for option in options if option.default is not None]
    defaults = "".join(f", {option.name}: {flow(option.default)}" for option in named)
    yield labelled("config", f"dataset: {{name: {name}{defaults}}}")


def _rows(entry: Entry) -> str:
    if not entry.test_rows:
        return f"{count(entry.rows)}; a config's test_size says how many are held out"
    held_out = f"{count(entry.test_rows)} of them its own test split"
    return f"{count(entry.rows)}, {held_out} (test_size: given)"
