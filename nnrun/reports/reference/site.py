"""Pages and reference as a small site: a folder of files that needs no server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Template
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from nnrun.reports.reference.pages import PICTURES, lessons, pages, picture
from nnrun.reports.reference.topics import KINDS, PAGES, Topic, plural
from nnrun.reports.templates import environment, resource

_PACKAGE = "nnrun.reports.reference"


def site(topics: Sequence[Topic], version: str) -> dict[str, bytes]:
    """The files of the site by their names: of pages, lessons and the reference."""
    known = [topic for topic in topics if topic.kind not in PAGES]
    frame = {"pages": pages(), "lessons": lessons(), "version": version}
    entries = json.dumps(list(_entries(known)))
    contents = {
        "index.html": _template("index.html").render(**frame, line=rendered_line),
        "reference.html": _template("reference.html").render(
            **frame, kinds=list(_by_kind(known)), anchor=_anchor
        ),
        "site.css": resource(_PACKAGE, "site.css"),
        "site.js": f"const ENTRIES = {entries};\n{resource(_PACKAGE, 'site.js')}",
    }
    for page in (*pages(), *lessons()):
        text = _template("page.html").render(**frame, page=page, body=rendered(page.text))
        contents[f"{page.name}.html"] = text
    texts = {name: text.encode() for name, text in contents.items()}
    return texts | {name: picture(name) for name in PICTURES}


def _by_kind(topics: Sequence[Topic]) -> Iterator[tuple[str, list[Topic]]]:
    for kind in KINDS:
        found = [topic for topic in topics if topic.kind == kind]
        if found:
            yield plural(kind), found


def _entries(topics: Sequence[Topic]) -> Iterator[dict[str, str]]:
    """What can be searched: sections of pages, and topics."""
    for page in (*pages(), *lessons()):
        for section in sections(page.text):
            url = f"{page.name}.html#{section.anchor}".removesuffix("#")
            title = f"{page.title}: {section.title}" if section.title else page.title
            yield {"url": url, "title": title, "text": section.text}
    for topic in topics:
        keys = [f"{key.name}: {key.about}" for key in topic.keys]
        text = " ".join([topic.text, topic.example, *keys])
        title = f"{topic.name} ({topic.kind})"
        yield {"url": f"reference.html#{_anchor(topic)}", "title": title, "text": text}


def _anchor(topic: Topic) -> str:
    return f"{topic.kind}-{topic.name}".replace(" ", "-")


def _template(name: str) -> Template:
    return environment(_PACKAGE).get_template(name)


# Browsers would break lines within options, after a hyphen.
_CODE = re.compile("(?<!<pre>)<code>[^<]*</code>")
_OPTION = re.compile(r"(?<![\w-])--?\w[\w-]*")
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

    Blocks of code and tables can be scrolled by keyboard where they are wider than the page.
    """
    markdown, tokens = _parsed(text)
    html = markdown.renderer.render(tokens, markdown.options, {})
    html = _CODE.sub(lambda code: _OPTION.sub(r'<span class="option">\g<0></span>', code[0]), html)
    html = html.replace("<table>", '<table tabindex="0">')
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
            token.attrSet("id", _heading_anchor(_plain(inner), taken))
        for child in token.children or ():
            found = _PAGE.match(str(child.attrGet("href") or ""))
            if found:
                child.attrSet("href", f"{found[1]}.html{found[2] or ''}")
    return markdown, tokens


def _heading_anchor(title: str, taken: dict[str, int]) -> str:
    """The anchor of a heading, as code hosts make it, so that links work there too."""
    anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    taken[anchor] = taken.get(anchor, -1) + 1
    return f"{anchor}-{taken[anchor]}" if taken[anchor] else anchor


def _plain(token: Token) -> str:
    if token.children is None:
        return token.content.strip()
    parts = (" " if child.type == "softbreak" else child.content for child in token.children)
    return "".join(parts)
