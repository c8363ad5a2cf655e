"""What a reader should know before believing a leaderboard: how its rows compare, what it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from nnrun.characters import clean
from nnrun.config.settings import choice_words
from nnrun.errors import clipped
from nnrun.metrics.table import span_of
from nnrun.reports.commands import command_line
from nnrun.reports.document import Note
from nnrun.reports.numbers import (
    count,
    difference,
    duration,
    first_of,
    moment,
    number,
    plural,
    ranges,
    spread,
)
from nnrun.reports.row_names import named_in, names_of
from nnrun.reports.summary import first_sentence, metric_label
from nnrun.runs.catalog.select import BEST
from nnrun.runs.storage.reading import read_run
from nnrun.sweeps.board.more_rows import gain_of
from nnrun.sweeps.board.rows import Group, Row, Unfinished
from nnrun.sweeps.board.verdicts import NOT_COMPARED, UNPAIRED, Beside, model_words
from nnrun.sweeps.planning.frozen import Planned

MAYBE = "*"
ELSEWHERE = "≠"
_LONGEST_SHARDS = 60


def unfinished(rest: Unfinished) -> str:
    """Which runs are missing on the board of a shard."""
    shards = f"shard{'s' * (len(rest.shards) > 1)} {clipped(ranges(rest.shards), _LONGEST_SHARDS)}"
    missing = f"{count(rest.missing)} of {plural(rest.runs, 'run')}, of {shards}"
    return f"Unfinished, after shard {rest.shard}: {missing}, are missing in this folder."


def planned_words(planned: Planned, groups: Sequence[Group]) -> str:
    """When the plan of a board was made, and which of its runs were there before."""
    early = {id(row): row.before_plan for group in groups for row in group.rows if row.before_plan}
    text = f"Planned at {moment(planned.made)}, by the plan {planned.digest[:12]}"
    if not early:
        return f"{text}, before any of these runs began."
    called = named_in(groups)
    rows = [row for group in groups for row in group.rows]
    names = first_of(
        [row for row in rows if row.before_plan],
        named=lambda row: f"{called(row)} ({count(row.before_plan)} of {count(row.runs)})",
    )
    runs = plural(sum(row.runs for row in rows), "run")
    were = "was" if (before := sum(early.values())) == 1 else "were"
    return f"{text}; {count(before)} of {runs} {were} there before the plan: {names}."


def notes(groups: Sequence[Group], basis: str = "") -> Iterator[str]:
    """What a reader should know before believing a leaderboard.

    `basis` is a word for how the settings came to be compared: `planned` or `explored`.
    """
    ordered = f"{basis.capitalize()}, ordered" if basis else "Ordered"
    by_validation = [group for group in groups if group.ordered_by == "validation"]
    if any(row.test is not None for group in by_validation for row in group.rows):
        yield f"{ordered} by validation: quote the test number of the first row as it is."
    by_test = [group for group in groups if group.ordered_by == "test" and len(group.rows) > 1]
    if any(group.folds for group in by_test):
        yield (
            f"{ordered} by folds: each run is tested on a part of the data of its own. The number "
            "of the first row is somewhat too good, since it was chosen by it."
        )
    if not all(group.folds for group in by_test):
        yield (
            f"{ordered} by test, so the test number of the first row is too good: it was chosen by "
            "it. Set dataset.validation_size to choose by validation."
        )
    if any(group.ordered_by == "train" for group in groups):
        yield (
            f"{ordered} by train, since there is no other split: this says nothing about new data."
        )
    rows = [row for group in groups for row in group.rows]
    if any(row.comparison != NOT_COMPARED for row in rows):
        yield (
            f"{MAYBE} marks the rows that may be the best; the others can be dropped. In at least "
            "95% of such tables the best row is marked."
        )
    for group in groups:
        yield from choice_notes(group, several=len(groups) > 1)
        yield from _more_rows(group)
    for group in groups:
        yield from _dropped_above(group)
    if any(row.comparison == UNPAIRED for row in rows):
        yield "Rows whose seeds or splits differ are compared without pairing by seed."
    yield from _missing_runs(groups)
    if any(row.warned for row in rows):
        shares = _shares(groups, {id(row): row.warned for row in rows})
        yield f"Runs with warnings: {shares}. Their reports say what is wrong and what to try."
    yield from _elsewhere(groups, rows)
    if any(row.completed > 1 for row in rows):
        overlap = " ± is wider than sd and n alone would give, since runs share training rows."
        yield (
            "± is the 95% interval of the mean, sd the standard deviation over the runs."
            f"{overlap * any(row.splits > 1 for row in rows)} The best of n runs is mostly luck; "
            "quote the mean."
        )
    yield from _fixed(rows)


def _dropped_above(group: Group) -> Iterator[str]:
    """Why a row is dropped though one below it is not."""
    last = max((row.rank for row in group.rows if row.rank and row.tied), default=0)
    rows = [row for row in group.rows if row.rank and not row.tied and row.rank < last]
    if rows:
        yield (
            f"Dropped though rows below stay: {first_of(rows, named=names_of(group).of)}. Rows are "
            "compared seed by seed, and a difference that varies less is certain sooner."
        )


def _more_rows(group: Group) -> Iterator[str]:
    """Whether more rows to train on would help, where settings are several numbers of them."""
    gain = gain_of(group)
    if gain is None:
        return
    better = gain.low > 0 if group.larger_is_better else gain.high < 0
    name = f"{gain.split} {metric_label(group.metric)}"
    ends = sorted((abs(gain.low), abs(gain.high)))
    if better:
        way = "more" if group.larger_is_better else "less"
        low, high = map(number, ends)
        yield (
            f"Twice the rows would bring a {name} of about {number(abs(gain.change))} {way} "
            f"[{low}, {high}], by a power law through these means."
        )
    else:
        yield f"No sign that more rows would help, by a power law through the means of the {name}."


def data_notes(groups: Sequence[Group]) -> Iterator[Note]:
    """The notes on the data of these groups."""
    notes = {group.dataset: group.data_note for group in groups if group.data_note}
    for dataset, note in notes.items():
        first = first_sentence(note)
        more = f" (`nnrun datasets {dataset}` says more.)" * (first != note)
        yield Note(f"{dataset}: {note}", "small", short=f"{dataset}: {first}{more}")


def _fixed(rows: Sequence[Row]) -> Iterator[str]:
    """What the runs of a row have in common, so that their spread does not show it."""
    several = [row for row in rows if row.completed > 1]
    if any(row.weights == 1 for row in several):
        yield (
            "Of rows with one seed of weights, neither ± nor * allows for other initial weights; "
            "use several seeds."
        )
    if any(row.splits == 1 for row in several):
        yield "Of rows with one split, neither ± nor * allows for other rows to train and test on."


def _elsewhere(groups: Sequence[Group], rows: Sequence[Row]) -> Iterator[str]:
    """Which rows have runs whose last digits may be others where most runs were trained."""
    marked = [row for row in rows if row.elsewhere]
    if not marked:
        return
    shares = _shares(groups, {id(row): sum(row.elsewhere.values()) for row in marked})
    where = dict.fromkeys(clean(arithmetic) for row in marked for arithmetic in row.elsewhere)
    yield (
        f"{ELSEWHERE} marks rows with runs of other arithmetic than most, whose last digits may "
        f"differ: {shares} ({'; '.join([*where][:5])})."
    )


def _shares(groups: Sequence[Group], counts: Mapping[int, int]) -> str:
    """How many of the runs of each row are counted, without rows that have none; or all at once."""
    rows = [row for group in groups for row in group.rows if counts.get(id(row))]
    everywhere = sum(row.completed for group in groups for row in group.rows)
    if len(rows) > 1 and sum(counts[id(row)] for row in rows) == everywhere:
        return f"all {count(everywhere)}"
    called = named_in(groups)
    return first_of(
        rows, named=lambda r: f"{called(r)} ({count(counts[id(r)])} of {count(r.completed)})"
    )


def _missing_runs(groups: Sequence[Group]) -> Iterator[str]:
    """Which rows have runs without a result or a single run, those of one reason together."""
    reasons: dict[str, list[Row]] = {}
    for group in groups:
        for row in group.rows:
            if row.rank is not None and row.note and len(group.rows) > 1:
                reasons.setdefault(row.note, []).append(row)
    rows = [row for group in groups for row in group.rows]
    if reasons and any(row.comparison == NOT_COMPARED and row.rank for row in rows):
        yield (
            "? marks rows that were not compared, so that they cannot be dropped; more seeds "
            "change that."
        )
    for reason, of_reason in reasons.items():
        yield f"{reason}: {first_of(of_reason, named=named_in(groups))}"
    for what in ("diverged", "stopped"):
        if any(getattr(row, what) and row.completed for row in rows):
            yield (
                f"Numbers are without {what} runs, which flatters their rows; no other row is "
                "dropped because of them."
            )


def choice_notes(group: Group, *, several: bool) -> Iterator[str]:
    """Notes for people who choose among the rows of a group.

    Beside `several` groups, each note names its own.
    """
    of = f"{clean(group.dataset)}: " if several else ""
    yield from _sources(group, of)
    compared = [row for row in group.rows if row.comparison != NOT_COMPARED]
    if not compared:
        return
    yield from _as_good(group, of)
    yield from _beside(group, of)
    yield from _shown(group, of)


def _sources(group: Group, of: str) -> Iterator[str]:
    of_rows = [row.shares for row in group.rows if row.shares is not None]
    if not of_rows:
        return
    split, weights = (fmean(shares[key] for shares in of_rows) for key in ("split", "weights"))
    text = shares_text({"split": split, "weights": weights})
    yield (
        f"{of}Of the variance over runs, roughly {text[0]} comes from the split, {text[1]} from "
        f"the weights, {text[2]} from both together."
    )


def shares_text(shares: Mapping[str, float]) -> list[str]:
    """Shares of the split, the weights, and both, as percentages with a sum of 100."""
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
    sentences = []
    for pair in group.beside:
        other = "" if pair.network == first else names.get(pair.network, clean(pair.network))
        model = clean(models.get(pair.model, pair.model))
        sentences.append(f"{model} {beside_words(pair, group.margin, other)}")
    parts = [f"{'; '.join(sentences)} (95% for all of them at once)"] if sentences else []
    parts += [f"{clean(model_words(row.choice))} has no completed run" for row in missing]
    yield f"{of}Beside the best network, {names[first]}: {'; '.join(parts)}."
    rows_of = {model_words(row.choice): row for row in group.rows if not row.is_network}
    unclear = [pair.model for pair in group.beside if pair.low <= 0 <= pair.high]
    dropped = [model for model in unclear if not rows_of[model].tied]
    if sentences and not group.first_network.tied and all(pair.low <= 0 for pair in group.beside):
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


def beside_words(beside: Beside, margin: float | None = None, network: str = "") -> str:
    """`is better by 0.03 [0.01, 0.05]`: than the network before, or than one that is named here."""
    size = abs(beside.difference)
    than, it = (f" than {network}", network) if network else ("", "it")
    if beside.low > 0:
        return f"is better{than} by {difference(size, beside.low, beside.high, plus=False)}"
    if beside.high < 0:
        return f"is worse{than} by {difference(size, -beside.high, -beside.low, plus=False)}"
    low, high = (-beside.high, -beside.low) if beside.difference < 0 else (beside.low, beside.high)
    word = "worse" if beside.difference < 0 else "better"
    figures = f"{word} by {difference(size, low, high, plus=False)}"
    if margin is not None and beside.low >= -margin:
        return f"is not worse{than} by more than {margin:g}: {figures}"
    return f"cannot be told from {it}: {figures}"


def _cost(row: Row) -> str:
    parts = [plural(row.parameters, "parameter")]
    if row.seconds is not None:
        parts.append(duration(row.seconds))
    return f" ({', '.join(parts)})"


def _shown(group: Group, of: str) -> Iterator[str]:
    power = group.shown
    if power is None:
        return
    design, gap = min(power.larger.items(), key=lambda item: item[1])
    span = span_of(group.metric)
    if power.difference < span:
        text = f"a row that is worse by {spread(power.difference)} is dropped in 4 of 5 sweeps."
    else:
        text = (
            f"even a row that is worse by {spread(span)}, the most there can be, is dropped in "
            "fewer than 4 of 5 sweeps."
        )
    text = f"{of}With {power.design}, {text}"
    if gap < span:
        text += f" With {design}, {spread(gap)} is enough."
    if 0 < power.limit < span:
        text += f" No number of seeds gets below {spread(power.limit)}."
    yield text


def taken_words(group: Group, root: Path) -> Iterator[str]:
    """How commands take the first network; NAME/best goes by the metric of the stored reports."""
    row = group.first_network
    assert row is not None, "one has completed"
    stored = read_run(root / str(row.best_run), placed=True)
    record = None if stored is None else stored.record
    other = record is not None and record.main_metric != group.metric
    options = {"--order-by": group.metric if other else None}
    yield f"best stored setting: {command_line('best', [row.name], root, options)}"
    if not other:
        yield f"its median run, for any command: {row.name}/{BEST}"
