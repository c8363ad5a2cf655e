"""`nnrun help`: the reference of configs and commands, on the terminal or as a file."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from nnrun import __version__
from nnrun.cli import options
from nnrun.cli.options import check_parent
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.reports.reference.site import glossary, lessons, overview, pages, site, topic_pages
from nnrun.reports.reference.topics import PAGE_KINDS, Topic, found, topics
from nnrun.runs.storage.durable import new_folder, write_together
from nnrun.suggestions import PLUGINS, suggestion


@click.command("help")
@click.argument("words", nargs=-1, metavar="[TOPIC]", shell_complete=options.topics)
@options.path(
    "-o --output folder",
    "Write all pages and the reference there, as a small site: open DIR/index.html.",
    metavar="DIR",
)
@options.flag("--notebooks", "With `course -o DIR`: write a notebook for each lesson there.")
@options.plugin_option
@options.json_option
@options.debug_option
@click.pass_obj
def command(output: Output, words: tuple[str, ...], folder: Path | None, notebooks: bool) -> None:
    """Look something up: a page, a key, a layer, a command, an exit code, or any word.

    \b
    nnrun help
    nnrun help tutorial
    nnrun help dense
    nnrun help training.learning_rate
    nnrun help exit-codes
    nnrun help momentum
    nnrun help course -o lessons --notebooks
    """
    if notebooks:
        if folder is None or words != ("course",):
            raise UsageError("--notebooks writes the course: nnrun help course -o DIR --notebooks")
        from nnrun.reports.reference.notebooks import notebooks as made  # noqa: PLC0415  # seldom

        _write_site(folder, made())
        output.note(f"wrote a notebook for each lesson into {folder}")
        return
    every = (*topics(), *_commands(), *(page.topic for page in (*pages(), *lessons())))
    if folder is not None and words:
        raise UsageError(f"-o writes all there is; leave '{' '.join(words)}' out")
    if folder is not None:
        from nnrun.ui.playground import page_alone  # noqa: PLC0415  # slow to import

        page = {"playground.html": page_alone().encode()}
        _write_site(folder, site(every, __version__) | page)
        output.note(f"wrote {folder / 'index.html'} and what it leads to")
        return
    if not words:
        output.data([asdict(topic) for topic in every])
        output.show(overview(every))
        return
    word = " ".join(words)
    exact, mentioned = found(word, (*every, *glossary()))
    # The examples above only name topics.
    elsewhere = [topic for topic in mentioned if (topic.kind, topic.name) != ("command", "help")]
    mentioned = elsewhere if exact or elsewhere else mentioned
    if any(topic.kind in PAGE_KINDS for topic in exact):
        mentioned = []  # pages are long enough
    if not exact and not mentioned:
        names = [topic.name for topic in every]
        absent = f", and no page has it; `nnrun help` lists all topics{PLUGINS}"
        hint = suggestion(word, names) or absent
        raise UsageError(f"there is no topic '{word}'{hint}")
    others = mentioned if all(topic.kind == "word" for topic in exact) else []
    output.data([asdict(topic) for topic in (*exact, *others)])
    output.show(topic_pages(exact, mentioned, word))


def _write_site(folder: Path, contents: dict[str, bytes]) -> None:
    """Write the files of a site, or of the course, into a folder of their own.

    Raises:
        UsageError: it is a file, or holds other files.
        OSError: the disk is full, or the folder not writable.
    """
    if folder.suffix == ".html" or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"-o {folder}: is the name of a file; name a folder for the site")
    check_parent(folder)
    others = sorted({path.name for path in folder.glob("*")} - set(contents))
    if others:
        raise UsageError(f"-o {folder}: holds {others[0]}, which is not of the site; name another")
    with new_folder(folder):
        write_together(folder, contents)


def _commands() -> tuple[Topic, ...]:
    from nnrun.cli import COMMANDS  # noqa: PLC0415  # this command is in that table

    return tuple(_command(name, module) for name, (module, _) in COMMANDS.items())


def _command(name: str, module: str) -> Topic:
    called: click.Command = import_module(module).command
    context = click.Context(
        called, info_name=f"nnrun {name}", max_content_width=79, help_option_names=["-h", "--help"]
    )
    text = called.get_help(context)
    return Topic("command", name, text.replace("Usage: ", "", 1))
