"""The content of search.json as a report reads it: nothing in it is believed unchecked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from nnrun.config.settings import choice_words
from nnrun.reports.charts.svg import shortened
from nnrun.reports.numbers import measured
from nnrun.sweeps.board.from_store.searched import DAMAGE, read_search

# Of longer searches the first trials are drawn.
_MOST_TRIALS = 5000
_MOST_PARAMETERS = 20
_MOST_FINALISTS = 102
_LONGEST = 60
_LONGEST_CHOICE = 300
_ORIGINS = {"search": "trial", "random": "random trial", "default": "the config's own settings"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of the space.

    Args:
        name: its key.
        low, high: the ends of a range; None for a choice.
        log: whether a range is of logarithms.
        whole: whether it is of whole numbers.
        options: of a choice, in words; empty for a range.
    """

    name: str
    low: float | None
    high: float | None
    log: bool
    whole: bool
    options: Sequence[str]

    @property
    def short(self) -> str:
        """Without the block of the config, which repeats."""
        return self.name.removeprefix("training.").removeprefix("network.")


@dataclass(frozen=True)
class ShownTrial:
    """One trial: its parameters by name, and its value unless it has none."""

    number: int
    params: Mapping[str, float | str]
    value: float | None
    status: str


@dataclass(frozen=True)
class ShownFinalist:
    """A setting of the final comparison: where it comes from, its values, and its mean ± 95%."""

    origin: str
    choice: str
    result: str
    runs: int


@dataclass(frozen=True)
class SearchContent:
    """What is drawn of a search.

    Args:
        name: of the experiment.
        metric: in words, such as `validation accuracy`.
        larger_is_better: its direction.
        sampler: that proposed the trials.
        finished: whether it came to its end.
        parameters: of its space.
        trials: in the order of their numbers.
        random: those of the random search beside.
        importance: the share of the spread that a parameter explains, by its name.
        finalists: of the comparison on fresh seeds, the first of its board first.
        test: the result of the first on the test rows; "" without one.
    """

    name: str
    metric: str
    larger_is_better: bool
    sampler: str
    finished: bool
    parameters: Sequence[Parameter]
    trials: Sequence[ShownTrial]
    random: Sequence[ShownTrial]
    importance: Mapping[str, float]
    finalists: Sequence[ShownFinalist]
    test: str

    def better(self, value: float, other: float | None) -> bool:
        """Whether a value is better than another, or there is no other."""
        return other is None or (value > other if self.larger_is_better else value < other)


def search_content(folder: Path) -> SearchContent | None:
    """That of the search of an experiment, by its folder; None without one that can be read."""
    found = read_search(folder.parent, folder.name)
    if found is None:
        return None
    try:
        return _content(found, folder.name)
    except (*DAMAGE, IndexError, OverflowError):
        return None


def _content(found: Mapping[str, Any], name: str) -> SearchContent:
    shares = {_text(key): float(share) for key, share in found["importance"].items()}
    parameters = [_parameter(each) for each in found["parameters"][:_MOST_PARAMETERS]]
    choices = {parameter.name: parameter.options for parameter in parameters if parameter.options}
    return SearchContent(
        name=shortened(name),
        metric=f"{_text(found['judged_by'])} {_text(found['metric'])}",
        larger_is_better=bool(found["larger_is_better"]),
        sampler=_text(found["sampler"]),
        finished=found["status"] == "finished",
        parameters=parameters,
        trials=[_trial(each, choices) for each in found["trials"][:_MOST_TRIALS]],
        random=[_trial(each, choices) for each in found["random"][:_MOST_TRIALS]],
        importance={key: share for key, share in shares.items() if isfinite(share)},
        finalists=[*_finalists(found)],
        test=_measured(found["test"]) if found.get("test") else "",
    )


def _finalists(found: Mapping[str, Any]) -> Iterator[ShownFinalist]:
    """The rows of the board, in its order; none before it is complete."""
    by_run = {run: one for one in found.get("finalists", ()) for run in one["run_ids"]}
    for row in (found.get("board") or {}).get("rows", ())[:_MOST_FINALISTS]:
        finalist = by_run.get(_text(row["best_run"]).partition("/")[2])
        if finalist is not None:
            origin, number = _ORIGINS[finalist["origin"]], finalist["number"]
            words = origin if number is None else f"{origin} {int(number)}"
            choice = shortened(" ".join(choice_words(finalist["choice"])), _LONGEST_CHOICE)
            yield ShownFinalist(words, choice, _measured(row), int(row["completed"]))


def _measured(found: Mapping[str, Any]) -> str:
    mean, low = float(found["mean"]), found["ci_low"]
    return measured(mean, None if low is None else mean - float(low))


def _parameter(found: Mapping[str, Any]) -> Parameter:
    if found["kind"] == "choice":
        options = [_text(option) for option in found["options"]]
        return Parameter(_text(found["name"]), None, None, log=False, whole=False, options=options)
    low, high = float(found["low"]), float(found["high"])
    if not (isfinite(low) and isfinite(high) and low <= high):
        raise ValueError("a range without ends")
    log = bool(found["log"]) and low > 0
    name, whole = _text(found["name"]), bool(found["whole"])
    return Parameter(name, low, high, log=log, whole=whole, options=())


def _trial(found: Mapping[str, Any], choices: Mapping[str, Sequence[str]]) -> ShownTrial:
    params: dict[str, float | str] = {}
    for key, value in found["params"].items():
        name = _text(key)
        params[name] = _text(value) if name in choices else float(value)
        if name in choices and params[name] not in choices[name]:
            raise ValueError("an option that is none")
    value = found["value"]
    known = float(value) if value is not None and isfinite(float(value)) else None
    return ShownTrial(int(found["number"]), params, known, _text(found["status"]))


def _text(value: Any) -> str:
    """A value as configs write it, shortened."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return shortened(str(value), _LONGEST)
