"""Documents: what is in one, every output shows."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from nnrun.reports.document import (
    ASKED,
    AT_ONCE,
    WHOLE,
    Cell,
    Code,
    Curve,
    Curves,
    Document,
    Folded,
    Grid,
    Line,
    Note,
    Section,
    Verdict,
    up_to,
)
from nnrun.reports.html.runs import drawn
from nnrun.reports.markup import document_markdown
from nnrun.reports.notebook_blocks import document_html
from nnrun.reports.templates import environment
from nnrun.reports.terminal.fitting import document

LINES = {"train": [4.0, 2.0, 1.0], "test": [5.0, 3.0, 2.0]}
BLOCKS = [
    Note("the mean of all", label="baseline"),
    Note("it is worse than that", "warning", "warning"),
    Note("A sentence alone.", "small"),
    Grid("Numbers", ["name", "value"], [[Cell("first_row"), Cell("0.25")]]),
    Code("nnrun verify latest", "again"),
    Curves([0, 1, 2], [0.0, 0.5, 1.0], [Curve("quantity", "loss", LINES)]),
    Folded("More of it", [Note("folded words")]),
]
FOUND = Document(
    "subject", Verdict(Line("Best", "the first")), [Section("Part", BLOCKS)], about="about it"
)


def terminal(found: Document) -> str:
    file = io.StringIO()
    Console(file=file, width=80).print(document(found, WHOLE))
    return file.getvalue()


def page(found: Document) -> str:
    (section,) = found.sections
    module = environment("nnrun.reports.html").get_template("blocks.html").module
    return "".join(module.block(block) for block in drawn(section.blocks))


RENDERERS = {
    "terminal": terminal,
    "Markdown": document_markdown,
    "page": page,
    "notebook": lambda found: document_html(found, WHOLE),
}


@pytest.mark.parametrize("output", RENDERERS)
def test_every_block_is_in_every_output(output):
    """A statement that a document has is shown by all renderers, and none is said twice."""
    text = " ".join(RENDERERS[output](FOUND).replace("\\_", "_").split())
    words = ("the mean of all", "t is worse than that", "A sentence alone.", "first_row", "0.25")
    words += ("nnrun verify latest", "quantity", "More of it", "folded words")
    assert dict.fromkeys(words, True) == {word: word in text for word in words}
    assert [1] * 4 == [text.count(word) for word in words[:4]]


@pytest.mark.parametrize("output", ["terminal", "Markdown", "notebook"])
def test_the_title_and_the_verdict_come_first(output):
    """Pages have them in their heads."""
    text = RENDERERS[output](FOUND)
    places = [
        text.index(words) for words in ("subject", "about it", "Best", "the first", "the mean")
    ]
    assert sorted(places) == places


def test_less_important_blocks_are_left_out():
    """By their level, and sections that have no other block with them."""
    notes = [Note(str(level), level=level) for level in (AT_ONCE, ASKED, WHOLE)]
    sections = [Section("one", notes), Section("two", notes[2:])]
    shown = [
        [(one.title, [note.text for note in one.blocks]) for one in up_to(level, sections)]
        for level in (AT_ONCE, ASKED)
    ]
    assert [[("one", ["1"])], [("one", ["1", "2"])]] == shown
