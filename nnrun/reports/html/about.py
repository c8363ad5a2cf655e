"""A run's config."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nnrun.config.canonical import canonical
from nnrun.config.load import config_from_dict
from nnrun.config.names import changes_nothing
from nnrun.config.settings import flatten
from nnrun.config.yaml.dump import flow
from nnrun.errors import NnrunError
from nnrun.reports.charts.svg import shortened
from nnrun.reports.document import Block, Note, Setting, Settings
from nnrun.reports.numbers import MISSING
from nnrun.runs.catalog.summarize import PLACES
from nnrun.runs.record import RunRecord


def config_blocks(record: RunRecord, varying: Sequence[str]) -> Iterator[Block]:
    """Every key of the config, defaults dimmed."""
    config = {key: value for key, value in record.config.items() if not changes_nothing(key)}
    given = _given(record.config)
    settings = [
        Setting(
            shortened(key, 80),
            MISSING if value is None else shortened(flow(_without_folder(key, value))),
            default=not _is_within(key, given),
            differs=_is_within(key, varying),
        )
        for key, value in flatten(config).items()
    ]
    chosen = [one for one in settings if one.differs or not one.default]
    yield Settings(chosen, [one for one in settings if one not in chosen])
    if varying:
        yield Note(
            "Marked keys are those in which runs of this name differ; grey ones are defaults."
        )


def _is_within(key: str, blocks: Iterable[str]) -> bool:
    """Whether it is one of these keys, or of a block that is one of them."""
    return any(f"{key}.".startswith(f"{block}.") for block in blocks)


def _without_folder(key: str, value: Any) -> Any:
    """Of the path of data their name: the page is made to be shared."""
    return Path(value).name if key in PLACES and isinstance(value, str) else value


def _given(config: dict[str, Any]) -> set[str]:
    """The keys that differ from their defaults, and the blocks that are there of their own."""
    try:
        whole = config_from_dict(config)
    except NnrunError:
        return set(flatten(config))
    default = type(whole).model_fields["seed"].get_default()
    return set(flatten(canonical(whole))) | ({"seed"} if whole.seed != default else set())
