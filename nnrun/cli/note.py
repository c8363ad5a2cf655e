"""`nnrun note`: a text and tags that are kept with a run."""

from __future__ import annotations

import re
from pathlib import Path

import click

from nnrun.characters import clean
from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.runs.catalog.notes import MOST, RunNote, change_notes, read_notes
from nnrun.runs.catalog.select import lies_in
from nnrun.sweeps.named_runs import pick_run

_TAG = re.compile(r"[A-Za-z0-9][\w.-]{0,49}", re.ASCII)


def _tag(ctx: click.Context, option: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if not _TAG.fullmatch(word):
            rule = "a tag is 1 to 50 letters, digits, '.', '_' or '-', the first a letter or digit"
            raise UsageError(f"{option.opts[0]} '{word}': {rule}")
    return words


@click.command("note")
@options.run_argument()
@click.argument("text", required=False)
@click.option(
    "--tag", "added", multiple=True, metavar="TAG", callback=_tag, help="Add a tag to the run."
)
@click.option(
    "--untag", "removed", multiple=True, metavar="TAG", callback=_tag, help="Take a tag away."
)
@options.results_options
def command(
    output: Output,
    /,
    run: str,
    text: str | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    results: Path,
) -> None:
    """Keep a text and tags with a run; without any, show what is kept.

    RUN is a run's folder, the name of an experiment (its newest run), name/best, name/ID-PREFIX, or
    latest. An empty text removes the note. `nnrun ls` and `show` have it, and `nnrun ls --where
    note~WORD` or `tag=TAG` finds it. The run itself, and what it verifies by, does not change.

    \b
    nnrun note latest "the one in the slides"
    nnrun note iris_softmax/best --tag baseline
    nnrun note latest ""
    """
    folder = pick_run(run, results)
    if not lies_in(folder, results):
        raise UsageError(f"{folder} is not in {results}, where notes are kept; see --results")
    label = f"{folder.parent.name}/{folder.name}"
    kept = read_notes(results).get(label, RunNote())
    if text is None and not added and not removed:
        output.data({"run": label, "note": kept.text, "tags": kept.tags})
        if kept.text and not output.json:
            output.text(f"{clean(kept.text)}\n")
        if kept.tags and not output.json:
            output.text(f"tags: {', '.join(map(clean, kept.tags))}\n")
        if kept == RunNote():
            output.note(f"there is no note on {label}")
        return
    tags = (*sorted({*kept.tags, *added} - {*removed}),)
    text = kept.text if text is None else " ".join(text.split())
    if len(text) > MOST:
        raise UsageError(f"a note has at most {MOST:,} characters, and this has {len(text):,}")
    note = RunNote(text, tags)
    change_notes(results, {label: note})
    output.data({"run": label, "note": text, "tags": tags})
    output.note(f"noted on {label}" if any(note) else f"the note on {label} is removed")
