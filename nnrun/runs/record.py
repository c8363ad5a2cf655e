"""The record of a run, as plain values: the content of report.json."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nnrun import NUMERICS_VERSION
from nnrun.config.settings import canonical_json

if TYPE_CHECKING:
    from nnrun.config.schema.experiment import ExperimentConfig
    from nnrun.models.scores import Metrics
    from nnrun.nn.signature import Array
    from nnrun.training.state import HistoryRow, TrainingState
    from nnrun.training.watched import Watched


# The identity of a run: the digest in its id.

_RUN_ID = re.compile(r"s(\d+)-[0-9a-f]{10}")


@dataclass(frozen=True)
class Identity:
    """Everything that decides a run except its seed, as one text."""

    text: str

    @classmethod
    def of(
        cls, canonical: Mapping[str, Any], data_sha256: str, plugins: Mapping[str, str]
    ) -> Identity:
        """Id from the canonical config, the digest of the data and the version of the numerics.

        The path of a data file is no part of it, so that moving the file changes nothing. `plugins`
        has the digest of the source of each part of a plugin that the config names.
        """
        content = {"config": canonical, "data": data_sha256, "numerics": NUMERICS_VERSION}
        return cls(canonical_json({**content, "plugins": plugins} if plugins else content))

    def with_split_seed(self, seed: int | None) -> Identity:
        """The identity of the same run with this split seed; None changes nothing."""
        return self if seed is None else _with_split_seed(self, seed)

    def digest(self, seed: int) -> str:
        """SHA-256 over everything that decides the numbers of the run."""
        return hashlib.sha256(f"{self.text} {seed}".encode()).hexdigest()

    def run_id(self, seed: int) -> str:
        """The name of the run's folder."""
        return f"s{seed}-{self.digest(seed)[:10]}"


@lru_cache(maxsize=1024)
def _with_split_seed(identity: Identity, seed: int) -> Identity:
    content = json.loads(identity.text)
    dataset = content["config"]["dataset"]
    dataset["split"] = {**dataset.get("split", {}), "seed": seed}
    return Identity(canonical_json(content))


def is_run_id(text: str) -> bool:
    """Whether a text is a run id."""
    return _RUN_ID.fullmatch(text) is not None


def by_seed(run_id: str) -> tuple[int, str]:
    """The sort key of run ids: s7 comes before s10, and other names come first."""
    found = _RUN_ID.fullmatch(run_id)
    return (int(found[1]) if found else -1, run_id)


# What tells the runs of one setting apart: the seed, the seed of the split, and the fold.

SEED, SPLIT_SEED, FOLD = "seed", "dataset.split.seed", "dataset.fold"
KEYS = (SEED, SPLIT_SEED, FOLD)


def among_equals(seed: int, run_id: str) -> tuple[int, str]:
    """A key to sort runs by whose results are equal, in lists of runs and on boards alike."""
    return seed, run_id


class Replicate(NamedTuple):
    """One of the runs of a setting.

    Args:
        seed: of the run.
        split_seed: that draws the split; None where `seed` does.
        fold: that is tested; None without folds.
    """

    seed: int
    split_seed: int | None = None
    fold: int | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any], seed: int) -> Replicate:
        """Replicate of a run with this seed and this resolved config as plain values.

        Raises: TypeError if the config does not hold what it should.
        """
        block = config.get("dataset") or {}
        found = cls(seed, (block.get("split") or {}).get("seed"), block.get("fold"))
        if any(type(value) is not int for value in found if value is not None):
            raise TypeError("a seed or a fold is no whole number")
        return found

    @property
    def split(self) -> tuple[int, int | None]:
        """Equal where the rows of each split are the same, given data and settings."""
        return self.seed if self.split_seed is None else self.split_seed, self.fold

    def resolved(self, *, drawn: bool) -> Replicate:
        """The replicate with the seed of its split; None where none draws it."""
        return Replicate(self.seed, self.split[0] if drawn else None, self.fold)

    @property
    def order(self) -> tuple[int, int, int]:
        """A key to sort by."""
        return self.seed, self.split[0], self.fold or 0

    @property
    def words(self) -> str:
        """`seed=3`, `seed=3 split=5 fold=2`."""
        parts = (("seed", self.seed), ("split", self.split_seed), ("fold", self.fold))
        return " ".join(f"{name}={value}" for name, value in parts if value is not None)

    def applied(self, config: ExperimentConfig) -> ExperimentConfig:
        """The config of this run."""
        update: dict[str, Any] = {"seed": self.seed}
        block = config.dataset
        split = block.split.model_copy(update={"seed": self.split_seed})
        if (self.split_seed, self.fold) != (block.split.seed, block.fold):
            update["dataset"] = block.model_copy(update={"split": split, "fold": self.fold})
        return config.model_copy(update=update)

    def within(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The resolved config of this run as plain values."""
        block = config["dataset"]
        if self.split_seed is not None:
            block = {**block, "split": {**(block.get("split") or {}), "seed": self.split_seed}}
        if self.fold is not None:
            block = {**block, "fold": self.fold}
        return {**config, "seed": self.seed, "dataset": block}


def setting(config: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved config as plain values, without what tells the runs of one setting apart."""
    found = {key: value for key, value in config.items() if key != SEED}
    if "dataset" in found:
        block = {key: value for key, value in found["dataset"].items() if key != "fold"}
        if isinstance(block.get("split"), Mapping):
            block["split"] = {key: value for key, value in block["split"].items() if key != "seed"}
        found["dataset"] = block
    return found


SCHEMA_VERSION = 1
EARLIER = "earlier"
"""The key of an environment under which others are, in which the run had its earlier updates."""

# Entries that reports have only where they say something.
_RARE = ("plugins", "search", "commit", "members", "coverage", "calibration", "naive")
# What bits depend on. The compiled engine calls no BLAS and computes alike on every processor;
# NumPy's arithmetic depends on the BLAS, on its kernel for the processor, and on NumPy's vectors.
_ALWAYS = ("architecture",)
_BY_NUMPY = ("blas", "blas_kernel", "vectors")

Status = Literal["completed", "diverged", "stopped", "interrupted", "failed"]
"""How a run ended; `stopped` by a callback, with the weights it had then."""


@dataclass(frozen=True)
class RunRecord:
    """A run's report. Every field can be written as JSON; no number is NaN or infinite.

    `search` is the identity of the search that trained it; None for other runs. `commit` is that of
    the Git repository with its config, when it began; None without one. `members` says what
    each of several networks reaches alone; None of a run with one. `naive` has the metrics of
    earlier targets as predictions, by how many steps of time earlier, as `baseline` has its own.
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
    commit: str | None = None
    members: dict[str, Any] | None = None
    coverage: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    naive: dict[str, dict[str, Any]] = field(default_factory=dict)
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
        """The record as JSON data, the version first."""
        content = {key: value for key, value in vars(self).items() if key not in _RARE or value}
        first = ("schema_version", "nnrun_version", "name", "run_id", "status", "error")
        return {key: content[key] for key in first} | content

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> RunRecord:
        """Record from JSON data; unknown fields are ignored; a TypeError if one is missing."""
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
        from nnrun.config.yaml_scalars import dump  # noqa: PLC0415  # slow to import

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
