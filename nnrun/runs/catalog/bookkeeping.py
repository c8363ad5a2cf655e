"""Settings that are consequences: they tell runs apart, but nobody has set them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nnrun.config.settings import differing, setting_of
from nnrun.runs.catalog.summary import RunSummary

DATA = "dataset.sha256"
_MOST_LOOKED_AT = 1000
# What a longer run has as the shorter one had it, and its config would not say.
CONTINUED = ("training.evaluate_every", "training.engine", "training.learning_rate.over")


def set_by_hand(
    keys: Mapping[str, Sequence[str]], runs: Sequence[RunSummary]
) -> dict[str, list[str]]:
    """The settings that tell runs of one name apart, but for those that follow from others.

    What an extended run has in common with the run that it goes on from is left out where other
    runs do not differ in it; so is the digest of a built-in data set that other keys tell apart.
    """
    by_name: dict[str, list[RunSummary]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    return {
        name: [key for key in found if not _follows(key, found, by_name.get(name, []))]
        for name, found in keys.items()
    }


def telling_first(
    keys: Mapping[str, Sequence[str]], runs: Iterable[RunSummary]
) -> dict[str, list[str]]:
    """The settings that tell runs of one name apart, those of the most values first."""
    values: dict[str, dict[int, Mapping[str, Any]]] = {}
    for run in runs:  # seeds of one config share their settings
        values.setdefault(run.name, {})[id(run.settings)] = run.settings
    return {
        name: sorted(found, key=lambda key: -_number_of_values(key, [*values[name].values()]))
        for name, found in keys.items()
    }


def _number_of_values(key: str, settings: Sequence[Mapping[str, Any]]) -> int:
    return len({repr(setting_of(found, key)) for found in settings[-_MOST_LOOKED_AT:]})


def _follows(key: str, keys: Sequence[str], runs: Sequence[RunSummary]) -> bool:
    if key == DATA:
        others = any(other.startswith("dataset.") and other != DATA for other in keys)
        return others and all(setting_of(run.settings, "dataset.name") for run in runs)
    if key not in CONTINUED or not any(run.extended_from for run in runs):
        return False
    return key not in differing([run.settings for run in runs if not run.extended_from])
