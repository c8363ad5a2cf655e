"""Templates and other files of a package, for pages of HTML."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from nnrun.characters import shortened
from nnrun.reports.charts.chart import coordinate, series_class
from nnrun.reports.document import Note
from nnrun.reports.markup import sentence


@cache
def environment(*packages: str) -> Environment:
    """The templates of packages, the first one's first; all text in them is escaped."""
    made = Environment(
        loader=ChoiceLoader([*map(PackageLoader, packages)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "coordinate": coordinate,
        "series_class": series_class,
        "shortened": shortened,
        "statement": statement,
        "unbroken": unbroken,
    }
    return made


def statement(note: Note) -> str:
    """The text of a note; after a label it becomes a sentence."""
    if not note.label:
        return note.text
    return sentence(note.text) if note.kind else f"{note.text.rstrip('.')}."


_MINUS = re.compile(r"(?<!\w)-(?=\d)")


def unbroken(text: str) -> str:
    """Numbers with a minus sign, and without a break at ± and within the ends of intervals."""
    text = _MINUS.sub("−", text).replace(" ± ", "\u00a0±\u00a0")
    return text.replace(", +", ",\u00a0+").replace(", 0]", ",\u00a00]")


@cache
def resource(package: str, name: str) -> str:
    """The text of a file beside the templates."""
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


def content_policy(style: str, script: str) -> str:
    """The content security policy: the page's own style and script, and embedded pictures."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
