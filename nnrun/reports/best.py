"""Which run a command took, and what its setting is among those of its experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from nnrun.characters import clean
from nnrun.config.settings import BESIDE, choice_words, telling_first
from nnrun.reports.board_notes import beside_words, network_label
from nnrun.reports.boards import mean, ordered_by
from nnrun.reports.commands import command_line
from nnrun.reports.numbers import count, plural
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.summary import CONTINUED
from nnrun.sweeps.board.best import Choice
from nnrun.sweeps.board.rows import Group, Row

_MOST_SETTINGS = 4


def chosen_words(
    choice: Choice, root: Path, options: Mapping[str, object] | None = MappingProxyType({})
) -> Iterator[str]:
    """Words on `NAME/best`: which run was taken, and what should be known of how.

    The `options` are those of `nnrun best` by which it was chosen; None where it is trained on all
    rows now.
    """
    record, row = choice.record, choice.row
    label = f"{record.name}/{record.run_id}"
    setting = f"with {words}" if (words := _setting(row, choice.group)) else "of its setting"
    seeds = f"the median of {count(row.completed)} runs" if row.completed > 1 else "the only run"
    yield clean(f"run: {label}, {seeds} {setting}, {_place(choice, row)}")
    most = max(each.completed for each in choice.group.rows if each.is_network)
    if row.completed < most:
        runs = f"{plural(row.completed, 'run')} and other settings up to {count(most)}"
        yield f"  it has {runs}: of few runs a mean is easily first by luck"
    if choice.group.folds and options is not None:
        yield from _of_folds(choice, root, options)
    elif not choice.group.folds and choice.group.ordered_by != "validation":
        yield f"  {honesty(choice)}"
    yield from map(clean, _beside(choice))
    if choice.others:
        yield from map(clean, _of_boards(choice, root))


def _beside(choice: Choice) -> Iterator[str]:
    """The models of scikit-learn that are ahead of it.

    The board compares each with the best network on the runs that both have, which may be another.
    """
    label = network_label(choice.row)
    comparisons = [beside for beside in choice.group.beside if beside.network == label]
    words = {beside.model: beside_words(beside) for beside in comparisons}
    ahead = "is ahead, and not compared with this setting"
    for row in choice.group.rows:
        if row is choice.row:
            return
        if not row.is_network and row.rank is not None:
            model = str(row.choice[BESIDE])
            value = mean(row.summary(choice.group.ordered_by))
            yield f"  scikit-learn's {model} has {value}: it {words.get(model, ahead)}"


def _of_boards(choice: Choice, root: Path) -> Iterator[str]:
    group, place = choice.group, str(root / choice.record.name)
    by = ordered_by(group.ordered_by, group.folds, group.split_by)
    which = "newest" if choice.newest else "newest with several settings"
    yield f"  from the {which} of {count(len(choice.others) + 1)} boards, by {by}"
    newer = "" if choice.newest else ", newer ones among them,"
    runs = sum(len(variant.runs) for board in choice.others for variant in board)
    yield f"  {plural(runs, 'run')} of other boards{newer} cannot be compared with these:"
    yield f"    {command_line('report', [place], root, {})}"


def _of_folds(choice: Choice, root: Path, options: Mapping[str, object]) -> Iterator[str]:
    name, folds = choice.record.name, choice.group.folds
    yield f"  it is trained without the rows of one of {folds} folds; for use, train on all rows:"
    yield clean(f"    {command_line('best', [name], root, {**options, '--final': True})}")


def estimate_words(choice: Choice) -> str:
    """What the judged runs say of the setting: `test mse 7.0 ± 1.9 of 3 runs is the estimate`."""
    group, row = choice.group, choice.row
    split = next(each for each in ("test", "validation", "train") if row.summary(each))
    value = f"{split} {metric_label(group.metric)} {mean(row.summary(split))}"
    runs = f"{count(row.completed)} runs" if row.completed > 1 else "one run"
    settings = sum(each.rank is not None and each.is_network for each in group.rows)
    chosen = not group.folds and split == group.ordered_by and settings > 1
    return f"{value} of {runs} is the estimate{', too good since it decided' * chosen}"


def honesty(choice: Choice) -> str:
    """What a choice by another split than validation costs."""
    if choice.group.ordered_by == "test":
        text = "chosen by the test split, so that its test result is too good to expect of new data"
    else:
        text = "chosen by the training split, which says little of new data"
    if "validation" in choice.variants[0].splits:
        return f"{text}; --by validation keeps the test result valid"
    return f"{text}; dataset.validation_size sets rows aside to choose by"


def better_words(choice: Choice, run_id: str, command: str) -> Iterator[str]:
    """The first setting, if that of a run is another one; nothing if it is the same.

    `choice` is that of the run's experiment, and `command` takes the best run instead.
    """
    row = choice.row_of(run_id)
    if row is choice.row:
        return
    place = _place(choice, row) if row else "not among those that can be compared"
    value = mean(choice.row.summary(choice.group.ordered_by))
    best = " with ".join(filter(None, [_setting(choice.row, choice.group), value]))
    yield clean(f"  its setting is {place}; number 1 is {best}:")
    yield clean(f"    {command}")


def _place(choice: Choice, row: Row) -> str:
    """`number 2 of 5 stored settings by validation mse, 7.05 ± 1.91`."""
    group = choice.group
    value = mean(row.summary(group.ordered_by))
    ranked = sum(each.rank is not None for each in group.rows)
    rank = f"number {count(row.rank or 0)} of {count(ranked)} stored settings"
    rank = rank if ranked > 1 else "the only one"
    return f"{rank} by {group.ordered_by} {metric_label(group.metric)}, {value}"


def _setting(row: Row, group: Group) -> str:
    """The choice, what tells rows apart first, and cut where it is long.

    What is null since only extended runs have it is left out.
    """
    order = telling_first([each.choice for each in group.rows])
    shown = {key: row.choice[key] for key in order if key in row.choice}
    shown = {k: v for k, v in shown.items() if v is not None or k not in CONTINUED}
    words = choice_words(shown)
    return " ".join(words[:_MOST_SETTINGS] + ["…"] * (len(words) > _MOST_SETTINGS))
