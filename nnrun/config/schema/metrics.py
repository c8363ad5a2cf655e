"""Names of metrics in a config, alone or after the name of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import CoreSchema, core_schema

from nnrun.config.names import SPLITS
from nnrun.config.schema.base.fields import Kind
from nnrun.metrics.table import LOSS, METRICS, find, pattern
from nnrun.suggestions import PLUGINS, nearest

_LISTED = f"; `nnrun help metrics` lists them{PLUGINS}"


def is_metric(name: str) -> bool:
    """Whether a report may have this number: a metric, or the loss."""
    return name == LOSS or find(name) is not None


def is_published(key: str) -> bool:
    """Whether this is `<split>_<metric>`."""
    split, _, metric = key.partition("_")
    return split in SPLITS and is_metric(metric)


def published_keys() -> tuple[str, ...]:
    """Keys of published numbers, to suggest one."""
    return tuple(f"{split}_{metric}" for split in SPLITS for metric in (LOSS, *METRICS))


def published_pattern() -> str:
    """Matches every key of a published number."""
    return f"^({'|'.join(SPLITS)})_({LOSS}|{pattern()})$"


@dataclass(frozen=True)
class MetricName(Kind):
    """The name of a metric, after a prefix if there is one; `extra` are other names."""

    noun: str = "a metric"
    prefix: str = ""
    extra: Sequence[str] = ()

    @property
    def phrase(self) -> str:
        return self.noun

    @property
    def example(self) -> Any:
        return f"{self.prefix}roc_auc"

    def hint(self, value: Any) -> str:
        split, _, name = str(value).partition("_")
        if split in SPLITS and self._is_known(f"{self.prefix}{name}"):
            why = "no other split is monitored" if self.prefix else "the split is implied"
            return f"; write '{self.prefix}{name}', {why}"
        near = nearest(value, [f"{self.prefix}{name}" for name in (*self.extra, *METRICS)])
        if near is None and isinstance(value, str):
            meant = nearest(value.removeprefix(self.prefix), [*self.extra, *METRICS])
            near = meant and f"{self.prefix}{meant}"
        macro = (near or "").replace("_binary", "_macro")
        more = f", or '{macro}' for more than two classes" if macro != (near or "") else ""
        return f"; did you mean '{near}'{more}?" if near else _LISTED

    def prepare(self, value: Any) -> Any:
        if isinstance(value, str) and not self._is_known(value):
            raise ValueError
        return value

    def schema(self) -> CoreSchema:
        return core_schema.str_schema(strict=True)

    def _is_known(self, value: str) -> bool:
        name = value.removeprefix(self.prefix)
        return value == f"{self.prefix}{name}" and (name in self.extra or find(name) is not None)

    def in_json(self) -> dict[str, Any]:
        names = "|".join((*self.extra, pattern()))
        return {"pattern": f"^{self.prefix}({names})$"}
