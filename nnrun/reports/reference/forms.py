"""The valid values of a key, in the words of the messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from nnrun.config.schema.base.block import Block, BlockChoice
from nnrun.config.schema.base.fields import Kind, Listed, OneOf
from nnrun.config.schema.base.from_signature import NamedBlock
from nnrun.config.yaml.dump import flow

_Form = str | type[NamedBlock]
_LIST = "a list of these"


def value_words(field: FieldInfo) -> str:
    """All forms that a value may have, as one phrase; empty for a block with keys of its own."""
    found = list(dict.fromkeys(_forms(field.annotation, field.metadata)))
    words = [form for form in found if isinstance(form, str) and form != _LIST]
    entries = [form for form in found if not isinstance(form, str)]
    if entries:
        words.append(_entry_words(entries, words))
    words.sort(key=lambda form: form.startswith("a mapping"))
    if _is_list_only(field):
        return f"a list of values, each {' or '.join(words)}"
    return " or ".join(words + [_LIST] * (_LIST in found))


def _is_list_only(field: FieldInfo) -> bool:
    """Whether a value has to be a list: a single item has no marks that make a list of it."""
    forms = {field.annotation, *get_args(field.annotation)}
    lists = any(get_origin(form) is list for form in forms)
    return lists and not field.metadata


def _forms(annotation: Any, marks: Iterable[Any] = ()) -> Iterator[_Form]:
    """Phrases, and blocks of a table's entries; marks are the metadata of `Annotated`."""
    for mark in marks:
        if isinstance(mark, Listed):
            yield f"a list of {mark.plural}"
            return
        if isinstance(mark, Kind):
            yield from mark.names if isinstance(mark, OneOf) else [mark.phrase]
            return
        if isinstance(mark, BlockChoice):
            for block in mark.blocks():
                yield from _unmarked(block)
            yield from () if mark.words is None else mark.words.names
            return
        if isinstance(mark, BeforeValidator) and get_origin(mark.json_schema_input_type):
            annotation = mark.json_schema_input_type
    yield from _unmarked(annotation)


def _unmarked(annotation: Any) -> Iterator[_Form]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if metadata := getattr(annotation, "__metadata__", ()):
        yield from _forms(parts[0], metadata)
    elif origin is Literal:
        yield from parts
    elif isinstance(annotation, type) and issubclass(annotation, NamedBlock):
        yield annotation
    elif isinstance(annotation, type) and issubclass(annotation, Block):
        yield _block_words(annotation)
    elif origin is dict:
        yield f"a mapping of names, each to {' or '.join(map(str, _forms(parts[1])))}"
    else:
        if origin is list:
            yield _LIST
        for part in parts:
            yield from _forms(part)


def _block_words(block: type[Block]) -> str:
    phrase = block.phrase()
    return phrase if "mapping" in phrase else f"a mapping of {', '.join(block.model_fields)}"


def _entry_words(entries: list[type[NamedBlock]], words: list[str]) -> str:
    """The entries of a table: a mapping that names one or, where accepted, the name alone."""
    key = entries[0].key
    names = [str(get_args(entry.model_fields[key].annotation)[0]) for entry in entries]
    if not {*names} <= {*words}:
        return f"{{{key}: {' | '.join(names)}, …}}"
    name, entry = next((n, e) for n, e in zip(names, entries, strict=True) if e.parameters)
    parameter = entry.parameters[0]
    example = {key: name, parameter: entry.model_fields[parameter].default}
    return f"a mapping like {flow(example)}"
