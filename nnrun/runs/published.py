"""Published numbers of a config, beside those of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.models.scores import Metrics
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord


def published_of(config: ExperimentConfig) -> dict[str, float]:
    """The published numbers of a config, by `<split>_<metric>`."""
    return config.published.numbers if config.published else {}


def compare_published(
    numbers: Mapping[str, float], metrics: Mapping[str, Metrics | None]
) -> list[dict[str, Any]]:
    """Each published number with ours; `ours` is None where the run has no such number."""
    rows = []
    for key, number in numbers.items():
        split, _, metric = key.partition("_")
        ours = (metrics.get(split) or {}).get(metric)
        difference = None if ours is None else ours - number
        rows.append({"metric": key, "published": number, "ours": ours, "difference": difference})
    return rows


def reworded(record: RunRecord, prepared: Prepared) -> RunRecord:
    """A record with the config's present description and published numbers."""
    return replace(
        record,
        config=prepared.config_dict,
        description=prepared.config.description,
        published=compare_published(published_of(prepared.config), record.metrics),
    )
