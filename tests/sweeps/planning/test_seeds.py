"""Seeds of splits crossed with seeds of weights, and folds: which runs a sweep plans."""

from __future__ import annotations

import json
from itertools import product

import pytest

from nnrun.config.load import load_config
from nnrun.errors import ConfigError, UsageError
from nnrun.runs.preparation.prepare import prepare
from tests.sweeps.helpers import IRIS

FOLDS = IRIS.replace("iris,", "iris, folds: 3,")
SIX = "sweep: {seeds: {split: 2, weights: 3}}\n"
TIMES = """
dataset:
  path: days.csv
  columns: {target: y}
  split: {by: time, column: day}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 5}
"""


NORMED = """
dataset: {name: iris, folds: 4, stratify: false}
network:
  layers:
    - {type: dense, units: 4}
    - {type: batch_norm}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, epochs: 2, batch_size: 8}
"""


def keys(plan):
    (variant,) = plan.variants
    return [tuple(run.replicate) for run in variant.runs()]


def trained(file, *words):
    """The id of the run that `nnrun train` makes of a config with these arguments."""
    return prepare(load_config(file, words)).run_id


def test_crossed_runs_are_those_of_train(plan, write):
    """Each seed of the split with each seed of the run, by the ids of single runs."""
    file = write("iris", IRIS + SIX)
    made = plan(file)
    expected = {
        trained(file, f"seed={seed}", f"dataset.split.seed={split}")
        for seed, split in product((3, 4, 5), (3, 4))
    }
    assert 6 == len(made) == len(expected)
    assert expected == {run.run_id for run in made.runs()}


def test_runs_of_folds_are_those_of_train(plan, write):
    """All folds of each seed, whose training splits differ by a row."""
    file = write("iris", FOLDS.replace("iterations: 60", "epochs: 3"))
    made = plan(file, "dataset.folds=7", seeds=2)
    expected = {
        trained(file, "dataset.folds=7", f"seed={seed}", f"dataset.fold={fold}")
        for seed, fold in product((3, 4), range(1, 8))
    }
    assert 14 == len(made) == len(expected)
    assert expected == {run.run_id for run in made.runs()}


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        (IRIS + SIX, (), [(s, d, None) for s in (3, 4, 5) for d in (3, 4)]),
        (IRIS + SIX, ("dataset.split.seed=9",), [(s, d, None) for s in (3, 4, 5) for d in (9, 10)]),
        (IRIS, ("sweep.seeds={split: [7, 5]}",), [(3, 7, None), (3, 5, None)]),
        (IRIS + SIX, ("sweep.seeds.split=1",), [(3, 3, None), (4, 3, None), (5, 3, None)]),
        (IRIS + SIX, ("seed=8",), [(8, None, None)]),
        (IRIS, ("seed=8", "sweep.seeds=2"), [(8, None, None), (9, None, None)]),
        (IRIS, ("seed=8", "sweep.seeds={split: 2}"), [(8, 8, None), (8, 9, None)]),
        (IRIS, ("dataset.split.seed=9", "seed=1,2"), [(1, 9, None), (2, 9, None)]),
        (FOLDS, (), [(3, None, 1), (3, None, 2), (3, None, 3)]),
        (FOLDS, ("dataset.fold=2", "seed=1,2"), [(1, None, 2), (2, None, 2)]),
        (FOLDS, ("sweep.seeds={weights: 2}",), [(s, 3, f) for s in (3, 4) for f in (1, 2, 3)]),
    ],
)
def test_the_runs_of_a_setting(plan, write, text, words, expected):
    """By seed, seed of the split (null where the seed draws it), and fold."""
    assert expected == keys(plan(write("iris", text), *words))


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        (FOLDS, "dataset.fold=3,1", [(3, None, 1), (3, None, 3)]),
        (IRIS, "dataset.split.seed=8,5", [(3, 8, None), (3, 5, None)]),
    ],
)
def test_a_grid_over_folds_or_splits_is_one_row(plan, write, text, word, expected):
    """They are replicates of one setting, as seeds are."""
    made = plan(write("iris", text), word)
    assert expected == keys(made)
    assert {} == next(iter(made.variants)).choice
    both = plan(write("iris", text), word, "training.batch_size=4,8")
    assert [{"training.batch_size": 4}, {"training.batch_size": 8}] == [
        variant.choice for variant in both.variants
    ]
    assert 4 == len(both)


@pytest.mark.parametrize("word", ["dataset.fold=2,null", "dataset.fold=null,3"])
def test_no_fold_among_those_of_a_grid_is_all_of_them(plan, write, word):
    """Each once."""
    assert [(3, None, 1), (3, None, 2), (3, None, 3)] == keys(plan(write("iris", FOLDS), word))


def test_a_fold_of_a_grid_that_is_none_is_refused_once(plan, write):
    """Beside the others, which are not checked without it."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", FOLDS), "dataset.fold=2,9,x", "training.batch_size=4,8")
    assert ["dataset.fold", "dataset.fold"] == [problem.path for problem in caught.value.problems]


def test_rows_of_a_grid_have_their_own_folds(plan, write):
    """Each number of folds is a setting, with all of its folds."""
    made = plan(write("iris", FOLDS), "dataset.folds=3,5", seeds=2)
    assert [6, 10] == [variant.planned for variant in made.variants]


def test_folds_count_as_runs(plan, write):
    """Before anything is planned."""
    with pytest.raises(UsageError, match="this sweep would have 3,200,000 runs"):
        plan(write("iris", FOLDS), "dataset.folds=3,5", seeds=400_000)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (TIMES + SIX, "days.yaml:9:17", "a split by time draws nothing, so no seed changes it"),
        (
            IRIS.replace("iris,", "moons, rows: 40, test_size: 0,").replace("[4, 3]", "[4, 2]")
            + SIX,
            "days.yaml:7:24",
            "no seed decides which rows are in which split",
        ),
        (IRIS + "sweep: {seeds: {split: 0}}", "days.yaml:7:24", "0 is not a whole number greater"),
        (IRIS + "sweep: {seeds: {split: [4, 4]}}", "days.yaml:7:28", "the seed 4 is given twice"),
        (
            IRIS + "sweep: {seeds: {weights: 2}, grid: {dataset.split.seed: [1, 2]}}",
            "days.yaml:7:37",
            "the seeds are given by 'seeds' already; remove one of the two",
        ),
    ],
)
def test_seeds_that_make_no_sense_are_refused_at_their_place(plan, write, text, place, message):
    """With file, line and column, before anything is trained."""
    file = write("days", text)
    (file.parent / "days.csv").write_text("day,x,y\n" + "\n".join(f"{d},1,2" for d in range(9)))
    with pytest.raises(ConfigError) as caught:
        plan(file)
    (problem,) = map(str, caught.value.problems)
    assert place in problem
    assert message in problem


REPLACED = "some values give the same settings, since 'dataset.split.seed' replaces what differs"


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (IRIS + SIX, ("dataset.split.seed=8,9",), "'sweep.seeds' gives the seeds of the split"),
        (IRIS + SIX, ("dataset.split={seed: 8},{seed: 9}",), REPLACED),
        (
            IRIS + SIX.replace("}}\n", "}, grid: {dataset.split: [{seed: 8}, {seed: 9}]}}\n"),
            (),
            REPLACED,
        ),
    ],
)
def test_seeds_of_splits_that_crossed_seeds_replace_are_refused(plan, write, text, words, message):
    """Else rows of different names would have the same runs, or seeds that were given none."""
    with pytest.raises(ConfigError, match=message):
        plan(write("iris", text), *words)
    assert 6 == len(plan(write("iris", IRIS + SIX), "dataset.split={seed: 8}"))


def test_a_setting_that_crossed_seeds_make_equal_to_another_is_planned_once(plan, write):
    """One is a word and the other a block, and no key of the grid replaces either."""
    words = "dataset.split={by: random, seed: 8},random"
    made = plan(write("iris", IRIS + SIX), words)
    assert 1 == len(made.variants)
    assert [(s, d, None) for s in (3, 4, 5) for d in (8, 9)] == keys(made)
    assert 2 == len(plan(write("iris", IRIS), words).variants)


def test_arguments_that_both_give_seeds_are_refused(plan, write):
    """As --seeds beside several values of `seed`."""
    with pytest.raises(UsageError, match=r"^sweep.seeds=3: the seeds are given by 'seed' already"):
        plan(write("iris", IRIS), "sweep.seeds=3", "seed=1,2")


def test_a_dry_run_shows_seeds_splits_and_folds(wide, write):
    """In the table and as JSON, with the number of runs."""
    write("iris", FOLDS + SIX)
    point = json.loads(wide("sweep", "configs", "--dry-run", "--json")[1])["points"][0]
    assert ([3, 4, 5], [3, 4], [1, 2, 3]) == (
        point["seeds"], point["split_seeds"], point["folds"],
    )  # fmt: skip
    out = wide("sweep", "configs", "--dry-run")[1]
    assert "3–5 × split 3–4 × fold 1–3" in out
    assert "18 runs" in out


def test_a_fold_that_train_refuses_is_refused_with_its_number(plan, write):
    """Of 150 rows, folds 3 and 4 train on 113, which leave a batch of one row."""
    file = write("normed", NORMED)
    alone = {}
    for fold in (1, 2, 3, 4):
        try:
            trained(file, f"dataset.fold={fold}")
        except ConfigError as error:
            (alone[fold],) = [problem.message for problem in error.problems]
    assert [3, 4] == [*alone]
    with pytest.raises(ConfigError) as caught:
        plan(file)
    wanted = [f"{message} (fold {fold})" for fold, message in alone.items()]
    assert wanted == [problem.message for problem in caught.value.problems]
    assert 4 == len(plan(file, "training.batch_size=9"))


WEIGHED = """
dataset:
  path: days.csv
  columns: {target: y, weight: w}
  task: regression
  folds: 4
  split: {by: time, column: day}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 5}
"""


def test_problems_of_all_folds_are_told_where_the_first_has_some(plan, write):
    """So that they can be mended at once; what is wrong in every fold is told once."""
    file = write("days", WEIGHED)

    def problems(weightless, *words):
        rows = [f"{day},{day % 3},{day / 2},{int(day not in weightless)}" for day in range(20)]
        (file.parent / "days.csv").write_text("\n".join(["day,x,y,w", *rows]))
        with pytest.raises(ConfigError) as caught:
            plan(file, *words)
        return [problem.message for problem in caught.value.problems]

    message = "every row of the test split has a weight of 0"
    for folds in ((1, 3), (2, 3)):
        weightless = [4 * fold + row for fold in folds for row in range(4)]
        assert [f"{message} (fold {fold})" for fold in folds] == problems(weightless)
    (one,) = problems((), "network.sizes=[2]")
    assert one.startswith("2 outputs, but days has 1 number to predict")
