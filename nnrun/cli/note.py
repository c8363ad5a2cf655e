"""`nnrun note`: a text and tags that are kept with a run."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.characters import clean
from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.runs.catalog.notes import MOST, change_notes, read_notes
from nnrun.runs.catalog.select import lies_in
from nnrun.sweeps.named_runs import pick_run


@click.command("note")
@options.run_argument()
@click.argument("text", required=False)
@click.option(
    "--tag", "tags", multiple=True, metavar="TAG", help="Add a word to the note, as #TAG."
)
@options.results_options
def command(
    output: Output, /, run: str, text: str | None, tags: tuple[str, ...], results: Path
) -> None:
    """Keep a text with a run; without TEXT, show the one that is kept.

    RUN is a run's folder, the name of an experiment (its newest run), name/best, name/ID-PREFIX, or
    latest. An empty text removes the note. `nnrun ls` and `show` have it, and `nnrun ls --where
    note~WORD` finds it, and `tag=TAG` a word of it that begins with #. The run itself, and what it
    verifies by, does not change.

    \b
    nnrun note latest "the one in the slides"
    nnrun note iris_softmax/best --tag baseline
    nnrun note latest ""
    """
    folder = pick_run(run, results)
    if not lies_in(folder, results):
        raise UsageError(f"{folder} is not in {results}, where notes are kept; see --results")
    label = f"{folder.parent.name}/{folder.name}"
    kept = read_notes(results).get(label, "")
    for tag in tags:
        if len(tag.split()) != 1 or "," in tag or "#" in tag:
            raise UsageError(f"--tag '{tag}': a tag is a word, without commas and #")
    if text is None and not tags:
        output.data({"run": label, "note": kept})
        if kept and not output.json:
            output.text(f"{clean(kept)}\n")
        if not kept:
            output.note(f"there is no note on {label}")
        return
    words = (kept if text is None else text).split()
    text = " ".join([*words, *(f"#{tag}" for tag in tags if f"#{tag}" not in words)])
    if len(text) > MOST:
        raise UsageError(f"a note has at most {MOST:,} characters, and this has {len(text):,}")
    change_notes(results, {label: text})
    output.data({"run": label, "note": text})
    output.note(f"noted on {label}" if text else f"the note on {label} is removed")
