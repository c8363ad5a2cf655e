"""The random networks of every test run cover the table."""

from __future__ import annotations

from itertools import islice

import pytest

from nnrun.nn import ACTIVATIONS, LAYERS, Dropout, Flatten, Sequential
from nnrun.nn.activations import Tanh
from nnrun.nn.signature import ShapeError
from tests.architectures import coverage
from tests.architectures.coverage import SUITES, drawn, missing, pairs, suite, table
from tests.architectures.trial import shape_after
from tests.architectures.walks import (
    FORMS,
    INVALID,
    SETTINGS,
    START,
    VECTORS,
    Decks,
    Place,
    Space,
    all_kinds,
    at_random,
    form_of,
    is_valid,
)

SHAPES = {VECTORS: (6,), "1×1": (6, 1, 1), "1×n": (6, 1, 5), "n×1": (6, 4, 1), "n×m": (6, 4, 5)}


@pytest.mark.campaign
@pytest.mark.parametrize("number", range(SUITES))
def test_every_run_covers_the_table(number: int) -> None:
    """All pairs of layers, channels, sides, settings, batches, dtypes and threads are tried."""
    assert all(wanted for wanted, _ in table().values())
    assert {} == missing(suite(number))


@pytest.mark.parametrize("row", table())
def test_the_table_notices_what_is_left_out(row: str) -> None:
    """Without the networks that cover one entry of a row, that entry is missing."""
    wanted, look = table()[row]
    one = min(wanted, key=str)
    without = [trial for trial in suite(0) if one not in set(look(trial))]
    assert one in missing(without, [row])[row]


def test_a_new_layer_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer in the table of nnrun.nn that no network has is missing from the pairs."""
    trials = suite(0)
    monkeypatch.setitem(LAYERS, "mixing", Flatten)
    lacking = missing(trials, ["pairs"])["pairs"]
    assert {("mixing", form, "tanh") for form in FORMS} <= lacking
    assert {(START, form, "mixing") for form in FORMS} <= lacking


def test_a_new_activation_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is an activation."""
    trials = suite(0)
    monkeypatch.setitem(ACTIVATIONS, "bending", Tanh)
    lacking = missing(trials)
    assert {("bending", form, "relu") for form in FORMS} <= lacking["pairs"]
    assert {(VECTORS, "bending")} == lacking["activations of dense"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", SETTINGS)
def test_pairs_are_invalid_where_networks_refuse_them(kind: str, form: str) -> None:
    """nnrun.nn refuses what the rules forbid, and takes what they allow."""
    taken = [one for one in FORMS if is_valid(START, one, kind)]
    drawn_for = SHAPES[form if form in taken else taken[0]]
    make, arguments = block = SETTINGS[kind](Place(at_random(0), Space(), drawn_for, keeps=True))
    if form not in taken:
        with pytest.raises(ShapeError):
            Sequential([make(**arguments)]).connect(SHAPES[form])
        return
    comes = form_of(shape_after(block, SHAPES[form]))
    rule = f"from {form} comes {comes}: INVALID of tests/architectures/walks.py has a rule for that"
    assert is_valid(kind, comes, "tanh"), rule
    assert (form == comes) == is_valid(kind, form, "tanh"), rule


def test_every_invalid_pair_has_a_reason() -> None:
    """Each rule has one, and names kinds that exist."""
    for rule in INVALID:
        assert rule.reason
        assert set() == {*rule.first, *rule.second} - set(all_kinds())


class Mixing(Dropout):
    """A new layer."""

    type = "mixing"


def test_a_new_layer_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the first networks leave out, further ones have, a new layer's pairs among it."""
    monkeypatch.setitem(LAYERS, "mixing", Mixing)
    monkeypatch.setitem(SETTINGS, "mixing", lambda place: (Mixing, {}))
    monkeypatch.setattr(coverage, "SUITE", 100)
    first = list(islice(drawn(0), 100))
    assert {"pairs", "units", "channels out of them"} <= missing(first).keys()
    trials = suite.__wrapped__(0)
    assert {} == missing(trials)
    assert [str(trial) for trial in first] == [str(trial) for trial in trials[:100]]


def test_a_suite_is_the_same_each_time() -> None:
    """A suite is determined by its number, as its first hundred networks show."""
    first = [str(trial) for trial in suite(0)[:100]]
    assert first == [str(trial) for trial in islice(drawn(0), 100)]
    assert first != [str(trial) for trial in islice(drawn(1), 100)]


def test_decks_deal_everything_before_anything_again() -> None:
    """Every option is chosen once before any again; those that do not fit are kept."""
    deal = Decks(0)
    assert {0, 1, 2} == {deal("a", (0, 1, 2)) for _ in range(3)}
    fit = [deal("b", (0, 1, 2), lambda one: one > 0) for _ in range(2)]
    assert {1, 2} == set(fit)
    assert 0 == deal("b", (0, 1, 2))


def test_pairs_are_read_from_networks() -> None:
    """Each network's first layer follows the start, whatever else there is."""
    assert all(START == next(iter(pairs(trial.plan)))[0] for trial in suite(0))
