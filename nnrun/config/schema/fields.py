"""The kinds of values in a config, each with a phrase that describes valid values.

They are used in annotations: `batch_size: Annotated[int, Integer(gt=0)]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from inspect import isclass
from math import isfinite
from typing import Any, ClassVar, get_args, get_origin

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from nnrun.config.schema.block import Block, ConfigIssue
from nnrun.config.yaml_scalars import read_scalar, write_scalar
from nnrun.suggestions import nearest, part_suggestion, suggestion
from nnrun.tables import Table

MAX_INTEGER = 2**63 - 1
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True)
class Kind:
    """A kind of single values; its phrase replaces the messages of pydantic."""

    @property
    def phrase(self) -> str:
        """What a value must be, with an article."""
        raise NotImplementedError

    @property
    def example(self) -> Any:
        """A value that is valid."""
        raise NotImplementedError

    def hint(self, value: Any) -> str:
        """What to write in place of a refused value, as the end of a sentence."""
        return ""

    def prepare(self, value: Any) -> Any:
        """The value as `schema` takes it, or a ValueError."""
        return value

    def schema(self) -> CoreSchema:
        """The check of a prepared value."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._validate, self.schema())

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        about = self.phrase[:1].upper() + self.phrase[1:]
        return {"description": about, **handler(schema), **self.in_json()}

    def in_json(self) -> dict[str, Any]:
        """What the JSON Schema has besides the form of the value."""
        return {}

    def _validate(self, value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(self.prepare(value))
        except ValueError:
            raise ConfigIssue(phrase=self.phrase, hint=partial(self.hint, value)).error() from None


@dataclass(frozen=True)
class Text(Kind):
    """Any text."""

    phrase = "text"
    example = "text"

    def hint(self, value: Any) -> str:
        if isinstance(value, int | float):
            return f"; write it in quotes: '{write_scalar(value)}'"
        return ""

    def schema(self) -> CoreSchema:
        return core_schema.str_schema(strict=True)


@dataclass(frozen=True)
class Flag(Kind):
    """True or false; YAML 1.2 has no other words for them."""

    phrase = "true or false"
    example = True

    def hint(self, value: Any) -> str:
        word = str(value).lower()
        if word in ("yes", "on", "y", "1", "true"):
            return "; write true"
        return "; write false" if word in ("no", "off", "n", "0", "false") else ""

    def schema(self) -> CoreSchema:
        return core_schema.bool_schema(strict=True)


@dataclass(frozen=True)
class OneOf(Kind):
    """One of these names; `noun`, with its article, says what they are names of.

    Names that plugins may add to are in a table, which is read whenever a value is checked.
    """

    names: Collection[str]
    noun: str = ""

    @property
    def phrase(self) -> str:
        return self.noun or " or ".join(f"'{name}'" for name in self.names)

    @property
    def example(self) -> Any:
        return next(iter(self.names))

    def hint(self, value: Any) -> str:
        # Without a noun, the phrase lists the names already.
        if not self.noun and nearest(value, self.names) is None:
            return ""
        suggest = part_suggestion if isinstance(self.names, Table) else suggestion
        return suggest(value, self.names)

    def prepare(self, value: Any) -> Any:
        known = isinstance(self.names, tuple) or (isinstance(value, str) and value in self.names)
        if not known:
            raise ValueError
        return value

    def schema(self) -> CoreSchema:
        if isinstance(self.names, tuple):
            return core_schema.literal_schema(list(self.names))
        return core_schema.str_schema(strict=True)

    def in_json(self) -> dict[str, Any]:
        return {} if isinstance(self.names, tuple) else {"enum": list(self.names)}


@dataclass(frozen=True)
class Number(Kind):
    """A finite number within bounds; it becomes a float."""

    has_decimals: ClassVar[bool] = True
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    @property
    def phrase(self) -> str:
        return f"a number{self._range()}"

    @property
    def example(self) -> Any:
        ends = [*self._bounds().values()]
        tried = (8, 1, 0.5, *ends, sum(ends) / 2, *(end + by for end in ends for by in (1, -1)))
        return next(filter(SchemaValidator(self.schema()).isinstance_python, tried))

    def _range(self) -> str:
        ends = {"greater than": self.gt, "of at least": self.ge, "below": self.lt}
        ends["of at most"] = self.le
        words = [f" {word} {end:g}" for word, end in ends.items() if end is not None]
        return " and".join(words)

    def hint(self, value: Any) -> str:
        if not isinstance(value, str):
            return ""
        meant = read_scalar(value.replace("_", "").strip()) if len(value) < 40 else None
        if self.has_decimals and isinstance(meant, str) and _DECIMAL_COMMA.fullmatch(meant):
            return f"; write {meant.replace(',', '.')}, with a point"
        if isinstance(meant, bool) or not isinstance(meant, int | float) or not isfinite(meant):
            return ""
        return f"; write {write_scalar(meant)}, without quotes"

    def prepare(self, value: Any) -> Any:
        return 0.0 if value == 0 and isinstance(value, float) else value  # so is -0.0

    def schema(self) -> CoreSchema:
        return core_schema.float_schema(strict=True, allow_inf_nan=False, **self._bounds())

    def _bounds(self) -> dict[str, Any]:
        return {name: bound for name, bound in vars(self).items() if bound is not None}


@dataclass(frozen=True)
class Integer(Number):
    """A whole number of 64 bits within bounds. 1e3 is accepted, though YAML reads it as a float."""

    has_decimals: ClassVar[bool] = False

    @property
    def phrase(self) -> str:
        return f"a whole number{self._range()}"

    def hint(self, value: Any) -> str:
        too_large = isinstance(value, int | float) and abs(value) > MAX_INTEGER
        return "; it does not fit into 64 bits" if too_large else super().hint(value)

    def prepare(self, value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise ValueError
        return value

    def schema(self) -> CoreSchema:
        return core_schema.int_schema(strict=True, **self._bounds())


@dataclass(frozen=True)
class Rows(Kind):
    """A part of the rows: a share below 1, or a number."""

    phrase = "a share of the rows below 1 or a number of rows"
    example = 0.2

    def hint(self, value: Any) -> str:
        return Number().hint(value)

    def prepare(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        if 0 <= value < 1:
            return float(value)
        # 1.0 could be meant as either.
        if value == 1.0 and isinstance(value, float):
            raise ValueError
        return Integer(ge=1).prepare(value)

    def schema(self) -> CoreSchema:
        share = core_schema.float_schema(strict=True, ge=0, lt=1)
        return core_schema.union_schema([core_schema.int_schema(strict=True, ge=1), share])


@dataclass(frozen=True)
class Listed:
    """A list of at least one item, or of exactly `length`, which becomes a tuple."""

    plural: str
    length: int | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"minItems": 1, **handler(schema)}

    def _check(self, value: Any) -> Any:
        fits = isinstance(value, list | tuple) and self.length in (None, len(value))
        if not fits:
            raise ConfigIssue(phrase=f"a list of {self.plural}").error()
        if not value:
            raise ConfigIssue(f"the list is empty; give at least one of the {self.plural}").error()
        return list(value) if self.length is None else tuple(value)


def example_of(block: type[Block]) -> dict[str, Any]:
    """A valid block, whose keys all have to be given."""
    return {name: example(field) for name, field in block.model_fields.items()}


def example(field: FieldInfo) -> Any:
    """A valid value of a field, in its first form; None where no kind of values is known."""
    return _example(field.annotation, field.metadata)


def _example(annotation: Any, marks: Iterable[Any] = ()) -> Any:
    for mark in marks:
        if isinstance(mark, Kind):
            return mark.example
    if metadata := getattr(annotation, "__metadata__", ()):
        return _example(get_args(annotation)[0], metadata)
    if isclass(annotation) and issubclass(annotation, Block):
        return example_of(annotation)
    if get_origin(annotation) is tuple:
        return [_example(part) for part in get_args(annotation)]
    found = (_example(part) for part in get_args(annotation))
    return next((value for value in found if value is not None), None)
