"""What a leaderboard says of the choice: which rows are left, and what the design could show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean

from nnrun.characters import clean
from nnrun.config.setting_words import choice_words
from nnrun.metrics.table import span_of
from nnrun.reports.numbers import count, difference, duration, first_of, plural, spread
from nnrun.reports.terminal.commands import command_line
from nnrun.reports.verdict.names import names_of
from nnrun.runs.catalog.select import BEST
from nnrun.runs.storage.reading import read_run
from nnrun.sweeps.board.comparison.beside import Beside, model_words
from nnrun.sweeps.board.comparison.verdicts import NOT_COMPARED
from nnrun.sweeps.board.rows import Group, Row

MAYBE = "*"


def choice_notes(group: Group, *, several: bool) -> Iterator[str]:
    """For people who choose among the rows of a group.

    Beside `several` groups, each note names its own.
    """
    of = f"{clean(group.dataset)}: " if several else ""
    yield from _sources(group, of)
    compared = [row for row in group.rows if row.comparison != NOT_COMPARED]
    if not compared:
        return
    left = sum(row.tied for row in compared)
    dropped = len(compared) - left
    marked = f"{'One row' if left == 1 else f'{count(left)} rows'}, marked {MAYBE}, may be the best"
    others = {0: "no row", 1: "the other"}.get(dropped, f"the other {count(dropped)}")
    yield (
        f"{of}{marked}; {others} can be dropped. In at least 95% of such tables the best row is "
        "marked."
    )
    yield from _as_good(group, of)
    yield from _beside(group, of)
    yield from _shown(group, of)


def _sources(group: Group, of: str) -> Iterator[str]:
    known = [row.shares for row in group.rows if row.shares is not None]
    if not known:
        return
    split, weights = (fmean(shares[key] for shares in known) for key in ("split", "weights"))
    text = shares_text({"split": split, "weights": weights})
    yield (
        f"{of}Of the variance over runs, roughly {text[0]} comes from the split, {text[1]} from "
        f"the weights, {text[2]} from both together."
    )


def shares_text(shares: Mapping[str, float]) -> list[str]:
    """Of the split, the weights, and both, as percentages with a sum of 100."""
    parts = [round(100 * shares[key]) for key in ("split", "weights")]
    return [f"{part}%" for part in (*parts, max(0, 100 - sum(parts)))]


def _as_good(group: Group, of: str) -> Iterator[str]:
    if group.margin is None:
        return
    good = [row for row in group.rows if row.as_good]
    if not good:
        yield (
            f"{of}No row is known to be as good as the best to within {group.margin:g}: "
            "that takes more seeds, or a larger margin."
        )
        return
    called = names_of(group)
    names = first_of([called.of(row) for row in good])
    text = f"{of}As good as the best to within {group.margin:g}, at 95%: {names}."
    cheapest = next((row for row in good if row.rank == group.cheapest), None)
    if cheapest is not None and len(good) > 1:
        text += f" The cheapest of these is {called.of(cheapest)}{_cost(cheapest)}."
    yield text


def _beside(group: Group, of: str) -> Iterator[str]:
    missing = [row for row in group.rows if not row.is_network and not row.completed]
    if group.first_network is None or not (group.beside or missing):
        return
    called = names_of(group)
    names = {network_label(row): called.of(row) for row in group.rows}
    models = {
        model_words(r.choice): model_words(called.settings(r))
        for r in group.rows
        if not r.is_network
    }
    first = network_label(group.first_network)
    found = []
    for one in group.beside:
        other = "" if one.network == first else names.get(one.network, clean(one.network))
        model = clean(models.get(one.model, one.model))
        found.append(f"{model} {beside_words(one, group.margin, other)}")
    parts = [f"{'; '.join(found)} (95% for all of them at once)"] if found else []
    parts += [f"{clean(model_words(row.choice))} has no completed run" for row in missing]
    yield f"{of}Beside the best network, {names[first]}: {'; '.join(parts)}."
    told = {model_words(row.choice): row for row in group.rows if not row.is_network}
    untold = [one.model for one in group.beside if one.low <= 0 <= one.high]
    dropped = [model for model in untold if not told[model].tied]
    if found and not group.first_network.tied and all(one.low <= 0 for one in group.beside):
        lost = "Its row is"
    elif dropped:
        rows = "row of" if len(dropped) == 1 else "rows of"
        shown = " and ".join(clean(models[model]) for model in dropped)
        lost = f"The {rows} {shown} {'is' if len(dropped) == 1 else 'are'}"
    else:
        return
    yield (
        f"{of}{lost} dropped all the same: that a row is worse than another is tested on one side, "
        "and these intervals, wider, have two."
    )


def network_label(row: Row) -> str:
    """The row as `Beside.network` names it."""
    return " ".join([row.name, *choice_words(row.choice)])


def beside_words(found: Beside, margin: float | None = None, network: str = "") -> str:
    """`is better by 0.03 [0.01, 0.05]`: than the network before, or than one that is named here."""
    size = abs(found.difference)
    than, it = (f" than {network}", network) if network else ("", "it")
    if found.low > 0:
        return f"is better{than} by {difference(size, found.low, found.high, plus=False)}"
    if found.high < 0:
        return f"is worse{than} by {difference(size, -found.high, -found.low, plus=False)}"
    low, high = (-found.high, -found.low) if found.difference < 0 else (found.low, found.high)
    word = "worse" if found.difference < 0 else "better"
    figures = f"{word} by {difference(size, low, high, plus=False)}"
    if margin is not None and found.low >= -margin:
        return f"is not worse{than} by more than {margin:g}: {figures}"
    return f"cannot be told from {it}: {figures}"


def _cost(row: Row) -> str:
    parts = [plural(row.parameters, "parameter")]
    if row.seconds is not None:
        parts.append(duration(row.seconds))
    return f" ({', '.join(parts)})"


def _shown(group: Group, of: str) -> Iterator[str]:
    found = group.shown
    if found is None:
        return
    design, gap = min(found.larger.items(), key=lambda item: item[1])
    span = span_of(group.metric)
    if found.difference < span:
        text = f"a row that is worse by {spread(found.difference)} is dropped in 4 of 5 sweeps."
    else:
        text = (
            f"even a row that is worse by {spread(span)}, the most there can be, is dropped in "
            "fewer than 4 of 5 sweeps."
        )
    text = f"{of}With {found.design}, {text}"
    if gap < span:
        text += f" With {design}, {spread(gap)} is enough."
    if 0 < found.limit < span:
        text += f" No number of seeds gets below {spread(found.limit)}."
    yield text


def taken_words(group: Group, root: Path) -> Iterator[str]:
    """How commands take the first network; NAME/best goes by the metric of the stored reports."""
    row = group.first_network
    assert row is not None, "one has completed"
    found = read_run(root / str(row.best_run), placed=True)
    record = None if found is None else found.record
    other = record is not None and record.main_metric != group.metric
    options = {"--order-by": group.metric if other else None}
    yield f"best stored setting: {command_line('best', [row.name], root, options)}"
    if not other:
        yield f"its median run, for any command: {row.name}/{BEST}"
