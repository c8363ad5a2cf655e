"""Models of scikit-learn beside the best network: intervals, sentences, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.reports.board_notes import beside_words, choice_notes
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.means import beside_best
from nnrun.sweeps.board.rows import Leaderboard, with_margin
from nnrun.sweeps.board.verdicts import Beside, pair_test
from tests.sweeps.board.boards import named, progress, score
from tests.sweeps.board.comparison.tables import table_of

RNG = np.random.default_rng(1)
NETWORK, MODEL, OTHER = (RNG.normal(mean, 0.02, 6) for mean in (0.7, 0.8, 0.6))


def member(name, values, **choice):
    scores = [score(seed, float(value)) for seed, value in enumerate(values)]
    return named(name, seeds=range(len(scores)), choice=choice), scores


def board(*members):
    return make_leaderboard(progress(*members), "nnrun sweep")


def test_one_network_and_one_model():
    """The interval is that of Student's paired test."""
    members = member("a", NETWORK), member("a", MODEL, beside="forest")
    (found,) = board(*members).groups[0].beside
    test = pair_test(members[1], members[0], "test")
    assert ("forest", "a") == (found.model, found.network)
    assert (test.difference, test.low, test.high) == pytest.approx(
        (found.difference, found.low, found.high)
    )


def test_errors_are_turned():
    """Of errors, smaller is better: the difference is still in favour of the model."""
    rows = [member("a", NETWORK), member("a", MODEL, beside="forest")]
    rows = [(named(v.name, **{**OF_ERRORS, "choice": v.choice}), scores) for v, scores in rows]
    (found,) = board(*rows).groups[0].beside
    assert found.high < 0 < -found.difference


OF_ERRORS = {"metric": "mse", "larger_is_better": False, "seeds": range(6)}


def test_intervals_hold_together():
    """Of equal rows, all intervals have the true difference in 95% of tables."""
    rng, right = np.random.default_rng(0), 0
    for _ in range(300):
        found = beside_best(
            table_of(rng.normal(size=(6, 5))), np.array([3, 4, 5]), np.array([0, 1, 2])
        )
        right += bool(((found.low <= 0) & (0 <= found.high)).all())
    assert right >= 0.95 * 300


def test_models_need_a_network():
    """Without a network of several runs there is nothing to hold a model against."""
    assert [] == board(member("a", MODEL, beside="forest")).groups[0].beside
    rows = member("a", NETWORK[:1]), member("a", MODEL, beside="forest")
    assert [] == board(*rows).groups[0].beside


def test_first_network():
    """The best network is named where a model is ahead of it."""
    (group,) = board(member("a", NETWORK), member("a", MODEL, beside="forest")).groups
    assert [False, True] == [row.is_network for row in group.rows]
    assert group.rows[1] is group.first_network


def test_cheapest_is_a_network():
    """Models of scikit-learn have no parameters to count."""
    rows = member("a", NETWORK), member("a", NETWORK - 1e-4, beside="linear")
    (group,) = with_margin(board(*rows), 0.2).groups
    assert group.first_network.rank == group.cheapest


@pytest.mark.parametrize(
    ("ends", "margin", "words"),
    [
        ((0.03, 0.01, 0.05), None, "is better by 0.030 [0.010, 0.050]"),
        ((-0.03, -0.05, -0.01), None, "is worse by 0.030 [0.010, 0.050]"),
        ((0.0, -0.02, 0.02), None, "cannot be told from it: better by 0 [-0.020, 0.020]"),
        ((-0.01, -0.03, 0.02), None, "cannot be told from it: worse by 0.010 [-0.020, 0.030]"),
        ((0.0, -0.02, 0.02), 0.02, "is not worse by more than 0.02: better by 0 [-0.020, 0.020]"),
        ((2.4, -0.9, 5.7), 1.0, "is not worse by more than 1: better by 2.4 [-0.9, 5.7]"),
    ],
)
def test_words(ends, margin, words):
    """A model is better, worse, not worse by more than a margin, or cannot be told."""
    assert words == beside_words(Beside("forest", "a", *ends), margin)


def test_note():
    """One note has all models."""
    rows = (
        member("a", NETWORK),
        member("a", MODEL, beside="forest"),
        member("a", OTHER, beside="linear"),
    )
    notes = [*choice_notes(board(*rows).groups[0], several=False)]
    (found,) = [note for note in notes if note.startswith("Beside the best network, a: ")]
    assert "forest is better by 0.099 [" in found
    assert "linear is worse by 0.109 [" in found


@pytest.mark.parametrize("lost", [0, 3])
def test_the_network_is_the_one_that_the_difference_is_to(lost):
    """On common seeds another network may be the best: it is named, with its own difference."""
    first, second, model = [0.9] * 3 + [0.7] * 3, [0.71, 0.74, 0.75] * 2, [0.8, 0.78, 0.81] * 2
    forest = member("a", model, beside="forest")
    forest = forest[0], forest[1][lost:]
    members = member("a", first, size=1), member("a", second, size=2), forest
    (group,) = board(*members).groups
    (found,) = group.beside
    compared = {"a size=1": np.array(first[lost:]), "a size=2": np.array(second[lost:])}
    best = max(compared, key=lambda name: compared[name].mean())
    assert best == found.network
    mean = np.mean(model[lost:]) - compared[best].mean()
    assert mean == pytest.approx(found.difference)
    (note,) = [note for note in choice_notes(group, several=False) if "Beside" in note]
    assert "Beside the best network, size=1: forest " in note
    assert (lost > 0) == ("size=2" in note)


@pytest.mark.parametrize(("gap", "said"), [(0.005, False), (0.016, True), (0.2, False)])
def test_a_network_that_is_dropped_is_said_beside_intervals_that_hold_zero(gap, said):
    """Between the quantiles of Student's t for one side and for two, the note says why.

    Of three differences with a standard error of 0.0046, these are 0.0135 and 0.0199.
    """
    network = np.array([0.70, 0.72, 0.69])
    model = network + np.array([gap - 0.008, gap, gap + 0.008])
    (group,) = board(member("a", network), member("a", model, beside="forest")).groups
    assert (said, gap == 0.005) == (
        group.beside[0].low <= 0 and not group.first_network.tied,
        group.first_network.tied,
    )
    text = " ".join(choice_notes(group, several=False))
    assert said == ("Its row is dropped all the same" in text)


def test_a_model_that_is_dropped_is_said_beside_an_interval_that_holds_zero():
    """Its row has no mark, and the interval alone would say that it is left."""
    network = np.array([0.70, 0.72, 0.69])
    model = network - np.array([0.016 - 0.008, 0.016, 0.016 + 0.008])
    (group,) = board(member("a", network), member("a", model, beside="forest")).groups
    assert group.beside[0].low < 0 < group.beside[0].high
    (row,) = [row for row in group.rows if not row.is_network]
    assert not row.tied
    text = " ".join(choice_notes(group, several=False))
    assert "The row of forest is dropped all the same" in text


@pytest.mark.parametrize("values", [OTHER, ()])
def test_failed(values):
    """A model without a completed run is named, beside others and alone."""
    lost = named("a", choice={"beside": "neighbors"}), [score(0, None, status="failed")]
    rows = [member("a", NETWORK), member("b", OTHER), lost]
    if len(values):
        rows.append(member("a", values, beside="linear"))
    notes = [*choice_notes(board(*rows).groups[0], several=False)]
    (found,) = [note for note in notes if note.startswith("Beside the best network, a: ")]
    assert found.endswith("neighbors has no completed run.")
    assert bool(len(values)) == ("linear is worse by" in found)


def test_read_again():
    """A leaderboard that was written reads as it was."""
    found = board(member("a", NETWORK), member("a", MODEL, beside="forest"))
    assert found == Leaderboard.from_dict(found.to_dict())
