"""Plans of sweeps: configs, data sets, what is compiled."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import create_model

from nnrun.config import load as config_loading
from nnrun.config.load import load_config
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.settings import choice_words
from nnrun.data.dataset import DatasetProblem
from nnrun.engines.generated import engine
from nnrun.errors import ConfigError, UsageError
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.store import RunFolder
from nnrun.sweeps import sweep as choose
from nnrun.sweeps.planning import validate
from nnrun.sweeps.planning import variants as sweep_data
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from tests.sweeps.helpers import BOSTON, IRIS, WILD, run_inline

# What a sweep will do: files, grids, seeds, and everything wrong with them at once.

CONFIGS = Path(__file__).parents[3] / "configs"


def seeds(plan):
    return [list(variant.seeds) for variant in plan.variants]


def test_runs_are_those_of_train(plan, write):
    """A run of a grid has the id that `nnrun train` gives to the same config with its seed."""
    file = write("iris", IRIS + "sweep: {seeds: 2, grid: {training.batch_size: [4, 8]}}\n")
    runs = list(plan(file, "training.learning_rate=0.1,0.2").runs())
    expected = {
        prepare(
            load_config(
                file,
                [f"training.learning_rate={rate}", f"training.batch_size={size}", f"seed={seed}"],
            )
        ).run_id
        for rate in (0.1, 0.2)
        for size in (4, 8)
        for seed in (3, 4)
    }  # fmt: skip
    assert 8 == len(expected)
    assert expected == {run.run_id for run in runs}


def test_a_grid_is_a_product(plan, write):
    """Every value of one key with every value of the other, named by what varies."""
    words = ("training.learning_rate=0.1,0.01", "training.batch_size=4,8", "seed=7")
    made = plan(write("iris"), *words)
    labels = [variant.label for variant in made.variants]
    assert [
        "iris learning_rate=0.1 batch_size=4",
        "iris learning_rate=0.1 batch_size=8",
        "iris learning_rate=0.01 batch_size=4",
        "iris learning_rate=0.01 batch_size=8",
    ] == labels
    assert 4 == len(made)


@pytest.mark.parametrize(
    ("block", "words", "count", "expected"),
    [
        ("", (), None, [3]),
        ("", ("seed=range(0,4)",), None, [0, 1, 2, 3]),
        ("", ("seed=5,1,5",), None, [5, 1]),
        ("", (), 3, [3, 4, 5]),
        ("", ("seed=10",), 2, [10, 11]),
        ("sweep: {seeds: 2}", (), None, [3, 4]),
        ("sweep: {seeds: [8, 6]}", (), None, [8, 6]),
        ("sweep: {grid: {seed: [1, 2]}}", (), None, [1, 2]),
        ("sweep: {seeds: 2}", ("seed=9",), None, [9]),
        ("sweep: {seeds: 2}", ("seed=range(0,3)",), None, [0, 1, 2]),
        ("sweep: {seeds: [8, 6]}", (), 1, [3]),
        ("sweep: {seeds: 9}", ("sweep.seeds=2",), None, [3, 4]),
    ],
)
def test_seeds(plan, write, block, words, count, expected):
    """From the command line if it says anything, else the config's block, else its seed."""
    assert [expected] == seeds(plan(write("iris", IRIS + block), *words, seeds=count))


def test_the_command_line_takes_the_place_of_the_configs_grid(plan, write):
    """Of one key only: the other keys of the block still count."""
    block = "sweep: {grid: {training.learning_rate: [1, 2], training.batch_size: [4, 8]}}"
    made = plan(write("iris", IRIS + block), "training.learning_rate=0.5")
    expected = [{"training.batch_size": 4}, {"training.batch_size": 8}]
    assert expected == [variant.choice for variant in made.variants]
    assert all('"learning_rate": 0.5' in variant.config for variant in made.variants)


def test_the_same_point_twice_is_one(plan, write):
    """0.1 and 1e-1 make the same runs, which are not run or counted twice; so do 0 and -0.0."""
    assert 1 == len(plan(write("iris"), "training.learning_rate=0.1,1e-1"))
    adam = write("adam", IRIS.replace("learning_rate", "optimizer: adam, learning_rate"))
    for values in ("0,-0.0", "-0.0,0.0"):
        (run,) = plan(adam, f"training.optimizer.beta1={values}").runs()
        assert run.run_id == prepare(load_config(adam, ["training.optimizer.beta1=0.0"])).run_id


def test_iterations_replace_those_of_every_config(plan, write):
    """The smoke run is short whatever the configs say."""
    epochs = IRIS.replace("iterations: 60", "epochs: 3")
    made = plan(write("a"), write("b", epochs), iterations=7)
    assert [7, 7] == [variant.estimate.iterations for variant in made.variants]


def test_evaluations_take_time_beside_their_rows(plan, write):
    """By NumPy, sixty of them take most of the time of a short run; in compiled code, they do not.

    Measured: 2.7 to 3.1 times as long as with one evaluation, and 1.3 to 1.5 times.
    """
    times = {}
    for name in ("numpy", "compiled"):
        words = (write("iris"), f"training.engine={name}")
        once, often = (plan(*words, f"training.evaluate_every={every}") for every in (60, 1))
        times[name] = often.seconds / once.seconds
    assert times["compiled"] < 2 < times["numpy"]


# Milliseconds of processor time of a run of a config with 20 evaluations, storing included.
MEASURED = {
    "iris_softmax training.iterations=500": 5.1,
    "iris_softmax training.iterations=2000 training.engine=numpy": 34,
    "boston_arch3 training.iterations=500 training.engine=numpy training.optimizer=adam": 35,
    "digits_arch1 training.iterations=20": 40,
    "digits_arch1 training.iterations=300 training.engine=numpy": 60,
    "digits_cnn training.iterations=60 training.engine=compiled": 86,
}


@pytest.mark.parametrize("case", MEASURED)
def test_short_runs_take_about_as_long_as_measured(plan, case):
    """Within a factor of two."""
    name, *words = case.split()
    one = plan(CONFIGS / f"{name}.yaml", *words, seeds=1)
    assert 0.5 < 1000 * one.seconds / MEASURED[case] < 2


def test_long_runs_come_first(plan, write):
    """After a first run of each; so no worker is left alone with a long one at the end."""
    long = BOSTON.replace("60", "60000")
    made = plan(write("a"), write("b", long), write("c"), seeds=2)
    assert ["b", "b"] == [run.variant.name for run in made.runs()][0:6:3]


def test_all_mistakes_of_all_files(plan, write):
    """Two bad configs of three: both are named with their places, and an argument's once."""
    files = [
        write("good"),
        write("typo", IRIS.replace("tanh", "tahn")),
        write("units", IRIS.replace("[4, 3]", "[4, 7]")),
    ]
    with pytest.raises(ConfigError) as caught:
        plan(*files, "training.batch_size=8,0")
    text = str(caught.value)
    assert "typo.yaml:3:40: network.activations[0]: 'tahn' is not an activation" in text
    assert "units.yaml:3:22: network.sizes[1]: 7 outputs, but iris has 3 classes" in text
    assert 1 == text.count("argument 'training.batch_size=8,0': training.batch_size: 0 is not")
    assert 2 == caught.value.exit_code


def test_a_problem_of_an_argument_names_the_configs_that_have_it(plan, write):
    """If others have not: of many, the first three."""
    small = "test_size: 0.9, "
    files = [
        write(f"c{index}", IRIS.replace("{name: iris, ", f"{{name: iris, {small * (index > 0)}"))
        for index in range(6)
    ]
    with pytest.raises(ConfigError) as caught:
        plan(*files[:2], "training.batch_size=8,20,200")
    first, second, third = (problem.message for problem in caught.value.problems)
    assert first.endswith(
        f"of 200 rows is larger than the training split, which has 120 (in {files[0]})"
    )
    assert second.endswith(
        f"of 20 rows is larger than the training split, which has 15 (in {files[1]})"
    )
    assert third.endswith(
        f"of 200 rows is larger than the training split, which has 15 (in {files[1]})"
    )
    with pytest.raises(
        ConfigError, match=r"has 15 \(in .*c1.yaml, .*c2.yaml, .*c3.yaml and 2 more\)$"
    ):
        plan(*files, "training.batch_size=8,20")
    with pytest.raises(ConfigError, match=r"which has 15$"):
        plan(*files[1:], "training.batch_size=8,20")


def test_mistakes_of_a_grid_point_at_the_grid(plan, write):
    """What shows only when the network is built is reported at the value in the config."""
    block = "sweep: {grid: {network.sizes: [[4, 3], [4, 5]]}}\n"
    with pytest.raises(ConfigError, match=r"grid\.yaml:7:40: .*5 outputs, but iris has 3 classes"):
        plan(write("grid", IRIS + block))


@pytest.mark.parametrize(
    ("word", "wrong"),
    [
        ("seed=abc", "'abc' is not a whole number"),
        ("seed=", "null is not a whole number"),
        ("seed=.nan", ".nan is not a whole number"),
        ("seed={a: 1}", "a mapping is not a whole number"),
        ("seed=1,-2,x", "-2, 'x' are not whole numbers"),
        ("seed=range(-9,2)", "-9, -8, -7, -6, … are not whole numbers"),
    ],
)
def test_a_seed_that_is_none_is_reported_as_such(plan, write, word, wrong):
    """With everything else that is wrong."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), word, "training.batch_size=0")
    seeds, size = (str(problem) for problem in caught.value.problems)
    assert f"argument '{word}': seed: {wrong} of at least 0 and below 2**63" == seeds
    assert size.startswith("argument 'training.batch_size=0': ")


@pytest.mark.parametrize("word", ["seed=[1,2]", "seed=0..4", "seed=0:5", "seed=0-4"])
def test_several_seeds_that_are_written_otherwise_get_a_hint(plan, write, word):
    """Lists and ranges of other languages."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), word)
    (seeds,) = (str(problem) for problem in caught.value.problems)
    limits = "is not a whole number of at least 0 and below 2**63"
    assert seeds.startswith(f"argument '{word}': seed: ")
    assert seeds.endswith(f"{limits}; several are seed=1,2,3 or 'seed=range(0,5)'")


def test_all_values_of_an_argument_are_tried(plan, write):
    """Also where the first one is wrong already."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), "training.batch_size=0,4,-1", "training.learning_rate=0.1,x")
    found = [str(problem).partition(": training.")[2] for problem in caught.value.problems]
    assert ["batch_size: 0 is", "batch_size: -1 is", "learning_rate: 'x' is"] == [
        text.partition(" not")[0].partition(" neither")[0] for text in found
    ]


@pytest.mark.parametrize("word", ["name=a,A", "description=a,b", "published.test_accuracy=1,2"])
def test_what_changes_no_result_is_no_grid(plan, write, word):
    """It would train the same run again and again."""
    with pytest.raises(ConfigError, match="changes no result, so no sweep"):
        plan(write("iris"), word)


def test_a_label_says_as_much_of_a_key_as_tells_it_apart(plan, write):
    """`units` alone, and the layer where there are two."""
    one = plan(write("iris"), "network.sizes.0=4,8", "training.learning_rate=0.1,0.2").variants
    assert "iris sizes.0=4 learning_rate=0.1" == next(iter(one)).label
    two = plan(write("iris"), "network.sizes.0=4,8", "network.activations.0=relu,tanh").variants
    assert "iris sizes.0=4 activations.0=relu" == next(iter(two)).label
    assert ["units=4", "units=8"] == [
        choice_words({"network.layers.0.units": units})[0] for units in (4, 8)
    ]
    named = {"training.optimizer.type": "adam", "loss.type": "huber"}
    assert ["optimizer.type=adam", "loss.type=huber"] == choice_words(named)
    both = {"network.layers.0.units": 4, "network.layers.1.units": 8}
    assert ["layers.0.units=4", "layers.1.units=8"] == choice_words(both)
    assert ["learning_rate.over=5"] == choice_words({"training.learning_rate.over": 5})


def test_a_link_does_not_take_the_name_of_its_file(wide, write, tmp_path):
    """Results lie in folders by name, so a file keeps its own, whichever comes first."""
    target = write("top")
    (target.parent / "alias.yaml").symlink_to(target)
    data = wide.json("sweep", "configs", "--dry-run")
    assert ["top"] == [variant["name"] for variant in data["points"]]


def test_seeds_given_twice_contradict(plan, write):
    """--seeds counts from one seed, not from several."""
    with pytest.raises(UsageError, match="--seeds 3: the seeds are given by 'seed' already"):
        plan(write("iris"), "seed=1,2", seeds=3)


@pytest.mark.parametrize("other", ["iris", "Iris"])
def test_one_name_twice_is_refused(plan, write, other):
    """Their runs would lie in one folder, on some disks even if only the case differs."""
    first, second = write("iris"), write("other", f"name: {other}\n{IRIS}")
    message = rf"other\.yaml: the name '{other}' is that of .*iris\.yaml"
    with pytest.raises(ConfigError, match=message):
        plan(first, second)


def test_a_plan_does_not_hold_its_runs(plan, write):
    """A million runs are planned in no time, since they are made when they are asked for."""
    made = plan(write("wild", WILD), seeds=1_000_000)
    assert 1_000_000 == len(made)
    assert 42 == next(made.runs()).seed


def test_a_plan_tells_how_far_its_checks_are(write, monkeypatch):
    """Each setting of a small grid, and each value of a large one."""
    file, told = write("iris", IRIS), []

    @contextmanager
    def progress():
        yield told.append

    grid = Arguments.parse(["training.learning_rate=0.1,0.2,0.3", "training.batch_size=4,8"])
    make_plan({str(file): file}, grid, Datasets(), progress)
    assert [6] * 6 == told
    told.clear()
    monkeypatch.setattr(validate, "MOST_AT_ONCE", 5)
    make_plan({str(file): file}, grid, Datasets(), progress)
    assert [4] * 4 == told


def test_a_dry_run_reads_the_runs_that_there_are(wide, write, monkeypatch):
    """No others; it shows how far checks and rows are, and the table has the order of the plan."""
    write("iris")
    grid = ("sweep", "configs", "--seeds", 2)
    assert 0 == wide(*grid, "training.iterations=60")[0]
    read, told = [], []
    right = RunFolder.read
    monkeypatch.setattr(RunFolder, "read", lambda folder: read.append(folder) or right(folder))

    @contextmanager
    def shown(work, output):
        yield told.append

    for module in ("sweep", "train_many"):  # of the rows of a dry run, and of the plan
        monkeypatch.setattr(f"nnrun.cli.{module}.shown", shown)
    code, out, _ = wide(*grid, "training.iterations=20,60,40", "--dry-run", "--json")
    points = json.loads(out)["points"]
    assert (0, 2, [3] * 6) == (code, len(read), told)
    found = [(p["iterations"], p["runs"], p["complete"]) for p in points]
    assert [(20, 2, 0), (60, 2, 2), (40, 2, 0)] == found
    read.clear()
    assert 0 == wide(*grid, "training.iterations=60", "--dry-run", "--force")[0]
    assert [] == read


# The code of the first runs is made once, before they are submitted.

CONFIG = """
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 5, engine: compiled}
"""


def test_networks_of_the_first_runs_are_compiled_once(tmp_path, monkeypatch):
    """A grid over learning rates needs one function, one over widths a function for each.

    No more of them than there are workers, so that a grid of any size begins to train at once.
    """
    path = tmp_path / "net.yaml"
    path.write_text(CONFIG)
    made = []
    monkeypatch.setattr(engine, "compile_ahead", lambda network, *_, **__: made.append(network))
    datasets = Datasets()

    widths = ["network.sizes=[4,3],[5,3],[6,3]", "network.activations=[tanh,softmax]"]
    for words, workers, expected in (
        (["training.learning_rate=0.1,0.2,0.3", "seed=1,2"], 2, 1),
        (widths, 4, 3),
        (widths, 2, 2),
        (["training.engine=numpy"], 2, 0),
    ):
        made.clear()
        plan = make_plan({str(path): Path(path)}, Arguments.parse(words, None, None), datasets)
        choose.compile_first(plan, datasets, workers)
        assert expected == len(made)


# Data sets of a sweep: each is loaded once, and two that differ in any way are two.


@pytest.fixture
def new_key(monkeypatch):
    """A key of `dataset` that no list in nnrun knows: what is added to all features."""
    block = create_model("Shifted", __base__=DatasetConfig, shift=(float, 0.0))
    config = create_model("Experiment", __base__=ExperimentConfig, dataset=(block, ...))
    monkeypatch.setattr(config_loading, "ExperimentConfig", config)
    read = sweep_data.read_dataset

    def shifted(block):
        dataset = read(block)
        return replace(dataset, x=dataset.x + getattr(block, "shift", 0))

    monkeypatch.setattr(sweep_data, "read_dataset", shifted)


@pytest.mark.usefixtures("new_key")
def test_a_new_key_of_the_block_makes_another_data_set(plan, write, sweep):
    """A grid over a key that was just added trains on the data of each of its values."""
    config = write("iris")
    made = plan(config, "dataset.shift=0.0,1.5", "dataset.features=none")
    runs = list(made.runs())
    assert (
        2 == len({run.run_id for run in runs}) == len({variant.data for variant in made.variants})
    )
    done = sweep(made)
    run_inline(done)
    losses = {
        done.store.run(run.variant.name, run.run_id).read().record.metrics["train"]["loss"]
        for run in runs
    }
    assert 2 == len(losses)


@pytest.mark.usefixtures("new_key")
def test_a_new_key_at_its_default_renames_no_run(plan, write, monkeypatch):
    """With the key, and where it says what it says anyway, runs are called as without it."""
    config = write("iris")
    (with_key,) = plan(config).runs()
    (at_default,) = plan(config, "dataset.shift=0.0").runs()
    monkeypatch.setattr(config_loading, "ExperimentConfig", ExperimentConfig)
    (without,) = plan(config).runs()
    assert without.run_id == with_key.run_id == at_default.run_id


def test_preparation_alone_loads_nothing_again(monkeypatch):
    """Data that are split or scaled in another way are the same data."""
    loads = []
    read = sweep_data.read_dataset
    monkeypatch.setattr(
        sweep_data, "read_dataset", lambda block: loads.append(block) or read(block)
    )
    datasets = Datasets()
    blocks = [
        {},
        {"test_size": 0.5},
        {"validation_size": 10},
        {"features": "standard"},
        {"target": "minmax"},
    ]
    found = [
        datasets.load(DatasetConfig.model_validate({"name": "boston", **block})) for block in blocks
    ]
    assert 1 == len(loads) == len({id(dataset) for dataset in found})


def test_data_that_are_there_are_still_checked():
    """What does not go with the task is reported for every config, loaded or not."""
    datasets = Datasets()
    datasets.load(DatasetConfig(name="boston"))
    with pytest.raises(DatasetProblem, match="needs classes"):
        datasets.load(DatasetConfig(name="boston", stratify=True))


def test_data_are_found_by_their_key(monkeypatch):
    """Each run of a sweep asks for its data: what tells them from others is worked out once."""
    datasets = Datasets()
    block = DatasetConfig(name="boston")
    dataset = datasets.load(block)
    key = sweep_data.data_key(block, dataset.sha256)
    monkeypatch.delattr(sweep_data, "_source")
    assert dataset is datasets.load(block, key)
    with pytest.raises(DatasetProblem, match="needs classes"):
        datasets.load(DatasetConfig(name="boston", stratify=True), key)


def test_the_column_of_a_split_makes_another_data_set(tmp_path):
    """Its groups or times are loaded with the rows; the seed of the split is not."""
    rows = "".join(f"{i % 4},{i % 3},{i},{i}\n" for i in range(12))
    (tmp_path / "t.csv").write_text("a,b,x,y\n" + rows)
    base = {"path": str(tmp_path / "t.csv"), "columns": {"target": "y"}, "task": "regression"}

    def load(**split):
        return datasets.load(DatasetConfig.model_validate({**base, "split": split}))

    datasets = Datasets()
    a, b = load(by="group", column="a"), load(by="group", column="b")
    assert (4, 3) == (len({*a.split_values}), len({*b.split_values}))
    assert "f" == load(by="time", column="a").split_values.dtype.kind
    assert None is load(by="random").split_values
    assert a is load(by="group", column="a", seed=3)
