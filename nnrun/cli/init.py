"""`nnrun init`: a commented config to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.config.files import SUFFIXES
from nnrun.config.names import NAME_RULE, is_name

STARTER = Path(__file__).with_name("starter.yaml")


@click.command("init")
@click.argument("name", default="experiment")
@options.quiet_option
@options.debug_option
@click.pass_obj
def command(output: Output, name: str) -> None:
    """Write NAME.yaml, a commented config to start from ("experiment" by default).

    It trains as it is, in a second or so, and its comments say what else there is.
    """
    stem = name
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    if not is_name(stem):
        message = f"'{name}' is not a name for an experiment ({NAME_RULE})"
        raise click.BadParameter(message, param_hint="NAME")
    file = Path(f"{stem}.yaml")
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(STARTER.read_text(encoding="utf-8"))
    except FileExistsError:
        message = f"{file} exists already, and nothing is overwritten; give another name"
        raise click.BadParameter(message, param_hint="NAME") from None
    quoted = shlex.quote(str(file))
    output.note(
        f"wrote {file}; now\n"
        f"  nnrun check {quoted}     shows the network it describes\n"
        f"  nnrun train {quoted}     trains it\n"
        f"  nnrun train {quoted} training.learning_rate=0.01 seed=7     with other settings"
    )
