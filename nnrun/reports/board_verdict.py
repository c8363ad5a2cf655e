"""The verdict on a board: what its own comparison says, in words, and no statistics besides."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from nnrun.characters import shortened
from nnrun.config.names import SPLITS, naive_words
from nnrun.reports.board_notes import beside_words, network_label
from nnrun.reports.document import Line, Verdict
from nnrun.reports.numbers import count, first_of, measured, number, plural, spread
from nnrun.reports.row_names import Names, names_of, told_by
from nnrun.reports.run_verdict import kind_words
from nnrun.reports.summary import metric_label
from nnrun.runs.severity import OF_DATA
from nnrun.sweeps.board.rows import Group, Leaderboard, Row
from nnrun.sweeps.board.verdicts import NOT_COMPARED, model_words

_MOST_KINDS = 2


def problems(
    groups: Sequence[Group],
    best: Sequence[Row | None],
    also: Counter[str],
    *,
    about_data: bool = True,
) -> Line | None:
    """Runs that diverged, failed or have warnings, with the settings they share.

    Args:
        groups: of the board.
        best: the row that is named first of each group, where there is one.
        also: runs that are on no board, by their status.
        about_data: whether what is wrong with the data is said, too, before all else.
    """
    rows = [row for group in groups for row in group.rows]
    total = sum(row.runs for row in rows)
    sentences = [*of_data(groups if about_data else ()), *_ended(rows, total)]
    sentences += _not_better(groups, best)
    sentences += _warned(rows, 1 if sentences else _MOST_KINDS)
    sentences += [
        f"{plural(number, 'run')} {'is' if number == 1 else 'are'} {status}"
        for status, number in also.items()
    ]
    return Line("Problems", "; ".join(sentences)) if sentences else None


def of_data(groups: Sequence[Group]) -> Iterator[str]:
    """What is wrong with the data, once for each data set and kind, the worst first."""
    found: dict[tuple[str, str], str] = {}
    for group in groups:
        for line in (line for row in group.rows for line in row.about_data.splitlines()):
            kind, _, text = line.partition(": ")
            found.setdefault((kind, group.dataset), text)
    several = len({group.dataset for group in groups}) > 1
    ordered = sorted(found, key=lambda each: OF_DATA.index(each[0]))
    said = [f"of {name} {found[kind, name]}" if several else found[kind, name]
            for kind, name in ordered]  # fmt: skip
    yield from said[:_MOST_KINDS]
    if (left := len(said) - _MOST_KINDS) > 0:
        yield f"{plural(left, 'other warning')} about the data"


def _ended(rows: Sequence[Row], total: int) -> Iterator[str]:
    kinds = {
        "diverged": {id(row): row.diverged for row in rows},
        "failed": {id(row): row.failed for row in rows},
        "ended by on_evaluation": {id(row): row.stopped for row in rows},
    }
    for what, counts in kinds.items():
        number = sum(counts.values())
        if number and number == total:
            yield f"all {plural(total, 'run')} {what}" if total > 1 else f"the run {what}"
        elif number:
            yield f"{_share(number, total)} {what}{_where(rows, counts)}"


def _share(number: int, total: int) -> str:
    return f"{count(number)} of {plural(total, 'run')}"


def _warned(rows: Sequence[Row], most: int) -> Iterator[str]:
    """The kinds of warnings that most runs have."""
    kinds = Counter[str]()
    for row in rows:
        kinds.update(row.warnings)
    completed = sum(row.completed for row in rows)
    for kind, runs in kinds.most_common(most):
        where = _where(rows, {id(row): row.warnings.get(kind, 0) for row in rows})
        all_of = runs == completed and runs > 1
        share = f"all {plural(runs, 'run')}" if all_of else _share(runs, completed)
        yield f"{share} {kind_words(kind)}{where}"
    if left := sum(kinds.values()) - sum(n for _, n in kinds.most_common(most)):
        yield f"{count(left)} {'has' if left == 1 else 'have'} other warnings"


def _where(rows: Sequence[Row], counts: dict[int, int]) -> str:
    """` (learning rate 5)`, the settings of the rows that have any; empty if all rows have."""
    common = Names(rows).common([row for row in rows if counts[id(row)]])
    return f" ({common})" if common else ""


def _not_better(groups: Sequence[Group], best: Sequence[Row | None]) -> Iterator[str]:
    """Sentences on groups whose best row passes a baseline, but its interval does not."""
    named: dict[str, list[str]] = {}
    for group, row in zip(groups, best, strict=True):
        if row is None or _best_baseline(group, row, None, None):  # which is said first
            continue
        if what := _best_baseline(group, row, row.ci_low, row.ci_high):
            named.setdefault(what, []).append(group.dataset)
    for what, datasets in named.items():
        counts = Counter(datasets).items()
        data = [name if n == 1 else f"{count(n)} boards of {name}" for name, n in counts]
        of = "" if len(groups) == 1 else f" on {first_of(data)}"
        first = "the result" if all(len(group.rows) == 1 for group in groups) else "the first row"
        yield f"{first}{of} may be no better than the {what}"


def _best_baseline(group: Group, row: Row, low: float | None, high: float | None) -> str:
    """The best of the baselines in words, if the worse end, or the mean, is no better than it."""
    sign, end = (1, low) if group.larger_is_better else (-1, high)
    end = row.mean if end is None else end
    known = [(sign * number, what) for what, number in baselines(row)]
    if end is None or not known or sign * end > max(known)[0]:
        return ""
    what = max(known)[1]
    return f"value {what}" if what.endswith("before") else what


def baselines(row: Row) -> list[tuple[str, float]]:
    """The baselines of a row, in words."""
    first = [] if row.baseline is None else [("baseline", row.baseline)]
    return first + [(naive_words(steps), number) for steps, number in row.naive.items()]


BEST, UNDECIDED, RESULT, NOTHING = "Best", "Undecided", "Result", "No result"
_MORE_SEEDS = "--seeds 20"
NO_RUN = "no run has completed"
# Of the name of the first row, which a board is read for: three lines of a terminal.
_LONGEST = 240


@dataclass(frozen=True)
class GroupVerdict:
    """What a group says of the `best` row, which is named first, and of the others.

    The `lead` is one of the words above; `row` is None where no run has a number; `short` is for a
    line among those of other groups; `use` begins what a person is to do, as `others` goes on.
    """

    lead: str
    best: str
    others: str = ""
    row: Row | None = None
    short: str = ""
    use: str = ""


def group_verdict(group: Group, unfinished: bool = False) -> GroupVerdict:
    """A row is called best only where every other one can be dropped.

    What would decide is not said of an `unfinished` board, since its runs to come may.
    """
    completed = [row for row in group.rows if row.rank is not None]
    ranked = [row for row in completed if row.mean is not None]
    lack = f"a finite {metric_label(group.metric)}" if len(ranked) < len(completed) else ""
    if not ranked:
        text = f"no run has {lack}" if lack else NO_RUN
        return GroupVerdict(NOTHING, text, short=text)
    tied = [row for row in ranked if row.tied] or ranked[:1]
    first, names, every = tied[0], names_of(group), count(len(group.rows))
    worse, name = _best_baseline(group, first, None, None), names.of(first, _LONGEST)
    use = f"Use none yet: {name} is no better than the {worse}" if worse else f"Use {name}"
    worse = f"no better than the {worse}: " if worse else ""
    result = f"{worse}{name}, {figures(group, first)}"
    short = f"{worse}{names.of(first)}, {figures(group, first, brief=True)}"
    if len(ranked) == 1:
        text = f"no other setting has {lack or 'a completed run'}"
        if len(group.rows) == 1:
            text = ""
            if first.completed == 1 and not unfinished:
                text = f"a single run shows no spread, hence no interval: {_MORE_SEEDS} would"
            use = use if worse else f"One setting so far: {name}"
        short = short.removeprefix(f"{group.dataset}, ")
        return GroupVerdict(RESULT, result, text, first, short, use)
    beside = _beside_first(group, first)
    if len(tied) == 1:
        text = "; ".join([*beside, _dropped(ranked, tied)])
        return GroupVerdict(BEST, result, text, first, f"best of {every} is {short}", use)
    if all(row.comparison == NOT_COMPARED for row in ranked):
        what = "one run each" if all(row.completed == 1 for row in ranked) else "a row of one run"
        text = f"{_equal(ranked, first)}{what} shows no certain difference"
        text += "" if unfinished else f": {_MORE_SEEDS} may"
        use = f"Undecided: {name} is first"
    else:
        text = "; ".join([_others(group, names, ranked, tied, unfinished), *beside])
        use = use if worse else f"Call it a tie of {count(len(tied))}: {name} is first"
    short = f"{count(len(tied))} of {every} may be the best, first is {short}"
    return GroupVerdict(UNDECIDED, f"first is {result}", text, first, short, use)


def _beside_first(group: Group, first: Row) -> Iterator[str]:
    """Beside a reference model that is first the best network, and else the best such model."""
    names = {network_label(row): names_of(group).of(row) for row in group.rows}
    if first.is_network:
        for pair in group.beside[:1]:
            other = "" if pair.network == network_label(first) else names.get(pair.network, "")
            yield f"{pair.model} of scikit-learn {beside_words(pair, group.margin, other)}"
    for pair in group.beside:
        if not first.is_network and pair.model == model_words(first.choice):
            less = -pair.difference
            turned = replace(pair, difference=less, low=-pair.high, high=-pair.low)
            network = names.get(pair.network, pair.network)
            yield f"the best network, {network}, {beside_words(turned)}"


def figures(group: Group, row: Row, brief: bool = False) -> str:
    """`test accuracy 0.920 ± 0.050 (95%, 20 runs); baseline 0.33, published 0.95`.

    Where rows are chosen by validation, the number of the test split is added, and the baseline
    says that it is of validation. The parenthesis is left out where it is `brief`.
    """
    label, by = metric_label(group.metric), group.ordered_by
    runs = plural(row.completed, "run")
    how = f" ({'95%, ' if row.ci_low is not None else ''}{runs})" * (not brief)
    text = f"{by} {label} {_number(row, by)}{how}"
    of = ""
    if by == "validation" and row.test is not None:
        text += f", test {_number(row, 'test')}"
        of = "validation "  # the number of the test split has another baseline
    beside = [f"{of}{what} {number(reference)}" for what, reference in baselines(row)]
    for split in dict.fromkeys((by, "test", "train")):
        value = row.published.get(f"{split}_{group.metric}")
        if value is not None:
            beside.append(f"published {'' if split == by else f'{split} '}{value:g}")
            break
    return "; ".join([text, ", ".join(beside)]) if beside else text


def _number(row: Row, split: str) -> str:
    summary = row.summary(split)
    return number(None) if summary is None else measured(summary.mean, summary.half)


def _equal(ranked: list[Row], first: Row) -> str:
    """How many rows have the number of the first, if any: which of them is first says nothing."""
    equal = sum(row.mean == first.mean for row in ranked) - 1
    if not equal:
        return ""
    return f"{count(equal)} {'has' if equal == 1 else 'have'} the same number; "


def _dropped(ranked: list[Row], tied: list[Row]) -> str:
    dropped = len(ranked) - len(tied)
    if not dropped:
        return "none can be dropped"
    others = "the other" if dropped == 1 else f"the other {count(dropped)}"
    return f"{others} can be dropped"


def _others(
    group: Group, names: Names, ranked: list[Row], tied: list[Row], unfinished: bool
) -> str:
    good = [row for row in ranked if row.as_good]
    text = f"{names.listed(tied[1:])} may be as good; {_dropped(ranked, tied)}"
    if group.margin is not None and good:
        cheapest = next((row for row in good if row.rank == group.cheapest), None)
        within = f"as good as the best to within {group.margin:g}: {names.listed(good)}"
        return f"{text}; {within}" + (f", the cheapest {names.of(cheapest)}" if cheapest else "")
    decided = "" if unfinished else _what_decides(group, tied)
    return f"{text}; {decided}" if decided else text


def _what_decides(group: Group, tied: list[Row]) -> str:
    """The runs that would show the difference of the first rows, by the board's own table.

    Where none would, those that would show how much worse others are.
    """
    first, shown = tied[0], group.shown
    if first.difference is None:
        return f"a single run of the first shows no certain difference: {_MORE_SEEDS} may"
    if shown is None:
        return ""
    gap, pair = abs(first.difference), _pair(*tied[:2])
    ordered = sorted(shown.larger.items(), key=lambda item: -item[1])
    enough = next((design for design, least in ordered if least <= gap), None)
    if enough is not None:
        return f"{enough} would likely show it if {pair} differ by {spread(gap)}"
    if gap == 0:
        return f"{pair} are equal: choose the cheaper"
    design, least = ordered[-1]
    if shown.limit and shown.limit >= gap:
        text = f"no number of seeds would tell {pair} apart, more data might"
        sign = -1 if group.larger_is_better else 1
        worse = sum(sign * (row.difference or 0.0) >= least for row in tied)
        return f"{design} might remove {count(worse)}; {text}" if worse else text
    return f"even {design} may not tell {pair} apart"


def _pair(first: Row, second: Row) -> str:
    """The rows whose difference the first one has: where seeds differ, not always the first two."""
    there, back = first.difference or 0.0, second.difference or 0.0
    both = math.isclose(there, -back, rel_tol=1e-9, abs_tol=1e-12)
    return "the first two" if both else "the first and the best of the others"


_MOST_GROUPS = 6
_TO_COME = ("running", "queued", "missing")


def board_verdict(board: Leaderboard) -> Verdict:
    """Verdict on a leaderboard; that of a shard says how many runs are missing."""
    missing = 0 if board.unfinished is None else board.unfinished.missing
    return groups_verdict(board.groups, {"missing": missing})


def groups_verdict(groups: Sequence[Group], also: Mapping[str, int] | None = None) -> Verdict:
    """Verdict on the groups of a board: a line for each of the first, if there are several.

    Args:
        groups: each has rows that can be compared.
        also: the number of runs that are on no row, by status.
    """
    unlisted = Counter({status: number for status, number in (also or {}).items() if number})
    waits = {status: unlisted.pop(status) for status in _TO_COME if status in unlisted}
    verdicts = [group_verdict(group, unfinished=bool(waits)) for group in groups]
    wrong = problems(groups, [verdict.row for verdict in verdicts], unlisted)
    to_come = " and ".join(f"{count(number)} {status}" for status, number in waits.items())
    others = [f"still to come: {to_come}"] if waits else []
    if all(verdict.lead == NOTHING for verdict in verdicts):
        text = "; ".join(dict.fromkeys(verdict.best for verdict in verdicts)) or NO_RUN
        lines = [Line(NOTHING, text + " yet" * bool(waits))]
    elif len(verdicts) == 1:
        lines = [Line(verdicts[0].lead + " so far" * bool(waits), verdicts[0].best)]
        others = [*filter(None, [verdicts[0].others]), *others]
    else:
        pairs = zip(leads(groups), verdicts, strict=True)
        lines = [Line(lead, verdict.short) for lead, verdict in islice(pairs, _MOST_GROUPS)]
        if (left := len(groups) - _MOST_GROUPS) > 0:
            others = [plural(left, "more board"), *others]
    said = Line("Others", "; ".join(others)) if others else None
    return Verdict(lines[0], said, wrong, lines[1:])


def leads(groups: Sequence[Group]) -> list[str]:
    """Data and target of each; where others have the same, the experiment that its rows are of.

    And where these are the same, too, with the splits that there are.
    """
    targets = ["" if group.target is None else f", {group.target}" for group in groups]
    data = [shortened(f"{g.dataset}{of}", 40) for g, of in zip(groups, targets, strict=True)]
    named = [
        f"{group.rows[0].name} on {name}"
        if data.count(name) > 1 and len({row.name for row in group.rows}) == 1
        else name
        for group, name in zip(groups, data, strict=True)
    ]
    return told_by(
        named,
        [
            ", ".join(split for split in SPLITS if any(row.summary(split) for row in group.rows))
            for group in groups
        ],
    )


def board_data(board: Leaderboard) -> dict[str, Any]:
    """A leaderboard as JSON data, with its verdict."""
    return {**board.to_dict(), "verdict": board_verdict(board).to_dict()}
