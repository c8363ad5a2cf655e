"""The command line: one file for each command, and a table of them."""

from __future__ import annotations

import os
import sys

COMPLETE = "_NNRUN_COMPLETE"
"""The variable by which a shell asks for its completion, whatever the arguments are."""

# name -> (module with `command`, its line in the list of commands)
COMMANDS = {
    "train": ("nnrun.cli.train", "Train one config and show its report."),
    "check": ("nnrun.cli.check", "Validate configs without training them."),
    "grade": ("nnrun.cli.grade", "Grade the exercises of a class."),
    "sweep": ("nnrun.cli.sweep", "Train many configs with many seeds, and compare them."),
    "plan": ("nnrun.cli.plan", "Fix what a sweep compares before it is run."),
    "search": ("nnrun.cli.search", "Find the best setting for a budget, and test it once."),
    "report": ("nnrun.cli.report", "Write one HTML file that shows runs."),
    "ls": ("nnrun.cli.ls", "Show what is in the results folder."),
    "watch": ("nnrun.cli.watch", "Watch the runs in progress."),
    "ui": ("nnrun.cli.ui", "Show the report as a page that changes while runs come."),
    "show": ("nnrun.cli.show", "Show the details of one run."),
    "explain": ("nnrun.cli.explain", "Show one update with every number."),
    "compare": ("nnrun.cli.compare", "Show what differs between runs."),
    "table": ("nnrun.cli.table", "Print settings × data sets for a paper."),
    "best": ("nnrun.cli.best", "Print the best setting of an experiment as a config."),
    "note": ("nnrun.cli.note", "Keep a text with a run."),
    "mv": ("nnrun.cli.mv", "Give an experiment or a run another name."),
    "rm": ("nnrun.cli.rm", "Remove runs."),
    "verify": ("nnrun.cli.verify", "Train runs again, and compare every number."),
    "predict": ("nnrun.cli.predict", "Predict classes or values for new rows."),
    "pack": ("nnrun.cli.pack", "Write a run as one file that others can verify."),
    "export": ("nnrun.cli.export", "Write a trained network as ONNX or as a script."),
    "datasets": ("nnrun.cli.datasets", "Show what data there is."),
    "init": ("nnrun.cli.init", "Write a commented config to start from."),
    "help": ("nnrun.cli.help", "Look up a key, a layer, a command, or any word."),
    "schema": ("nnrun.cli.schema", "Print the JSON Schema of configs, for editors."),
}

_OVERVIEW = """\
Usage: nnrun [OPTIONS] COMMAND [ARGS]...

  Run experiments with small neural networks: from a YAML config to a report.

  Start with:   nnrun init first
                nnrun train first.yaml

Options:
  --version   Show the version and exit.
  --debug     Show the traceback of errors.
  -h, --help  Show this message and exit.

Commands:
"""


def overview() -> str:
    """What `nnrun` and `nnrun --help` print."""
    width = max(map(len, COMMANDS))
    return _OVERVIEW + "".join(f"  {n:{width}}  {line}\n" for n, (_, line) in COMMANDS.items())


def shows_overview() -> bool:
    """Print the list of commands if the arguments ask for it alone; whether it was printed."""
    asked = sys.argv[1:] in ([], ["-h"], ["--help"]) and not os.environ.get(COMPLETE)
    return asked and _printed(overview())


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    from nnrun.cli.group import run  # noqa: PLC0415  # click takes longer to load than Python

    run()


def _printed(text: str) -> bool:
    """Whether the text could be written; if not, the commands' own errors say why.

    Nothing stays in a buffer, which Python would write again as it ends.
    """
    rest = text.encode()
    try:
        while rest:
            rest = rest[os.write(sys.stdout.fileno(), rest) :]
    except BrokenPipeError:  # the reader has left, as `head` does
        return True
    except (AttributeError, OSError):  # stdout is closed, or its disk is full
        return False
    return True


def __getattr__(name: str) -> object:
    if name == "cli":
        from nnrun.cli.group import cli  # noqa: PLC0415  # as above

        return cli
    raise AttributeError(f"module 'nnrun.cli' has no attribute '{name}'")
