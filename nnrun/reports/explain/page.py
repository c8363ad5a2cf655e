"""Self-contained pages: an update whose numbers show their sources, and sections."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from nnrun import __version__
from nnrun.explain.trace import shown
from nnrun.explain.update import Explanation
from nnrun.nn.signature import shape_text
from nnrun.reports.charts.chart import DARK, LIGHT, ON_DARK, PAGE, variables
from nnrun.reports.document import Block, Figures, Note, Section
from nnrun.reports.explain.document import Numbers, Phase, phases
from nnrun.reports.markup import sentence
from nnrun.reports.templates import content_policy, environment, resource
from nnrun.reports.watched import film_charts

_PACKAGE, _CHARTS = "nnrun.reports.explain", "nnrun.reports.html"
# Of larger arrays the ends of every axis are shown.
_MOST = 8192
# Pictures of more hidden units are left out; one takes about six thousand bytes.
_MOST_UNITS = 128


def render(explained: Explanation) -> str:
    """The page: the same bytes for the same update."""
    update = phases(explained)
    arrays = {a.key: _data(a) for phase in update for part in phase.parts for a in part.arrays}
    data = json.dumps(arrays, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    film: list[Section] = []
    if explained.film is not None:
        (output, *layers), notes = film_charts(explained.film, _MOST_UNITS)
        blocks: list[Block] = [Figures([output], output.legend), Figures(layers)]
        film = [Section("Over training", [*blocks, *(Note(sentence(note)) for note in notes)])]
    about = ". ".join(filter(None, (explained.moment, explained.description)))
    title = f"{explained.title}: one update"
    return render_sections(title, film, [about, *explained.notes], update, data)


def render_sections(
    title: str,
    sections: Sequence[Section],
    notes: Sequence[str] = (),
    update: Sequence[Phase] = (),
    data: str = "",
) -> str:
    """A page of sections, below an update if there is one."""
    style, script = _style(charts=bool(sections)), resource(_PACKAGE, "explain.js")
    return (
        environment(_PACKAGE, _CHARTS)
        .get_template("explain.html")
        .render(
            title=title,
            notes=notes,
            phases=update,
            sections=sections,
            data=Markup(data.replace("<", "\\u003c")),
            style=Markup(style),
            script=Markup(script),
            policy=content_policy(style, script),
            version=__version__,
        )
    )


def _style(*, charts: bool) -> str:
    style = resource(_PACKAGE, "explain.css")
    if not charts:
        return style
    light, dark = variables(LIGHT), f":root{{{variables(DARK)}}}{ON_DARK}"
    on_dark = f"@media screen and (prefers-color-scheme:dark){{{dark}}}"
    return "\n".join([f":root{{{light}}}", resource(_CHARTS, "charts.css"), PAGE, on_dark, style])


def _data(numbers: Numbers) -> dict[str, Any]:
    """What the script of the page draws, in seven digits, which it shows at most."""
    array = numbers.array
    axes = None if array.size <= _MOST else [shown(size) for size in array.shape]
    values = (array if axes is None else array[np.ix_(*axes)]).ravel().tolist()
    return {
        "name": numbers.name,
        "title": numbers.title,
        "shape": array.shape,
        "size": shape_text(array.shape),
        "axes": axes,
        "rows": numbers.rows,
        "columns": numbers.columns,
        "data": [float(f"{v + 0.0:.7g}") if np.isfinite(v) else None for v in values],
        "from": [source._asdict() for source in numbers.origin.sources],
        "products": numbers.origin.products,
    }
