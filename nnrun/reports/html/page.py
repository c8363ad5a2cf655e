"""Renders a report as one self-contained HTML file."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from markupsafe import Markup

from nnrun import __version__
from nnrun.reports.charts.style import DARK, LIGHT, ON_DARK, PAGE
from nnrun.reports.html.report import Report
from nnrun.reports.numbers import plural
from nnrun.reports.templates import environment, resource

_PACKAGE = "nnrun.reports.html"

# Details of runs beyond this many bytes are left out, so that the file can be mailed.
MOST_BYTES = 2_500_000

# Colours of the page besides those of charts; every text has a contrast of at least 4.5 to 1.
_LIGHT = {
    "link": "#0757a8", "good": "#11633d", "mild": "#8a5300", "bad": "#b3261e",
    "hover": "#f3f5f7", "mark": "#fff6df",
}  # fmt: skip
_DARK = {
    "link": "#79b8ff", "good": "#6fcf97", "mild": "#e8b04a", "bad": "#ff8a80",
    "hover": "#1b222a", "mark": "#2e2712",
}  # fmt: skip


def render(report: Report, most_bytes: int = MOST_BYTES) -> str:
    """The report as HTML: the same bytes for the same results.

    The details of runs take at most `most_bytes`; those of the first run are always shown.
    """
    style, script = page_style(), page_script()
    # First, since it decides which runs the sections can link to.
    runs, left_out = _runs(report, most_bytes)
    page = environment(_PACKAGE).get_template("page.html")
    return page.render(
        report=report,
        sections=list(report.sections()),
        runs=runs,
        left_out=left_out,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        version=__version__,
        plural=plural,
    )


def _runs(report: Report, most_bytes: int) -> tuple[list[Markup], int]:
    template = environment(_PACKAGE).get_template("run.html")
    rendered: list[Markup] = []
    size = 0
    for run in report.runs():
        markup = template.render(run=run, open=len(report.in_full) == 1)
        size += len(markup.encode())
        if rendered and size > most_bytes:
            break
        rendered.append(Markup(markup))
    left_out = len(report.in_full) - len(rendered)
    report.trim(len(rendered))
    return rendered, left_out


def _policy(style: str, script: str) -> str:
    """The content security policy: the page's own style and script, and embedded pictures."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def page_script() -> str:
    """The script of the page."""
    return "\n".join(resource(_PACKAGE, name) for name in ("page.js", "charts.js"))


def page_style() -> str:
    """The style sheet of the page."""
    light, dark = (
        ";".join(f"--{name}:{colour}" for name, colour in colours.items())
        for colours in (LIGHT | _LIGHT, DARK | _DARK)
    )
    return "\n".join(
        [
            f":root{{{light};color-scheme:light dark}}",
            f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}",
            f"@media print{{:root{{{light};color-scheme:light}}}}",
            *(resource(_PACKAGE, name) for name in ("page.css", "charts.css")),
            PAGE,
            f"@media screen and (prefers-color-scheme:dark){{{ON_DARK}}}",
        ]
    )
