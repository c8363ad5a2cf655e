"""Arguments `key=value`: what they change, and what is said about those that change nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.config.load import load_config
from nnrun.config.overrides import WITH_DEFAULTS, format_override, parse_grid, split_argument
from nnrun.config.schema.dataset import SplitConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.yaml import KeyPath
from nnrun.errors import ConfigError
from tests.config.random_configs import pairs

ProblemsOf = Callable[..., list[str]]
Write = Callable[..., Path]
InTime = Callable[..., ExperimentConfig]

LONG = """\
dataset: {name: boston}
network:
  layers:
    - {type: dense, units: 13, activation: sigmoid, initializer: uniform}
    - {type: dense, units: 1}
loss: huber
training:
  optimizer: sgd
  learning_rate: 0.01
  epochs: 2
  early_stopping:
"""


def value(config: ExperimentConfig, path: str) -> Any:
    """What stands at a dotted path of a config."""
    found: Any = config
    for step in path.split("."):
        found = found[int(step)] if step.isdecimal() else getattr(found, step)
    return found


@pytest.mark.parametrize(
    ("argument", "path", "expected"),
    [
        ("seed=7", "seed", 7),
        ("seed=0x10", "seed", 16),
        ("seed=1e3", "seed", 1000),
        ("name=a-b.c_1", "name", "a-b.c_1"),
        ("name='7'", "name", "7"),
        ("description=one line, with a comma", "description", "one line, with a comma"),
        ("description='a=b: c'", "description", "a=b: c"),
        ("description=a=b", "description", "a=b"),
        ("training.learning_rate=1e-3", "training.learning_rate", 0.001),
        (
            "training.learning_rate={schedule: cosine, initial: 1}",
            "training.learning_rate.initial",
            1.0,
        ),
        ("training.clip_norm=2", "training.clip_norm", 2.0),
        ("network.layers.0.units=32", "network.layers.0.units", 32),
        ("network.layers[1].units=32", "network.layers.1.units", 32),
        ("network.layers.0.initializer.scale=2", "network.layers.0.initializer.scale", 2.0),
        ("network.layers.0.initializer.scale=2", "network.layers.0.initializer.type", "uniform"),
        ("network.initializer.scale=2", "network.layers.1.initializer.scale", 2.0),
        ("training.optimizer.momentum=0.5", "training.optimizer.momentum", 0.5),
        ("loss.delta=2", "loss.delta", 2.0),
        ("dataset.name=iris", "dataset.name", "iris"),
        ("training.iterations=5", "training.iterations", 5),
        ("training.iterations=5", "training.epochs", None),
        ("training.epochs=5", "training.epochs", 5),
        ("published.test_mse=1", "published.numbers", {"test_mse": 1.0}),
        (
            "sweep.grid.training.learning_rate=[1, 2]",
            "sweep.grid",
            {"training.learning_rate": [1, 2]},
        ),
    ],
)
def test_an_argument_sets_one_value(
    write: Write, argument: str, path: str, expected: object
) -> None:
    """The value is read as YAML 1.2, and blocks on the way are made or written out."""
    assert expected == value(load_config(write(LONG), [argument]).config, path)


def test_a_missing_block_is_made(write: Write) -> None:
    """A key may lie in a block that the file leaves out or empty."""
    arguments = ["dataset.validation_size=0.1", "training.early_stopping.patience=2"]
    config = load_config(write(LONG), arguments).config
    assert config.training.early_stopping is not None
    assert 2 == config.training.early_stopping.patience


def test_epochs_take_the_place_of_iterations(write: Write, valid: str) -> None:
    """Exactly one of the two stays, the one of the argument."""
    training = load_config(write(valid), ["training.epochs=3"]).config.training
    assert (None, 3) == (training.iterations, training.epochs)


def test_a_null_takes_the_place_of_nothing(problems_of: ProblemsOf, valid: str) -> None:
    """`epochs=null` says only that there are none."""
    message = "4:11: training: training needs 'iterations' or 'epochs'"
    assert [message] == problems_of(valid, "training.iterations=")


IN_TIME = """
dataset:
  path: DATA
  columns: {target: y, drop: [day]}
  task: regression
  split: {by: time, column: day}
  lags: {y: [1]}
  features: standard
  validation_size: 0.2
network: {layers: [{type: dense, units: 1}]}
loss: mean_squared
training: {learning_rate: {schedule: cosine, initial: 0.1}, epochs: 2, early_stopping: {}}
"""


@pytest.fixture
def in_time(write: Write, tmp_path: Path) -> InTime:
    """Loads a config of a table that is split by time, with arguments."""
    table = tmp_path / "t.csv"
    rows = [f"2024-01-{day:02},{day},{day * day}" for day in range(1, 29)]
    table.write_text("\n".join(["day,x,y", *rows]) + "\n")
    return lambda *words: load_config(write(IN_TIME.replace("DATA", str(table))), words).config


@pytest.mark.parametrize("value", ["null", "random", "{by: random}"])
def test_another_split_takes_the_place_of_a_whole_one(in_time: InTime, value: str) -> None:
    """A column to split by stays in no random split, and null is the default."""
    dataset = in_time(f"dataset.split={value}", "dataset.lags=null").dataset
    assert SplitConfig() == dataset.split
    assert {} == dataset.lags


def test_what_needs_a_split_that_null_takes_away_is_said_at_its_place(in_time: InTime) -> None:
    """Lags in the file need an order."""
    with pytest.raises(ConfigError, match=r":7:3: dataset\.lags: earlier rows need an order: add"):
        in_time("dataset.split=null")


def test_a_null_takes_any_block_away(in_time: InTime) -> None:
    """Its default holds; without one, the block is missing, and other keys have no null."""
    assert in_time("training.early_stopping=null").training.early_stopping is None
    with pytest.raises(ConfigError, match="training needs 'learning_rate'"):
        in_time("training.learning_rate=null")
    with pytest.raises(ConfigError, match="batch_size: nothing is given here"):
        in_time("training.batch_size=null")
    with pytest.raises(ConfigError, match="'nonsense' is not a key"):
        in_time("dataset.nonsense=null")


@pytest.mark.parametrize("path", sorted(WITH_DEFAULTS - {("loss",), ("sweep", "grid")}))
def test_a_null_is_the_default_of_a_block_that_no_file_has(in_time: InTime, path: KeyPath) -> None:
    """A grid may have both: `dataset.lags=null,{y: [1]}`."""
    without = (f"{'.'.join(map(str, path))}=null", "dataset.lags=null", "dataset.split=null")
    again = in_time(*without[1:], "dataset.split=random")
    assert again == in_time(*without)


def test_the_short_form_can_be_changed_in_both_forms(write: Write, valid: str) -> None:
    """A layer of the short form may be called by its index, whatever the order of arguments."""
    arguments = ["network.layers.0.units=32", "network.activations.0=tanh", "network.sizes.1=2"]
    layers = load_config(write(valid), arguments).config.network.layers
    units = [(layer.arguments()["units"], layer.arguments()["activation"]) for layer in layers]
    assert [(32, "tanh"), (2, "linear")] == units


def test_one_form_of_the_network_replaces_the_other(write: Write, valid: str) -> None:
    """Given as a whole, layers stand in for sizes and activations, and the other way round."""
    layers = load_config(
        write(valid), ["network.layers=[{type: dense, units: 5}]"]
    ).config.network.layers
    assert [5] == [layer.arguments()["units"] for layer in layers]
    arguments = ["network.sizes=[7]", "network.activations=[relu]"]
    layers = load_config(write(LONG), arguments).config.network.layers
    assert [7] == [layer.arguments()["units"] for layer in layers]


def test_a_data_file_replaces_the_built_in_set(write: Write, valid: str) -> None:
    """`name` and `path` exclude each other, but for the sets that are read from a path."""
    dataset = load_config(write(valid), ["dataset.path=/x.npz"]).config.dataset
    assert (None, "/x.npz") == (dataset.name, dataset.path)
    dataset = load_config(write(valid), ["dataset.name=mnist", "dataset.path=/idx"]).config.dataset
    assert ("mnist", "/idx") == (dataset.name, dataset.path)


def test_of_one_key_given_twice_the_last_counts(write: Write, valid: str) -> None:
    """As in Hydra, so that a line from the shell's history can be extended."""
    assert 2 == load_config(write(valid), ["seed=1", "seed=2"]).config.seed


@pytest.mark.parametrize("order", [1, -1])
def test_a_key_changes_the_block_around_it(write: Write, valid: str, order: int) -> None:
    """In any order of arguments, as in Hydra: none is lost without a word."""
    arguments = ["training.optimizer={type: adam, beta2: 0.9}", "training.optimizer.beta1=0.8"]
    optimizer = load_config(write(valid), arguments[::order]).config.training.optimizer
    assert (0.8, 0.9) == (optimizer.beta1, optimizer.beta2)


@pytest.mark.parametrize(("argument", "message"), pairs("mistaken_arguments.txt"))
def test_a_mistake_is_traced_to_its_argument(
    problems_of: ProblemsOf, valid: str, argument: str, message: str
) -> None:
    """What comes from the command line names the argument, with the same sentences as for files."""
    assert f"argument '{argument}': {message}" == problems_of(valid, "description=x", argument)[0]


def test_arguments_do_not_hide_mistakes_of_the_file(problems_of: ProblemsOf, valid: str) -> None:
    """The file's mistakes come first, then those of arguments in their order."""
    problems = problems_of(valid.replace("boston", "bostn"), "zzz=1", "foo", "seed=x")
    assert [
        "1:17: dataset.name: 'bostn' is not a built-in data set; did you mean 'boston'?",
        "argument 'zzz=1': zzz: 'zzz' is not a key of the config (one of name, description, "
        "dataset, network, loss, training, members, decide, seed, metrics, published, sweep, "
        "search)",
        "argument 'foo': this is not of the form key=value",
        "argument 'seed=x': seed: 'x' is not a whole number of at least 0",
    ] == problems


def test_an_argument_can_mend_the_file(write: Write, valid: str) -> None:
    """A wrong value that is replaced is no problem."""
    file = write(valid.replace("100}", "!tag x}"))
    with pytest.raises(ConfigError):
        load_config(file)
    assert (
        5
        == load_config(
            write(valid.replace("0.01", "x")), ["training.learning_rate=5"]
        ).config.training.learning_rate
    )


def test_the_smoke_run_replaces_iterations_and_epochs(write: Write, valid: str) -> None:
    """`--iterations` shortens any config."""
    for content in (valid, LONG):
        training = load_config(write(content), iterations=3).config.training
        assert (3, None) == (training.iterations, training.epochs)


def test_a_smoke_run_needs_iterations(problems_of: ProblemsOf, valid: str) -> None:
    """The option is named where it is wrong."""
    message = (
        "argument '--iterations 0': training.iterations: 0 is not a whole number greater than 0"
    )
    assert [message] == problems_of(valid, iterations=0)


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("a=1,2,3", [1, 2, 3]),
        ("a=1", [1]),
        ("a= 1 , 1e-3", [1, 0.001]),
        ("a=range(0,20)", list(range(20))),
        ("a=range(3)", [0, 1, 2]),
        ("a=range(10, 4, -2)", [10, 8, 6]),
        ("a=[13,1],[26,1]", [[13, 1], [26, 1]]),
        ("a=[[1,2],[3]]", [[[1, 2], [3]]]),
        ("a={x: 1, y: 2},{x: 3}", [{"x": 1, "y": 2}, {"x": 3}]),
        ("a='x,y',z", ["x,y", "z"]),
        ('a="x,[y",z', ["x,[y", "z"]),
        ("a=adam,sgd", ["adam", "sgd"]),
        ("a=null,1", [None, 1]),
        ("a=it's,[it's, x]", ["it's", ["it's", "x"]]),
        ('a="x\\",y",z', ['x",y', "z"]),
        ("a='x'',y',z", ["x',y", "z"]),
    ],
)
def test_commas_and_ranges_span_a_grid(argument: str, values: list[object]) -> None:
    """Commas within brackets or quotes belong to one value."""
    ((key, parsed),) = parse_grid([argument]).items()
    assert ("a", values) == (key, [*parsed])


def test_a_grid_has_an_entry_for_each_key() -> None:
    """Keys keep their order and their dots."""
    arguments = ["training.learning_rate=1,2", "network.layers[0].units=3"]
    expected = {"training.learning_rate": [1, 2], "network.layers.0.units": [3]}
    assert expected == parse_grid(arguments)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("a", "this is not of the form key=value"),
        ("a=1,", "there is a comma with nothing before or after it"),
        ("a=1,,2", "there is a comma with nothing before or after it"),
        ("a=range(0)", "'range(0)' holds no numbers, or more than 1,000,000"),
        ("a=range(0,5,0)", "'range(0,5,0)' holds no numbers, or more than 1,000,000"),
        (
            "a=range(0.1,1)",
            "'range(0.1,1)' is no list of values: range takes one to three whole numbers, "
            "and there is no other function; write the values, as 0.1,0.2",
        ),
        (
            "a=linspace(0.1, 1, 5)",
            "'linspace(0.1, 1, 5)' is no list of values: range takes one to three whole numbers, "
            "and there is no other function; write the values, as 0.1,0.2",
        ),
        (
            "a=range(0,10000000000)",
            "'range(0,10000000000)' holds no numbers, or more than 1,000,000",
        ),
        (
            "a=[1,2",
            "this is not YAML: did not find expected ',' or ']' "
            "(while parsing a flow sequence, which began on line 1)",
        ),
    ],
)
def test_a_bad_grid_is_traced_to_its_argument(argument: str, message: str) -> None:
    """All bad arguments are said at once."""
    with pytest.raises(ConfigError) as error:
        parse_grid([argument, "b=1,2", "b=3"])
    assert [
        f"argument '{argument}': {message}",
        "argument 'b=3': b is given twice; write b=1,2",
    ] == str(error.value).split("\n")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text("ab,'\"[]{}:# \n-"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab,:"), inner),
        max_leaves=5,
    )
)
def test_a_formatted_argument_is_parsed_to_its_value(value: object) -> None:
    """What a planner writes as an argument means the same value, in a grid as well."""
    argument = format_override("a.b", value)
    assert ("a", "b") == split_argument(argument)[0]
    assert repr({"a.b": [value]}) == repr(parse_grid([argument]))


def test_unreadable_arguments_are_said_beside_an_unreadable_file(problems_of: ProblemsOf) -> None:
    """Not even a file that is not YAML hides a malformed argument."""
    problems = problems_of("a: [", "foo", "seed=7")
    assert problems[0].startswith("1:4: this is not YAML") or problems[0].startswith("1:5:")
    assert ["argument 'foo': this is not of the form key=value"] == problems[1:]


def test_a_key_of_the_default_optimizer(tmp_path):
    """An optimizer that is not written is sgd, and its keys can be set all the same."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "dataset: {name: iris}\nnetwork: {sizes: [3], activations: [softmax]}\n"
        "loss: cross_entropy\ntraining: {learning_rate: 0.1, iterations: 5}\n"
    )
    optimizer = load_config(path, ["training.optimizer.momentum=0.9"]).config.training.optimizer
    assert ("sgd", 0.9) == (optimizer.type, optimizer.momentum)
