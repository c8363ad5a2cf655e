"""The reference on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult, group
from rich.markdown import CodeBlock, Markdown
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from nnrun.reports.reference.pages import for_terminal
from nnrun.reports.reference.topics import KINDS, PAGES, Key, Topic, plural
from nnrun.reports.terminal.blocks import labelled

_MOST_MENTIONS = 12
# The width of docstrings, without indentation and quotation marks.
_FULL = 93


class _Code(CodeBlock):
    """A block of code, which is indented unless that would break its lines."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        widest = max(map(len, code.splitlines()), default=0)
        indent = 1 if widest + 2 <= options.max_width else 0
        lexer, theme = self.lexer_name, self.theme
        yield Syntax(code, lexer, theme=theme, word_wrap=True, padding=(1, indent))


class _Document(Markdown):
    elements = {**Markdown.elements, "fence": _Code, "code_block": _Code}  # noqa: RUF012  # rich's


@group()
def overview(topics: Sequence[Topic]) -> Iterator[RenderableType]:
    """The names of all topics, by kind."""
    ordered = sorted(topics, key=lambda topic: KINDS.index(topic.kind))
    for kind, members in groupby(ordered, key=lambda topic: topic.kind):
        yield labelled(plural(kind), ", ".join(topic.name for topic in members), width=13)
    yield Text()
    yield Text("nnrun help TOPIC explains each of them, and finds any other word.", "dim")


@group()
def topic_pages(
    found: Sequence[Topic], mentioned: Sequence[Topic], word: str
) -> Iterator[RenderableType]:
    """Topics in full, and below them the names of those that mention the word, and how."""
    for index, topic in enumerate(found):
        if index:
            yield Text()
        yield from _page(topic)
    if found and mentioned:
        yield Text()
    if mentioned:
        yield Text("It is mentioned in" if found else "That word stands in", "bold")
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for topic in mentioned[:_MOST_MENTIONS]:
            table.add_row(topic.name, topic.kind, topic.line_on(word))
        yield table
        if len(mentioned) > _MOST_MENTIONS:
            yield Text(f"and {len(mentioned) - _MOST_MENTIONS} more", "dim")


def _flowing(text: str) -> str:
    """The text with full lines joined, so that the terminal wraps it."""
    lines = text.splitlines()
    parts = lines[:1]
    for before, line in pairwise(lines):
        first, _, _ = line.partition(" ")
        full = bool(first) and len(before) + 1 + len(first) > _FULL
        parts.append(f" {line}" if full else f"\n{line}")
    return "".join(parts)


def _key_cells(key: Key) -> tuple[str, Text]:
    default = f"default {key.default}" if key.default else "needed"
    parts = [Text(key.about), Text(key.form, "dim")]
    return "optional" if key.default == "none" else default, Text("\n").join(filter(None, parts))


def _page(topic: Topic) -> Iterator[RenderableType]:
    yield Text.assemble((topic.name, "bold"), "  ", (topic.kind, "dim"))
    yield Text()
    if topic.kind in PAGES:
        yield _Document(for_terminal(topic.text), code_theme="ansi_dark", hyperlinks=False)
        return
    yield Text(_flowing(topic.text))
    if topic.shapes:
        yield Text()
        yield labelled("shapes", topic.shapes)
    if topic.keys:
        yield Text()
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(2):
            table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for key in topic.keys:
            table.add_row(key.name, *_key_cells(key))
        yield table
    if topic.example:
        yield Text()
        yield labelled("example", topic.example)
