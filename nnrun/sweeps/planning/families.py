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
from nnrun.runs.identity import Identity
from nnrun.sweeps.planning.estimate import Estimate
from nnrun.sweeps.planning.grid.combinations import Grid
from nnrun.sweeps.planning.plan import Variant
from nnrun.sweeps.planning.texts import Template, Texts


@dataclass(frozen=True, slots=True)
class Family:
    """Variants that differ only in numbers that neither a check nor an estimate depends on.

    Args:
        shared: the values of the fields that its variants have in common with others.
        estimate: of one run.
        evaluations: of its runs, for each fold, as keys of the block `training`.
        grid: with the values.
        groups: of each axis, the positions of the family's values.
        offset: the number of the grid's first variant.
        texts: of its grid.
        packed: the config of the setting that was checked, and the identity of each fold.
    """

    shared: Mapping[str, Any]
    estimate: Estimate
    evaluations: Mapping[int | None, Mapping[str, int | None]]
    grid: Grid
    groups: Sequence[Sequence[int]]
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
        return len(seeds) * len(splits) * len(self.evaluations)

    def __len__(self) -> int:
        return prod(map(len, self.groups))

    def __getitem__(self, index: int) -> Variant:
        positions = []
        for group in reversed(self.groups):
            index, at = divmod(index, len(group))
            positions.append(group[at])
        return self.variant(positions[::-1])

    def variant(self, positions: Sequence[int]) -> Variant:
        """The variant with these values, given by their positions on the axes."""
        chosen = zip(self.grid.axes, self.groups, positions, strict=True)
        numbers = {
            axis.path: float(axis.values[at]) for axis, group, at in chosen if len(group) > 1
        }
        config, *identities = self._texts(numbers)
        return Variant(
            number=self.offset + self.grid.number(positions),
            choice=self.grid.choice(positions),
            config=config,
            identities=dict(zip(self.evaluations, map(Identity, identities), strict=True)),
            estimate=self.estimate,
            **self.shared,
        )

    def _texts(self, numbers: Mapping[KeyPath, float]) -> Sequence[str]:
        """The config with these numbers, and its identity for each fold."""
        if not numbers:
            return self.texts.unpack(self.packed)
        template = self.texts.template(self.packed, lambda: self._template([*numbers]))
        return template.filled(numbers) or self._written(numbers)

    def _template(self, paths: Sequence[KeyPath]) -> Template:
        config = self._resolved(self.texts.unpack(self.packed)[0])
        return Template.of(self._written, {path: left_out(config, path) for path in paths})

    def _written(self, numbers: Mapping[KeyPath, float]) -> Sequence[str]:
        """`_texts`, from the blocks with these numbers."""
        config, *identities = self.texts.unpack(self.packed)
        resolved, blocks = self._resolved(config), dict[str, Any]()
        for path, number in numbers.items():
            name, inner = str(path[0]), path[1:]
            block = blocks.get(name, getattr(resolved, name))
            blocks[name] = _with_number(block, inner, number)
        plain = {name: block.model_dump(mode="json") for name, block in blocks.items()}
        folds = zip(identities, self.evaluations.values(), strict=True)
        return [
            json.dumps(json.loads(config) | plain, allow_nan=False),
            *(_identity(text, evaluations, blocks) for text, evaluations in folds),
        ]

    def _resolved(self, config: str) -> ExperimentConfig:
        return resolved_config(config, self.shared["plugins"].sources)

    def joined(self, other: Family) -> Family:
        """With the folds and the seeds of splits of a family that differs in nothing else."""
        config, *texts = self.texts.unpack(self.packed)
        identities = dict(zip(self.evaluations, texts, strict=True))
        identities |= zip(other.evaluations, other.texts.unpack(other.packed)[1:], strict=True)
        folds = sorted(identities, key=lambda fold: fold or 0)
        evaluations = {**self.evaluations, **other.evaluations}
        seeds = dict.fromkeys([*self.shared["split_seeds"], *other.shared["split_seeds"]])
        return replace(
            self,
            shared={**self.shared, "split_seeds": tuple(seeds)},
            evaluations={fold: evaluations[fold] for fold in folds},
            packed=self.texts.pack([config, *(identities[fold] for fold in folds)]),
        )


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
