"""The document of a table before any training: problems, columns, how each goes with the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from nnrun import __version__
from nnrun.characters import shortened
from nnrun.config.scaffold.findings import COSTS, Finding, Findings
from nnrun.config.scaffold.relations import Relation
from nnrun.data.readers.profile import ColumnProfile
from nnrun.reports.charts.axes import TALL
from nnrun.reports.charts.chart import BLUES, Chart
from nnrun.reports.charts.lines import Heat, heatmap
from nnrun.reports.charts.scatter import bars_of, histogram
from nnrun.reports.charts.settings import by_setting
from nnrun.reports.document import Block, Cell, Code, Document, Figures, Grid, Note, Section
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import count, plural, thinned
from nnrun.reports.templates import content_policy, environment

MOST_SHOWN = 30
"""Of more columns, a terminal shows those that there is something to say of."""
_MOST_DRAWN, _MOST_DOTS, _MOST_CLASSES, _LONGEST = 200, 300, 12, 18
_HEADER = ["column", "taken for", "why", "missing", "examples", "becomes"]


def columns_document(found: Findings, *, whole: bool = False) -> Document:
    """What there is to say of a table; `whole`, with all columns and a chart of each."""
    problems = [*_problems(found, whole=whole)]
    sections = [Section("Problems first", problems)] if problems else []
    sections.append(Section("Columns", [*_columns(found.columns, whole=whole)]))
    if found.tried:
        sections.append(Section("Tried", [Note(sentence(each.words)) for each in found.tried]))
    if whole:
        sections += _drawn(found)
    choice, table = found.choice, found.table
    about = f"{plural(table.rows, 'row')}, {plural(len(table.columns), 'column')}"
    return Document(
        shortened(table.path.name, 100), None, sections,
        about=f"{about}; {choice.task} of {choice.target.name}",
    )  # fmt: skip


def _problems(found: Findings, *, whole: bool) -> Iterator[Block]:
    for problem in found.problems:
        costly = problem.cost is None or problem.cost >= COSTS
        if not (costly or whole):
            continue
        yield Note(sentence(problem.text), "warning" if problem.cost and costly else "")
        if command := found.command(problem):
            yield Code(command, language="sh")


def _columns(columns: Sequence[Finding], *, whole: bool) -> Iterator[Block]:
    shown = columns
    if len(columns) > MOST_SHOWN and not whole:
        shown = [column for column in columns if not column.is_plain][:MOST_SHOWN]
    rows = [
        [
            Cell(shortened(one.name, 60 if whole else _LONGEST), kind="soft" * one.is_left_out),
            Cell(one.taken_for),
            Cell(one.why),
            Cell(count(one.missing) if one.missing else ""),
            Cell(", ".join(shortened(text, 40 if whole else 11) for text in one.examples)),
            Cell(one.becomes),
        ]
        for one in shown
    ]
    yield Grid("Columns", _HEADER, rows, texts=6, hidden=True, needs=[] if whole else [0] * 6)
    if left := len(columns) - len(shown):
        yield Note(
            f"{plural(left, 'more column')}, most of them numbers: --html and --json have all."
        )


def _drawn(found: Findings) -> Iterator[Section]:
    """The charts of each column, those that tell most of the target first."""
    target = found.choice.target
    columns = [c for c in found.table.columns if c.kind not in ("constant", "empty")]
    listed = [(c, found.relation(c)) for c in columns if c is not target]
    listed.sort(key=lambda each: -each[1].explained)
    if found.choice.labels:
        labels = dict(thinned([*found.choice.labels.items()], _MOST_CLASSES))
        chart = bars_of(target.name, [*labels], [*labels.values()], "rows")
    else:
        chart = _range(target.name, found.relation(target))
    yield Section(f"The target, {shortened(target.name, 60)}", [Figures([chart], columns=1)])
    for column, relation in listed[:_MOST_DRAWN]:
        yield Section(shortened(column.name, 60), [*_relation(found, column, relation)])
    if (left := len(listed) - _MOST_DRAWN) > 0:
        note = f"{plural(left, 'column')} that tell less of the target have no charts."
        yield Section("Further columns", [Note(note)])


def _relation(found: Findings, column: ColumnProfile, relation: Relation) -> Iterator[Block]:
    if not relation.names:
        yield Note("No row that has a target has a value of it.", "small")
        return
    if found.choice.labels:
        more = f"{relation.explained:.1%} more rows are right by it alone than by the largest class"
    else:
        more = f"its values alone explain {relation.explained:.2f} of the target, out of fold"
    yield Note(sentence(more), "small")
    yield Figures([_range(column.name, relation), _beside(found, column, relation)])


def _range(name: str, relation: Relation) -> Chart:
    """A histogram of numbers, or a bar for each category."""
    if relation.edges:
        return histogram(f"{name}: rows", relation.edges, relation.counts, name, "rows", TALL)
    return bars_of(f"{name}: rows", relation.names, relation.counts, "rows")


def _beside(found: Findings, column: ColumnProfile, relation: Relation) -> Chart:
    """Means of the target over the pieces or categories of a column; of classes, their shares."""
    y, groups, target = found.sample.targets, relation.groups, found.choice.target.name
    if not found.choice.labels:
        places = np.array(relation.places or [*range(len(relation.names))], float)
        named = groups >= 0
        return by_setting(
            f"{target} by {column.name}", places[groups[named]].tolist(), y[named].tolist(),
            x_label=column.name, y_label=target, most=_MOST_DOTS, counted="rows",
            names=() if relation.places else relation.names,
        )  # fmt: skip
    classes = thinned([*enumerate(found.choice.labels)], _MOST_CLASSES)
    shares = [
        [float(np.mean(y[groups == place] == label)) for label, _ in classes]
        for place in range(len(relation.names))
    ]
    return heatmap(
        f"Shares of {target} by {column.name}", "The share of each class, row by row.", shares,
        relation.names, [label for _, label in classes], row_label=column.name, column_label=target,
        heat=Heat(BLUES, "{:.0%}".format),
    )  # fmt: skip


def render(found: Findings) -> str:
    """The page: self-contained, without a script."""
    from nnrun.reports.html.report import page_style  # noqa: PLC0415  # slow to import

    style = page_style()
    return (
        environment("nnrun.reports.html")
        .get_template("columns.html")
        .render(
            document=columns_document(found, whole=True),
            style=Markup(style),
            policy=content_policy(style, ""),
            version=__version__,
        )
    )
