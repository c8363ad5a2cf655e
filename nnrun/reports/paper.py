"""A table of settings × data sets for a paper, as Markdown, LaTeX, CSV or HTML; and its ranks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from html import escape as html
from typing import Any

import numpy as np

from nnrun.characters import csv_line, shortened
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


@dataclass(frozen=True)
class Entry:
    """A setting's result on one data set.

    Args:
        mean: over its runs, on the split that is shown.
        half: half of the 95% interval; None of a single run.
        runs: how many.
        best: whether it is the first of its board.
        tied: whether it may be the best of its board, the whole table considered.
    """

    mean: float
    half: float | None
    runs: int
    best: bool
    tied: bool


@dataclass(frozen=True)
class PaperTable:
    """The results of settings on data sets.

    Args:
        settings: names of the rows.
        datasets: names of the columns.
        metrics: of all of them, in words, each once.
        splits: that are shown, of each data set.
        chosen_by: the splits that the marks go by.
        larger_is_better: of each data set's metric.
        entries: by setting and data set; None where there is no run.
        boards: how many data sets there are; columns may be values of a key within each.
        ranks: over data sets, where they were asked for.
    """

    settings: list[str]
    datasets: list[str]
    metrics: list[str]
    splits: list[str]
    chosen_by: list[str]
    larger_is_better: list[bool]
    entries: list[list[Entry | None]]
    boards: int
    ranks: Ranks | None = None

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
            if summary is None:
                continue
            compared = row.comparison != NOT_COMPARED
            across = {key: row.choice[key] for key in columns if key in row.choice}
            name = _label(row, named=named, without=across)
            place = at, " ".join(choice_words(across))
            orders[place] = at, [*map(_order, across.values())]
            rows.setdefault(name, {})[place] = Entry(
                summary.mean, summary.half, summary.n, row.rank == 1, row.tied and compared
            )
    places = sorted(orders, key=orders.__getitem__)
    for key in columns:
        if not any(key in row.choice for group in groups for row in group.rows):
            raise UsageError(f"--columns {key}: no two settings here differ in it")
    made = PaperTable(
        [*rows],
        [" ".join(filter(None, [titles[at], words])) for at, words in places],
        [*dict.fromkeys(metric_label(group.metric) for group in groups)],
        [splits[at] for at, _ in places],
        [groups[at].ordered_by for at, _ in places],
        [groups[at].larger_is_better for at, _ in places],
        [[entries.get(place) for place in places] for entries in rows.values()],
        len(groups),
    )
    return _ranked(made, rope) if ranks else made


def _order(value: Any) -> tuple[bool, Any]:
    """The sort key of a value: numbers by their size, then all others by their text."""
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else as_text(value)


def _label(row: Row, *, named: bool, without: Collection[str] = ()) -> str:
    if not row.is_network:
        return f"reference model: {model_words(row.choice)}"
    left = {key: value for key, value in row.choice.items() if key not in without}
    words = " ".join(choice_words(left))
    return " ".join(filter(None, [row.name if named or not words else "", words]))


def _ranked(made: PaperTable, rope: float) -> PaperTable:
    """The table with the ranks of the settings that have a result on every data set."""
    whole = [row for row in made.entries if None not in row]
    if len(whole) < 2 or len(made.datasets) < 2:
        raise UsageError("--ranks takes two settings that have results on two data sets or more")
    if len(whole) < len(made.entries):
        names = [n for n, row in zip(made.settings, made.entries, strict=True) if None in row]
        raise UsageError(
            f"--ranks takes settings with a result on every data set; {shortened(names[0], 60)} "
            "has none on some: name experiments that have the same settings"
        )
    signs = [1 if larger else -1 for larger in made.larger_is_better]
    means = np.array([[entry.mean for entry in row if entry] for row in whole]).T
    merit = means * np.array(signs)[:, np.newaxis]
    found = ranks_of(merit, larger_is_better=True, rope=rope)
    return PaperTable(**{**vars(made), "ranks": found})


def caption(made: PaperTable) -> str:
    """What the numbers and marks are, in sentences."""
    runs = sorted({entry.runs for row in made.entries for entry in row if entry})
    each = count(runs[0]) if len(runs) == 1 else f"{count(runs[0])} to {count(runs[-1])}"
    several = runs[-1] > 1
    splits = " and ".join(dict.fromkeys(made.splits))
    by = " and ".join(dict.fromkeys(made.chosen_by))
    mean = "Mean ± half of the 95% interval of the mean" if several else "Result"
    metrics = " and ".join(made.metrics)
    over = f"{each} run{'s' * several} with seeds of their own"
    text = f"{mean}: {metrics} on the {splits} split, over {over}."
    of = " of each data set" * (len({*made.datasets}) > made.boards)
    text += f" Bold: first{of} by the {by} split"
    if any(entry.tied and not entry.best for row in made.entries for entry in row if entry):
        text += "; underlined: those that may be the best, all settings considered (95%)"
    if any(None in row for row in made.entries):
        text += "; –: no run"
    return f"{text}."


def _cell(
    entry: Entry | None,
    bold: Callable[[str], str],
    under: Callable[[str], str],
    escaped: Callable[[str], str] = str,
) -> str:
    """The number of an entry, marked where it is the best or may be."""
    if entry is None:
        return escaped("–")
    text = escaped(measured(entry.mean, entry.half))
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
    """A `table` for the packages booktabs and, with ranks, tikz; compiles as it is within one."""

    def marked(command: str) -> Callable[[str], str]:
        return lambda text: f"\\{command}{{{text}}}"

    lines = [
        "% \\usepackage{booktabs}" + " and {tikz}" * (made.ranks is not None),
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{tex(caption(made))}}}",
        f"  \\begin{{tabular}}{{l{'r' * len(made.datasets)}}}",
        "    \\toprule",
        f"    {' & '.join(['setting', *map(tex, made.datasets)])} \\\\",
        "    \\midrule",
    ]
    for name, row in zip(made.settings, made.entries, strict=True):
        cells = [_cell(entry, marked("textbf"), marked("underline"), tex) for entry in row]
        lines.append(f"    {' & '.join([tex(name), *cells])} \\\\")
    lines += ["    \\bottomrule", "  \\end{tabular}", "\\end{table}"]
    lines += [f"% {sentence}" for sentence in rank_sentences(made)]
    if made.ranks is not None:
        lines += ["", *as_tikz(drawing(made.settings, made.ranks))]
    return "\n".join(lines) + "\n"


def as_csv(made: PaperTable) -> str:
    """A line for each setting and data set, with exact numbers."""
    lines = [csv_line(["setting", "dataset", "split", "mean", "half", "runs", "best", "tied"])]
    for name, row in zip(made.settings, made.entries, strict=True):
        for dataset, split, entry in zip(made.datasets, made.splits, row, strict=True):
            if entry is not None:
                values = vars(entry).values()
                lines.append(csv_line([name, dataset, split, *map(_exact, values)]))
    return "".join(lines)


def _exact(value: float | None) -> str:
    return "" if value is None else str(value)


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
    listed = sorted(zip(ranks.mean, made.settings, strict=True))
    sets = plural(len(made.datasets), "data set")
    said = [
        f"Mean ranks over {sets}: "
        + ", ".join(f"{name} {mean:.2f}" for mean, name in listed)
        + ".",
        f"Friedman's test: chi-square {ranks.chi_square:.4g}, p {probability(ranks.p)}; mean ranks "
        f"that are {ranks.critical:.3g} apart differ at 95% (Nemenyi).",
    ]
    for pair in ranks.pairs:
        p = (
            "all differences are 0"
            if pair.p is None
            else f"Wilcoxon, Holm: p {probability(pair.p)}"
        )
        said.append(
            f"{made.settings[pair.setting]} beside {made.settings[best]}: {p}; better with "
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
    return drawing(made.settings, made.ranks)
