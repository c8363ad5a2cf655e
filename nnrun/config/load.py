"""Load configs from files and arguments, validate them, and write them as YAML."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nnrun.config.names import NAME_RULE, is_name
from nnrun.config.overrides import Override, apply_overrides, assign, parse_overrides, steps_of
from nnrun.config.schema.block import Block, ConfigIssue, is_block, issues
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.schema.experiment import BesideConfig, ExperimentConfig
from nnrun.config.source_map import Source, in_order, plain
from nnrun.config.varied import varied_issues
from nnrun.config.yaml import KeyPath, parse, read_text
from nnrun.data.readers.opening import GIVEN
from nnrun.errors import ConfigError, Place, Problem
from nnrun.plugins.loading import digests, find
from nnrun.plugins.part import Part

# What a run's digest is computed from: the canonical form of a config, and parts of plugins.
#
# Keys that are left out or have their default are not in the canonical form. So a new key of the
# language renames no run, if its default changes nothing.


def canonical(block: Block) -> dict[str, Any]:
    """The keys of a block, and of those within it, that differ from their defaults."""
    found = ((key, _plain(getattr(block, key)), usual) for key, usual in _fields(type(block)))
    return block.digested({key: plain for key, plain, usual in found if plain not in usual})


def _plain(value: Any) -> Any:
    if is_block(value):
        return canonical(value) or value.digest_when_empty
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]  # equal sides may be given as one number
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


@cache
def _fields(block: type[Block]) -> list[tuple[str, tuple[Any, ...]]]:
    """The keys of a block that digests hold, each with the values that they leave out."""
    keys = [key for key in block.model_fields if key not in block.digest_ignores]
    return [(key, _defaults(block, key)) for key in keys]


def _defaults(block: type[Block], key: str) -> tuple[Any, ...]:
    """The default in its full form, as some are written in a short one, and what it comes to."""
    field = block.model_fields[key]
    if field.is_required():
        return ()
    default = field.get_default(call_default_factory=True)
    if field.validate_default:
        default = TypeAdapter(field.rebuild_annotation()).validate_python(default)
    resolved = (block.digest_defaults[key],) if key in block.digest_defaults else ()
    return (_plain(default), *resolved)


def plugin_parts(config: Block) -> tuple[Part, ...]:
    """The parts of plugins that a config names, by name."""
    if not digests():
        return ()  # no plugin is loaded
    found = [part for kind, name in {*_named(config)} if (part := find(kind, name)) is not None]
    return tuple(sorted(found, key=lambda part: part.name))


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """The kind and the name of each part in a value of a config."""
    if is_block(value):
        yield from value.named_parts()
        for _, inner in value:
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


# A config that has been read once, to be loaded with any number of overrides.

Origin = Path | Mapping[str, Any]
"""A config: its file, or the content of one."""

UNNAMED = Path("run")
"""The file of a config that was given as content."""


@dataclass(frozen=True)
class Content:
    """A config that has been read; it can be loaded with any number of overrides."""

    source: Source
    file: Path

    def without_sweep(self) -> Content:
        """The same without what its `sweep` and `search` blocks vary."""
        source, order = self.source, ("sweep", "order_by")

        def others(places: dict[KeyPath, Place]) -> dict[KeyPath, Place]:
            return {
                path: place
                for path, place in places.items()
                if path[:1] not in (("sweep",), ("search",)) or path in (order, order[:1])
            }

        data = {key: value for key, value in source.data.items() if key not in ("sweep", "search")}
        sweep = source.data.get("sweep")
        if isinstance(sweep, dict) and "order_by" in sweep:
            data["sweep"] = {"order_by": sweep["order_by"]}
        keys, values = others(source.keys), others(source.values)
        return replace(self, source=replace(source, data=data, keys=keys, values=values))


def read_config(origin: Origin) -> Content:
    """The content of a config, before any override.

    Raises:
        ConfigError: it cannot be read.
    """
    if isinstance(origin, Path):
        return Content(Source(**vars(parse(read_text(origin)))), origin)
    return Content(Source(plain(origin)), UNNAMED)


# Blocks with keys of the user: later mistakes are shown at the key, not at its value.
_NAMED: tuple[KeyPath, ...] = (
    ("published",),
    ("training", "class_weight"),
    *(("dataset", name) for name in ("dates", "lags")),
    *(("dataset", "columns", name) for name in ("embedding", "formats", "missing")),
)


@dataclass(frozen=True)
class Experiment:
    """A valid config, and where each part of it was written."""

    config: ExperimentConfig
    source: Source
    file: Path

    @property
    def notes(self) -> list[str]:
        """What arguments replaced that they do not name, a sentence for each."""
        return [*dict.fromkeys(self.source.notes)]

    def problem(self, path: KeyPath, message: str) -> Problem:
        """A problem found later, at the place of this part of the config."""
        return self.source.problem(path, message, "key" if path[:-1] in _NAMED else "value")


def load_config(
    origin: Origin, overrides: Sequence[str] = (), iterations: int | None = None
) -> Experiment:
    """Read a config, apply `key=value` arguments, and check everything.

    Args:
        origin: a YAML file, or the content of one. Paths in it are relative to the file's folder,
            or to the current folder.
        overrides: arguments such as `training.learning_rate=0.01`; paths in them are relative to
            the current folder.
        iterations: if given, replaces the config's `iterations` or `epochs`.

    Raises:
        ConfigError: all mistakes in the config and the arguments, each with its place or, where
            there is no file, its dotted key.
    """
    arguments, problems = parse_overrides(overrides)
    try:
        content = read_config(origin)
    except ConfigError as error:
        raise ConfigError([*error.problems, *problems]) from error
    return load_content(content, arguments, iterations, problems, overrides)


def load_content(
    content: Content,
    overrides: Sequence[Override],
    iterations: int | None = None,
    problems: Sequence[Problem] = (),
    words: Sequence[str] | None = None,
) -> Experiment:
    """Apply overrides to a config that has been read, and check everything.

    Args:
        content: of the config; it is not changed.
        overrides: with values that may be changed.
        iterations: as for `load_config`.
        problems: that are known already.
        words: all arguments, in the order of their problems; by default those of the overrides.

    Raises:
        ConfigError: as `load_config` does.
    """
    source, file, arguments = content.source.copy(), content.file, list(overrides)
    words = [override.argument for override in overrides] if words is None else words
    problems = [*problems, *source.problems]
    if source.data is None:
        message = "the file is empty; `nnrun init` writes a config to start from"
        place = source.values.get((), Place(str(file), 1, 1))
        raise ConfigError([Problem(message, place=place), *problems])
    if not isinstance(source.data, dict):
        message = "a config is a mapping of keys to values, like `seed: 42`"
        raise ConfigError(in_order([*problems, source.problem((), message)], words))
    if iterations is not None:
        word = f"--iterations {iterations}"
        arguments.append(Override(word, ("training", "iterations"), iterations))
    problems += apply_overrides(source, arguments)
    config, found = _validate({"name": file.stem, **source.data})
    if "name" not in source.data and not is_name(file.stem):
        rule = f"the file's name is not one for runs ({NAME_RULE}); add another, like name: my_run"
        found = [c for c in found if c.path != ("name",)] + [ConfigIssue(rule, ("name",))]
    found += varied_issues(source, found, lambda data: _validate(data)[1])
    problems += _problems(source, found)
    if problems or config is None:
        raise ConfigError(in_order(problems, words))
    dataset = _with_absolute_path(config.dataset, source, file)
    if dataset is not config.dataset:
        config = config.model_copy(update={"dataset": dataset})
    return Experiment(config, source, file)


def _problems(source: Source, found: Sequence[ConfigIssue]) -> Iterator[Problem]:
    """The problems of these issues, without those that follow from a broken value."""
    broken = {place for place in source.broken if place in source.values}
    around = {place[:length] for place in broken for length in range(len(place) + 1)}
    for issue in found:
        if not _follows(issue, broken, around):
            from nnrun.config.hints import explained  # noqa: PLC0415  # for mistakes only

            yield explained(source.problem(issue.path, issue.message, issue.part), issue)


def config_from_dict(data: dict[str, Any]) -> ExperimentConfig:
    """A config from plain data, such as a report's `config`.

    Raises:
        ConfigError: all mistakes in it.
    """
    source = Source(data)
    config, found = _validate(data)
    if config is None:
        raise ConfigError(source.problem(c.path, c.message, c.part) for c in found)
    return config


def config_with(config: ExperimentConfig, values: Mapping[str, Any]) -> ExperimentConfig:
    """A resolved config with other values of dotted keys.

    Raises: ConfigError with all mistakes in it; OverrideError if there is no such key.
    """
    if not values:
        return config
    source = Source(config_to_dict(config))
    for key, value in values.items():
        assign(source, steps_of(key), copy.deepcopy(value), "")
    return config_from_dict(source.data)


def config_to_dict(config: ExperimentConfig) -> dict[str, Any]:
    """The resolved config as plain JSON data."""
    left_out: Any = config.left_out
    return config.model_dump(mode="json", exclude=left_out)


def config_to_json(config: ExperimentConfig) -> str:
    """The resolved config as JSON."""
    return json.dumps(config_to_dict(config))


@lru_cache(maxsize=64)
def resolved_config(text: str, plugins: Hashable = ()) -> ExperimentConfig:
    """The config that `config_to_json` wrote, in a process with these plugins."""
    return config_from_dict(json.loads(text))


def _validate(data: Any) -> tuple[ExperimentConfig | None, list[ConfigIssue]]:
    try:
        kind = BesideConfig if isinstance(data, dict) and "beside" in data else ExperimentConfig
        return kind.model_validate(data), []
    except ValidationError as error:
        from nnrun.config.hints import located  # noqa: PLC0415  # as above

        return None, [located(issue) for issue in issues(error, data)]


def _follows(issue: ConfigIssue, broken: set[KeyPath], around: set[KeyPath]) -> bool:
    """Whether the issue only follows from a value that is broken already and counts as null.

    Args:
        issue: the issue.
        broken: the paths of such values.
        around: these paths and all above them.
    """
    path = issue.path
    lacking = issue.part == "block" and path in around
    return lacking or any(path[:length] in broken for length in range(len(path) + 1))


def _with_absolute_path(data: DatasetConfig, source: Source, file: Path) -> DatasetConfig:
    if data.path == GIVEN:
        return data
    if data.path is not None:
        found: dict[str, Any] = {"path": _absolute(data.path, ("dataset", "path"), source, file)}
    elif data.images is not None:
        folder = _absolute(data.images.folder, ("dataset", "images", "folder"), source, file)
        found = {"images": data.images.model_copy(update={"folder": folder})}
    else:
        return data
    return data.model_copy(update=found)


def _absolute(given: str, path: KeyPath, source: Source, file: Path) -> str:
    """A path of the config, relative to its file; of an argument, to the current folder."""
    by_argument = any(path[:length] in source.arguments for length in range(1, len(path) + 1))
    absolute = os.path.abspath((Path() if by_argument else file.parent) / os.path.expanduser(given))
    beside = file.parent / os.path.basename(given)
    if os.path.isabs(given) and not os.path.exists(absolute) and beside.exists():
        absolute = os.path.abspath(beside)  # as of a run's folder that was moved with its data
    return absolute
