"""What tests of plans share."""

from __future__ import annotations

import json
from itertools import product

import pytest

from nnrun.plugins import load, unload
from nnrun.runs.preparation import prepare as preparation
from nnrun.sweeps.planning import variants
from tests.sweeps.helpers import words_of


@pytest.fixture
def checked(monkeypatch):
    """The settings that plans check."""
    found = []

    def counted(*arguments, **more):
        found.append(arguments)
        return preparation.prepare(*arguments, **more)

    monkeypatch.setattr(variants, "prepare", counted)
    return found


@pytest.fixture
def alone(plan):
    """The variant of a setting, as a plan of this one has it."""

    def make(file, choice):
        (variant,) = plan(file, *words_of({key: [value] for key, value in choice.items()})).variants
        return variant

    return make


@pytest.fixture
def same_alone(alone):
    """Requires the settings of a plan to be those of each combination of values alone; returns
    pairs of the one and the other.
    """

    def pairs(made, file, grid):
        known = {}
        for values in product(*grid.values()):
            one = alone(file, dict(zip(grid, values, strict=True)))
            known.setdefault(repr(one.identities), one)
        variants = [*made.variants]
        assert len(known) == len(variants) == len({variant.number for variant in variants})
        found = [*zip(known.values(), variants, strict=True)]
        for one, variant in found:
            assert json.loads(one.config) == json.loads(variant.config)
            assert one.identities == variant.identities
            assert one.estimate.parameters == variant.estimate.parameters
            assert one.estimate.iterations == variant.estimate.iterations
        return found

    return pairs


@pytest.fixture
def with_plugin(tmp_path):
    """Loads a plugin with this text."""

    def register(text):
        file = tmp_path / "plugin.py"
        file.write_text(text)
        load(file)

    yield register
    unload()
