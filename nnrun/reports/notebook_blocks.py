"""Documents and bars of progress in notebooks.

They are plain HTML that IPython replaces in place. The bars of rich and tqdm there need ipywidgets
and its part for the browser: without it rich warns and tqdm prints text, and files exported from a
notebook show an empty widget.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from markupsafe import Markup, escape

from nnrun.characters import clean
from nnrun.reports.boards import board_document
from nnrun.reports.charts.chart import STANDALONE, Chart, element
from nnrun.reports.document import (
    ASKED,
    Block,
    Cell,
    Code,
    Curves,
    Document,
    Figures,
    Folded,
    Grid,
    Note,
    up_to,
)
from nnrun.reports.html.curves import board_curves, figures_of
from nnrun.reports.live.work import Display, Output, Picture, display, run_words
from nnrun.reports.templates import statement
from nnrun.runs.catalog.summarize import read_summary
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.storage.reading import read_history
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.board.stored import stored_boards, stored_variants

# Shorter work shows no bar.
_START_SECONDS = 0.5
_REFRESH_SECONDS = 0.2
_MOST_RUNNING = 8
_WIDTH = 100


class NotebookBar(Display):
    """A bar with a line of text, and a line for each run in progress."""

    def __init__(self, output: Output) -> None:
        super().__init__(output, _START_SECONDS)
        self._handle: Any = None

    def draw(self, picture: Callable[[int], Picture], *, at_once: bool = False) -> None:
        if monotonic() < self.next:
            return
        self.next = monotonic() + _REFRESH_SECONDS
        now = picture(_WIDTH)
        share = min(now.share or 0.0, 1.0)
        percent = f"{int(100 * share)}%"
        bar = element("progress", percent, value=f"{share:.4f}", max=1, style="width:12em")
        label = f"{clean(now.label)} " if now.label else ""
        line = element("div", label, bar, f" {percent}, {clean(now.figures)}")
        lines = (element("div", clean(run_words(run))) for run in now.running[:_MOST_RUNNING])
        self._show(element("div", line, *lines, style="font-variant-numeric:tabular-nums"))

    def close(self) -> None:
        if self._handle is not None:
            self._show("")

    def _show(self, html: str) -> None:
        shown = display().HTML(html)
        if self._handle is None:
            self._handle = display().display(shown, display_id=True)
        else:
            self._handle.update(shown)


# Documents in notebooks, block by block, and whole pages, without a style for all the rest.

_SHORT = 18
_MOST_CHARTS = 2
_RULES = [
    (rule, {*re.findall(r"\.([a-z]\w*)", rule.partition("{")[0])})
    for rule in STANDALONE.splitlines()
]


def document_html(document: Document, level: int = ASKED, *, folds: bool = True) -> str:
    """What is as important as this; all but the first section and curves is folded, or nothing."""
    return str(element("div", *_document(document, level, folds=folds)))


def _document(document: Document, level: int, *, folds: bool) -> Iterator[Markup]:
    title = element("strong", clean(" ".join(filter(None, [document.title, document.name]))))
    status = "" if document.status is None else f" {document.status.text}"
    yield element("p", title, clean(status))
    if document.about:
        yield element("p", clean(document.about))
    if document.verdict is not None:
        for line in document.verdict.lines:
            yield element("p", element("strong", f"{line.lead}:"), f" {clean(line.text)}.")
    for place, section in enumerate(up_to(level, document.sections)):
        shown = [*blocks_html(section.blocks)]
        if not folds:
            yield element("p", element("strong", clean(section.title)))
            yield from shown
        elif place == 0 or any(isinstance(block, Curves) for block in section.blocks):
            yield from shown
        else:
            yield element("details", element("summary", clean(section.title)), *shown)


def blocks_html(blocks: Iterable[Block]) -> Iterator[Markup]:
    """Blocks, without what takes a page."""
    for block in blocks:
        if isinstance(block, Grid):
            yield grid(block)
        elif isinstance(block, Note):
            label = [element("strong", f"{block.label.capitalize()}:"), " "] * bool(block.label)
            yield element("p", *label, clean(statement(block)))
        elif isinstance(block, Code):
            yield element("pre", clean(block.text))
        elif isinstance(block, Curves) and len(block.iterations) > 1:
            for figures in figures_of(block):
                yield from (captioned(chart) for chart in figures.charts[:_MOST_CHARTS])
        elif isinstance(block, Folded):
            title = element("summary", clean(block.title))
            yield element("details", title, *blocks_html(block.blocks))
        elif isinstance(block, Figures):
            yield from (captioned(chart) for chart in block.charts)


def grid(block: Grid) -> Markup:
    """A table; drawings of its cells and columns are pictures."""

    def cell(content: Cell) -> str:
        return content.text if content.drawing is None else strip_image(content.drawing)

    header = [
        Markup("{}<br>{}").format(name, strip_image(block.marks[name]))
        if name in block.marks
        else name
        for name in block.header
    ]

    def line(kind: str, cells: Iterable[str]) -> Markup:
        # Short cells stay on one line; names of columns need not.
        shown = (text if isinstance(text, Markup) else clean(text) or "\u00a0" for text in cells)
        short = {"td": "white-space:nowrap"}.get(kind)
        return element(
            "tr", *(element(kind, t, style=short if len(t) <= _SHORT else None) for t in shown)
        )

    body = element("tbody", *(line("td", map(cell, row)) for row in block.rows))
    return element("table", element("thead", line("th", header)), body)


def captioned(chart: Chart) -> Markup:
    """A chart below its title; two of them are side by side."""
    return element(
        "figure",
        element("figcaption", clean(chart.title)),
        _embedded(chart.file, f"{chart.title}. {chart.alternative}"),
        style="display:inline-block;width:49%;margin:0",
    )


def strip_image(strip: Markup) -> Markup:
    """A strip of a board as an `img` element."""
    label = re.search(r'aria-label="([^"]*)"', strip)
    # A board has a strip for each row: each has the rules that it needs and no others.
    used = {name for names in re.findall(r'class="([^"]*)"', strip) for name in names.split()}
    rules = [rule for rule, names in _RULES if names <= used]
    style = element("style", Markup("".join(rules)))
    head, end, rest = str(strip).partition(">")
    head = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"')
    text = Markup(label[1]).unescape() if label else ""
    # Jupyter would make it as narrow as the cell.
    return _embedded(f"{head}{end}{style}{rest}", text, style="max-width:none")


def _embedded(svg: str, label: str, style: str | None = None) -> Markup:
    content = b64encode(svg.encode()).decode()
    source = f"data:image/svg+xml;base64,{content}"
    return element("img", src=source, alt=clean(label), style=style)


_BASE = '<base href="about:srcdoc">'
_STYLE = "width:100%;height:640px;border:1px solid #8886;resize:vertical;overflow:auto"


def framed(page: str, title: str) -> str:
    """A whole HTML page in an `iframe`, which holds it and loads nothing.

    The sandbox allows the page's own script, which its policy names by digest, and gives it no
    origin: it reaches neither the notebook nor the server behind it. Its links to its own parts
    would lead to those of the notebook without a base, which its policy forbids further down.
    """
    page = page.replace("<head>", f"<head>{_BASE}", 1)
    return (
        f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts" title="{escape(title)}" '
        f'style="{_STYLE}"></iframe>'
    )


_MOST_ROWS = 100
# Curves are of the first groups, rows and runs.
_GROUPS, _DRAWN, _RUNS, _CHARTS = 2, 4, 10, 2


def board_html(board: Leaderboard, progress: SweepProgress, root: Path | None) -> str:
    """The leaderboard with its notes; the curves are of runs in the results folder `root`."""
    scores = {
        (variant.dataset, variant.name, repr(variant.choice)): runs
        for variant, runs in progress.by_variant()
    }

    def of(group: Group, row: Row) -> Sequence[RunSummary]:
        return scores.get((group.dataset, row.name, repr(row.choice)), ())

    def curves(group: Group) -> Iterator[Block]:
        if root is not None and group in board.groups[:_GROUPS]:
            entries = [
                (row.name, score.run_id)
                for row in group.rows[:_DRAWN]
                for score in of(group, row)[:_RUNS]
            ]
            yield from _curves(group, entries, root)

    rest = "board.to_frame() has all"
    document = board_document(board, most=_MOST_ROWS, all_rows=rest, also=curves, scores=of)
    return document_html(document, folds=False)


def _curves(group: Group, runs: Sequence[tuple[str, str]], root: Path) -> Iterator[Block]:
    """The learning curves of the first rows, as means over their runs."""
    entries, histories = [], {}
    for name, run_id in runs:
        entry = read_summary(root / name / run_id, placed=True)
        if entry is not None and entry.is_sound:
            entries.append(entry)
            histories[entry.label] = read_history(root / name / run_id)
    charts = [
        chart
        for board in stored_boards(stored_variants(entries))
        for block in board_curves(board, histories)
        if isinstance(block, Figures)
        for chart in block.charts
    ]
    # Those of the first configs; the report has all.
    for start in (0, _CHARTS):
        yield Figures(charts[start : start + _CHARTS], level=1)
