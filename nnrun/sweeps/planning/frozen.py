"""Plans that are fixed before a sweep: what is compared, by what, and a digest of all of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

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

MOST_BYTES, MOST_SETTINGS = 2**24, 1000
_VERSION = 1
_AGAIN = "nnrun plan makes another"


@dataclass(frozen=True)
class Planned:
    """What a board says of its plan: the digest of the file, and when that was made, in UTC."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    digest: str
    made: str


@dataclass(frozen=True)
class FrozenPlan:
    """The content of a plan.

    Args:
        schema_version: of the file.
        made: when, in UTC.
        margin: a difference that does not matter, in the units of the metric; None without any.
        arguments: overrides and values of the grid, which apply to all configs.
        seeds: their number, where an option gave it; likewise `iterations` and `beside`.
        configs: as they were written, by the names of their files; relative paths of data are
            relative to the plan.
        settings: that the configs and the arguments make. Each has its config as it is resolved,
            and the `digest` of all that decides its runs, with their data and seeds.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    schema_version: int
    made: str
    margin: float | None
    arguments: list[str]
    seeds: int | None
    iterations: int | None
    beside: list[str] | None
    configs: dict[str, dict[str, Any]]
    settings: list[dict[str, Any]]

    def thaw(
        self,
        file: Path,
        datasets: Datasets,
        most_runs: int,
        progress: CheckProgress = lambda: nullcontext(lambda checks: None),
    ) -> Plan:
        """The plan of a sweep; the configs are checked as others are.

        Raises: ConfigError if they are invalid; UsageError if they make other settings than when
        the file was made, as where the data have changed.
        """
        wanted = Arguments.parse(
            self.arguments, self.seeds, self.iterations, most_runs, self.beside
        )
        origins = {
            f"{file}: {name}": _from_folder(config, file.absolute().parent)
            for name, config in self.configs.items()
        }
        plan = make_plan(origins, wanted, datasets, progress)
        made = [] if len(plan) > self.runs else [_setting(variant) for variant in plan.variants]
        for new, old in zip(made, self.settings, strict=False):
            if new["data"] != old.get("data") and new["choice"] == old.get("choice"):
                raise UsageError(
                    f"{file}: the data of {new['name']} have changed since the plan was made: "
                    f"their SHA-256 begins with {new['data'][:12]} now; {_AGAIN}"
                )
        if [*map(_decided, made)] != [*map(_decided, self.settings)]:
            raise UsageError(
                f"{file}: this version of nnrun, or a plugin, would train other runs than those "
                f"of the plan; {_AGAIN}"
            )
        return plan

    @property
    def runs(self) -> int:
        """Number of runs of all settings."""
        return sum(setting["runs"] for setting in self.settings)


def freeze(plan: Plan, files: Sequence[Path], to: Path, **words: Any) -> bytes:
    """The content of the file `to` for a plan of these configs; `words` are its other arguments.

    Raises: UsageError if it has too many settings, or cannot be written as JSON.
    """
    settings = [_setting(variant) for variant in plan.variants]
    if len(settings) > MOST_SETTINGS:
        raise UsageError(f"a plan has at most {MOST_SETTINGS:,} settings, not {len(settings):,}")
    folder = to.absolute().parent
    for setting in settings:
        setting["config"] = _from_folder(setting["config"], folder, folder)
    configs = {str(file): _as_written(file, folder) for file in files}
    found = FrozenPlan(_VERSION, now(), configs=configs, settings=settings, **words)
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
        return parse_frozen(read_regular(file, MOST_BYTES), file)
    except FileNotFoundError:
        raise UsageError(f"there is no plan {file}; nnrun plan CONFIG -o makes one") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None


def parse_frozen(content: bytes, file: Path) -> tuple[FrozenPlan, Planned]:
    """The same from the bytes of a file of this name."""
    from pydantic import TypeAdapter  # noqa: PLC0415  # slow to import

    try:
        found = TypeAdapter(FrozenPlan).validate_python(parse_sealed(content))
        numbers = (found.seeds, found.iterations, *(each["runs"] for each in found.settings))
        if (
            found.schema_version != _VERSION
            or datetime.fromisoformat(found.made).tzinfo is None
            or not all(number > 0 for number in numbers if number is not None)
            or not (found.margin is None or (isfinite(found.margin) and found.margin >= 0))
            or not 0 < len(found.settings) <= MOST_SETTINGS
        ):
            raise ValueError
    except DamageError as error:
        raise DamageError(f"{file} is damaged: {error}", _AGAIN) from None
    except (ValueError, TypeError, KeyError, OverflowError):
        message = f"{file} is no plan, or of another version of nnrun"
        raise DamageError(message, _AGAIN) from None
    return found, Planned(json.loads(content)["file_sha256"], found.made)


def _decided(setting: Mapping[str, Any]) -> dict[str, Any]:
    """All of a setting but its config, whose digest it has, and whose path may be another."""
    return {key: value for key, value in setting.items() if key != "config"}


def _setting(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "choice": json.loads(json.dumps(variant.choice)),
        "metric": variant.metric,
        "ordered_by": next(split for split in CHOOSING if split in variant.splits),
        "seeds": [*variant.seeds],
        "split_seeds": [*variant.split_seeds],
        "folds": [*variant.identities],
        "runs": variant.planned,
        "data": variant.sha256,
        "digest": variant.digest,
        "config": json.loads(variant.config),
    }


def _as_written(file: Path, folder: Path) -> dict[str, Any]:
    """A config that is valid, with its name, and with its data as seen from the plan's folder."""
    written = _from_folder(dict(read_config(file).source.data), file.absolute().parent, folder)
    return {"name": file.stem, **written}


def _from_folder(config: Mapping[str, Any], folder: Path, to: Path | None = None) -> dict[str, Any]:
    """A config with its data at an absolute path, or where they are below `to`, relative to it."""
    block = config.get("dataset")
    if not isinstance(block, dict):
        return {**config}

    def seen(path: Any) -> Any:
        if not isinstance(path, str) or path in ("", GIVEN):
            return path
        absolute = os.path.abspath(folder / os.path.expanduser(path))
        inside = to is not None and Path(absolute).is_relative_to(to)
        return Path(absolute).relative_to(to).as_posix() if to and inside else absolute

    block, images = {**block}, block.get("images")
    if "path" in block:
        block["path"] = seen(block["path"])
    if isinstance(images, dict) and "folder" in images:
        block["images"] = {**images, "folder": seen(images["folder"])}
    return {**config, "dataset": block}
