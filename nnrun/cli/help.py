"""`nnrun help`: the reference of configs and commands, on the terminal or as a file."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from nnrun import __version__
from nnrun.cli import options
from nnrun.cli.arguments import check_target
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.reports.reference.html import reference_html
from nnrun.reports.reference.text import overview, topic_pages
from nnrun.reports.reference.topics import Topic, found, topics
from nnrun.runs.files import write_atomically
from nnrun.suggestions import suggestion


@click.command("help")
@click.argument("words", nargs=-1, metavar="[TOPIC]")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Write the whole reference there, as one HTML file.",
)
@options.json_option
@options.debug_option
@click.pass_obj
def command(output: Output, words: tuple[str, ...], file: Path | None) -> None:
    """Look something up: a key, a layer, a loss, a command, an exit code, or any word.

    \b
    nnrun help
    nnrun help dense
    nnrun help training.learning_rate
    nnrun help exit-codes
    nnrun help momentum
    """
    known = (*topics(), *_commands())
    if file is not None and words:
        raise UsageError(f"-o writes the whole reference; leave '{' '.join(words)}' out")
    if file is not None:
        check_target(file)
        write_atomically(file, reference_html(known, __version__).encode())
        output.note(f"wrote {file}")
        return
    if not words:
        output.data([asdict(topic) for topic in known])
        output.show(overview(known))
        return
    word = " ".join(words)
    exact, mentioned = found(word, known)
    # The examples above name topics, and tell nothing of them.
    elsewhere = [topic for topic in mentioned if (topic.kind, topic.name) != ("command", "help")]
    mentioned = elsewhere if exact or elsewhere else mentioned
    if not exact and not mentioned:
        names = [topic.name for topic in known]
        raise UsageError(f"there is no topic '{word}'{suggestion(word, names)}")
    output.data([asdict(topic) for topic in exact or mentioned])
    output.show(topic_pages(exact, mentioned, word))


def _commands() -> tuple[Topic, ...]:
    from nnrun.cli import COMMANDS  # noqa: PLC0415  # this command is in that table

    return tuple(_command(name, module) for name, (module, _) in COMMANDS.items())


def _command(name: str, module: str) -> Topic:
    known: click.Command = import_module(module).command
    context = click.Context(
        known, info_name=f"nnrun {name}", max_content_width=79, help_option_names=["-h", "--help"]
    )
    text = known.get_help(context)
    return Topic("command", name, text.replace("Usage: ", "", 1))
