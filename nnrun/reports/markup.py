"""Documents in Markdown, block by block, and pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from nnrun.characters import clean
from nnrun.reports.document import Block, Cell, Code, Curves, Document, Folded, Grid, Note
from nnrun.reports.numbers import count, number, sparkline, thinned

_MOST_ROWS = 10  # of evaluations
# The character class comes first, so that texts without such characters are fast to check.
# An underscore within a word is no mark-up.
_SPECIAL = re.compile(r"[\\`*{}\[\]<>#|~&_](?:(?<!\w_)|(?!\w))")
# Starts a list, a rule or the underline of a heading, at the start of a line.
_START = re.compile(r"^(\d{1,9}(?=[.)])|(?=[-+=]))([.)+=-])(?=[\s=-]|$)")
# Many Markdown readers turn bare addresses into links: matches their first sign behind letters.
_LINK = re.compile(
    r"[:.](?:(?=//)(?:(?<=https:)|(?<=http:)|(?<=ftp:))|(?<=www\.)(?<!\wwww\.))", re.IGNORECASE
)


@lru_cache(maxsize=1024)  # reports of many runs share most of their texts
def escape(text: str) -> str:
    """Text on one line, escaped so that Markdown shows it unchanged, also within a table."""
    shown = _START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", clean(text)))
    return _LINK.sub(r"\\\g<0>", shown)


def sentence(text: str) -> str:
    """The text with a full stop; with a capital, too, unless it begins with a key or a run."""
    first = text.partition(" ")[0]
    key = "/" in first or ("." in first and first.endswith(":"))
    return f"{text[:1] if key else text[:1].upper()}{text[1:].rstrip('.')}."


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table; the first `texts` columns are left-aligned, the others right-aligned."""
    rule = [":--" if index < texts else "--:" for index in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    return f"**{text}**" if cell.kind == "strong" and text else text


def code(text: str, language: str = "") -> str:
    """A block of code, with a fence longer than any row of backticks in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def document_markdown(document: Document) -> str:
    """All of a document."""
    return "\n\n".join(_parts(document)) + "\n"


def _parts(document: Document) -> Iterator[str]:
    yield f"# {escape(document.title)}"
    if document.about:
        yield escape(document.about)
    if document.verdict is not None:
        lines = document.verdict.lines
        yield "\n".join(f"- **{line.lead}:** {escape(line.text)}." for line in lines)
    if document.status is not None:
        yield f"Run `{document.name}`: **{document.status.text}**."
    for section in document.sections:
        if section.blocks:
            yield f"## {escape(section.title)}"
            yield from blocks_markdown(section.blocks)


def blocks_markdown(blocks: Iterable[Block]) -> Iterator[str]:
    """Blocks; pictures and charts are for pages."""
    for block in blocks:
        if isinstance(block, Grid):
            rows = [[_cell(cell) for cell in row] for row in block.rows]
            yield table(block.header, rows, block.texts)
        elif isinstance(block, Note):
            yield _note(block)
        elif isinstance(block, Code):
            yield code(block.text, block.language)
        elif isinstance(block, Curves):
            yield from _curves(block)
        elif isinstance(block, Folded):
            yield f"### {escape(block.title)}"
            yield from blocks_markdown(block.blocks)


def _note(note: Note) -> str:
    if not note.label:
        return escape(note.text)
    text = sentence(note.text) if note.kind else f"{note.text.rstrip('.')}."
    return f"**{note.label.capitalize()}:** {escape(text)}"


def _curves(block: Curves) -> Iterator[str]:
    """Small curves, then some of the evaluations, the first and the last among them."""
    columns = [
        (f"{split} {curve.title}", line)
        for split in dict.fromkeys(split for curve in block.curves for split in curve.lines)
        for curve in block.curves
        if (line := curve.lines.get(split))
    ]
    if len(block.iterations) > 1:
        small = [[t, sparkline(y), number(y[0]), number(y[-1])] for t, y in columns]
        yield table(["", "curve", "first", "last"], small, texts=2)
    rows = [
        [
            count(int(block.iterations[place])),
            *([f"{block.epochs[place]:.1f}"] if block.epochs else []),
            *(number(line[place]) for _, line in columns),
        ]
        for place in thinned(range(len(block.iterations)), _MOST_ROWS)
    ]
    header = ["iteration", *(["epoch"] if block.epochs else []), *(title for title, _ in columns)]
    yield table(header, rows, texts=0)


_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&",
    "#": r"\#", "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "±": r"$\pm$", "²": r"$^2$", "≤": r"$\leq$", "×": r"$\times$",
    "<": r"$<$", ">": r"$>$", "†": r"$^\dagger$", "…": r"\dots{}", "€": r"\texteuro{}",
}  # fmt: skip
# Those that TeX's first encoding has; it has none for others.
_LETTERS = {c for c in map(chr, range(0xAA, 0x17F)) if c.isalpha()} - {*"ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲų"}


def tex(text: str) -> str:
    """Text as LaTeX shows it; characters that it has no letter for become a question mark."""
    shown = "".join(_TEX.get(c, c if c.isascii() or c in _LETTERS else "?") for c in text)
    return re.sub(r"(?<=\d)e(?=[-+])\+?(-?)0*(\d+)", r"$\\times 10^{\1\2}$", shown)
