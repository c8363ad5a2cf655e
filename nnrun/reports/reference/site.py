"""Pages and reference as a small site: a folder of files that needs no server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from jinja2 import Template

from nnrun.reports.reference.pages import PICTURES, lessons, pages, picture
from nnrun.reports.reference.render import rendered, rendered_line, sections
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
