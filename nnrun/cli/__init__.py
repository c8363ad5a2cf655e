"""The command line: one file for each command, and one line for each in this table."""

from __future__ import annotations

import io
import os
import sys
import warnings

import click

from nnrun import __version__
from nnrun.characters import escaped
from nnrun.cli.group import LazyGroup
from nnrun.cli.options import debug_option
from nnrun.cli.output import open_missing_streams
from nnrun.systems import system

# name -> (module with `command`, its line in the list of commands)
COMMANDS = {
    "train": ("nnrun.cli.train", "Train one config and show its report."),
    "check": ("nnrun.cli.check", "Validate configs without training them."),
    "sweep": ("nnrun.cli.sweep", "Train many configs with many seeds, and compare them."),
    "report": ("nnrun.cli.report", "Write one HTML file that shows runs."),
    "ls": ("nnrun.cli.ls", "Show what is in the results folder."),
    "show": ("nnrun.cli.show", "Show one run in full."),
    "compare": ("nnrun.cli.compare", "Show what differs between runs."),
    "best": ("nnrun.cli.best", "Print the best setting of an experiment as a config."),
    "verify": ("nnrun.cli.verify", "Train runs again, and compare every number."),
    "predict": ("nnrun.cli.predict", "Predict classes or values for new rows."),
    "export": ("nnrun.cli.export", "Write a trained network as ONNX or as a script."),
    "datasets": ("nnrun.cli.datasets", "Show what data there is."),
    "init": ("nnrun.cli.init", "Write a commented config to start from."),
    "help": ("nnrun.cli.help", "Look up a key, a layer, a command, or any word."),
    "schema": ("nnrun.cli.schema", "Print the JSON Schema of configs, for editors."),
}


@click.group(
    "nnrun", cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, package_name="nnrun", prog_name="nnrun")
@debug_option
def cli() -> None:
    """Run experiments with small neural networks: from a YAML config to a report.

    \b
    Start with:   nnrun init first
                  nnrun train first.yaml
    """


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    open_missing_streams()
    # Before NumPy is loaded: with one thread, sums have one order and results one set of bits;
    # and networks this small gain nothing from more.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        # A terminal without `×` shows `?`, instead of ending the program.
        if isinstance(stream, io.TextIOWrapper):  # not where it was closed from the start
            stream.reconfigure(encoding=system.encoding_of(stream), errors="replace")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {escaped(str(message))}\n"
    cli()
