"""The checker names the mistakes of wrong parts, and finds none in right ones."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun import nn
from nnrun.nn import ACTIVATIONS, INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, Layer
from nnrun.nn.signature import Fraction, PositiveInt
from nnrun.plugins.checker.check import ALWAYS, check_part
from nnrun.plugins.part import Part, Source
from tests.plugins.checker.right import RIGHT, Dense
from tests.plugins.checker.wrong import WRONG, Wrong

SOURCE = Source("mine.py", "0" * 64, "/mine.py")
TABLES = (LAYERS, ACTIVATIONS, LOSSES, OPTIMIZERS, INITIALIZERS, SCHEDULES)
OWN = [(table.kind, name, table[name]) for table in TABLES for name in sorted(table.own)]


def part_of(kind: str, entry: Any, name: str = "mine") -> Part:
    return Part(kind, name, entry, SOURCE, "mine.py:1")


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.part.__name__)
def test_a_wrong_part_fails_one_check_whose_message_names_the_mistake(case: Wrong) -> None:
    """Nothing else is reported, and the other checks of its kind are there."""
    report = check_part(part_of(case.kind, case.part))
    assert [(case.check, case.says)] == [(one.check, one.says) for one in report.wrong]
    assert set(ALWAYS[case.kind]) <= {finding.check for finding in report.findings}


def test_there_are_forty_wrong_layers_at_least() -> None:
    """Activations are layers; losses come on top."""
    layers = [case for case in WRONG if case.kind != "loss"]
    assert (True, 8) == (len(layers) >= 40, len(WRONG) - len(layers))


@pytest.mark.parametrize(
    ("kind", "entry"), [(k, e) for k, parts in RIGHT.items() for e in parts], ids=str
)
def test_a_right_part_passes(kind: str, entry: Any) -> None:
    """Those that the wrong ones are derived from."""
    assert [] == check_part(part_of(kind, entry)).wrong


@pytest.mark.parametrize(("kind", "name", "entry"), OWN, ids=lambda value: str(value)[:20])
def test_every_part_of_nnrun_passes(kind: str, name: str, entry: Any) -> None:
    """No false alarm; and each is beside itself as its reference."""
    report = check_part(part_of(kind, entry, f"my_{name}"))
    assert [] == report.wrong
    assert f"beside {name}" in {finding.check for finding in report.findings}


@pytest.mark.parametrize(
    ("kind", "wrong", "name", "says"),
    [
        ("activation", "sigmoid", "tanh", "y is not that of tanh"),
        ("loss", "mean_absolute", "mean_squared", "its values are not those of mean_squared"),
        ("schedule", "cosine", "step", "its numbers are not those of step"),
        (
            "initializer",
            "he_normal",
            "lecun_normal",
            "its numbers are not those of lecun_normal: all are 1.41421 times the right ones",
        ),
    ],
)
def test_the_numbers_are_compared_with_the_part_of_the_same_name(
    kind: str, wrong: str, name: str, says: str
) -> None:
    """A part that is consistent, and another one than its name says."""
    table = next(table for table in TABLES if table.kind == kind)
    (found,) = check_part(part_of(kind, table[wrong], f"my_{name}")).wrong
    assert (f"beside {name}", says) == (found.check, found.says)


class AnotherDefault(nn.Dropout):
    """As that of nnrun, with another default."""

    def __init__(self, rate: Fraction = 0.25) -> None:
        super().__init__(rate)


def dense_with_default(units: PositiveInt = 4) -> list[Layer]:
    """As that of nnrun, whose `units` has no default."""
    return nn.dense(units)


@pytest.mark.parametrize(
    ("name", "entry"), [("dropout", AnotherDefault), ("dense", dense_with_default)]
)
def test_a_part_may_have_other_defaults_than_that_of_the_same_name(name: str, entry: Any) -> None:
    """Both are made with the values of the part that is checked."""
    found = {one.check: one for one in check_part(part_of("layer", entry, f"my_{name}")).findings}
    assert (True, f"y is that of nnrun's {name}") == (
        found[f"beside {name}"].passed,
        found[f"beside {name}"].says,
    )


class ForVectors(Dense):
    """A layer that does not say so."""

    input_kind = None


def test_a_layer_that_fails_on_images_alone_is_advised_to_refuse_them() -> None:
    """The message names the attribute; the error alone does not say that rows were images."""
    (found,) = check_part(part_of("layer", ForVectors)).wrong
    assert ("forward", True) == (found.check, found.says.startswith("of images, ValueError: "))
    assert found.says.endswith('; a layer for vectors alone has input_kind = "vectors"')
