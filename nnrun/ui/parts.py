"""Parts of a page: pieces of HTML that the server sends again when they have changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from nnrun import __version__
from nnrun.reports.html.blocks import Section
from nnrun.reports.numbers import plural
from nnrun.reports.templates import environment

_PACKAGES = ("nnrun.ui", "nnrun.reports.html")


@dataclass(frozen=True)
class Part:
    """An element of a page.

    Args:
        id: of the element.
        html: the whole element if it is a section of the page, else what is in it.
        title: of a section; empty for other elements, such as the line with counts.
        digest: of the HTML.
    """

    id: str
    html: Markup
    title: str = ""
    digest: str = ""

    @classmethod
    def of(cls, part_id: str, html: str, title: str = "") -> Part:
        """The part with this HTML."""
        return cls(part_id, Markup(html), title, sha256(html.encode()).hexdigest()[:16])

    def to_dict(self) -> dict[str, str]:
        """As JSON data."""
        return {"id": self.id, "html": str(self.html), "title": self.title, "digest": self.digest}


def section_parts(sections: Iterable[Section]) -> Iterator[Part]:
    """Sections of a report, each with an id that stays."""
    used: dict[str, int] = {}
    for section in sections:
        slug = "-".join(re.findall("[a-z0-9]+", section.title.lower()))[:60] or "part"
        used[slug] = number = used.get(slug, 0) + 1
        name = slug if number == 1 else f"{slug}-{number}"
        html = rendered("section.html", section=section, id=name)
        yield Part.of(name, html, section.title)


def template(name: str) -> Template:
    """A template of the live page, which can use those of the report."""
    return environment(*_PACKAGES).get_template(name)


def rendered(name: str, **values: Any) -> str:
    """A template with these values."""
    return template(name).render(version=__version__, plural=plural, **values)
