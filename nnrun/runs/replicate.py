"""What tells the runs of one setting apart: the seed, the seed of the split, and the fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # slow to import
    from nnrun.config.schema.experiment import ExperimentConfig

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
        """Of a run with this seed and this resolved config as plain values.

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
        """With the seed that draws the split; None where none does, as for given test rows."""
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
