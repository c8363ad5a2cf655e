"""Parts of a page: pieces of HTML that the server sends again when they have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from markupsafe import Markup

from nnrun import __version__
from nnrun.characters import shortened
from nnrun.reports.document import Note, Section
from nnrun.reports.html.page import parts_of
from nnrun.reports.numbers import count, plural
from nnrun.reports.progress_words import sweep_line
from nnrun.reports.templates import environment

_PACKAGES = ("nnrun.ui", "nnrun.reports.html")


@dataclass(frozen=True)
class Part:
    """An element of a page.

    Of a `section`, which comes and goes, `html` is the whole element, of others what is in it; a
    section without a title is not in the list of contents.
    """

    id: str
    html: Markup
    title: str = ""
    section: bool = True
    digest: str = ""

    @classmethod
    def of(cls, part_id: str, html: str, title: str = "", *, section: bool = True) -> Part:
        """The part with this HTML."""
        digest = sha256(html.encode()).hexdigest()[:16]
        return cls(part_id, Markup(html), title, section, digest)


def parts_from(sections: Iterable[Section]) -> Iterator[Part]:
    """The parts of a report that these sections make, as in its file."""
    for name, found in parts_of(sections).items():
        titled = len(found) > 1 or found[0].title != name
        html = rendered("part.html", name=name, sections=found, titled=titled)
        yield Part.of(name.lower(), html.strip(), name)


def problem_part(why: str) -> Part:
    """In place of what cannot be drawn."""
    note = Note(f"This cannot be shown now: {shortened(why, 300)}.", "bad")
    (part,) = parts_from([Section("Problem", [note], "Problem")])
    return part


def rendered(template: str, /, **values: Any) -> str:
    """A template of the live page, which can use those of the report, with these values."""
    found = environment(*_PACKAGES).get_template(template)
    return found.render(
        version=__version__, count=count, plural=plural, sweep_line=sweep_line, **values
    )
