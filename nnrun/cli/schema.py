"""`nnrun schema`: the JSON Schema of configs, for completion and checks in editors."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.config.schema.experiment import json_schema
from nnrun.runs.storage.durable import write_atomically
from nnrun.runs.storage.sealed import strict_json


@click.command("schema")
@options.file_option("Write it there instead of to stdout.")
@options.plugin_option
@options.debug_option
@click.pass_obj
def command(output: Output, file: Path | None) -> None:
    """Print the JSON Schema of configs.

    Editors with the YAML language server (VS Code's YAML extension, Neovim, Helix, Emacs, …)
    complete and check a config by it when it starts with a line such as

    \b
    # yaml-language-server: $schema=nnrun.schema.json

    where the file was made by `nnrun schema -o nnrun.schema.json`.
    """
    schema = strict_json(json_schema(), levels=100)
    if file is None:
        click.echo(schema, nl=False)
        return
    check_target(file)
    write_atomically(file, schema.encode())
    output.note(f"wrote {file}; name it in the first line of a config:")
    output.note(f"# yaml-language-server: $schema={file}")
