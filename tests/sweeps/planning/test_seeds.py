"""Seeds of sweeps, and runs in pairs."""

from __future__ import annotations

import json
from itertools import product

import pytest

from nnrun.config.load import load_config
from nnrun.errors import ConfigError, UsageError
from nnrun.runs.preparation.prepare import prepare
from tests.sweeps.helpers import IRIS, words_of

# Seeds of splits crossed with seeds of weights, and folds: which runs a sweep plans.

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
    point = wide.json("sweep", "configs", "--dry-run")["points"][0]
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


# Keys of a grid that replace, exclude or need each other.

TANH = {"sizes": [8, 3], "activations": ["tanh", "softmax"]}
RELU = {"sizes": [8, 3], "activations": ["relu", "softmax"]}
WIDE = {"sizes": [16, 3], "activations": ["tanh", "softmax"]}
DENSE = {"type": "dense", "units": 8, "activation": "tanh"}
OUTPUT = {"type": "dense", "units": 3, "activation": "softmax"}
COSINE = {"schedule": "cosine", "initial": 0.1}
STEP = {"schedule": "step", "initial": 0.1, "factor": 0.5, "every": 10}
UNITS = {"network.layers.0.units": [4, 5]}
STOPPING = {"training.early_stopping": [{"patience": 2}, {"patience": 3}]}
VALIDATED = {"dataset.validation_size": [0.1, 0.2]}


def block(grid):
    return f"sweep:\n  grid: {json.dumps(grid)}\n"


# A block, and a key in it, which every block has.
WITHIN = [
    {"network": [TANH, RELU], **UNITS},
    {"network": [TANH, RELU], "network.initializer": ["he_normal", "zeros"]},
    {"network": [TANH, RELU], "network.sizes": [[8, 3], [9, 3]]},
    {"network.sizes": [[8, 3], [9, 3]], "network.layers.0.activation": ["tanh", "relu"]},
    {"network.layers.0": [DENSE, DENSE | {"activation": "relu"}], **UNITS},
    {
        "training.optimizer": ["adam", {"type": "adam", "beta2": 0.9}],
        "training.optimizer.beta1": [0.8, 0.85],
    },
    {"training.learning_rate": [COSINE, STEP], "training.learning_rate.initial": [0.1, 0.2]},
    {
        "dataset": [{"name": "iris"}, {"name": "iris", "test_size": 0.3}],
        "dataset.features": ["standard", "none"],
    },
]


@pytest.mark.parametrize("grid", WITHIN, ids=" ".join)
def test_a_block_and_a_key_in_it_give_all_settings_in_any_order(plan, write, grid):
    """As arguments, in the config, or one of each kind; the key changes each of the blocks."""
    (outer, blocks), (inner, values) = grid.items()
    backwards = {inner: values, outer: blocks}
    ways = [
        (write("iris"), *words_of(grid)),
        (write("iris"), *words_of(backwards)),
        (write("forwards", f"{IRIS}name: iris\n{block(grid)}"),),
        (write("backwards", f"{IRIS}name: iris\n{block(backwards)}"),),
        (write("outer", f"{IRIS}name: iris\n{block({outer: blocks})}"), *words_of({inner: values})),
        (write("inner", f"{IRIS}name: iris\n{block({inner: values})}"), *words_of({outer: blocks})),
    ]
    found = [{run.run_id for run in plan(*way).runs()} for way in ways]
    assert 4 == len(found[0])
    assert [found[0]] * len(ways) == found


LENGTHS = {"training.epochs": [1, 2], "training.iterations": [5, 10]}
# Of the first key, some values give the same settings.
WITHOUT_EFFECT = [
    LENGTHS,
    {"training.iterations": [5, 10], "training.epochs": [1, 2]},
    {"network.sizes": [[8, 3], [9, 3]], "network.layers": [[DENSE], [DENSE, DENSE]]},
    {"dataset.path": ["a.csv", "b.csv"], "dataset.name": ["iris", "wine"]},
    {"network": [TANH, WIDE], **UNITS},
    {"network": [TANH, RELU, WIDE], **UNITS},
    {"network.sizes": [[8, 3], [9, 3]], **UNITS},
    {
        "network.activations": [["tanh", "softmax"], ["relu", "softmax"]],
        "network.layers.0.activation": ["tanh", "relu"],
    },
    {"loss": ["cross_entropy", "mean_squared"], "loss.type": ["cross_entropy", "mean_squared"]},
    {"dataset.split": [{"seed": 1}, {"seed": 2}], "dataset.split.seed": [3, 4]},
    {"training.epochs": [1, 2], "training.iterations": [5]},
]


@pytest.mark.parametrize("grid", WITHOUT_EFFECT, ids=" ".join)
def test_values_that_another_key_replaces_are_refused(plan, write, grid):
    """At the argument; of a config at the second value that gives the same, also by check."""
    key, other = grid
    expected = f"some values give the same settings, since '{other}' replaces what differs; "
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), *words_of(grid))
    (problem,) = caught.value.problems
    assert (key, words_of(grid)[0]) == (problem.path, problem.argument)
    assert problem.message.startswith(expected)
    file = write("own", IRIS + block(grid))
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    (problem,) = caught.value.problems
    last = len(grid[key]) - 1
    assert f"sweep.grid.{key}[{last}]" == problem.path
    before = json.dumps({key: grid[key][:last]})[:-2]
    assert (8, len(f"  grid: {before}, ") + 1) == (problem.place.line, problem.place.column)
    assert problem.message.startswith(expected)


def test_a_misspelt_key_is_marked_after_any_number_of_values(plan, write):
    """The key, and not its value, which the plan would find wrong with others."""
    grid = {"training.iterations": [*range(1, 300)], "training.bach_size": [16]}
    lines = "".join(f"    {key}: {json.dumps(values)}\n" for key, values in grid.items())
    file = write("iris", f"{IRIS}sweep:\n  grid:\n{lines}")
    with pytest.raises(ConfigError) as caught:
        plan(file)
    (problem,) = caught.value.problems
    assert "sweep.grid.training.bach_size" == problem.path
    assert (10, 5) == (problem.place.line, problem.place.column)


def test_check_finds_them_among_any_number_of_values(write):
    """Also where it leaves most values to the plan."""
    grid = {"training.epochs": [*range(1, 300)], "training.iterations": [*range(1, 300)]}
    with pytest.raises(ConfigError, match=r"epochs\[1\]: some values give the same settings"):
        load_config(write("iris", IRIS + block(grid)))


def test_values_of_the_config_that_an_argument_replaces_are_refused(plan, write):
    """At their place, since they are no longer what the config's author compares."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", IRIS + block({"network": [TANH, WIDE]})), "network.layers.0.units=4")
    (problem,) = caught.value.problems
    assert ("sweep.grid.network[1]", 8) == (problem.path, problem.place.line)


@pytest.mark.parametrize(
    ("grid", "count"),
    [
        ({"training.epochs": [1, 2], "training.iterations": [None, 5]}, 3),
        ({"loss": ["cross_entropy", {"type": "cross_entropy"}], **UNITS}, 2),
    ],
)
def test_values_that_are_equal_only_sometimes_or_by_themselves_are_kept(plan, write, grid, count):
    """Each setting once: a null excludes no other key, and equal values are no mistake."""
    assert count == len(plan(write("iris"), *words_of(grid)))


@pytest.mark.parametrize(
    ("own", "argument"),
    [
        (LENGTHS | {"training.iterations": [5]}, "training.epochs=3"),
        ({"training.epochs": [1, 2]}, "training.iterations=5"),
        ({"network.sizes": [[8, 3], [9, 3]]}, f"network.layers={json.dumps([DENSE, OUTPUT])}"),
    ],
)
def test_an_argument_replaces_keys_of_the_configs_grid_that_it_excludes(plan, write, own, argument):
    """As it does in the config itself, so that no setting is named by a value it does not have."""
    file = write("iris", IRIS + block({"training.batch_size": [4, 8]} | own))
    assert [
        {"training.batch_size": 4},
        {"training.batch_size": 8},
    ] == [variant.choice for variant in plan(file, argument).variants]


def test_iterations_of_the_command_line_replace_how_long_grids_train(plan, write):
    """Of the config and of arguments."""
    sizes = {"training.batch_size": [4, 8]}
    file = write("iris", IRIS + block(sizes | {"training.epochs": [1, 2]}))
    expected = [{"training.batch_size": 4}, {"training.batch_size": 8}]
    assert expected == [v.choice for v in plan(file, iterations=7).variants]
    given = words_of({"training.iterations": [5, 10]})
    assert expected == [v.choice for v in plan(file, *given, iterations=7).variants]


# A grid of the config, and arguments, which are valid together alone.
NEEDING = [
    (VALIDATED, STOPPING),
    (STOPPING, VALIDATED),
    ({"training.learning_rate": [COSINE, STEP]}, {"training.learning_rate.initial": [0.1, 0.2]}),
    ({"training.learning_rate.initial": [0.1, 0.2]}, {"training.learning_rate": [COSINE, STEP]}),
    ({"training.optimizer": ["adam"]}, {"training.optimizer.beta1": [0.8, 0.9]}),
    ({"training.optimizer.type": ["adam"]}, {"training.optimizer.beta1": [0.8, 0.9]}),
]


@pytest.mark.parametrize(("own", "given"), NEEDING)
def test_an_argument_and_the_configs_grid_may_need_each_other(plan, write, own, given):
    """Their settings are those that arguments alone give."""
    together = plan(write("iris", IRIS + block(own)), *words_of(given))
    alone = plan(write("iris"), *words_of(own | given))
    assert [run.run_id for run in alone.runs()] == [run.run_id for run in together.runs()]


def test_a_grid_that_an_argument_gives_may_be_needed_by_another(plan, write):
    """`sweep.grid` as an argument is the config's own grid."""
    own = f"sweep.grid={json.dumps(VALIDATED)}"
    assert 4 == len(plan(write("iris"), own, *words_of(STOPPING)))


# A grid of the config, arguments, and the places that are refused: the path, and the argument or
# None for the config's line.
NOT_MENDED = [
    (VALIDATED, ["training.batch_size=0"], {"training.batch_size": "training.batch_size=0"}),
    ({"dataset.validation_size": [0, 0.1]}, [], {"training.early_stopping": words_of(STOPPING)[0]}),
    (
        VALIDATED | {"training.optimizer.nesterov": [True]},
        ["training.batch_size=4,0"],
        {"training.optimizer.nesterov": None, "training.batch_size": "training.batch_size=4,0"},
    ),
    (
        {},
        ["sweep.grid={dataset.validation_size: [2.5]}"],
        {"dataset.validation_size": "sweep.grid={dataset.validation_size: [2.5]}"},
    ),
]


@pytest.mark.parametrize(("own", "given", "expected"), NOT_MENDED)
def test_what_the_configs_grid_does_not_mend_is_refused(plan, write, own, given, expected):
    """And what it mends is not; a value of the config's grid is shown at its place."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", IRIS + block(own)), *words_of(STOPPING), *given)
    problems = caught.value.problems
    assert expected == {problem.path: problem.argument for problem in problems}
    lines = {problem.path: problem.place.line for problem in problems if problem.place}
    assert {path: 8 for path, argument in expected.items() if argument is None} == lines


def test_a_key_that_is_none_mends_nothing(plan, write):
    """It is refused at its place, as in any config."""
    with pytest.raises(ConfigError, match=r"sweep\.grid\.a\.\.b: 'a\.\.b' is not a key in dotted"):
        plan(write("iris", IRIS + block(VALIDATED | {"a..b": [1]})), *words_of(STOPPING))


@pytest.mark.parametrize("given", [[], ["training.batch_size=4"]])
def test_a_config_that_is_invalid_without_its_grid_is_refused(plan, write, given):
    """As every other command does."""
    stops = IRIS.replace("batch_size: 8", "batch_size: 8, early_stopping: {patience: 2}")
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", stops + block(VALIDATED)), *given)
    assert [("training.early_stopping", 5)] == [
        (problem.path, problem.place.line) for problem in caught.value.problems
    ]


def test_what_an_argument_makes_wrong_in_the_config_its_grid_may_mend(plan, write):
    """As folds exclude the config's test rows, which its grid leaves out."""
    sized = IRIS.replace("features: standard", "features: standard, test_size: 0.2")
    file = write("iris", sized + block({"dataset.test_size": [None]}))
    assert 3 == len(plan(file, "dataset.folds=3"))


def test_a_value_may_need_those_of_several_other_keys(plan, write):
    """A sweep has all of them, so they are tried together, and each alone where it decides."""
    grid = {
        "training.optimizer.nesterov": [True],
        "training.learning_rate.initial": [0.1, 0.2],
        "training.optimizer": [{"type": "sgd", "momentum": 0.9}],
        "training.learning_rate": [COSINE],
    }
    assert 2 == len(plan(write("iris", IRIS + block(grid))))


@pytest.mark.parametrize("before", [1, 9])
def test_check_leaves_to_the_plan_what_some_value_makes_valid(plan, write, before):
    """However late it stands; the sweep refuses it at its place, with the value that it needs."""
    grid = {"dataset.validation_size": [0] * before + [0.2], **STOPPING}
    file = write("iris", IRIS + block(grid))
    assert "iris" == load_config(file).config.name
    with pytest.raises(ConfigError, match=r"early_stopping: .* \(with validation_size=0\)"):
        plan(file)


def test_values_of_a_key_that_an_argument_gives_make_no_other_valid(write):
    """The argument's are what the sweep has."""
    file = write("iris", IRIS + block(VALIDATED | STOPPING))
    with pytest.raises(ConfigError, match="early stopping watches a validation split"):
        load_config(file, ["dataset.validation_size=0"])
