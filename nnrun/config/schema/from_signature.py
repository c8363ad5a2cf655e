"""Tables of `nnrun.nn` to config blocks: the signature of each entry is its schema.

An entry of a table gets its form in configs, its messages and its JSON Schema from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from inspect import Parameter, getdoc, isclass, signature
from itertools import islice
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import Field, ValidationError, create_model

from nnrun.config.schema.block import (
    MOST_LOOKED_AT,
    Block,
    BlockChoice,
    ConfigIssue,
    argument_docs,
    together,
)
from nnrun.config.schema.fields import Flag, Integer, Listed, Number, OneOf, Text
from nnrun.nn.signature import Bounds, Named
from nnrun.plugins.loading import find
from nnrun.plugins.part import PluginError
from nnrun.suggestions import nearest, part_suggestion, suggestion

_SIMPLE: dict[Any, Any] = {
    int: Annotated[int, Integer()],
    float: Annotated[float, Number()],
    bool: Annotated[bool, Flag()],
    str: Annotated[str, Text()],
    NoneType: None,
}


class NamedBlock(Block):
    """One entry of a table: its name and its arguments."""

    key: ClassVar[str] = "type"
    table: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    blocks: ClassVar[Mapping[str, type[NamedBlock]]] = {}
    parameters: ClassVar[tuple[str, ...]] = ()
    """The names of the entry's arguments."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Classes made at run time cannot be found by name, but by their place in the table.
        base, name = type(self).__base__, getattr(self, self.key)
        return _revive, (base, name, dict(self.__dict__), self.model_fields_set)

    @classmethod
    def _misplaced(cls, key: str, message: str, *, suggesting: bool) -> ConfigIssue:
        owners = [f"'{name}'" for name, block in cls.blocks.items() if key in block.parameters]
        if owners:
            return ConfigIssue(f"{message}, but of {' and '.join(owners)}", (key,), "key")
        return super()._misplaced(key, message, suggesting=suggesting)

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments to call the table's entry with."""
        return {name: _built(getattr(self, name)) for name in self.parameters}

    def build(self) -> Any:
        """Call the table's entry with the arguments."""
        return self.table[getattr(self, self.key)](**self.arguments())


def _revive(base: type[NamedBlock], name: str, values: dict[str, Any], given: set[str]) -> Any:
    return base.blocks[name].model_construct(given, **values)


def _built(value: Any) -> Any:
    if isinstance(value, list):
        return [_built(item) for item in value]
    return value.build() if isinstance(value, Block) and hasattr(value, "build") else value


class Translator:
    """Turns annotations of signatures into types of fields.

    Args:
        names: for each kind of `Named`, the noun with its article and the names there are.
        blocks: for a type that stands in signatures, the type of the block it is built from. A
            string in one of these is a name of `module`, looked up when a config is first read,
            so that entries of a table may hold entries of the same table.
        module: the name of the calling module.
    """

    def __init__(
        self,
        names: Mapping[str, tuple[str, Collection[str]]],
        blocks: Mapping[Any, Any],
        module: str = __name__,
    ) -> None:
        self.names = names
        self.blocks = blocks
        self.module = module

    def field(self, annotation: Any) -> Any:
        """The type of the field for an argument annotated like this."""
        if annotation in self.blocks:
            return self.blocks[annotation]
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._marked(arguments[0], arguments[1:])
        if origin in (Union, UnionType):
            return Union[tuple(self.field(argument) for argument in arguments)]  # noqa: UP007
        if origin is Literal:
            return Annotated[str, OneOf(arguments)]
        if origin is tuple:
            items = tuple(self.field(argument) for argument in arguments)
            return Annotated[tuple.__class_getitem__(items), Listed(str(len(items)), len(items))]
        if annotation in _SIMPLE:
            return _SIMPLE[annotation]
        raise TypeError(f"an argument annotated {annotation!r} has no form in a config")

    def _marked(self, base: Any, marks: tuple[Any, ...]) -> Any:
        for mark in marks:
            if isinstance(mark, Named):
                noun, names = self.names[mark.kind]
                return Annotated[str, OneOf(names, noun)]
            if isinstance(mark, Bounds):
                return Annotated[base, (Integer if base is int else Number)(**vars(mark))]
        return self.field(base)

    def block(
        self, name: str, call: Callable[..., Any], base: type[NamedBlock], noun: str
    ) -> type[NamedBlock]:
        """The block for one entry of a table.

        Raises:
            PluginError: it is that of a plugin, and an argument has no form in a config.
        """
        kind = base.part_keys.get(base.key, "")
        try:
            arguments, named = self._arguments(call)
        except (TypeError, NameError) as error:
            part = find(kind, name)
            if part is None:
                raise
            raise PluginError(f"{part.place}: {error}") from error
        fields = {base.key: (Literal[name], Field(description=f"Makes this {noun}")), **arguments}
        words = "".join(word.capitalize() for word in (*name.split("_"), *noun.split()[1:]))
        model: type[NamedBlock] = create_model(
            words,
            __base__=base,
            __module__=self.module,
            __doc__=(getdoc(call) or name).split("\n\n")[0].replace("\n", " "),
            **fields,
        )
        model.noun = f"'{name}'"
        model.parameters = tuple(key for key in fields if key != base.key)
        model.part_keys = {**base.part_keys, **named}
        return model

    def _arguments(self, call: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """The fields of an entry's arguments, and those that name parts, with the kind."""
        hints = get_type_hints(call.__init__ if isclass(call) else call, include_extras=True)
        docs = argument_docs(call)
        fields: dict[str, Any] = {}
        named: dict[str, str] = {}
        for parameter in signature(call).parameters.values():
            if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
                continue
            if parameter.name not in hints:
                message = f"the argument '{parameter.name}' needs an annotation, such as"
                raise TypeError(f"{message} {parameter.name}: PositiveInt of nnrun.nn.signature")
            hint = hints[parameter.name]
            default = ... if parameter.default is Parameter.empty else parameter.default
            if parameter.name in docs:
                default = Field(default, description=docs[parameter.name])
            fields[parameter.name] = (self.field(hint), default)
            for mark in get_args(hint)[1:]:
                if isinstance(mark, Named):
                    named[parameter.name] = mark.kind
        return fields, named

    def union(
        self,
        table: Mapping[str, Callable[..., Any]],
        base: type[NamedBlock],
        noun: str,
        *,
        word: bool = False,
    ) -> Any:
        """The type of a field that holds one of the table's entries.

        Args:
            table: the entries by name.
            base: the base class of the blocks.
            noun: what an entry is called, with its article, such as `a layer`.
            word: whether the name alone is accepted, for entries whose arguments have defaults.
        """
        base.table = table
        base.blocks = LazyBlocks(table, lambda name: self.block(name, table[name], base, noun))

        def choose(value: Any) -> tuple[type[Block] | None, Any]:
            entry = _named(value, base, noun, word)
            known = isinstance(entry, NamedBlock)
            return type(entry) if known else base.blocks[entry[base.key]], entry

        words = OneOf(table, noun) if word else None
        return Annotated[base, BlockChoice(choose, base.blocks.values, words)]


B = TypeVar("B", bound=type[Block])


class LazyBlocks(Mapping[str, B]):
    """The blocks of a table's entries by name, each made when it is first asked for.

    An entry that a plugin adds, or replaces, gets a block like any other.
    """

    def __init__(self, entries: Mapping[str, Any], make: Callable[[str], B]) -> None:
        self._entries = entries
        self._make = make
        self._made: dict[str, tuple[Any, B]] = {}

    def __getitem__(self, name: str) -> B:
        entry = self._entries[name]
        known = self._made.get(name)
        if known is None or known[0] is not entry:
            known = self._made[name] = entry, self._make(name)
        return known[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _named(value: Any, base: type[NamedBlock], noun: str, word: bool) -> Any:
    """The value as a mapping with a name that the table knows."""
    key, names = base.key, tuple(base.blocks)
    if isinstance(value, base):
        return value
    if word and isinstance(value, str):
        if value not in names:
            raise ConfigIssue(phrase=noun, hint=lambda: part_suggestion(value, names)).error()
        return {key: value}
    if isinstance(value, str) and value in names:
        raise ConfigIssue(phrase="a mapping", hint=lambda: f"; write {{{key}: {value}}}").error()
    if not isinstance(value, dict):
        raise ConfigIssue(phrase=f"{noun}, like {{{key}: {names[0]}, ...}}").error()
    if key in value and value[key] in names:
        return value
    issue, meant = _misnamed(value, key, names, noun)
    block = base.blocks.get(nearest(meant.get(key), names) or "")
    if block is not None:
        # Other mistakes in the entry that was meant are reported at the same time.
        try:
            block.model_validate({**meant, key: get_args(block.model_fields[key].annotation)[0]})
        except ValidationError as error:
            raise together(issue, error, value) from None
    raise issue.error()


def _misnamed(
    value: dict[str, Any], key: str, names: tuple[str, ...], noun: str
) -> tuple[ConfigIssue, dict[str, Any]]:
    """The issue of a mapping without a known name, and the mapping that was meant."""
    if key in value:
        given = value[key]
        return ConfigIssue(
            path=(key,), phrase=noun, hint=lambda: part_suggestion(given, names)
        ), value
    for other in islice(value, MOST_LOOKED_AT):
        if nearest(other, [key]):
            message = f"'{other}' is not a key of {noun}; did you mean '{key}'?"
            meant = {(key if name == other else name): part for name, part in value.items()}
            return ConfigIssue(message, (other,), "key"), meant
        if other in names:
            message = f"{noun} needs '{key}'; did you mean {{{key}: {other}, ...}}?"
            return ConfigIssue(message, part="block"), {}
    return ConfigIssue(f"{noun} needs '{key}'{suggestion(None, names)}", part="block"), {}
