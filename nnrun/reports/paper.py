"""A table of settings × data sets for a paper, as Markdown, LaTeX, CSV or HTML; and its ranks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape as html
from typing import Any

import numpy as np

from nnrun.characters import csv_line
from nnrun.config.settings import as_text, choice_words
from nnrun.errors import UsageError
from nnrun.reports.boards import board_titles
from nnrun.reports.markup import escape, table, tex
from nnrun.reports.numbers import count, measured, plural, probability
from nnrun.reports.rank_diagram import Drawing, as_pdf, as_svg, as_tikz, drawing
from nnrun.reports.row_names import told_by
from nnrun.reports.summary import metric_label
from nnrun.sweeps.board.ranks import Ranks, ranks_of
from nnrun.sweeps.board.rows import Row
from nnrun.sweeps.board.stored import StoredBoard
from nnrun.sweeps.board.verdicts import NOT_COMPARED, model_words

_Mark = Callable[[str], str]
_LINE = 72  # characters of a line of text in LaTeX's article
_NAME = 30  # those of a setting's name, else all have numbers
_FITTED = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}"


@dataclass(frozen=True)
class Entry:
    """A setting's result on one data set.

    Args:
        mean: over its runs, on the split that is shown.
        half: half of the 95% interval; None of a single run.
        runs: how many.
        best: whether it is the first of its board.
        tied: whether it may be the best of its board, the whole table considered.
        lost: how many runs besides diverged or failed.
    """

    mean: float
    half: float | None
    runs: int
    best: bool
    tied: bool
    lost: int


@dataclass(frozen=True)
class PaperTable:
    """The results of settings on data sets.

    Args:
        settings: names of the rows.
        datasets: names of the columns.
        sets: the data set of each column; columns may be values of a key within one.
        metrics: in words, of each column.
        splits: that are shown, of each column.
        chosen_by: the splits that the marks go by.
        larger_is_better: of each column's metric.
        entries: by setting and column; None where no run has completed.
        ranks: over data sets, where they were asked for, of the settings with all results.
    """

    settings: list[str]
    datasets: list[str]
    sets: list[str]
    metrics: list[str]
    splits: list[str]
    chosen_by: list[str]
    larger_is_better: list[bool]
    entries: list[list[Entry | None]]
    ranks: Ranks | None = None

    @property
    def ranked(self) -> list[str]:
        """The settings with a result in every column."""
        return [n for n, row in zip(self.settings, self.entries, strict=True) if None not in row]

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON data."""
        rows = [[entry and asdict(entry) for entry in row] for row in self.entries]
        ranks = None if self.ranks is None else asdict(self.ranks)
        return {**vars(self), "entries": rows, "ranks": ranks, "caption": caption(self)}


def paper_table(
    boards: Sequence[StoredBoard],
    *,
    ranks: bool = False,
    rope: float = 0.01,
    columns: Sequence[str] = (),
) -> PaperTable:
    """The boards as one table: settings that have the same keys and values are one row.

    `columns` are keys whose values make columns of their own, within each data set.

    Raises: UsageError if there is no board, no setting has such a key, or no rank can be computed.
    """
    if not boards:
        raise UsageError("there is no completed run to make a table of")
    groups = [board.group for board in boards]
    named = any(len({row.name for row in group.rows if row.is_network}) > 1 for group in groups)
    titles = told_by(
        [" ".join(filter(None, [group.dataset, group.target])) for group in groups],
        [metric_label(group.metric) for group in groups],
        board_titles(boards),
    )
    rows: dict[str, dict[tuple[int, str], Entry]] = {}
    orders: dict[tuple[int, str], tuple[Any, ...]] = {}
    splits = ["test" if any(row.test for row in g.rows) else g.ordered_by for g in groups]
    for at, (group, split) in enumerate(zip(groups, splits, strict=True)):
        for row in group.rows:
            summary = row.summary(split)
            compared = row.comparison != NOT_COMPARED
            across = {key: row.choice[key] for key in columns if key in row.choice}
            name = _label(row, named=named, without=across)
            place = at, " ".join(choice_words(across))
            orders[place] = at, [*map(_order, across.values())]
            entries = rows.setdefault(name, {})
            if summary is not None:
                best, tied, lost = row.rank == 1, row.tied and compared, row.diverged + row.failed
                entries[place] = Entry(summary.mean, summary.half, summary.n, best, tied, lost)
    places = sorted(orders, key=orders.__getitem__)
    for key in columns:
        if not any(key in row.choice for group in groups for row in group.rows):
            raise UsageError(f"--columns {key}: no two settings here differ in it")
    made = PaperTable(
        [*rows],
        [" ".join(filter(None, [titles[at], words])) for at, words in places],
        [titles[at] for at, _ in places],
        [metric_label(groups[at].metric) for at, _ in places],
        [splits[at] for at, _ in places],
        [groups[at].ordered_by for at, _ in places],
        [groups[at].larger_is_better for at, _ in places],
        [[entries.get(place) for place in places] for entries in rows.values()],
    )
    return _ranked(made, rope) if ranks else made


def _order(value: Any) -> tuple[bool, Any]:
    """The sort key of a value: numbers by their size, then all others by their text."""
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else as_text(value)


def _label(row: Row, *, named: bool, without: Collection[str]) -> str:
    if not row.is_network:
        return f"reference model: {model_words(row.choice)}"
    left = {key: value for key, value in row.choice.items() if key not in without}
    words = " ".join(choice_words(left))
    return " ".join(filter(None, [row.name if named else "", words])) or "network"


def _ranked(made: PaperTable, rope: float) -> PaperTable:
    """The table with the ranks of the settings that have a result on every data set."""
    whole = [row for row in made.entries if None not in row]
    if len(whole) < 2 or len(made.datasets) < 2:
        raise UsageError("--ranks takes two settings that have results on two data sets or more")
    means = np.array([[entry.mean for entry in row if entry] for row in whole])
    merit = means * np.where(made.larger_is_better, 1, -1)
    found = ranks_of(merit.T, rope=rope if len({*made.metrics}) == 1 else None)
    return replace(made, ranks=found)


def by_set(values: Sequence[str], sets: Sequence[str]) -> str:
    """The value that all data sets have, or each with the data sets that have it."""
    having: dict[str, list[str]] = {}
    for value, name in dict.fromkeys(zip(values, sets, strict=True)):
        having.setdefault(value, []).append(name)
    several = [f"{value} for {', '.join(names)}" for value, names in having.items()]
    return values[0] if len(several) == 1 else " and ".join(several)


def caption(made: PaperTable) -> str:
    """What the numbers and marks are, in sentences."""
    runs = sorted({entry.runs for row in made.entries for entry in row if entry})
    each = count(runs[0]) if len(runs) == 1 else f"{count(runs[0])} to {count(runs[-1])}"
    several = runs[-1] > 1
    splits = by_set([f"on the {split} split" for split in made.splits], made.sets)
    by = by_set([f"by the {split} split" for split in made.chosen_by], made.sets)
    mean = "Mean ± half of the 95% interval of the mean" if several else "Result"
    larger = zip(made.metrics, made.larger_is_better, strict=True)
    better = [f"{name}, {'larger' if more else 'smaller'} is better," for name, more in larger]
    metrics = by_set(better, made.sets)
    over = f"{each} runs with seeds of their own" if several else "1 run each"
    text = f"{mean}: {metrics} {splits}, over {over}."
    of = " of each data set" * (len(made.datasets) > len({*made.sets}))
    text += f" Bold: first{of} {by}"
    if any(entry.tied and not entry.best for row in made.entries for entry in row if entry):
        text += "; underlined: those that may be the best, all settings considered (95%)"
    if any(entry.lost for row in made.entries for entry in row if entry):
        text += "; †: without runs that diverged or failed"
    if any(None in row for row in made.entries):
        text += "; –: no run, or none that completed"
    return f"{text}."


def _cell(entry: Entry | None, bold: _Mark, under: _Mark, escaped: _Mark = str) -> str:
    """The number of an entry, marked where it is the best or may be."""
    if entry is None:
        return escaped("–")
    text = escaped(measured(entry.mean, entry.half) + "†" * bool(entry.lost))
    if entry.best:
        return bold(text)
    return under(text) if entry.tied else text


def as_markdown(made: PaperTable) -> str:
    """A table whose first row is bold, and underlined those that may be the best."""
    rows = [
        [escape(name), *(_cell(e, "**{}**".format, "<u>{}</u>".format) for e in row)]
        for name, row in zip(made.settings, made.entries, strict=True)
    ]
    parts = [table(["setting", *map(escape, made.datasets)], rows), escape(caption(made))]
    return "\n\n".join([*parts, *map(escape, rank_sentences(made))]) + "\n"


def as_latex(made: PaperTable) -> str:
    """A `table` and, with ranks, a `figure`; columns that a line has no room for stand below."""
    packages = "booktabs,graphicx" + ",tikz" * (made.ranks is not None)
    lines = [f"% \\usepackage{{{packages}}}", "\\begin{table}", "  \\centering"]
    lines.append(f"  \\caption{{{tex(caption(made))}}}")
    short = made
    if max(map(len, made.settings)) > _NAME:
        short = replace(made, settings=[*map(str, range(1, len(made.settings) + 1))])
    plain = [made.datasets, *([_cell(entry, str, str) for entry in row] for row in made.entries)]
    widths = [3 + max(map(len, column)) for column in zip(*plain, strict=True)]
    ends = np.cumsum(widths) // (_LINE - max(map(len, short.settings)))
    for part in (np.flatnonzero(ends == end) for end in np.unique(ends)):
        head = ["setting", *(tex(made.datasets[at]) for at in part)]
        lines.append(f"  {_FITTED}{{\\begin{{tabular}}{{l{'r' * len(part)}}}")
        lines += ["    \\toprule", f"    {' & '.join(head)} \\\\", "    \\midrule"]
        for name, row in zip(short.settings, made.entries, strict=True):
            marks = "\\textbf{{{}}}".format, "\\underline{{{}}}".format
            cells = [tex(name), *(_cell(row[at], *marks, tex) for at in part)]
            lines.append(f"    {' & '.join(cells)} \\\\")
        lines += ["    \\bottomrule", "  \\end{tabular}}\\par\\medskip"]
    if short is not made:
        listed = tex("; ".join(map("{}: {}".format, short.settings, made.settings)))
        lines.append(f"  \\parbox{{\\linewidth}}{{\\footnotesize\\raggedright {listed}}}")
    lines.append("\\end{table}")
    if made.ranks is not None:
        lines += ["", "\\begin{figure}", "  \\centering", f"  {_FITTED}{{"]
        lines += [*as_tikz(_diagram(short)), "  }"]
        lines += [f"  \\caption{{{tex(' '.join(rank_sentences(short)))}}}", "\\end{figure}"]
    return "\n".join(lines) + "\n"


def as_csv(made: PaperTable) -> str:
    """A line for each setting and data set, with exact numbers."""
    lines = [csv_line(["setting", "dataset", "split", *Entry.__annotations__])]
    for name, row in zip(made.settings, made.entries, strict=True):
        for dataset, split, entry in zip(made.datasets, made.splits, row, strict=True):
            if entry is not None:
                values = ["" if value is None else str(value) for value in vars(entry).values()]
                lines.append(csv_line([name, dataset, split, *values]))
    return "".join(lines)


def as_html(made: PaperTable) -> str:
    """A `table` element, to be put into a page."""
    head = "".join(f"<th>{html(name)}</th>" for name in ["setting", *made.datasets])
    rows = [
        f"<tr><th>{html(name)}</th>"
        + "".join(f"<td>{_cell(e, '<b>{}</b>'.format, '<u>{}</u>'.format)}</td>" for e in row)
        + "</tr>"
        for name, row in zip(made.settings, made.entries, strict=True)
    ]
    notes = "".join(f"<p>{html(text)}</p>\n" for text in rank_sentences(made))
    body = "\n".join(rows)
    text = html(caption(made))
    return f"<table>\n<caption>{text}</caption>\n<tr>{head}</tr>\n{body}\n</table>\n{notes}"


def rank_sentences(made: PaperTable) -> list[str]:
    """What the ranks say."""
    ranks = made.ranks
    if ranks is None:
        return []
    best = min(range(len(ranks.mean)), key=ranks.mean.__getitem__)
    listed = sorted(zip(ranks.mean, made.ranked, strict=True))
    sets = plural(len(made.datasets), "data set")
    said = [
        f"Mean ranks over {sets}: {', '.join(f'{name} ({mean:.2f})' for mean, name in listed)}.",
        f"Friedman's test: chi-square {ranks.chi_square:.4g}, p {probability(ranks.p)}; mean ranks "
        f"that are {ranks.critical:.3g} apart differ at 95% (Nemenyi).",
    ]
    left_out = [name for name in made.settings if name not in made.ranked]
    if left_out:
        said.append(f"Left out, without a result on every data set: {'; '.join(left_out)}.")
    if ranks.rope is None:
        said.append("Differences of unlike metrics are not compared.")
    for pair in ranks.pairs:
        p = "no difference" if pair.p is None else f"Wilcoxon, Holm: p {probability(pair.p)}"
        said.append(
            f"{made.ranked[pair.setting]} beside {made.ranked[best]}: {p}; better with "
            f"probability {pair.better:.3f}, equal within {ranks.rope:g} {pair.equal:.3f}, "
            f"worse {pair.worse:.3f} (Bayesian signed ranks)."
        )
    return said


WRITERS: dict[str, Callable[[PaperTable], str | bytes]] = {
    "markdown": as_markdown,
    "latex": as_latex,
    "csv": as_csv,
    "html": as_html,
    "svg": lambda made: as_svg(_diagram(made)),
    "pdf": lambda made: as_pdf(_diagram(made)),
}


def _diagram(made: PaperTable) -> Drawing:
    if made.ranks is None:
        raise UsageError("a diagram is of the ranks of settings: give --ranks")
    return drawing(made.ranked, made.ranks)
