"""What is said of the run that a command takes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from nnrun.reports.best import chosen_words
from nnrun.sweeps.board.leaderboard import make_leaderboard
from tests.sweeps.board.boards import named, progress, score


def chosen(rows):
    """The best network of a board with these rows."""
    (group,) = make_leaderboard(progress(*rows), "").groups
    return SimpleNamespace(
        record=SimpleNamespace(name="a", run_id="s1-0123456789"),
        group=group,
        row=group.first_network,
        others=[],
        variants=[named("a")],
    )


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (5, "it cannot be told from it: better by "),
        (1, "it is ahead, and not compared with this setting"),
    ],
)
def test_a_model_ahead_is_compared_with_the_chosen_setting_alone(runs, said):
    """The board compares models with networks of several runs; a single run is not among them."""
    forest = named("a", choice={"beside": "forest"}, seeds=range(5))
    rows = [
        (forest, [score(s, 0.9 + s % 2 / 100) for s in range(5)]),
        (named("a", choice={"seed": 1}, seeds=range(runs)), [score(s, 0.9) for s in range(runs)]),
        (
            named("a", choice={"seed": 2}, seeds=range(5)),
            [score(s, 0.89 - s % 3 / 50) for s in range(5)],
        ),
    ]
    found = [line for line in chosen_words(chosen(rows), Path("results")) if "scikit-learn" in line]
    assert [True] == [f": {said}" in line for line in found]


def test_long_settings_are_cut_after_what_tells_rows_apart():
    """The run and the command are what one looks for; `best` prints the whole setting."""
    keys = (
        "dataset.hide_test",
        "dataset.test_size",
        "training.batch_size",
        "training.epochs",
        "training.dtype",
    )
    rows = [
        (
            named("a", choice={**dict.fromkeys(keys, n), "seed": n % 2, "training.clip_norm": n}),
            [score(0, 0.9 - n / 10)],
        )
        for n in range(3)
    ]
    line = next(chosen_words(chosen(rows), Path("results")))
    assert " with test_size=0 batch_size=0 epochs=0 dtype=0 …, number 1 of 3 " in line


@pytest.mark.parametrize(("runs", "said"), [(1, True), (5, False)])
def test_a_setting_of_fewer_runs_than_others_is_said_to_be_one(runs, said):
    """The mean of few runs is the likelier to be first by luck."""
    rows = [
        (named("a", choice={"seed": 1}, seeds=range(runs)), [score(s, 0.9) for s in range(runs)]),
        (named("a", choice={"seed": 2}, seeds=range(5)), [score(s, 0.8) for s in range(5)]),
    ]
    lines = [*chosen_words(chosen(rows), Path("results"))]
    words = "  it has 1 run and other settings up to 5: of few runs a mean is easily first by luck"
    assert said == (words in lines)
