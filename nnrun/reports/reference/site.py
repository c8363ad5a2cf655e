"""Pages and reference as a small site: a folder of files that needs no server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby, pairwise

from jinja2 import Template
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult, group
from rich.markdown import CodeBlock, Markdown
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from nnrun.course.files import NUMBERS
from nnrun.reports.reference.topics import KINDS, PAGE_KINDS, Key, Topic, plural
from nnrun.reports.templates import environment, resource
from nnrun.reports.terminal.fitting import labelled

# The pages of documentation, which are Markdown files in `nnrun/docs`.

PAGES = (
    "tutorial",
    "glossary",
    "course",
    "teachers",
    "config",
    "data",
    "series",
    "sweeps",
    "search",
    "watching",
    "ui",
    "explain",
    "metrics",
    "choosing",
    "members",
    "prediction",
    "coverage",
    "papers",
    "notebooks",
    "plugins",
    "trackers",
    "clusters",
    "results",
    "conventions",
    "reproducibility",
    "benchmarks",
    "security",
    "course-notebook",
    "shelf",
    "inside",
)
"""Their names, in the order in which they are listed."""

LESSONS = tuple(f"lesson-{number}" for number in NUMBERS)
"""The pages of the course, which are in a folder of their own."""

PICTURES = ("house.svg", "playground.png", "report.png", "sweep.png")
"""Pictures in the pages, in the same folder."""

_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_PICTURE = re.compile(r"!\[(.*?)\]\(.*?\)", re.DOTALL)
_PAGE_LINK = re.compile(r"\[([^\]]*)\]\((?:\.\./|course/)?([\w-]+)\.md(?:#[\w-]*)?\)")
_OWN_LINK = re.compile(r"\[([^\]]*)\]\(#[\w-]*\)")


@dataclass(frozen=True)
class Page:
    """One page.

    `name` is that of its file, without the suffix; `text`, in Markdown, follows the title.
    """

    name: str
    title: str
    text: str

    @property
    def topic(self) -> Topic:
        """The page as `nnrun help` finds it."""
        return Topic("lesson" if self.name in LESSONS else "page", self.name, self.text)


@cache
def pages() -> tuple[Page, ...]:
    """All pages but those of the course, in order."""
    return tuple(_read(f"{name}.md") for name in PAGES)


@cache
def lessons() -> tuple[Page, ...]:
    """The pages of the course, in order."""
    return tuple(_read("course", f"{name}.md") for name in LESSONS)


@cache
def glossary() -> list[Topic]:
    """Words of the glossary, each by all its names."""
    (page,) = (page for page in pages() if page.name == "glossary")
    rows = re.findall(r"^\| (?!word|---)(.*?) \| (.)(.*) \|$", page.text, re.MULTILINE)
    texts = {names: for_terminal(f"{a.upper()}{rest}.").replace("`", "") for names, a, rest in rows}
    return [Topic("word", name, texts[names]) for names in texts for name in names.split(", ")]


def picture(name: str) -> bytes:
    """The content of one of `PICTURES`."""
    return files("nnrun").joinpath("docs", name).read_bytes()


def for_terminal(text: str) -> str:
    """Markdown with descriptions in place of pictures, and commands in place of links."""
    text = _PICTURE.sub(r"*(Picture: \1)*", _COMMENT.sub("", text))
    return _OWN_LINK.sub(r"\1", _PAGE_LINK.sub(r"\1 (`nnrun help \2`)", text))


def _read(*place: str) -> Page:
    text = files("nnrun").joinpath("docs", *place).read_text(encoding="utf-8")
    title, _, rest = text.partition("\n")
    name, glossary = place[-1].removesuffix(".md"), f"{'../' * (len(place) - 1)}glossary.md"
    rest += f"\n\nIts words are in the [glossary]({glossary})." * (name != "glossary")
    return Page(name, title.removeprefix("# "), rest.strip() + "\n")


_PACKAGE = "nnrun.reports.reference"


def site(topics: Sequence[Topic], version: str) -> dict[str, bytes]:
    """The files of the site by their names: of pages, lessons and the reference."""
    listed = [topic for topic in topics if topic.kind not in PAGE_KINDS]
    frame = {"pages": pages(), "lessons": lessons(), "version": version}
    entries = json.dumps(list(_entries(listed)))
    contents = {
        "index.html": _template("index.html").render(**frame, line=rendered_line),
        "reference.html": _template("reference.html").render(
            **frame, kinds=list(_by_kind(listed)), anchor=_anchor
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
        of_kind = [topic for topic in topics if topic.kind == kind]
        if of_kind:
            yield plural(kind), of_kind


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
            link = _PAGE.match(str(child.attrGet("href") or ""))
            if link:
                child.attrSet("href", f"{link[1]}.html{link[2] or ''}")
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


# The reference on a terminal.

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
    exact: Sequence[Topic], mentioned: Sequence[Topic], word: str
) -> Iterator[RenderableType]:
    """Topics in full, and below them the names of those that mention the word, and how."""
    for index, topic in enumerate(exact):
        if index:
            yield Text()
        yield from _page(topic)
    if exact and mentioned:
        yield Text()
    if mentioned:
        yield Text("It is mentioned in" if exact else "That word stands in", "bold")
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
    if topic.kind in PAGE_KINDS:
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
