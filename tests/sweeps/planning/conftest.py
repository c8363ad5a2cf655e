"""What tests of plans share."""

from __future__ import annotations

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
def with_plugin(tmp_path):
    """Loads a plugin with this text."""

    def register(text):
        file = tmp_path / "plugin.py"
        file.write_text(text)
        load(file)

    yield register
    unload()
