"""All topics of `nnrun help`, from tables and the blocks of configs, and the search for words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from inspect import getdoc
from typing import Any, Literal, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from nnrun.config.hints import BLOCKS, TABLES
from nnrun.config.schema.block import Block, BlockChoice
from nnrun.config.schema.columns import STEP_BLOCKS
from nnrun.config.schema.dataset import BuiltInConfig
from nnrun.config.schema.fields import Kind, Listed, OneOf, example
from nnrun.config.schema.from_signature import NamedBlock
from nnrun.config.schema.network import LayerConfig, LossConfig
from nnrun.config.schema.training import OptimizerConfig, ScheduleConfig
from nnrun.config.yaml_scalars import flow
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.steps import STEPS
from nnrun.errors import EXIT_CODES
from nnrun.metrics.table import METRICS
from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.initializers import INITIALIZERS
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES
from nnrun.nn.network import Network
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.schedules import SCHEDULES
from nnrun.nn.signature import Shape, ShapeError
from nnrun.plugins.kinds import KINDS as KINDS_OF_PARTS
from nnrun.plugins.loading import digests
from nnrun.reports.numbers import shape
from nnrun.suggestions import synonym

# The valid values of a key, in the words of the messages.

_Form = str | type[NamedBlock]
_LIST = "a list of these"


def value_words(field: FieldInfo) -> str:
    """All forms that a value may have, as one phrase; empty for a block with keys of its own."""
    forms = list(dict.fromkeys(_forms(field.annotation, field.metadata)))
    words = [form for form in forms if isinstance(form, str) and form != _LIST]
    entries = [form for form in forms if not isinstance(form, str)]
    if entries:
        words.append(_entry_words(entries, words))
    words.sort(key=lambda form: form.startswith("a mapping"))
    if _is_list_only(field):
        return f"a list of values, each {' or '.join(words)}"
    return " or ".join(words + [_LIST] * (_LIST in forms))


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


KINDS = (
    "page",
    "lesson",
    "key",
    "layer",
    "activation",
    "loss",
    "optimizer",
    "initializer",
    "schedule",
    "feature step",
    "metric",
    "data set",
    "exit code",
    "command",
)
"""In the order in which they are listed."""
PAGE_KINDS = ("page", "lesson")
"""Those of documents in Markdown."""

EXIT_CODES_TOPIC = "exit-codes"

# Values of arguments without default that say more in examples than any valid value.
_VALUES = {"units": 10, "channels": 8, "name": "relu", "initial": 0.1, "peak": 0.1, "every": 1000}
_VALUES |= {"warmup": 100, "value": 0.1}
_INNER = [{"type": "dense", "units": 4}]
# Rows to show the shapes of a layer by: a vector, an image, and a series.
_ROWS: tuple[Shape, ...] = ((4,), (1, 8, 8), (1, 1, 8))
# Keys that can be left out though they have no default.
_OTHERWISE = {
    "name": "By default the config file's name without its suffix.",
    "network.layers": "It has to be given, or `sizes` and `activations` in its place.",
    "network.sizes": "It has to be given, and `activations` with it, or `layers` in its place.",
    "network.activations": "It has to be given, and `sizes` with it, or `layers` in its place.",
}
_ARGS = re.compile(r"\n\n(Args|Raises|Returns):\n.*", re.DOTALL)


def plural(kind: str) -> str:
    """The plural of a kind."""
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


@dataclass(frozen=True)
class Key:
    """One key of a topic: its name, what its value must be, its default, and what it does."""

    name: str
    form: str
    default: str
    about: str


@dataclass(frozen=True)
class Topic:
    """One thing to look up.

    Args:
        kind: one of `KINDS`.
        name: how configs, or the shell, call it.
        text: what its docstring says: its equation, and the source of the method.
        keys: those that it has.
        shapes: of a row that comes in and what goes out, where it is a layer.
        example: as it may stand in a config.
    """

    kind: str
    name: str
    text: str
    keys: tuple[Key, ...] = ()
    shapes: str = ""
    example: str = ""

    @property
    def summary(self) -> str:
        """Its first sentence, on one line."""
        first = self.text.split("\n\n")[0].replace("\n", " ")
        return first if len(first) <= 100 else f"{first[:97].rsplit(' ', 1)[0]} …"

    def line_on(self, word: str) -> str:
        """What it says of a key of this name, or else its summary."""
        key = next((key for key in self.keys if key.name == word), None)
        return self.summary if key is None else f"{key.name}: {key.about}"

    def mentions(self, words: Sequence[str]) -> int:
        """How often each of these is in it, at the start of a word; 0 where one never is."""
        keys = [f"{key.name} {key.form} {key.about}" for key in self.keys]
        text = " ".join([self.name, self.text, *keys, self.example]).lower()
        starts = (rf"(?<![^\W_]){re.escape(word.lower())}" for word in words)
        return min((len(re.findall(start, text)) for start in starts), default=0)


def topics() -> tuple[Topic, ...]:
    """Everything but the commands, which the command line adds."""
    entries = (name for kind in KINDS_OF_PARTS.values() for name in kind.table)
    return _topics((*digests(), *entries))


@lru_cache(maxsize=2)  # for the entries that there are, and were before a plugin
def _topics(entries: tuple[str, ...]) -> tuple[Topic, ...]:
    codes = [f"{code}: {meaning}." for code, meaning in EXIT_CODES.items()]
    about = "The exit codes of commands, which the shell gets when they end."
    exit_codes = Topic("exit code", EXIT_CODES_TOPIC, "\n\n".join([about, *codes]))
    return (*_keys(), *_tables(), *_metrics(), exit_codes)


def _keys() -> Iterator[Topic]:
    listed = set()
    for prefix, block in BLOCKS:
        for name in block.model_fields:
            if (dotted := f"{prefix}{name}") not in listed:
                listed.add(dotted)
                yield _key_topic(dotted, {"": _key(name, block)})
    for prefix in ("training.optimizer.", "training.learning_rate."):
        base = TABLES[prefix]
        owners: dict[str, dict[str, Key]] = {}
        for owner, entry in base.blocks.items():
            for name in entry.parameters:
                owners.setdefault(name, {})[owner] = _key(name, entry)
        for name, keys in owners.items():
            if (dotted := f"{prefix}{name}") not in listed:
                yield _key_topic(dotted, keys)


def _key_topic(dotted: str, owners: Mapping[str, Key]) -> Topic:
    """One key, for each of the entries of a table that have it."""
    keys = [*owners.values()]
    about = _by_owner({owner: key.about for owner, key in owners.items()})
    default = _by_owner({owner: key.default for owner, key in owners.items()}, every=False)
    form = keys[0].form
    otherwise = _OTHERWISE.get(dotted, "It has to be given.")
    lines = [f"{about}.", f"Value: {form}." if form else "Value: a block of its own."]
    lines.append(f"Default: {default}." if keys[0].default else otherwise)
    return Topic("key", dotted, "\n\n".join(lines))


def _by_owner(values: Mapping[str, str], *, every: bool = True) -> str:
    """The texts of a key's owners, each text once; without owners if all agree and not `every`."""
    groups: dict[str, list[str]] = {}
    for owner, value in values.items():
        groups.setdefault(value, []).append(owner)
    if "" in values or (len(groups) == 1 and not every):
        return next(iter(groups))
    return "; ".join(f"{value} (of {', '.join(owners)})" for value, owners in groups.items())


def _key(name: str, block: type[Block]) -> Key:
    field, default = block.model_fields[name], ""
    if field.default is not PydanticUndefined:
        unscaled = name == "features" and field.default == []
        default = "none" if unscaled else flow(field.default)
    about = block.describe(name).replace("\n", " ").removesuffix(".")
    return Key(name, value_words(field), default, about)


def _tables() -> Iterator[Topic]:
    blocks: Mapping[str, tuple[Mapping[str, Any], type[NamedBlock]]] = {
        "layer": (LAYERS, LayerConfig),
        "loss": (LOSSES, LossConfig),
        "optimizer": (OPTIMIZERS, OptimizerConfig),
        "schedule": (SCHEDULES, ScheduleConfig),
    }
    for kind, (table, base) in blocks.items():
        for name, call in table.items():
            block = base.blocks[name]
            keys = tuple(_key(key, block) for key in block.parameters)
            entry = _example(block, base.key, name)
            shapes = _shapes(block, entry) if kind == "layer" else ""
            yield Topic(kind, name, _text(call), keys, shapes, _line(kind, entry))
    plain: Mapping[str, tuple[Mapping[str, Any], str]] = {
        "activation": (ACTIVATIONS, "activation: {}"),
        "initializer": (INITIALIZERS, "network: {{initializer: {}, …}}"),
        "feature step": (STEPS, "dataset: {{features: {}, …}}"),
    }
    for kind, (calls, form) in plain.items():
        for name, call in calls.items():
            step = STEP_BLOCKS.get(name) if kind == "feature step" else None
            written = name if step is None else flow(step.example())
            keys = () if step is None else (_key(*step.argument()),)
            yield Topic(kind, name, _text(call), keys, example=form.format(written))
    for name, data in DATASETS.items():
        source = BuiltInConfig.blocks[name]
        options = [_key(key, source) for key in source.parameters]
        text = "\n\n".join(part for part in (data.description, data.note) if part)
        yield Topic("data set", name, text, tuple(options), example=f"dataset: {{name: {name}}}")


def _metrics() -> Iterator[Topic]:
    for name, metric in METRICS.items():
        better = "larger" if metric.larger_is_better else "smaller"
        ends = f"from {metric.low:g} to {metric.high:g}".replace("inf", "∞")
        library = "scipy.stats." if metric.function == "spearmanr" else "sklearn.metrics."
        source = metric.function if metric.call else f"{library}{metric.function}"
        lines = [metric.about, f"{source}; {ends}, {better} is better."]
        usual = "Every report has it." if metric.always else ""
        text = "\n\n".join(filter(None, [*lines, usual]))
        yield Topic("metric", name, text, example="" if usual else f"metrics: [{name}]")


def _text(call: Callable[..., Any]) -> str:
    return _ARGS.sub("", getdoc(call) or "")


def _example(block: type[NamedBlock], key: str, name: str) -> dict[str, Any]:
    return {key: name} | {
        parameter: _example_value(parameter, field)
        for parameter in block.parameters
        if (field := block.model_fields[parameter]).is_required()
    }


def _example_value(parameter: str, field: FieldInfo) -> Any:
    if get_origin(field.annotation) is list:
        return _INNER  # no other argument is a list
    return _VALUES.get(parameter, example(field))


def _line(kind: str, example: dict[str, Any]) -> str:
    places = {"layer": "layers: [{}]", "loss": "loss: {}", "optimizer": "optimizer: {}"}
    return places.get(kind, "learning_rate: {}").format(flow(example))


def _shapes(block: type[NamedBlock], example: dict[str, Any]) -> str:
    """The output shapes of the example for the first two kinds of rows that it takes."""
    shapes = []
    for row in _ROWS:
        try:
            layer = block.model_validate(example).build()
            network = Network([layer], LOSSES["mean_squared"](), row)
        except ShapeError:
            continue
        shapes.append(f"{shape(row)} → {shape(network.output_shape)}")
    return ", ".join(shapes[:2])


def found(word: str, known: tuple[Topic, ...]) -> tuple[list[Topic], list[Topic]]:
    """Topics of this name, or of keys whose last step it is; and the others that mention it.

    Of several words that are nowhere together, the others mention each. A word of other libraries
    stands for ours.
    """
    word = word.strip()
    exact = _named(word, known)
    others = [topic for topic in known if topic not in exact]
    mentioned = _mentioning([word], others) or _mentioning(word.split(), others)
    mentioned.sort(key=lambda topic: all(key.name != word for key in topic.keys))
    keys = {key.name for topic in known for key in topic.keys}
    meant = synonym(word, {*keys, *(topic.name.rpartition(".")[2] for topic in known)})
    if exact or meant is None:
        return exact, mentioned
    exact = _named(meant, known)
    having = [topic for topic in known if any(key.name == meant for key in topic.keys)]
    return exact, [topic for topic in mentioned if topic not in exact] or having


def _mentioning(words: Sequence[str], among: Sequence[Topic]) -> list[Topic]:
    """The topics that mention all words, those that do so most often first."""
    counts = [(topic.mentions(words), topic) for topic in among]
    return [topic for n, topic in sorted(counts, key=lambda each: -each[0]) if n]


def _named(word: str, among: tuple[Topic, ...]) -> list[Topic]:
    wanted = {word.lower().replace(" ", sign) for sign in "-_ "}
    exact = [topic for topic in among if topic.name.lower() in wanted]
    exact.sort(
        key=lambda topic: topic.kind not in PAGE_KINDS
    )  # a page says more than a key of its name
    return exact or [topic for topic in among if topic.name.lower().rpartition(".")[2] in wanted]
