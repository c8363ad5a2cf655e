"""Pages of Markdown as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_PAGE = re.compile(r"^(?:\.\./|course/)?([\w-]+)\.md(#.*)?$")


@dataclass(frozen=True)
class Section:
    """A heading of a page, and the text below it.

    The anchor is empty for the text before all headings.
    """

    anchor: str
    title: str
    text: str


def rendered(text: str) -> Markup:
    """Markdown as HTML: headings have anchors, links to pages lead to their HTML files.

    Blocks of code can be scrolled by keyboard where they are wider than the page.
    """
    markdown, tokens = _parsed(text)
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Markup(html.replace("<pre><code", '<pre tabindex="0"><code'))


def rendered_line(text: str) -> Markup:
    """One line of Markdown as HTML, without a paragraph around it."""
    return Markup(MarkdownIt("commonmark").renderInline(text))


def sections(text: str) -> Iterator[Section]:
    """The parts of a page by its headings, for searching."""
    anchor, title, words = "", "", list[str]()
    _, tokens = _parsed(text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and before.type == "heading_open":
            yield Section(anchor, title, " ".join(words))
            anchor, title, words = str(before.attrGet("id")), _plain(token), []
        elif token.type in ("inline", "fence", "code_block"):
            words.append(_plain(token))
    yield Section(anchor, title, " ".join(words))


def anchors(text: str) -> list[str]:
    """The anchors of all headings."""
    return [section.anchor for section in sections(text) if section.anchor]


def _parsed(text: str) -> tuple[MarkdownIt, list[Token]]:
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = markdown.parse(text)
    taken: dict[str, int] = {}
    for token, inner in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and inner is not None:
            token.attrSet("id", _anchor(_plain(inner), taken))
        for child in token.children or ():
            found = _PAGE.match(str(child.attrGet("href") or ""))
            if found:
                child.attrSet("href", f"{found[1]}.html{found[2] or ''}")
    return markdown, tokens


def _anchor(title: str, taken: dict[str, int]) -> str:
    """The anchor of a heading, as code hosts make it, so that links work there too."""
    anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    taken[anchor] = taken.get(anchor, -1) + 1
    return f"{anchor}-{taken[anchor]}" if taken[anchor] else anchor


def _plain(token: Token) -> str:
    if token.children is None:
        return token.content.strip()
    parts = (" " if child.type == "softbreak" else child.content for child in token.children)
    return "".join(parts)
