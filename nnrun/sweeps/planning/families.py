"""A family is settings that differ only in numbers that no check depends on.

One of them is checked; the variants of all are made when they are needed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from nnrun.config.canonical import canonical, left_out
from nnrun.config.canonical_json import canonical_json
from nnrun.config.resolved import resolved_config
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.schema.training import TrainingConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.data.splits.parts import Sizes
from nnrun.runs.identity import Identity
from nnrun.runs.preparation.evaluations import evaluations_of, iterations_of
from nnrun.sweeps.planning.between import Between
from nnrun.sweeps.planning.estimate import Estimate
from nnrun.sweeps.planning.grid.combinations import Grid
from nnrun.sweeps.planning.grid.groups import Group
from nnrun.sweeps.planning.plan import Variant
from nnrun.sweeps.planning.texts import Evaluations, Template, Texts


@dataclass(frozen=True, slots=True)
class Family:
    """Variants that differ only in numbers that no check depends on.

    Args:
        shared: the values of the fields that its variants have in common with others.
        sizes: of the splits of its runs, by fold.
        estimate: of one run.
        between: the estimates of all its settings, if it has whole numbers, else None.
        grid: with the values.
        groups: of each axis, the family's values.
        offset: the number of the grid's first variant.
        texts: of its grid.
        packed: the config of the setting that was checked first, and the identity of each fold.
    """

    shared: Mapping[str, Any]
    sizes: Mapping[int | None, Sizes]
    estimate: Estimate
    between: Between | None
    grid: Grid
    groups: Sequence[Group]
    offset: int
    texts: Texts
    packed: bytes

    @property
    def name(self) -> str:
        """Of the experiment."""
        return str(self.shared["name"])

    @property
    def planned(self) -> int:
        """The number of runs of each variant."""
        seeds, splits = self.shared["seeds"], self.shared["split_seeds"]
        return len(seeds) * len(splits) * len(self.sizes)

    @property
    def seconds(self) -> float:
        """What a run takes, on the mean."""
        return float(self.between.seconds.mean()) if self.between else self.estimate.seconds

    @property
    def memory(self) -> int:
        """The most that a run takes."""
        return self.between.memory if self.between else self.estimate.memory

    def __len__(self) -> int:
        return prod(map(len, self.groups))

    def __getitem__(self, index: int) -> Variant:
        positions = [0] * len(self.groups)
        whole = self._whole
        for axis in [at for at in reversed(range(len(self.groups))) if at not in whole]:
            index, at = divmod(index, len(self.groups[axis]))
            positions[axis] = self.groups[axis].members[at]
        if self.between is not None:
            index = int(self.between.order[index])
            for axis in reversed(whole):
                index, at = divmod(index, len(self.groups[axis]))
                positions[axis] = self.groups[axis].members[at]
        return self.variant(positions)

    def variant(self, positions: Sequence[int]) -> Variant:
        """The variant with these values, given by their positions on the axes."""
        chosen = zip(self.grid.axes, self.groups, positions, strict=True)
        numbers = {
            path: values[axis.rank_of[at]]
            for axis, group, at in chosen
            for path, values in group.numbers.items()
        }
        config, *identities = self._texts(numbers)
        return Variant(
            number=self.offset + self.grid.number(positions),
            choice=self.grid.choice(positions),
            config=config,
            identities=dict(zip(self.sizes, map(Identity, identities), strict=True)),
            estimate=self._estimate(positions, numbers),
            **self.shared,
        )

    @property
    def _whole(self) -> list[int]:
        """The axes with whole numbers."""
        return [number for number, group in enumerate(self.groups) if group.whole is not None]

    def _estimate(self, positions: Sequence[int], numbers: Mapping[KeyPath, float]) -> Estimate:
        if self.between is None:
            return self.estimate
        at = tuple([self.grid.axes[axis].rank_of[positions[axis]] for axis in self._whole])
        training, sizes = self._training(numbers), next(iter(self.sizes.values()))
        return Estimate(
            iterations=iterations_of(training, sizes.train),
            parameters=int(self.between.parameters[at]),
            seconds=float(self.between.seconds[at]),
            memory=self.memory,
            compiling=float(self.between.compiling[at]),
        )

    def _texts(self, numbers: Mapping[KeyPath, float]) -> Sequence[str]:
        """The config with these numbers, and its identity for each fold."""
        if not numbers:
            return self.texts.unpack(self.packed)
        if any(map(_decides_length, numbers.items())):
            evaluations = self._evaluations(numbers)
        else:
            evaluations = [{}] * len(self.sizes)  # those of the packed identities
        key = self.packed, *(each.get("evaluate_rows") is None for each in evaluations)
        template = self.texts.template(key, lambda: self._template(numbers, evaluations))
        return template.filled(numbers, evaluations) or self._written(numbers, evaluations)

    def _template(
        self, numbers: Mapping[KeyPath, float], evaluations: Sequence[Evaluations]
    ) -> Template:
        config = self._resolved(self.texts.unpack(self.packed)[0])
        kept = {path: left_out(config, path) for path in numbers}
        return Template.of(self._written, kept, numbers, evaluations)

    def _written(
        self, numbers: Mapping[KeyPath, float], evaluations: Sequence[Evaluations]
    ) -> Sequence[str]:
        """`_texts`, from the blocks with these numbers."""
        config, *identities = self.texts.unpack(self.packed)
        resolved, blocks = self._resolved(config), dict[str, Any]()
        for path, number in numbers.items():
            name, inner = str(path[0]), path[1:]
            block = blocks.get(name, getattr(resolved, name))
            blocks[name] = _with_number(block, inner, number)
        plain = {name: block.model_dump(mode="json") for name, block in blocks.items()}
        each = zip(identities, self._evaluations({}), evaluations, strict=True)
        return [
            json.dumps(json.loads(config) | plain, allow_nan=False),
            *(_identity(text, {**usual, **other}, blocks) for text, usual, other in each),
        ]

    def _evaluations(self, numbers: Mapping[KeyPath, float]) -> list[dict[str, int | None]]:
        """How its runs with these numbers are evaluated, for each fold."""
        training = self._training(numbers)
        return [evaluations_of(training, sizes) for sizes in self.sizes.values()]

    def _training(self, numbers: Mapping[KeyPath, float]) -> TrainingConfig:
        training = self._resolved(self.texts.unpack(self.packed)[0]).training
        given = {str(path[1]): n for path, n in numbers.items() if _decides_length((path, n))}
        return training.model_copy(update=given)

    def _resolved(self, config: str) -> ExperimentConfig:
        return resolved_config(config, self.shared["plugins"].sources)

    def joined(self, other: Family) -> Family:
        """With the folds and the seeds of splits of a family that differs in nothing else."""
        config, *texts = self.texts.unpack(self.packed)
        identities = dict(zip(self.sizes, texts, strict=True))
        identities |= zip(other.sizes, other.texts.unpack(other.packed)[1:], strict=True)
        folds = sorted(identities, key=lambda fold: fold or 0)
        sizes = {**self.sizes, **other.sizes}
        seeds = dict.fromkeys([*self.shared["split_seeds"], *other.shared["split_seeds"]])
        return replace(
            self,
            shared={**self.shared, "split_seeds": tuple(seeds)},
            sizes={fold: sizes[fold] for fold in folds},
            packed=self.texts.pack([config, *(identities[fold] for fold in folds)]),
        )


def _decides_length(number: tuple[KeyPath, float]) -> bool:
    """Whether the number at a path may decide how long a run is, and how it is evaluated."""
    path, value = number
    return len(path) == 2 and path[0] == "training" and isinstance(value, int)


def _identity(text: str, evaluations: Mapping[str, Any], blocks: Mapping[str, Any]) -> str:
    """The identity of a run with other blocks."""
    content = json.loads(text)
    for name, block in blocks.items():
        decided = block
        if isinstance(block, TrainingConfig):
            decided = block.model_copy(update=evaluations)
        content["config"][name] = canonical(decided)
    return canonical_json(content)


def _with_number(value: Any, path: Sequence[str | int], number: float) -> Any:
    """A copy of a block, or of a list of blocks, with another number at a path."""
    if not path:
        return number
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_with_number(v, rest, number) if i == step else v for i, v in enumerate(value)]
    inner = _with_number(getattr(value, str(step)), rest, number)
    return value.model_copy(update={str(step): inner})


class Variants(Collection[Variant]):
    """The variants of several grids, each in the order of its product.

    Args:
        grids: each with its families, by the groups of their values.
    """

    def __init__(self, grids: Sequence[tuple[Grid, Mapping[tuple[int, ...], Family]]]) -> None:
        self._grids = grids
        self._length = sum(len(family) for _, known in grids for family in known.values())

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Variant]:
        for grid, families in self._grids:
            group_of = [axis.group_of for axis in grid.axes]
            for positions in product(*(range(len(axis.values)) for axis in grid.axes)):
                groups = tuple(group[at] for group, at in zip(group_of, positions, strict=True))
                if groups in families:  # others are equal to one of these
                    yield families[groups].variant(positions)

    def __contains__(self, variant: object) -> bool:
        return any(variant == each for each in self)
