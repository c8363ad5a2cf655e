"""The pages of documentation, which are Markdown files in `nnrun/docs`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from nnrun.course.files import NUMBERS
from nnrun.reports.reference.topics import Topic

PAGES = (
    "tutorial",
    "glossary",
    "course",
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
    "prediction",
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
    return Page(place[-1].removesuffix(".md"), title.removeprefix("# "), rest.strip() + "\n")
