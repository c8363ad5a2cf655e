"""The record of a run, as plain values: the content of report.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # slow to import
    from nnrun.config.schema.experiment import ExperimentConfig
    from nnrun.models.scores import Metrics
    from nnrun.nn.signature import Array
    from nnrun.training.state import HistoryRow, TrainingState
    from nnrun.training.watching.watched import Watched

SCHEMA_VERSION = 1
EARLIER = "earlier"
"""The key of an environment under which others are, in which the run had its earlier updates."""

# Entries that reports have only where they say something.
_RARE = ("plugins", "search")
# What bits depend on. The compiled engine calls no BLAS and computes alike on every processor;
# NumPy's arithmetic depends on the BLAS, on its kernel for the processor, and on NumPy's vectors.
_ALWAYS = ("architecture",)
_BY_NUMPY = ("blas", "blas_kernel", "vectors")

Status = Literal["completed", "diverged", "stopped", "interrupted", "failed"]
"""How a run ended; `stopped` by a callback, with the weights it had then."""


@dataclass(frozen=True)
class RunRecord:
    """A run's report. Every field can be written as JSON; no number is NaN or infinite.

    `search` is the identity of the search that trained it; None for other runs.
    """

    name: str
    run_id: str
    status: Status
    error: str | None
    task: str
    config: dict[str, Any]
    seed: int
    dataset: dict[str, Any]
    network: dict[str, Any]
    metrics: dict[str, Any]
    baseline: dict[str, Any]
    published: list[dict[str, Any]]
    timing: dict[str, Any]
    engine: str
    environment: dict[str, Any]
    weights_sha256: str | None
    started: str
    main_metric: str
    best_iteration: int | None = None
    stopped_early: bool = False
    divergence: dict[str, Any] | None = None
    warnings: list[dict[str, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    extended_from: dict[str, Any] | None = None
    decision: dict[str, Any] | None = None
    plugins: list[dict[str, str]] = field(default_factory=list)
    search: str | None = None
    description: str = ""
    schema_version: int = SCHEMA_VERSION
    nnrun_version: str = ""

    @property
    def beside(self) -> str | None:
        """The model of scikit-learn that was trained; None for a network."""
        found = self.config.get("beside")
        return found if isinstance(found, str) else None

    @property
    def numeric_backend(self) -> str:
        """A text that is equal for runs with equal bits; empty if it has no environment."""
        if not self.environment.get("architecture"):
            return ""
        keys = _ALWAYS if self.engine == "compiled" else (*_ALWAYS, *_BY_NUMPY)

        def arithmetic(environment: dict[str, Any]) -> str:
            numpy = (environment.get("packages") or {}).get("numpy")
            return ", ".join([f"numpy {numpy}", *(str(environment.get(key)) for key in keys)])

        last_first = (self.last_environment, *reversed(self.earlier_environments))
        return f"{self.engine}, " + ", after ".join(dict.fromkeys(map(arithmetic, last_first)))

    @property
    def last_environment(self) -> dict[str, Any]:
        """The environment of its last updates and of all else."""
        return {key: value for key, value in self.environment.items() if key != EARLIER}

    @property
    def earlier_environments(self) -> list[dict[str, Any]]:
        """The environments of its earlier updates, without that of its last ones."""
        found: list[dict[str, Any]] = self.environment.get(EARLIER, [])
        return found

    @property
    def environments(self) -> list[dict[str, Any]]:
        """The environments of all its updates, in their order."""
        return [*self.earlier_environments, environment_of_updates(self.environment)]

    def has_metric(self, name: str) -> bool:
        """Whether it has a metric, be it undefined; those of a run without metrics are unknown."""
        return any(name in (numbers or {}) for numbers in self.metrics.values())

    def to_dict(self) -> dict[str, Any]:
        """As JSON data, the version first."""
        content = {key: value for key, value in vars(self).items() if key not in _RARE or value}
        first = ("schema_version", "nnrun_version", "name", "run_id", "status", "error")
        return {key: content[key] for key in first} | content

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> RunRecord:
        """From JSON data; unknown fields are ignored; a TypeError if one is missing."""
        known = cls.__dataclass_fields__
        return cls(**{key: value for key, value in content.items() if key in known})


def numeric_environment(environment: dict[str, Any]) -> dict[str, Any]:
    """The part of an environment that `numeric_backend` uses."""
    packages = environment.get("packages") or {}
    found = {key: environment[key] for key in (*_ALWAYS, *_BY_NUMPY) if key in environment}
    if not found:
        return {}
    earlier = [numeric_environment(each) for each in environment.get(EARLIER, [])]
    return with_earlier({**found, "packages": {"numpy": packages.get("numpy")}}, earlier)


def environment_of_updates(environment: dict[str, Any]) -> dict[str, Any]:
    """The part of an environment that the bits of updates may depend on."""
    packages = environment.get("packages") or {}
    found = {key: environment[key] for key in environment if key not in ("threads", EARLIER)}
    return {**found, "packages": {"numpy": packages.get("numpy")}}


def with_earlier(environment: dict[str, Any], earlier: list[dict[str, Any]]) -> dict[str, Any]:
    """An environment with those of earlier updates, if there are any."""
    return {**environment, EARLIER: earlier} if earlier else environment


@dataclass(frozen=True)
class RunResult:
    """A record with everything else that is saved in the run's folder.

    Args:
        record: the report.
        history: a row for each evaluation.
        weights: arrays by name; None for a run that diverged or failed.
        metadata: what prediction needs besides the weights: network and fitted preprocessing.
        checkpoint: the state to continue from, for a run that was interrupted or stopped.
        ending: the state at the end of a completed run, without its weights; for extensions.
        traceback: of the error that ended the run, where nnrun did not expect it.
        watched: what was recorded of the network while it trained, if it was watched.
    """

    record: RunRecord
    history: list[HistoryRow] = field(default_factory=list)
    weights: dict[str, Array] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    checkpoint: TrainingState | None = None
    ending: TrainingState | None = None
    traceback: str | None = None
    watched: Watched | None = None

    @cached_property
    def config_yaml(self) -> str:
        """The config as `config.yaml` and report.md have it."""
        from nnrun.config.yaml.dump import dump  # noqa: PLC0415  # slow to import

        return dump(self.record.config)


def now() -> str:
    """The time in UTC, to the microsecond: runs of one second have an order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


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
