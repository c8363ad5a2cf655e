"""Templates and other files of a package, for pages of HTML."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from nnrun.reports.charts.palette import series_class
from nnrun.reports.charts.svg import shortened


@cache
def environment(*packages: str) -> Environment:
    """The templates of packages, the first one's first; all text in them is escaped."""
    found = Environment(
        loader=ChoiceLoader([*map(PackageLoader, packages)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {"series_class": series_class, "shortened": shortened}
    return found


@cache
def resource(package: str, name: str) -> str:
    """The text of a file beside the templates."""
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")
