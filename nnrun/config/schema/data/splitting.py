"""The keys of `dataset` that say how rows are split, and their contradictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from nnrun.config.schema.base.block import Block, ConfigIssue
from nnrun.config.schema.base.fields import Integer, OneOf, Text
from nnrun.suggestions import suggestion

SPLITTINGS = ("random", "group", "time")


class SplitConfig(Block):
    """How rows are assigned to training, validation and test."""

    noun: ClassVar[str] = "split"
    must_be: ClassVar[str] = "a mapping like {by: group, column: patient}"

    by: Annotated[str, OneOf(SPLITTINGS)] = "random"
    """Rows at random; by groups, each within one split; or by time, trained on what came before."""
    column: Annotated[str, Text()] | None = None
    """The groups or the times of rows: a column of the CSV file, an array of the npz file. It is no
    feature unless `columns.features` names it. Times are ISO dates or numbers; equal ones stay
    together."""
    seed: Annotated[int, Integer(ge=0)] | None = None
    """Draws the split alone; by default the config's `seed`, which draws initial weights, sample
    order and dropout too."""
    test_seed: Annotated[int, Integer(ge=0)] | None = None
    """Draws the test rows alone, so that other seeds draw the validation rows among the rest."""

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        by, column = data.get("by", "random"), data.get("column")
        if by in ("group", "time") and column is None and not cls.misspells(data, "column"):
            yield ConfigIssue(f"a split by {by} needs 'column'", part="block")
        if by == "random" and column is not None:
            message = "rows are split at random; add `by: group` or `by: time` to use a column"
            yield ConfigIssue(message, ("column",), "key")
        for key in ("seed", "test_seed"):
            if by == "time" and data.get(key) is not None:
                message = "a split by time draws nothing, so no seed changes it"
                yield ConfigIssue(message, (key,), "key")


def _word(value: Any) -> Any:
    """`random` as a mapping; the other ways need a column."""
    if not isinstance(value, str):
        return value
    if value == "random":
        return {"by": value}
    if value in SPLITTINGS:
        hint = f"; write {{by: {value}, column: …}}"
        raise ConfigIssue(phrase="'random' or a mapping", hint=lambda: hint).error()
    raise ConfigIssue(
        phrase=f"'random' or {SplitConfig.phrase()}", hint=lambda: suggestion(value, SPLITTINGS)
    ).error()


Splitting = Annotated[
    SplitConfig,
    BeforeValidator(_word, json_schema_input_type=SplitConfig | Annotated[str, OneOf(("random",))]),
]


def contradictions(data: dict[str, Any]) -> Iterator[ConfigIssue]:
    """Mistakes in how the keys of a `dataset` block go together."""
    folds, fold, test_size = (data.get(key) for key in ("folds", "fold", "test_size"))
    if folds is not None and test_size is not None:
        message = (
            "with 'folds' every fold is tested in turn; remove one of the two, or add "
            "dataset.test_size=null"
        )
        yield ConfigIssue(message, ("test_size",), "key")
    if fold is not None and folds is None:
        yield ConfigIssue("'fold' is one of 'folds'; give their number too", ("fold",), "key")
    elif isinstance(fold, int) and isinstance(folds, int) and fold > folds:
        yield ConfigIssue(f"there are {folds} folds", ("fold",))
    split = data.get("split")
    if isinstance(split, dict) and split.get("by") in ("group", "time"):
        yield from _by_column(split["by"], split, data)


def _by_column(by: str, split: dict[str, Any], data: dict[str, Any]) -> Iterator[ConfigIssue]:
    columns = data.get("columns")
    if data.get("name") is not None:
        message = "a built-in data set has no column to split by; its split is random"
        yield ConfigIssue(message, ("split",))
    if data.get("test_size") == "given":
        message = f"the given test rows are not split by {by}; remove one of the two"
        yield ConfigIssue(message, ("test_size",))
    if by == "time" and data.get("stratify") is True:
        message = "rows are split by time, regardless of their class; remove one of the two"
        yield ConfigIssue(message, ("stratify",))
    if isinstance(columns, dict) and split.get("column") == columns.get("target") is not None:
        yield ConfigIssue("this is the target", ("split", "column"))
