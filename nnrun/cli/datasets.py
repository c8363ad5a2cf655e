"""`nnrun datasets`: what data there is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.config.schema.dataset import options_of
from nnrun.data.builtin.registry import DATASETS, Entry
from nnrun.reports.terminal.datasets import dataset_details, datasets_overview
from nnrun.suggestions import suggestion


@click.command("datasets")
@click.argument("name", required=False)
@options.plugin_option
@options.json_option
@options.debug_option
@click.pass_obj
def command(output: Output, name: str | None) -> None:
    """Show what data there is; with NAME, the details of one.

    Besides these, a config may name a CSV or npz file: `dataset: {path: houses.csv, columns:
    {target: price}}`.
    """
    if name is None:
        entries = {key: entry.counted() for key, entry in DATASETS.items()}
        output.data([_data(key, entry) for key, entry in entries.items()])
        output.show(datasets_overview(entries))
    elif name in DATASETS:
        content = _data(name, entry := DATASETS[name].counted())
        if output.json and (table := entry.table()):
            content["columns"] = list(table.columns.features)
            content["target"] = list(table.target_names)
        output.data(content)
        output.show(dataset_details(name, entry, options_of(name)))
    else:
        raise click.BadParameter(
            f"there is no data set '{name}'{suggestion(name, DATASETS)}", param_hint="NAME"
        )


def _data(name: str, entry: Entry) -> dict[str, Any]:
    content = {key: value for key, value in asdict(entry).items() if key != "load"}
    options = [asdict(option) for option in options_of(name)]
    return {"name": name, **content, "shape": list(entry.shape), "options": options}
