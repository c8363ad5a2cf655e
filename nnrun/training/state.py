"""The state of a training loop, its examples and its streams of random numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nnrun.nn.losses.weighted import join_weights
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng

# The rows that a network is trained on and evaluated on.
#
# Evaluations on the way take a part of a large split, drawn once. Evaluating a row takes about a
# third of the time of training on it, so evaluations on half as many rows as are trained on between
# them take about a sixth of the time of training. The last evaluation takes all rows.


@dataclass(frozen=True)
class PreparedSplit:
    """One split, ready for the network.

    Args:
        x: preprocessed rows, in the network's dtype.
        target: targets as numbers, in the network's dtype: one for each output.
        y: class numbers, or targets in their original units.
        weight: of each row in the loss, their mean 1, in the network's dtype; None for no weights.
        sample_weight: of each row in metrics: as in the column, without that of its class.
    """

    x: Array
    target: Array
    y: Array
    weight: Array | None = None
    sample_weight: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def head(self, rows: int) -> PreparedSplit:
        """The first rows."""
        weights = (self.weight, self.sample_weight)
        cut = (None if weight is None else weight[:rows] for weight in weights)
        return PreparedSplit(self.x[:rows], self.target[:rows], self.y[:rows], *cut)

    def part(self, rows: Array) -> PreparedSplit:
        """These rows, with weights whose mean is 1 again."""
        weight = None if self.weight is None else self.weight[rows]
        return PreparedSplit(
            x=self.x[rows],
            target=self.target[rows],
            y=self.y[rows],
            weight=None if weight is None else weight / (weight.mean() or 1),
            sample_weight=None if self.sample_weight is None else self.sample_weight[rows],
        )

    @property
    def counts(self) -> bool:
        """Whether rows have no weights, or some have one above 0."""
        weights = (self.weight, self.sample_weight)
        return all(weight is None or bool(weight.any()) for weight in weights)

    @cached_property
    def loss_target(self) -> Array:
        """Targets in the form that the loss takes: with the rows' weights, if they have any."""
        return self.target if self.weight is None else join_weights(self.target, self.weight)


FEWEST = 10_000
"""Splits of up to this many rows are evaluated whole: the standard error of an accuracy on as many
is 0.005 at most."""

# Copies of so large a share of a split, and none larger, are held in memory.
_SHARE = 4


def most_rows(evaluate_every: int, batch_size: int, splits: int) -> int:
    """The rows of each split that an evaluation takes at most, by default."""
    return max(FEWEST, evaluate_every * batch_size // (2 * splits))


def rows_taken(
    asked: int | str | None, usual: int, sizes: Sequence[int], planned: int
) -> int | None:
    """The rows of a split that an evaluation takes at most, the same for every seed.

    None for all, and where no split can have more.

    Args:
        asked: a number, or `all`; None for the usual number.
        usual: that by default.
        sizes: of all splits.
        planned: the training rows asked for; the seed may draw others.
    """
    if asked == "all":
        return None
    most = int(asked or usual)
    return most if max(planned, sum(sizes) - planned) > most else None


def drawn_parts(
    splits: Mapping[str, PreparedSplit], most: int, rng: Rng, *, by_default: bool
) -> dict[str, PreparedSplit]:
    """A part of each split that has more rows than `most`, in the order of the split.

    By default it is at most a quarter of the split, unless that is less than `FEWEST` rows. A part
    in which no row has a weight is left out, so that its split is evaluated whole.
    """
    parts = {}
    for name, split in splits.items():
        wanted = min(most, max(FEWEST, len(split) // _SHARE)) if by_default else most
        if len(split) > most:
            rows = np.sort(rng.choice(len(split), wanted, replace=False))
            part = split.part(rows)
            if part.counts:
                parts[name] = part
    return parts


HistoryRow = dict[str, float | int]


@dataclass(frozen=True)
class TrainingState:
    """A moment of training: `arrays` by name, and `values` that JSON can hold."""

    arrays: dict[str, Array]
    values: dict[str, Any]

    @property
    def iteration(self) -> int:
        """The number of updates so far."""
        return int(self.values["iteration"])


def network_arrays(network: Network) -> dict[str, Array]:
    """Parameters and buffers by name; views, not copies."""
    buffers = {f"buffers.{name}": array for name, array in network.buffers.items()}
    return {"theta": network.theta, **buffers}


def allocate(network: Network, optimizer: Optimizer) -> None:
    """Allocate the arrays of the optimizer and its average for an initialized network."""
    optimizer.allocate(network.theta)
    if optimizer.average is not None:
        optimizer.average.begin(network_arrays(network))


def live_arrays(network: Network, optimizer: Optimizer) -> dict[str, Array]:
    """The arrays that updates change, by name; views, not copies."""
    memory = {f"optimizer.{name}": array for name, array in optimizer.state.items()}
    average = {} if optimizer.average is None else optimizer.average.arrays
    means = {f"optimizer.average.{name}": array for name, array in average.items()}
    return {**network_arrays(network), **memory, **means}


def copies(arrays: dict[str, Array]) -> dict[str, Array]:
    """A copy of each."""
    return {name: array.copy() for name, array in arrays.items()}


def copy_into(live: dict[str, Array], saved: dict[str, Array]) -> None:
    """Overwrite the live arrays with the saved ones."""
    for name, array in live.items():
        array[...] = saved[name]


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays whose names have this prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


# Random numbers: one seed, with a separate stream for each use.


@dataclass(frozen=True)
class Streams:
    """Independent generators: drawing more numbers from one does not change the others.

    Each fold has its own streams, except for `split`: the folds of a seed have different initial
    weights, so that the spread of their results includes the effect of these.

    Args:
        seed: of the run.
        fold: that it tests, if any.
        member: of several networks; the first has the streams of a single one.
    """

    seed: int
    fold: int | None = None
    member: int = 0

    @cached_property
    def split(self) -> Rng:
        """Stream for the assignment of rows to splits."""
        return self._stream(0)

    @cached_property
    def weights(self) -> Rng:
        """Stream for initial weights."""
        return self._stream_of_fold(1)

    @cached_property
    def order(self) -> Rng:
        """Stream for the order of training rows."""
        return self._stream_of_fold(2)

    @cached_property
    def dropout(self) -> Rng:
        """Stream for dropout masks."""
        return self._stream_of_fold(3)

    @cached_property
    def augmentation(self) -> Rng:
        """Stream for changes of training rows."""
        return self._stream_of_fold(4)

    @cached_property
    def evaluation(self) -> Rng:
        """Stream for the rows that evaluations on the way take."""
        return self._stream_of_fold(5)

    @cached_property
    def validation(self) -> Rng:
        """Stream for the validation rows of a member that has its own."""
        return self._stream_of_fold(6)

    def _stream_of_fold(self, number: int) -> Rng:
        if self.member:
            return self._stream(number, self.fold or 0, self.member)
        return self._stream(number) if self.fold is None else self._stream(number, self.fold)

    def _stream(self, *key: int) -> Rng:
        """The generator of `SeedSequence(seed).spawn(6)[number]`, or of its child for a fold."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=key)
        return np.random.Generator(np.random.PCG64(sequence))
