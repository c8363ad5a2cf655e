"""YAML 1.2 text to plain data, with the place of every key and value.

PyYAML's parser delivers events, and the data is built from them here: depth and aliases are limited
before any recursion, scalars are read as in YAML 1.2, and tags never run code.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nnrun.config.files import SUFFIXES, init_hint
from nnrun.config.names import is_name
from nnrun.config.yaml_scalars import Scalar, read_scalar
from nnrun.data.readers.opening import is_data_file, open_named
from nnrun.errors import ConfigError, DataError, Place, Problem
from nnrun.suggestions import nearest

# The text of a config file, with places for errors to point at.

MAX_BYTES = 2**20
MAX_SHOWN = 300  # characters of a line; longer ones are not shown

_LINE_END = re.compile(r"\r\n|\r|\n")


class Text:
    """Text with line and column for every offset."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text.removeprefix("\ufeff")
        self.file = file
        self.starts = [0, *(end.end() for end in _LINE_END.finditer(self.text))]
        self.lines = _LINE_END.split(self.text)

    def place(self, start: int, end: int | None = None) -> Place:
        """The place from one offset to another; of several lines, only the start is marked."""
        line = bisect_right(self.starts, start) - 1
        column = start - self.starts[line]
        content = self.lines[line]
        within = end is not None and end <= self.starts[line] + len(content)
        width = end - start if within and end is not None else 1
        shown = content if len(content) <= MAX_SHOWN else ""
        return Place(self.file, line + 1, column + 1, shown, max(width, 1))


def read_text(file: Path) -> Text:
    """The text of a config file.

    Raises:
        ConfigError: it does not exist, cannot be read, is far too large, or is not UTF-8.
    """
    name = str(file)
    try:
        with open_named(file) as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = f"for data, {init_hint(name)}" if is_data_file(name) else _advice(file)
        hint = f"; {hint}" if hint else ""
        raise ConfigError([Problem(f"there is no such file{hint}", name)]) from None
    except IsADirectoryError:
        raise ConfigError([Problem("is a folder, not a config file", name)]) from None
    except DataError as error:
        raise ConfigError([Problem(str(error).removeprefix(f"{name}: "), name)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([Problem(f"cannot be read: {reason}", name)]) from error
    if is_data_file(name):
        raise ConfigError([Problem(f"is data and not a config; {init_hint(name)}", name)])
    if len(content) > MAX_BYTES:
        raise ConfigError([Problem("is larger than 1 MiB, so it is not a config", name)])
    try:
        return Text(content.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        readable = Text(content[: error.start].decode() + "\ufffd", name)
        message = (
            f"byte 0x{content[error.start]:02x} is not UTF-8; save the file with UTF-8 encoding"
        )
        place = readable.place(len(readable.text) - 1)
        raise ConfigError([Problem(message, place=place)]) from None


def _advice(file: Path) -> str:
    """The config with nearly this name, or how to write one: for data of this name, if there is."""
    try:
        files = [entry for entry in file.parent.iterdir() if entry.is_file()]
    except OSError:
        return ""
    data = [e for e in files if e.stem == file.stem and is_data_file(e)]
    if data:
        return f"for {min(data)}, {init_hint(str(min(data)))}"
    configs = {entry.stem: entry for entry in files if entry.suffix in SUFFIXES}
    near = nearest(file.stem, configs)
    if near:
        return f"did you mean '{configs[near]}'?"
    plain = str(file) == file.name and is_name(file.stem) and file.suffix in ("", *SUFFIXES)
    return f"`nnrun init {file.stem}` writes {file.stem}{SUFFIXES[0]}" if plain else ""


KeyPath = tuple[str | int, ...]

MAX_DEPTH = 40
MAX_VALUES = 50_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_LINE_ENDS = "\x85\u2028\u2029"
_JOINED = re.compile(r"(?P<key>[^\W\d]\w*):(?P<value>.+)", re.DOTALL)
_JOINED_ITEM = re.compile(r"^ *(-[^\W\d]\w*):", re.MULTILINE)
_WHOLE = re.compile(r"[+-]?\d+")
_CONFLICT = re.compile("^<{7} .*$", re.MULTILINE)


@dataclass
class Document:
    """Plain data, and the place of each key and value."""

    data: Any
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)
    """The paths of values that already have a problem; their data are null."""


@dataclass(frozen=True)
class _Node:
    """A value: a scalar, a list of nodes, or key -> (place of the key, node)."""

    content: Scalar | list[_Node] | dict[str, tuple[Place, _Node]]
    place: Place
    broken: bool = False


def parse(text: Text) -> Document:
    """Read one YAML document.

    Mistakes that leave the rest readable (a duplicate key, a tag) are in `problems`.

    Raises:
        ConfigError: the text cannot be read as YAML at all.
    """
    unreadable = _UNREADABLE.search(text.text)
    if unreadable:
        message = f"the character U+{ord(unreadable[0]):04X} is not allowed in YAML"
        raise ConfigError([Problem(message, place=text.place(unreadable.start()))])
    conflict = _CONFLICT.search(text.text)
    if conflict:
        message = "a merge conflict is left here; keep one side, and remove the marks around both"
        raise ConfigError([Problem(message, place=text.place(*conflict.span()))])
    composer = _Composer(text)
    try:
        root = composer.compose()
    except yaml.MarkedYAMLError as error:
        raise ConfigError([*composer.problems, _syntax_problem(error, text)]) from error
    document = Document(None, problems=composer.problems)
    if root is not None:
        document.data = _Expansion(document).expand(root, ())
    return document


def _events(text: str) -> Iterator[Any]:
    """The parser's events, with the line ends of YAML 1.2.

    The parser follows YAML 1.1, where three more characters end a line, and with it a comment.
    They are replaced by unused characters before parsing, and put back in the events.
    """
    unused = (chr(point) for point in range(0xE000, 0xF900) if chr(point) not in text)
    masks = {ord(c): mask for c, mask in zip(_NO_LINE_ENDS, unused, strict=False) if c in text}
    shown = {ord(mask): chr(point) for point, mask in masks.items()}
    for event in yaml.parse(text.translate(masks), Loader=_LOADER):
        for name in ("value", "anchor", "tag") if masks else ():
            content = getattr(event, name, None)
            if content is not None:
                setattr(event, name, content.translate(shown))
        yield event


class _Composer:
    """Events to nodes."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.anchors: dict[str, _Node | None] = {}
        self.events = _events(text.text)

    def compose(self) -> _Node | None:
        """The root of the first document, or None if there is no document."""
        root = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._report("a second document starts here; a config is one", event, event)
                    break
                root = self._node(next(self.events), ())
        return root

    def _place(self, event: Any) -> Place:
        return self.text.place(event.start_mark.index, event.end_mark.index)

    def _report(self, message: str, first: Any, last: Any, path: KeyPath = ()) -> Problem:
        place = self.text.place(first.start_mark.index, last.end_mark.index)
        problem = Problem(message, format_path(path), place)
        self.problems.append(problem)
        return problem

    def _refuse(self, message: str, event: Any, path: KeyPath) -> ConfigError:
        self._report(message, event, event, path)
        return ConfigError(self.problems)

    def _node(self, event: Any, path: KeyPath) -> _Node:
        if len(path) > MAX_DEPTH:
            raise self._refuse(f"nested deeper than {MAX_DEPTH} levels", event, ())
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, path)
        else:
            node = self._mapping(event, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, path: KeyPath) -> _Node:
        if event.anchor not in self.anchors:
            raise self._refuse(f"there is no anchor '&{event.anchor}' above", event, path)
        node = self.anchors[event.anchor]
        if node is None:
            raise self._refuse(f"'*{event.anchor}' stands inside of what it repeats", event, path)
        return node

    def _scalar(self, event: Any, path: KeyPath) -> _Node:
        place = self._place(event)
        plain = event.tag is None and event.implicit[0]
        tag = (event.tag or "!").removeprefix(_TAG)
        if tag in ("!", "str") and not plain:
            return _Node(event.value, place)
        try:
            value = read_scalar(event.value)
            if plain:
                return _Node(value, place)
            if type(value) in _SCALAR_TAGS.get(tag, ()):
                return _Node(float(value or 0) if tag == "float" else value, place)
            message = self._bad_tag(event.tag, event.value)
        except OverflowError:
            message = f"a number of {len(event.value)} characters is too large for a float"
        except ValueError as error:
            message = str(error)
        self._report(message, event, event, path)
        return _Node(None, place, broken=True)

    @staticmethod
    def _bad_tag(tag: str, value: str | None = None) -> str:
        short = tag.replace(_TAG, "!!")
        if value is not None and tag.removeprefix(_TAG) in _SCALAR_TAGS:
            return f"'{value}' is not what the tag '{short}' says"
        return f"the tag '{short}' is not allowed; configs hold plain data"

    def _sequence(self, start: Any, path: KeyPath) -> _Node:
        items: list[_Node] = []
        event = next(self.events)
        while not isinstance(event, yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
            event = next(self.events)
        return self._collection(items, start, event, path, "seq")

    def _mapping(self, start: Any, path: KeyPath) -> _Node:
        items: dict[str, tuple[Place, _Node]] = {}
        event = next(self.events)
        key: str | None = None
        value_event: Any = None
        while not isinstance(event, yaml.MappingEndEvent):
            before, last = value_event, key
            key, key_event = self._key(event, path), event
            value_event = next(self.events)
            if last is not None and self._is_decimal(before, event, value_event):
                self._report_comma(before, event, (*path, last))
                items[last] = items[last][0], _Node(None, self._place(before), broken=True)
                event = next(self.events)
                continue
            joined = _JOINED.fullmatch(event.value) if _is_alone(event, value_event) else None
            if joined is None:
                value = self._node(value_event, (*path, "?" if key is None else key))
            else:
                key = joined["key"]
                message = f"a blank is missing after the ':'; write {key}: {joined['value']}"
                self._report(message, event, event, (*path, key))
                value = _Node(None, self._place(event), broken=True)
            if key is not None and key in items:
                first = items[key][0].line
                message = f"'{key}' is given twice, the first time on line {first}; remove one"
                self._report(message, key_event, key_event, (*path, key))
            elif key is not None:
                items[key] = self._place(key_event), value
            event = next(self.events)
        return self._collection(items, start, event, path, "map")

    def _is_decimal(self, before: Any, event: Any, value: Any) -> bool:
        """Whether a key is the digits after a decimal comma, as in `{a: 0,1}`."""
        plain = isinstance(before, yaml.ScalarEvent) and before.implicit[0]
        if not plain or not _is_alone(event, value) or not _WHOLE.fullmatch(before.value):
            return False
        between = self.text.text[before.end_mark.index : event.start_mark.index]
        return between == "," and event.value.isdecimal()

    def _report_comma(self, before: Any, event: Any, path: KeyPath) -> None:
        meant = f"{before.value}.{event.value}, with a point"
        if len(event.value) == 3 and int(before.value) != 0:
            meant = f"{before.value}{event.value}, or {meant}"
        self._report(f"a comma ends the value; write {path[-1]}: {meant}", before, event, path)

    def _key(self, event: Any, path: KeyPath) -> str | None:
        """The text of a key; if it cannot be a key, None, and the problem is noted."""
        if not isinstance(event, yaml.ScalarEvent):
            self._report("a key must be a word", event, event, path)
            if not isinstance(event, yaml.AliasEvent):
                self._node(event, (*path, "?"))
            return None
        if event.value == "<<" and event.implicit[0]:
            message = "'<<' (merging) is not part of YAML 1.2; write the keys out"
        elif event.tag not in (None, "!", f"{_TAG}str"):
            message = self._bad_tag(event.tag)
        else:
            return str(event.value)
        self._report(message, event, event, path)
        return None

    def _collection(self, content: Any, start: Any, end: Any, path: KeyPath, kind: str) -> _Node:
        place = self.text.place(start.start_mark.index, end.end_mark.index)
        broken = start.tag not in (None, "!", f"{_TAG}{kind}")
        if broken:
            self._report(self._bad_tag(start.tag), start, start, path)
        return _Node(content, place, broken)


def _is_alone(key: Any, value: Any) -> bool:
    """Whether a key is a plain word that neither a ':' nor a value follows, as in `{a:1}`."""
    return (
        all(isinstance(event, yaml.ScalarEvent) and event.implicit[0] for event in (key, value))
        and key.end_mark.index == value.start_mark.index == value.end_mark.index
    )


class _Expansion:
    """Nodes to plain data of a document, with aliases written out."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def expand(self, node: _Node, path: KeyPath) -> Any:
        """The data of a node; the places of its keys and values are added to the document."""
        document = self.document
        document.values[path] = node.place
        if len(document.values) > MAX_VALUES or len(path) > MAX_DEPTH:
            message = f"with its aliases written out, this is more than {MAX_VALUES:,} values"
            raise ConfigError([*document.problems, Problem(message, place=node.place)])
        if node.broken:
            document.broken.add(path)
        if isinstance(node.content, list):
            return [self.expand(item, (*path, i)) for i, item in enumerate(node.content)]
        if isinstance(node.content, dict):
            data = {}
            for key, (place, value) in node.content.items():
                document.keys[*path, key] = place
                data[key] = self.expand(value, (*path, key))
            return data
        return node.content


def _syntax_problem(error: yaml.MarkedYAMLError, text: Text) -> Problem:
    mark = error.problem_mark or error.context_mark
    offset = min(mark.index, len(text.text)) if mark else 0
    place = text.place(offset)
    what = (error.problem or "unreadable").removeprefix("found ")
    if "cannot start any token" in what and text.text[offset : offset + 1] == "\t":
        return Problem("tabs cannot indent YAML; use spaces", place=place)
    if "mapping values are not allowed" in what:
        lines = text.text[:offset].split("\n")[-2:]
        item = _JOINED_ITEM.search(text.text, offset - len("\n".join(lines)), offset)
        if item:
            place = text.place(*item.span(1))
            return Problem("a blank is missing after the '-' of an item", place=place)
        what = "a ':' is not allowed here; quote the text, or check the indentation"
    if "nesting depth" in what:
        what = f"nested deeper than {MAX_DEPTH} levels"
    began = error.context_mark
    if error.context and began is not None and began.index != offset:
        line = text.place(began.index).line
        what += f" ({error.context}, which began on line {line})"
    return Problem(f"this is not YAML: {what}", place=place)


def format_path(path: KeyPath) -> str:
    """`network.layers[0].units` for ("network", "layers", 0, "units")."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")
