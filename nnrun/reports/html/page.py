"""Renders a report as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from nnrun import __version__
from nnrun.reports.charts.style import DARK, LIGHT, ON_DARK, PAGE, variables
from nnrun.reports.document import RUNS, Section
from nnrun.reports.html.report import Report
from nnrun.reports.html.runs import RunSections
from nnrun.reports.numbers import count, plural
from nnrun.reports.templates import content_policy, environment, resource

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


_Rendered = tuple[tuple[int, int, int], Markup, RunSections]


def render(report: Report, most_bytes: int = MOST_BYTES) -> str:
    """The report as HTML: the same bytes for the same results.

    The details of runs take at most `most_bytes`; those of the first run are always shown.
    """
    style, script = page_style(), page_script()
    # First, since it decides which runs the sections can link to.
    runs, left_out = _runs(report, most_bytes)
    parts = parts_of(report.sections())
    if runs and len(report.found) > 1:
        parts.setdefault(RUNS, [])
    page = environment(_PACKAGE).get_template("page.html")
    return page.render(
        report=report,
        verdict=report.verdict,
        first="Best" if len(report.found) > 1 else "Summary",
        data_notes=report.data_notes() if len(report.found) > 1 else [],
        parts=parts,
        runs=[markup for _, markup, _ in sorted(runs, key=lambda one: one[0])],
        own=runs[0][2] if len(report.found) == 1 and runs else None,
        section_id=section_id,
        left_out=left_out,
        style=Markup(style),
        script=Markup(script),
        policy=content_policy(style, script),
        version=__version__,
        count=count,
        plural=plural,
    )


def parts_of(sections: Iterable[Section]) -> dict[str, list[Section]]:
    """The sections of each part of the page."""
    parts: dict[str, list[Section]] = {}
    for section in sections:
        parts.setdefault(section.part, []).append(section)
    return parts


def section_id(run: RunSections, section: Section) -> str:
    """Of a section in the details of a run."""
    return "-".join([run.anchor, *section.title.lower().split()])


def _runs(report: Report, most_bytes: int) -> tuple[list[_Rendered], int]:
    """The details of runs with their places, as many as there is room for; how many are left."""
    template = environment(_PACKAGE).get_template("run.html")
    rendered: list[_Rendered] = []
    heads, size = report.heads(), 0
    alone = len(report.found) == 1
    for run in report.runs():
        order, head = heads[run.anchor]
        markup = template.render(run=run, head=head, alone=alone, section_id=section_id)
        size += len(markup.encode())
        if rendered and size > most_bytes:
            break
        rendered.append((order, Markup(markup), run))
    left_out = len(report.in_full) - len(rendered)
    report.trim(len(rendered))
    return rendered, left_out


def page_script() -> str:
    """The script of the page."""
    return "\n".join(resource(_PACKAGE, name) for name in ("page.js", "charts.js", "address.js"))


def page_style() -> str:
    """The style sheet of the page."""
    light, dark = variables(LIGHT | _LIGHT), variables(DARK | _DARK)
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
