"""Plans that are fixed before a sweep: what is compared, by what, and a digest of all of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nnrun.config.load import read_config
from nnrun.config.names import CHOOSING
from nnrun.data.readers.opening import GIVEN
from nnrun.errors import DamageError, UsageError
from nnrun.runs.record import now
from nnrun.runs.storage.durable import read_regular
from nnrun.runs.storage.sealed import parse_sealed, sealed_json
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.plan import Plan, Variant
from nnrun.sweeps.planning.validate import CheckProgress, make_plan
from nnrun.sweeps.planning.variants import Datasets

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MOST_BYTES = 2**24
MOST_SETTINGS = 1000
_VERSION = 1
_AGAIN = "nnrun plan makes another"


@dataclass(frozen=True)
class Planned:
    """What a board says of its plan: the digest of the file, and when that was made, in UTC."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    digest: str
    made: str


@dataclass(frozen=True)
class Words:
    """The arguments of the command that made a plan."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    arguments: list[str]
    seeds: int | None = None
    iterations: int | None = None
    beside: list[str] | None = None


@dataclass(frozen=True)
class FrozenSetting:
    """A setting with what decides its runs: their `digest` has config, data and seeds in it.

    `data` is the SHA-256 of its data, and `config` is resolved.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    choice: dict[str, Any]
    metric: str
    ordered_by: str
    seeds: list[int]
    split_seeds: list[int | None]
    folds: list[int | None]
    runs: int
    data: str
    digest: str
    config: dict[str, Any]


@dataclass(frozen=True)
class FrozenPlan:
    """The content of a plan.

    Args:
        schema_version: of the file.
        made: when, in UTC.
        margin: a difference that does not matter, in the units of the metric; None without any.
        runs: of all settings.
        words: the arguments, which apply to all configs.
        configs: as they were written, by the names of their files. Data below the plan's folder
            have a path relative to it.
        settings: that the configs and the arguments make.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    schema_version: int
    made: str
    margin: float | None
    runs: int
    words: Words
    configs: dict[str, dict[str, Any]]
    settings: list[FrozenSetting]


def freeze(
    plan: Plan, files: Sequence[Path], words: Words, margin: float | None, to: Path
) -> bytes:
    """The content of the file `to` for a plan of these configs, made with these arguments.

    Raises: UsageError if it has too many settings, or cannot be written as JSON.
    """
    settings = [_setting(variant, to.absolute().parent) for variant in plan.variants]
    if len(settings) > MOST_SETTINGS:
        raise UsageError(f"a plan has at most {MOST_SETTINGS:,} settings, not {len(settings):,}")
    configs = {str(file): _as_written(file, to.absolute().parent) for file in files}
    found = FrozenPlan(_VERSION, now(), margin, len(plan), words, configs, settings)
    try:
        content = sealed_json(asdict(found))
    except (TypeError, ValueError) as error:
        raise UsageError(f"a plan is JSON, which cannot hold this: {error}") from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"a plan has at most {MOST_BYTES:,} bytes, not {len(content):,}")
    return content


def read_frozen(file: Path) -> tuple[FrozenPlan, Planned]:
    """A plan, and what boards say of it.

    Raises: UsageError if there is none; DamageError if it is not as it was written.
    """
    try:
        content = read_regular(file, MOST_BYTES)
    except FileNotFoundError:
        raise UsageError(f"there is no plan {file}; nnrun plan CONFIG -o makes one") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    return parse_frozen(content, file)


def parse_frozen(content: bytes, file: Path) -> tuple[FrozenPlan, Planned]:
    """The same from the bytes of a file of this name."""
    try:
        found = _plain().validate_python(parse_sealed(content))
        if found.schema_version != _VERSION or not _is_sound(found):
            raise ValueError
    except DamageError as error:
        raise DamageError(f"{file} is damaged: {error}", _AGAIN) from None
    except (ValueError, OverflowError, RecursionError):
        message = f"{file} is no plan, or of another version of nnrun"
        raise DamageError(message, _AGAIN) from None
    digest = json.loads(content)["file_sha256"]
    return found, Planned(digest, found.made)


def thaw(
    frozen: FrozenPlan,
    file: Path,
    datasets: Datasets,
    most_runs: int,
    progress: CheckProgress = lambda: nullcontext(lambda checks: None),
) -> Plan:
    """The plan of a sweep that a file holds; its configs are checked as others are.

    Raises: ConfigError if they are invalid; UsageError if they make other settings here than when
    the file was made, as where the data have changed.
    """
    words = frozen.words
    wanted = Arguments.parse(
        words.arguments, words.seeds, words.iterations, most_runs, words.beside
    )
    folder = file.absolute().parent

    def absolute(path: str) -> str:
        return os.path.join(folder, path)

    origins = {
        f"{file}: {name}": _with_path(config, absolute) for name, config in frozen.configs.items()
    }
    plan = make_plan(origins, wanted, datasets, progress)
    if len(plan.variants) > MOST_SETTINGS:
        raise UsageError(f"{file}: a plan has at most {MOST_SETTINGS:,} settings")
    made = [_setting(variant, folder) for variant in plan.variants]
    for new, old in zip(made, frozen.settings, strict=False):
        if (new.name, new.choice) == (old.name, old.choice) and new.data != old.data:
            raise UsageError(
                f"{file}: the data of {new.name} have changed since the plan was made: their "
                f"SHA-256 begins with {new.data[:12]}, and did with {old.data[:12]}; {_AGAIN}"
            )
    if [*map(_decided, made)] != [*map(_decided, frozen.settings)]:
        raise UsageError(
            f"{file}: this version of nnrun, or a plugin, would train other runs than those of the "
            f"plan; {_AGAIN}"
        )
    return plan


def _decided(setting: FrozenSetting) -> dict[str, Any]:
    """All of a setting but its config, whose digest it has, and whose paths may be others."""
    return {key: value for key, value in asdict(setting).items() if key != "config"}


def _setting(variant: Variant, folder: Path) -> FrozenSetting:
    return FrozenSetting(
        name=variant.name,
        choice=json.loads(json.dumps(variant.choice)),
        metric=variant.metric,
        ordered_by=next(split for split in CHOOSING if split in variant.splits),
        seeds=[*variant.seeds],
        split_seeds=[*variant.split_seeds],
        folds=[*variant.identities],
        runs=variant.planned,
        data=variant.sha256,
        digest=variant.digest,
        config=_with_path(json.loads(variant.config), _relative_to(folder)),
    )


def _as_written(file: Path, folder: Path) -> dict[str, Any]:
    """A config that is valid, with its name, and with its data as seen from the plan's folder."""
    data = dict(read_config(file).source.data)
    beside = file.absolute().parent

    def seen(path: str) -> str:
        return _relative_to(folder)(os.path.abspath(beside / os.path.expanduser(path)))

    return {"name": file.stem, **_with_path(data, seen)}


def _relative_to(folder: Path) -> Callable[[str], str]:
    def relative(path: str) -> str:
        inside = os.path.isabs(path) and Path(path).is_relative_to(folder)
        return Path(path).relative_to(folder).as_posix() if inside else path

    return relative


def _with_path(config: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """A config with its data at another path."""
    block = config.get("dataset")
    if not isinstance(block, dict):
        return {**config}
    block, images = {**block}, block.get("images")
    if isinstance(block.get("path"), str) and block["path"] != GIVEN:
        block["path"] = change(block["path"])
    if isinstance(images, dict) and isinstance(images.get("folder"), str):
        block["images"] = {**images, "folder": change(images["folder"])}
    return {**config, "dataset": block}


def _is_sound(plan: FrozenPlan) -> bool:
    """Whether numbers are within their ranges, and no relative path leaves the plan's folder."""
    outside: list[str] = []

    def look(path: str) -> str:
        outside.extend([path] * (".." in Path(path).parts))
        return path

    for config in (*plan.configs.values(), *(setting.config for setting in plan.settings)):
        _with_path(config, look)
    words, margin = plan.words, plan.margin
    positive = (n > 0 for n in (words.seeds, words.iterations) if n is not None)
    return (
        datetime.fromisoformat(plan.made).tzinfo is not None
        and all(positive)
        and (margin is None or (isfinite(margin) and margin >= 0))
        and 0 < len(plan.settings) <= MOST_SETTINGS
        and not outside
    )


@cache
def _plain() -> TypeAdapter[FrozenPlan]:
    from pydantic import TypeAdapter  # noqa: PLC0415  # slow to import

    return TypeAdapter(FrozenPlan)
