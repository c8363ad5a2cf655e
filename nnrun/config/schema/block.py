"""What all blocks of the config language share: their checks, messages and descriptions."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from inspect import cleandoc, getdoc, getsource
from itertools import islice, pairwise
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeGuard

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from nnrun.config.source_map import Part
from nnrun.config.yaml import KeyPath
from nnrun.config.yaml_scalars import write_scalar
from nnrun.suggestions import is_slip, nearest, suggestion

if TYPE_CHECKING:
    import ast


_ENTRY = re.compile(r" {4}(\w+): (.*)")


def argument_docs(call: Callable[..., Any]) -> dict[str, str]:
    """The text of each entry under `Args:` in the docstring of a class or function."""
    _, _, section = (getdoc(call) or "").partition("\nArgs:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry:
            name = entry[1]
            found[name] = entry[2]
        elif line.startswith(" " * 8) and name:
            found[name] += f" {line.strip()}"
        else:
            break
    return {name: text.removesuffix(".") for name, text in found.items()}


@cache
def attribute_docs(kind: type) -> dict[str, str]:
    """The text below each attribute of a class and of those that it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        # A class that was made at run time has none.
        found |= _docs_in(base.__module__).get(base.__name__, {})
    return found


@cache
def _docs_in(module: str) -> dict[str, dict[str, str]]:
    """The text below each attribute of each class of a module: it is parsed once for all."""
    import ast  # noqa: PLC0415  # most commands show no descriptions

    with suppress(OSError, TypeError):  # built in
        nodes = ast.walk(ast.parse(getsource(sys.modules[module])))
        return {node.name: _own_docs(node) for node in nodes if isinstance(node, ast.ClassDef)}
    return {}


def _own_docs(tree: ast.ClassDef) -> dict[str, str]:
    import ast  # noqa: PLC0415

    found = {}
    for attribute, below in pairwise(tree.body):
        match attribute, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = cleandoc(text)
    return found


# The base of all blocks of a config: every mistake is collected, each in a plain sentence.

MOST_LOOKED_AT = 100
"""Only this many unknown keys are compared with the known ones, to suggest what was meant."""

_TYPE = "issue"
_PLAIN = frozenset({NoneType, str, int, float, bool, list, dict, tuple})


@dataclass(frozen=True, repr=False)  # pydantic would write all of them out
class ConfigIssue:
    """One mistake: what is wrong at a path, and which part of that place to point at.

    It has either a message, or a phrase for what is expected and a hint. Where a value may take
    several forms, their phrases are joined to one sentence later.
    """

    message: str = ""
    path: KeyPath = ()
    part: Part = "value"
    phrase: str = ""
    hint: Callable[[], str] = field(default=str, compare=False)  # computed only if it is shown
    unknown: str = ""  # an unknown key that is no misspelling of one of the block's own
    elsewhere: str = ""  # the dotted key at which the unknown key would be known

    def error(self) -> PydanticCustomError:
        """The issue as an error of pydantic; its path is relative to where it is raised."""
        return PydanticCustomError(_TYPE, "issue", {"issue": self})


class Block(BaseModel):
    """A mapping of a config."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    noun: ClassVar[str] = "the config"
    must_be: ClassVar[str] = ""
    """What a value must be to be this block; by default a mapping of its keys."""
    digest_ignores: ClassVar[frozenset[str]] = frozenset()
    """Keys that change no result, or that the digest holds in another form."""
    digest_defaults: ClassVar[Mapping[str, Any]] = {}
    """Values that a digest leaves out as it does defaults: what a default of null comes to."""
    digest_when_empty: ClassVar[Any] = {}
    """The block's value in a digest if all its keys have their defaults."""
    part_keys: ClassVar[Mapping[str, str]] = {}
    """Keys whose values are names of parts, or lists of them, with the kind of part."""

    def digested(self, keys: dict[str, Any]) -> dict[str, Any]:
        """What a digest holds of these keys, which differ from their defaults."""
        return keys

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        """Mistakes that no single field can see; other parts of the data may be wrong, too."""
        return iter(())

    @classmethod
    def phrase(cls) -> str:
        """What a value must be to be this block."""
        return cls.must_be or f"a mapping of {', '.join(cls.model_fields)}"

    @classmethod
    def hint(cls, value: Any) -> str:
        """What to write in place of this value, as the end of a sentence."""
        return ""

    @classmethod
    def describe(cls, key: str) -> str:
        """What a key means: the text of its argument, or that below its attribute."""
        return cls.model_fields[key].description or attribute_docs(cls).get(key, "")

    def named_parts(self) -> Iterator[tuple[str, str]]:
        """The kind and the name of each part that the block itself names."""
        for key, kind in self.part_keys.items():
            value = getattr(self, key)
            for word in value if isinstance(value, list) else [value]:
                if isinstance(word, str):
                    yield kind, word

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        for key, value in handler.resolve_ref_schema(found).get("properties", {}).items():
            if text := cls.describe(key):
                value["description"] = text
        return found

    @model_validator(mode="wrap")
    @classmethod
    def _collect(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Report errors of fields and contradictions together."""
        errors: list[InitErrorDetails] = []
        block = None
        try:
            block = handler(data)
        except ValidationError as error:
            errors = list(cls._explained(error, data))
        if isinstance(data, dict):
            errors += [_details(issue, data) for issue in cls.contradictions(data)]
        if block is None or errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return block

    @classmethod
    def _explained(cls, error: ValidationError, data: Any) -> Iterator[InitErrorDetails]:
        errors = error.errors(include_url=False)
        unknown = [e["loc"][0] for e in errors if e["type"] == "extra_forbidden" and e["loc"]]
        looked_at = set(unknown[:MOST_LOOKED_AT])
        misspelt = {nearest(key, cls.model_fields) for key in looked_at}
        for e in errors:
            match e:
                case {"type": "extra_forbidden", "loc": (str(key),)}:
                    issue = cls._unknown(key, suggesting=key in looked_at)
                    if issue is not None:
                        yield _details(issue, data)
                case {"type": "missing", "loc": (str(key),)}:
                    if key not in misspelt:
                        yield _details(cls._missing(key), data)
                case {"type": "model_type", "loc": ()}:
                    yield _details(
                        ConfigIssue(phrase=cls.phrase(), hint=partial(cls.hint, data)), data
                    )
                case {"loc": (str(key), *_), "ctx": {"issue": ConfigIssue() as issue}} if (
                    issue.phrase and cls._means_null(key, data)
                ):
                    nothing = replace(issue, hint=lambda: "; write null")
                    yield InitErrorDetails(type=nothing.error(), loc=e["loc"], input=e["input"])
                case _:
                    yield InitErrorDetails(type=_again(e), loc=e["loc"], input=e["input"])

    @classmethod
    def _means_null(cls, key: str, data: Any) -> bool:
        """Whether a key that may be null has the word of other languages for it."""
        field = cls.model_fields.get(key)
        return field is not None and field.default is None and data[key] in ("none", "None")

    @classmethod
    def misspells(cls, data: dict[str, Any], *keys: str) -> bool:
        """Whether one of these keys seems to be misspelt, which is reported anyway."""
        unknown = (key for key in data if key not in cls.model_fields)
        looked_at = islice(unknown, MOST_LOOKED_AT)
        return any(nearest(key, cls.model_fields) in keys for key in looked_at)

    @classmethod
    def _unknown(cls, key: str, *, suggesting: bool) -> ConfigIssue | None:
        return cls._misplaced(key, f"'{key}' is not a key of {cls.noun}", suggesting=suggesting)

    @classmethod
    def _misplaced(cls, key: str, message: str, *, suggesting: bool) -> ConfigIssue:
        """The issue of an unknown key: one of this block, misspelt, or of another block."""
        if not suggesting:
            return ConfigIssue(message, (key,), "key")
        hint = partial(suggestion, key, tuple(cls.model_fields))
        if is_slip(key, cls.model_fields):
            return ConfigIssue(message + hint(), (key,), "key")
        # `config/hints.py` adds which other block has this key.
        return ConfigIssue(message, (key,), "key", hint=hint, unknown=key)

    @classmethod
    def _missing(cls, key: str) -> ConfigIssue:
        return ConfigIssue(f"{cls.noun} needs '{key}'", (), "block")


def is_block(value: Any) -> TypeGuard[Block]:
    """Whether a value is a block; pydantic takes long to say that a plain value is none."""
    return type(value) not in _PLAIN and isinstance(value, Block)


class BlockChoice:
    """Marks a field that holds one of several blocks, which are made when a config has them.

    For a union, pydantic would make all of them before the first config is read.

    Args:
        choose: returns the block for a value, and the value as that block takes it; or None for
            one of the words, and the word.
        blocks: returns all of them.
        words: the kind of values that are accepted besides mappings, if there is one.
    """

    def __init__(
        self,
        choose: Callable[[Any], tuple[type[Block] | None, Any]],
        blocks: Callable[[], Iterable[type[Block]]],
        words: Any = None,
    ) -> None:
        self.choose = choose
        self.blocks = blocks
        self.words = words
        self._describing = False

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def _validate(self, value: Any) -> Any:
        block, content = self.choose(value)
        return content if block is None else block.model_validate(content)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        within, self._describing = self._describing, True
        try:
            # A block within one that is being described is described already, or will be.
            forms = [handler(_reference(b) if within else _schema(b)) for b in self.blocks()]
        finally:
            self._describing = within
        choice: dict[str, Any] = {"oneOf": forms}
        if self.words is None:
            return choice
        words = self.words.__get_pydantic_json_schema__(self.words.schema(), handler)
        return {"anyOf": [choice, words]}


def _schema(block: type[Block]) -> Any:
    """The block's schema, together with the definitions that it refers to."""
    block.model_rebuild()
    schema = block.__pydantic_core_schema__
    if schema["type"] == "definitions":
        return schema
    return core_schema.definitions_schema(schema, [])


def _reference(block: type[Block]) -> CoreSchema:
    schema = _schema(block)["schema"]
    return core_schema.definition_reference_schema(schema.get("ref") or schema["schema_ref"])


def together(issue: ConfigIssue, error: ValidationError, data: Any) -> ValidationError:
    """An issue together with the other errors found in the same data, which come first.

    Missing keys are left out: they may follow from this issue.
    """
    found = [
        InitErrorDetails(type=_again(e), loc=e["loc"], input=e["input"])
        for e in error.errors(include_url=False)
        if e["loc"] or e["type"] != _TYPE or e["ctx"]["issue"].part != "block"
    ]
    return ValidationError.from_exception_data(error.title, [*found, _details(issue, data)])


def _details(issue: ConfigIssue, data: Any) -> InitErrorDetails:
    return InitErrorDetails(type=issue.error(), loc=(), input=data)


def _again(error: Any) -> Any:
    """The type of an error that is raised again."""
    if error["type"] == _TYPE:
        return error["ctx"]["issue"].error()
    return PydanticCustomError(error["type"], "{message}", {"message": error["msg"]})


# Errors of pydantic as sentences, with paths into the data.

_PHRASES = {"list_type": "a list", "dict_type": "a mapping", "model_type": "a mapping"}


def issues(error: ValidationError, data: Any) -> Iterator[ConfigIssue]:
    """Every mistake once, as a sentence, with its path in the data that was validated."""
    found = [_issue(e, data) for e in error.errors(include_url=False)]
    above = {path[:length] for path in {c.path for c in found} for length in range(len(path))}
    settled = {c.path for c in found if not c.phrase}
    expected: dict[KeyPath, list[ConfigIssue]] = {}
    for issue in found:
        if issue.phrase:
            expected.setdefault(issue.path, []).append(issue)
        else:
            yield issue
    for number, (path, alternatives) in enumerate(expected.items()):
        # A value with an error inside one of its possible forms was meant in that form.
        if path not in above and path not in settled:
            hinting = number < MOST_LOOKED_AT
            message = _sentence(value_at(data, path), alternatives, hinting=hinting)
            yield ConfigIssue(message, path, phrase=alternatives[0].phrase)


def value_at(data: Any, path: KeyPath) -> Any:
    """The value at a path that exists."""
    for step in path:
        data = data[step]
    return data


def _issue(error: Any, data: Any) -> ConfigIssue:
    path = _existing(error["loc"], data)
    issue = error.get("ctx", {}).get("issue")
    if isinstance(issue, ConfigIssue):
        return replace(issue, path=(*path, *issue.path))
    return ConfigIssue(path=path, phrase=_PHRASES.get(error["type"], "what is expected here"))


def _existing(location: KeyPath, data: Any) -> KeyPath:
    """The location without the names of alternatives that pydantic puts between its steps."""
    path: KeyPath = ()
    for step in location:
        in_list = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if in_list or (isinstance(data, dict) and step in data):
            data = data[step]
            path = (*path, step)
    return path


def _sentence(value: Any, alternatives: list[ConfigIssue], *, hinting: bool) -> str:
    phrases = " or ".join(dict.fromkeys(issue.phrase for issue in alternatives))
    if value is None:
        return f"nothing is given here; write {phrases}"
    hints = (issue.hint() for issue in alternatives if hinting)
    hint = next((hint for hint in hints if hint), "") or _other_form(value, phrases)
    return f"{show(value)} is not {phrases}{hint}"


def _other_form(value: Any, phrases: str) -> str:
    """What to do about one value in place of a list, or several in place of one."""
    if isinstance(value, str | int | float) and re.match("a list(?!.* or )", phrases):
        return f"; write [{write_scalar(value)}]"
    several = isinstance(value, list) and len(value) > 1 and "list" not in phrases
    if several and not any(isinstance(item, dict | list) for item in value):
        return "; nnrun sweep tries several values, listed under sweep.grid"
    return ""


def show(value: object) -> str:
    """A value as in a config file, but never longer than a few words."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        shown = f"[{', '.join(show(item) for item in value)}]"
        return shown if len(shown) <= 40 else "a list"
    if value is None or isinstance(value, bool | int | float):
        shown = write_scalar(value)
    else:
        shown = f"'{value}'".replace("\n", "\\n")
    return shown if len(shown) <= 60 else f"{shown[:56]}...{shown[-1]}"
