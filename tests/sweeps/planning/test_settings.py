"""Settings of sweeps: grids, contradictions, random grids."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import product

import pytest

from nnrun.config.load import load_config
from nnrun.config.overrides import parse_grid
from nnrun.errors import ConfigError, DataError, NnrunError
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps.planning import validate, variants
from nnrun.sweeps.planning.plan import Shard
from tests.sweeps.helpers import IRIS, run_inline, words_of

# Settings of a grid are those that loading them gives; a wrong value is refused at first.

# Few training rows make a hundred updates, most of them more than a thousand.
EPOCHS = """
dataset: {name: iris, features: standard}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, epochs: 10}
"""


def test_paths_are_relative_to_the_config_in_every_setting(plan, write, tmp_path, monkeypatch):
    """A block of data that is validated alone names the file that the whole config names."""
    data = "dataset: {path: rows.csv, columns: {target: price}, test_size: 0.5}"
    network = "network: {sizes: [1], activations: [linear]}\nloss: mean_squared"
    file = write("rows", f"{data}\n{network}\ntraining: {{learning_rate: 0.1, iterations: 9}}\n")
    rows = file.with_name("rows.csv")
    rows.write_text("a,price\n" + "".join(f"{k},{k}\n" for k in range(40)))
    monkeypatch.chdir(tmp_path)
    variants = plan(file, "dataset.test_size=0.1,0.2,0.3").variants
    paths = [json.loads(variant.config)["dataset"]["path"] for variant in variants]
    assert [str(rows)] * 3 == paths


WEIGHTS = {"setosa": 1, "virginica": 2}
# Keys of a block, and others in their place that make the same setting here.
IN_TWO_WAYS = [
    ({}, {"watch": True}),
    ({}, {"augment": {}}),
    ({}, {"augment": {"noise": 0}}),
    ({}, {"evaluate_every": 3}),
    ({}, {"evaluate_rows": "all"}),
    ({"class_weight": WEIGHTS}, {"class_weight": dict(reversed(WEIGHTS.items()))}),
]


@pytest.mark.parametrize("ways", IN_TWO_WAYS, ids=json.dumps)
@pytest.mark.parametrize("rates", [(0.1, 0.5), (0.5, 0.2)], ids=["first again", "another again"])
def test_a_setting_that_is_written_in_two_ways_is_one(plan, write, ways, rates):
    """And none of those that differ from it is lost, or there twice."""
    file = write("net", IRIS)
    blocks = [
        {"learning_rate": rate, "iterations": 60, **more}
        for more, own in zip(ways, ((0.1, 0.2), rates), strict=True)
        for rate in own
    ]
    made = plan(file, *words_of({"training": blocks}))
    alone = {next(plan(file, *words_of({"training": [block]})).runs()).run_id for block in blocks}
    assert alone == {run.run_id for run in made.runs()}
    assert 3 == len(made) == len(alone)


@pytest.mark.parametrize("most", [1, 500])
def test_a_setting_that_two_keys_give_twice_is_planned_once(plan, write, monkeypatch, most):
    """Of 60 iterations every third is evaluated by default; in a large grid this shows later."""
    monkeypatch.setattr(validate, "MOST_AT_ONCE", most)
    grid = {"training.evaluate_every": [None, 3], "training.iterations": [20, 60, 80]}
    made = plan(write("iris"), *words_of(grid))
    runs = [*made.runs()]
    assert 5 == len(made) == len(runs) == len({run.run_id for run in runs}) == len(made.variants)
    if most > 1:  # else a shard whose run this is has none
        assert [1] * 5 == [len(replace(made, shard=Shard(number, 5))) for number in range(1, 6)]


@pytest.mark.parametrize("key", ["iterations", "epochs"])
@pytest.mark.parametrize("among", [[], [0], [5]], ids=["each has one", "none first", "none last"])
def test_blocks_have_the_length_of_the_argument(plan, write, key, among):
    """With `--iterations`, those that differ in length alone are one setting, or have none."""
    file = write("net", IRIS)
    pairs = [(0.1, 2), (0.1, 3), (0.1, 4), (0.2, 4), (0.3, 2)]
    blocks = [{"learning_rate": rate, key: length} for rate, length in pairs]
    for place in among:
        blocks.insert(place, {"learning_rate": 0.1})
    made = plan(file, *words_of({"training": blocks}), iterations=5)
    trained = [json.loads(variant.config)["training"] for variant in made.variants]
    assert [0.1, 0.2, 0.3] == [block["learning_rate"] for block in trained]
    assert {(5, None)} == {(block["iterations"], block["epochs"]) for block in trained}
    assert {5} == {variant.estimate.iterations for variant in made.variants}


def test_settings_have_the_engines_of_single_runs(plan, sweep, write, store):
    """Of epochs of different lengths, whichever was trained first in the same worker."""
    file = write("iris", EPOCHS)
    sizes, engines = (140, 0.2), []
    made = plan(file, f"dataset.test_size={sizes[0]},{sizes[1]}", "training.learning_rate=0.1,0.2")
    assert 4 == run_inline(sweep(made)).trained
    for size in sizes:
        words = [f"dataset.test_size={size}", "training.learning_rate=0.2"]
        run = prepare(load_config(file, words))
        report = json.loads((store.folder("iris", run.run_id) / "report.json").read_text())
        assert run.engine == report["engine"]
        engines.append(run.engine)
    assert ["numpy", "compiled"] == engines


@pytest.mark.parametrize("most", [1, 500])
def test_large_grids_are_checked_value_by_value(plan, write, monkeypatch, most):
    """A sum of checks: each setting is made when it is needed, with the estimates of its values."""
    checked = []
    monkeypatch.setattr(variants, "prepare", lambda *a, **k: checked.append(a) or prepare(*a, **k))
    monkeypatch.setattr(validate, "MOST_AT_ONCE", most)
    units, lengths = "network.layers.0.units", "training.iterations"
    numpy = IRIS.replace("iterations: 60", "engine: numpy, iterations: 60")
    made = plan(write("iris", numpy), f"{units}=range(1,21)", f"{lengths}=range(100,3000,100)")
    assert (580, 48) == (len(made), len(checked))
    run = next(made.runs())
    assert {units: 20, lengths: 2900} == run.variant.choice
    assert 49 == len(checked)
    exact = sum(variant.estimate.seconds for variant in made.variants)
    assert made.seconds == pytest.approx(exact, rel=0.2)
    assert made.memory == max(variant.estimate.memory for variant in made.variants)


def test_the_memory_of_a_large_grid_is_that_of_its_largest_setting(plan, write, monkeypatch):
    """Two wide layers take more together than what each adds alone."""
    monkeypatch.setattr(validate, "MOST_AT_ONCE", 1)
    deep = IRIS.replace("[4, 3]", "[8, 8, 3]").replace("[tanh,", "[tanh, tanh,")
    words = [f"network.layers.{layer}.units=8,3000" for layer in (0, 1)]
    made = plan(write("iris", deep), *words)
    assert made.memory == max(variant.estimate.memory for variant in made.variants)


def test_a_small_grid_has_the_estimates_of_its_settings(plan, write):
    """Not those of its values, by which a setting trains with another engine."""
    made = plan(write("iris"), "network.layers.0.units=4,400", "training.iterations=100,90000")
    assert made.seconds == pytest.approx(sum(v.estimate.seconds for v in made.variants))


def test_long_runs_of_a_large_grid_come_first(plan, write, monkeypatch):
    """By the estimates of its values, so that its shards take about as long."""
    monkeypatch.setattr(validate, "MOST_AT_ONCE", 1)
    made = plan(
        write("iris"),
        "network.layers.0.units=range(100,1000,100)",
        "training.iterations=1000,100000,200000",
        "training.learning_rate=0.1,0.2",
    )
    runs = [*made.runs()]
    seconds = [run.variant.estimate.seconds for run in runs]
    assert (max(seconds), min(seconds)) == (seconds[0], seconds[-1])
    parts = [[*replace(made, shard=Shard(number, 3)).runs()] for number in (1, 2, 3)]
    assert [18, 18, 18] == [*map(len, parts)]
    assert {run.run_id for run in runs} == {run.run_id for part in parts for run in part}
    sums = [sum(run.variant.estimate.seconds for run in part) for part in parts]
    assert max(sums) - min(sums) <= max(seconds)


# By the words of a grid, the values that its keys' own rules exclude.
EXCLUDED = [
    (
        ["dataset.validation_size=0.2,0", "training.early_stopping=null,{patience: 3}"],
        [" (with validation_size=0, early_stopping={patience: 3})"],
    ),
    (["training.batch_size=4,8", "network.layers.1.units=3,4,5"], []),
    (
        ["training.optimizer=adam,{type: adam, epsilon: 1e-60}", "training.dtype=float64,float32"],
        [" (with optimizer=adam(epsilon=1.0e-60), dtype=float32)"],
    ),
]


@pytest.mark.parametrize(("words", "together"), EXCLUDED)
def test_what_the_rules_of_keys_exclude_is_refused(plan, write, words, together):
    """With the messages that loading each setting gives, each once, at an argument; and with the
    values that are wrong only together.
    """
    file, expected = write("iris"), set()
    for choice in product(*parse_grid(words).values()):
        chosen = zip(parse_grid(words), choice, strict=True)
        try:
            prepare(load_config(file, [f"{key}={json.dumps(value)}" for key, value in chosen]))
        except ConfigError as error:
            expected |= {problem.message for problem in error.problems}
    with pytest.raises(ConfigError) as caught:
        plan(file, *words)
    problems = caught.value.problems
    assert expected
    messages = [problem.message for problem in problems]
    assert together == [m[m.index(" (with ") :] for m in messages if " (with " in m]
    assert sorted(expected) == sorted(message.partition(" (with ")[0] for message in messages)
    assert {problem.argument for problem in problems} <= {*words}


@pytest.mark.parametrize(
    ("key", "values", "column", "message"),
    [
        ("training.learning_rate", "[0.1, -1, 0.2]", 35, "-1 is not a number greater than 0 or"),
        ("training.optimizer.epsilon", "[1e-8, 1e-60]", 40, "1.0e-60 is 0 in float32;"),
    ],
)
def test_a_wrong_number_is_refused_at_its_place(plan, write, key, values, column, message):
    """Also one that float32 does not have."""
    float32 = IRIS.replace("batch_size: 8", "batch_size: 8, dtype: float32, optimizer: adam")
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", f"{float32}sweep:\n  grid:\n    {key}: {values}\n"))
    (problem,) = caught.value.problems
    assert (9, column) == (problem.place.line, problem.place.column)
    assert problem.message.startswith(message)


def test_problems_of_one_config_leave_those_of_another(plan, write):
    """Each config has its own."""
    first, second = write("first", IRIS.replace("iris,", "iris, test_size: 0.9,")), write("second")
    with pytest.raises(ConfigError) as caught:
        plan(first, second, "training.batch_size=1,2,300", "seed=3")
    assert 2 == len(caught.value.problems)


def test_a_problem_of_the_file_has_its_place(plan, write):
    """In the config's own grid, for a setting whose blocks were all valid in others."""
    keys = "{training.batch_size: [4, 8], network.layers.1.units: [3, 4]}"
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", f"{IRIS}sweep:\n  grid: {keys}\n"))
    (problem,) = caught.value.problems
    assert (8, 67) == (problem.place.line, problem.place.column)
    assert problem.message.startswith("4 outputs, but iris has 3 classes")


def test_networks_of_weighted_and_unweighted_rows_are_two(write):
    """Settings that differ in the weights of classes alone do not share a network."""
    file, cache = write("iris"), GridCache()
    words = ("training.class_weight=null", "training.class_weight=balanced")
    runs = [prepare(load_config(file, [word]), cache=cache) for word in words]
    assert [False, True] == [run.network.weighted for run in runs]


def test_a_value_of_the_configs_grid_may_need_that_of_another_key(plan, write):
    """As early stopping needs a validation split; with none, it is refused at its key."""
    grid = "sweep: {grid: {training.early_stopping: [{patience: 2}, {patience: 3}]%s}}\n"
    plan(write("both", IRIS + grid % ", dataset.validation_size: [0.1, 0.2]"))
    with pytest.raises(ConfigError, match=r"grid\.training\.early_stopping: early stopping"):
        plan(write("alone", IRIS + grid % ", training.batch_size: [4, 8]"))


def test_a_wrong_value_beside_many_others_is_found_by_check(write):
    """It is wrong with each of them, however long their list is."""
    rates = [0.001 * rate for rate in range(1, 301)]
    grid = json.dumps({"training.batch_size": [4, 0], "training.learning_rate": rates})
    with pytest.raises(ConfigError, match="0 is not a whole number greater than 0"):
        load_config(write("iris", f"{IRIS}sweep: {{grid: {grid}}}\n"), [])


def test_a_problem_that_stands_elsewhere_names_its_cause(plan, write):
    """The value of a key, where the problem is shown at another key."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), "dataset.test_size=0.2,0.9", "training.batch_size=20")
    (problem,) = caught.value.problems
    assert "training.batch_size=20" == problem.argument
    assert problem.message.endswith("which has 15 (with test_size=0.9)")
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), "training.batch_size=4,0")
    assert ["0 is not a whole number greater than 0"] == [p.message for p in caught.value.problems]


LENGTH = "training needs 'iterations' or 'epochs'"
STOPPING = "early stopping watches a validation split; set dataset.validation_size"
NOT_POSITIVE = "0 is not a whole number greater than 0"


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["training.iterations=null,10"], {f"{LENGTH} (with iterations=null)"}),
        (["training.iterations=10,null"], {f"{LENGTH} (with iterations=null)"}),
        (["training.iterations=null,0"], {LENGTH, NOT_POSITIVE}),
        (["training.iterations=null", "training.batch_size=4,8"], {LENGTH}),
        (
            ["training.iterations=null,10", "training.batch_size=0,8"],
            {f"{LENGTH} (with iterations=null)", NOT_POSITIVE},
        ),
        (["dataset.validation_size=0,0.2"], {f"{STOPPING} (with validation_size=0)"}),
        (
            ["training.iterations=null,10", "dataset.validation_size=0.2,0"],
            {f"{LENGTH} (with iterations=null)", f"{STOPPING} (with validation_size=0)"},
        ),
    ],
)
def test_a_problem_in_the_file_names_the_value_that_causes_it(plan, write, words, messages):
    """Also if it is the first of its argument, and another mends it."""
    stopping = "training: {early_stopping: {patience: 3}, "
    text = IRIS.replace("training: {", stopping).replace("iris,", "iris, validation_size: 0.2,")
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", text), *words)
    assert messages == {problem.message for problem in caught.value.problems}


UNEQUAL = "sizes and activations must be equally many, not"
GOOD, WRONG, LONG = (
    f"{{sizes: [4, 3], activations: [{names}]}}"
    for names in ("tanh, softmax", "tanh", "tanh, tanh, tanh, tanh, tanh, tanh, softmax")
)


@pytest.mark.parametrize(
    ("values", "messages"),
    [
        ([GOOD, WRONG, GOOD], {f"{UNEQUAL} 2 and 1 (with network={WRONG})"}),
        ([WRONG, GOOD], {f"{UNEQUAL} 2 and 1 (with network={WRONG})"}),
        ([GOOD, LONG, GOOD], {f"{UNEQUAL} 2 and 7 (with value 2 of 3 of network)"}),
        (
            [LONG, WRONG],
            {
                f"{UNEQUAL} 2 and 7 (with value 1 of 2 of network)",
                f"{UNEQUAL} 2 and 1 (with network={WRONG})",
            },
        ),
        ([LONG], {f"{UNEQUAL} 2 and 7"}),
        (
            [GOOD, "{layers: {a: 1}}"],
            {"a mapping is not a list of layers (with network={layers: {a: 1}})"},
        ),
    ],
)
def test_a_problem_within_a_value_names_the_value(plan, write, values, messages):
    """Of an argument with several, or says which it is if it is long."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), f"network={','.join(values)}", "training.batch_size=4,8")
    assert messages == {problem.message for problem in caught.value.problems}


def test_a_list_or_mapping_that_a_message_has_not_is_named(plan, write):
    """Though the problem stands at the key of the argument."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), "network.layers=[{type: dense, units: 3, activation: softmax}],{a: 1}")
    (problem,) = caught.value.problems
    assert "a mapping is not a list of layers (with layers={a: 1})" == problem.message


# Values that contradict each other alone: their runs fail, and the others are trained.

# With half of the rows for tests, 75 are left to train on.
WORDS = ("dataset.test_size=0.2,0.5", "training.batch_size=20,100")
TOO_LARGE = "a batch of 100 rows is larger than the training split, which has 75"
CONTRADICTION = "iris test_size=0.5 batch_size=100"


@pytest.mark.parametrize("most", [1, 500])
def test_its_runs_fail_with_their_place_and_leave_the_others(wide, write, monkeypatch, most):
    """Exit 1, each named at the end, in a small grid and in a large one; again each time."""
    monkeypatch.setattr(validate, "MOST_AT_ONCE", most)
    write("iris")
    for trained, complete in ((6, 0), (0, 6)):
        code, out, err = wide("sweep", "configs", *WORDS, "--seeds", 2, "--json")
        data = json.loads(out)
        assert (1, trained, complete) == (code, data["trained"], data["complete_before"])
        assert (2, 0) == (data["failed"], data["left"])
        reason = f"argument '{WORDS[1]}': training.batch_size: {TOO_LARGE}"
        assert [(f"{CONTRADICTION} seed={seed}", reason) for seed in (3, 4)] == [
            (failure["label"], failure["reason"]) for failure in data["failures"]
        ]
        assert f"of 8 runs, 2 failed\n  {CONTRADICTION} seed=3: {reason}\n" in err
        rows = data["leaderboard"]["groups"][0]["rows"]
        assert [2, 2, 2, 0] == [row["completed"] for row in rows]


def test_the_place_is_that_in_the_config(plan, sweep, write):
    """The file, the line and the column of the value."""
    block = "sweep:\n  grid: {dataset.test_size: [0.2, 0.5], training.batch_size: [20, 100]}\n"
    done = run_inline(sweep(plan(write("iris", IRIS + block))))
    ((failure),) = done.failures
    assert 3 == done.trained
    assert f"iris.yaml:8:67: training.batch_size: {TOO_LARGE}" in failure.reason
    assert "\n" not in failure.reason


def test_what_keys_exclude_is_found_late_in_a_large_grid(plan, sweep, write, monkeypatch):
    """And what they exclude at first is refused in a small one."""
    monkeypatch.setattr(validate, "MOST_AT_ONCE", 1)
    words = ("dataset.validation_size=0.2,0", "training.early_stopping=null,{patience: 3}")
    done = run_inline(sweep(plan(write("iris"), *words)))
    assert (3, 1) == (done.trained, done.failed)
    assert "early stopping watches a validation split" in done.failures[0].reason


def test_a_dry_run_names_it(wide, write, tmp_path):
    """Exit 1 after the table, which has all settings; nothing is written."""
    write("iris")
    code, out, err = wide("sweep", "configs", *WORDS, "--dry-run")
    assert (1, 4) == (code, out.count("batch_size="))
    reason = f"argument '{WORDS[1]}': training.batch_size: {TOO_LARGE}"
    expected = (
        f"error: 1 setting cannot be trained, and the others can\n  {CONTRADICTION}: {reason}\n"
    )
    assert expected == err
    points = json.loads(wide("sweep", "configs", *WORDS, "--dry-run", "--json")[1])["points"]
    assert [None, None, None, reason] == [point.get("refused") for point in points]
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_shard_counts_those_of_all_shards(wide, write, order):
    """Whichever shard they are in, so that the last one writes the board of the sweep."""
    write("iris")
    codes = [wide("sweep", "configs", *WORDS, "--shard", f"{k}/2")[0] for k in order]
    assert [0, 1] == sorted(codes)
    data = json.loads(wide("ls", "--leaderboard", "--json")[1])
    assert [1, 1, 1, 0] == [row["completed"] for row in data["groups"][0]["rows"]]
    assert data.get("unfinished") is None


def test_folds_of_it_fail_each(plan, sweep, write):
    """As many runs as the values give it."""
    made = plan(write("iris"), "dataset.folds=3,2", "training.batch_size=20,90", seeds=2)
    done = run_inline(sweep(made))
    assert (16, 4, 20) == (done.trained, done.failed, len(made))
    assert [1, 2] == sorted({run.replicate.fold for run in made.runs() if run.variant.refused})


@pytest.mark.parametrize("error", [NnrunError("no such thing"), DataError("no such thing")])
def test_any_error_of_preparation_is_that_of_its_runs(plan, sweep, write, monkeypatch, error):
    """Of a value it is one of the plan, with its exit code."""

    def prepared(experiment, *arguments, **more):
        config = experiment.config
        if config.training.batch_size == 100 and config.dataset.test_size in refused:
            raise error
        return prepare(experiment, *arguments, **more)

    monkeypatch.setattr(variants, "prepare", prepared)
    words = ("dataset.test_size=0.1,0.2", "training.batch_size=20,100")
    refused = {0.2}
    done = run_inline(sweep(plan(write("iris"), *words)))
    assert (3, 1) == (done.trained, done.failed)
    assert done.failures[0].reason.endswith("iris.yaml: no such thing")
    refused = {0.1}
    with pytest.raises(ConfigError, match="no such thing") as caught:
        plan(write("iris"), *words)
    assert error.exit_code == caught.value.exit_code


# Settings of random grids are those that each of them gives alone.

CONFIG = """
dataset: {name: iris, features: standard, validation_size: 0.2}
network:
  layers:
    - {type: dense, units: 4, activation: tanh}
    - {type: dropout, rate: 0.1}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 60, batch_size: 8}
"""
# Values that fit any of the others, and some that come to the same.
VALUES = {
    "network.layers.0.units": [2, 3, 90],
    "network.layers.0.activation": ["tanh", "relu"],
    "network.layers.1": [
        {"type": "batch_norm"},
        {"type": "dropout"},
        {"type": "dropout", "rate": 0.2},
    ],
    "network.initializer": ["he_normal", {"type": "he_normal"}, "zeros"],
    "loss": ["cross_entropy", {"type": "cross_entropy"}, "mean_squared"],
    "training.iterations": [20, 60.0, 2000],
    "training.epochs": [1, 30],
    "training.batch_size": [4, 7, 32],
    "network.layers.1.rate": [0.2, 0.3, 0],
    "training.optimizer": [
        "sgd",
        {"type": "sgd"},
        "adam",
        *({"type": "sgd", "momentum": momentum} for momentum in (0, 0.9, 0.8)),
    ],
    "training.learning_rate": [
        0.1,
        0.2,
        *({"schedule": "cosine", "initial": initial} for initial in (0.1, 0.2, 1)),
    ],
    "training.dtype": ["float64", "float32"],
    "training.class_weight": [None, "balanced"],
    "training.evaluate_every": [None, 3],
    "dataset.test_size": [0.1, 15, 0.3],
    "dataset.validation_size": [10, 0.3],
    "dataset.split.seed": [1, 2],
    "dataset.features": ["standard", "none", []],
}


def word(key, *values):
    return f"{key}={','.join(map(json.dumps, values))}"


def runs_of(made):
    """Each variant by its runs, without what its place in a plan gives it."""
    return [
        (replace(variant, number=0, choice={}), [run.run_id for run in variant.runs()])
        for variant in made.variants
    ]


@pytest.mark.parametrize("most", [1, 500])
@pytest.mark.parametrize("number", range(12))
def test_each_setting_is_the_one_planned_alone(plan, write, monkeypatch, number, most):
    """With its config, estimate and run ids, in the order of the product, equal ones once.

    Whether it is made with the plan, or when it is needed.
    """
    monkeypatch.setattr(validate, "MOST_AT_ONCE", most)
    draw, file = random.Random(number), write("iris", CONFIG)
    keys = draw.sample(sorted(VALUES.keys() - {"dataset.split.seed"}), 3)
    grid = {key: draw.sample(VALUES[key], 2) for key in keys}
    together = runs_of(plan(file, *(word(key, *values) for key, values in grid.items())))
    alone = []
    for chosen in product(*grid.values()):
        (setting,) = runs_of(plan(file, *map(word, grid, chosen)))
        if setting[1] not in [ids for _, ids in alone]:
            alone.append(setting)
    assert alone == together


def test_seeds_of_splits_and_folds_are_runs_of_one_setting(plan, write):
    """In the grid's order of splits, with the ids that each run has alone."""
    file, sizes = write("iris", CONFIG), [4, 8]
    grid = {"dataset.split.seed": [2, 1], "training.batch_size": sizes, "dataset.fold": [3, 1]}
    words = [word(key, *values) for key, values in grid.items()]
    made = plan(file, "dataset.folds=3", *words)
    expected = [
        [
            next(plan(file, "dataset.folds=3", *map(word, grid, (seed, size, fold))).runs()).run_id
            for seed in (2, 1)
            for fold in (1, 3)
        ]
        for size in sizes
    ]
    assert expected == [[run.run_id for run in variant.runs()] for variant in made.variants]
