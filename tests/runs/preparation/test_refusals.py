"""Configs and data that do not fit each other, refused before training."""

from __future__ import annotations

import pytest

from nnrun.config.load import load_config
from nnrun.data import rows as data_memory
from nnrun.errors import ConfigError, UsageError
from nnrun.runs.preparation import memory
from nnrun.runs.preparation.prepare import prepare

# What is refused before it starts, at its place: sizes, and numbers out of range.

CONFIG = """\
dataset: {path: data.csv, columns: {target: y}, test_size: 0.5, features: standard}
network: {sizes: [4, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.1, iterations: 5, batch_size: 2}
"""


@pytest.fixture
def refused(tmp_path):
    """The heads of what is wrong with a config on these rows, their file left out."""

    def of(rows, *overrides):
        lines = [",".join(map(str, row)) for row in rows]
        (tmp_path / "data.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
        (tmp_path / "config.yaml").write_text(CONFIG)
        with pytest.raises(ConfigError) as error:
            prepare(load_config(tmp_path / "config.yaml", overrides))
        return [str(p).split("\n")[0].rpartition("config.yaml:")[2] for p in error.value.problems]

    return of


ROWS = [(i, i % 3, i) for i in range(10)]


def test_a_batch_is_no_larger_than_the_training_split(refused):
    """At its key, with both numbers; a batch of all rows is fine."""
    message = (
        "training.batch_size: a batch of 6 rows is larger than the training split, which has 5"
    )
    assert [f"argument 'training.batch_size=6': {message}"] == refused(
        ROWS, "training.batch_size=6"
    )


def test_learning_rates_are_numbers(refused):
    """At the key, with the first iteration at which a schedule leaves what float64 can hold."""
    rate = "training.learning_rate={schedule: step, initial: 1.0, every: 2, factor: 1e300}"
    message = "at iteration 5 it is larger than any number (1.8e308)"
    place = f"argument '{rate}': training.learning_rate"
    assert [f"{place}: {message}"] == refused(ROWS, rate)


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        (["network.sizes=[100000, 100000, 1]"], "argument 'network.sizes=[100000, 100000, 1]'"),
        ([], "2:10: network"),
    ],
)
def test_a_run_that_cannot_fit_is_refused_at_its_largest_part(
    refused, monkeypatch, overrides, place
):
    """With the figures and what to do, at a line of the config."""
    monkeypatch.setattr(memory, "available_memory", lambda: 100)
    if overrides:
        overrides = [*overrides, "network.activations=[tanh, tanh, linear]"]
    (said,) = refused(ROWS, *overrides)
    assert "this run would take about" in said
    assert "of memory" in said
    assert "100 B are free; " in said


def test_many_rows_are_refused_at_the_data(refused, monkeypatch):
    """Where the data are most of it."""
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
    (said,) = refused([(i, i, i) for i in range(3000)], "network.sizes=[1]",
                      "network.activations=[linear]")  # fmt: skip
    assert said.startswith("1:10: dataset: this run would take about")
    assert said.endswith("use fewer rows or features")


@pytest.mark.parametrize(
    ("rows", "overrides", "message"),
    [
        (
            [(1.7e308, 1, 1), (-1.7e308, 2, 2)] * 4,
            [],
            "1:75: dataset.features: column 'a' has values too large to be scaled: their spread "
            "overflows float64",
        ),
        (
            [(1.7e308, 1, 1), (-1.7e308, 2, 2)] * 4,
            ["dataset.features=minmax"],
            "argument 'dataset.features=minmax': dataset.features: column 'a' has values too large",
        ),
        (
            [(1, 1, 1.7e308), (3, 2, -1.7e308)] * 4,
            ["dataset.target=standard"],
            "argument 'dataset.target=standard': dataset.target: column 'y' has values too large",
        ),
        (
            [(1e39, 1, 1), (2, 2, 2)] * 4,
            ["dataset.features=none", "training.dtype=float32"],
            "argument 'dataset.features=none': dataset.features: column 'a' leaves the range of "
            "float32 when it is prepared",
        ),
        (
            [(1, 1, 1e39), (3, 2, 2)] * 4,
            ["training.dtype=float32"],
            "1:1: dataset.target: column 'y' leaves the range of float32 when it is prepared",
        ),
    ],
)
def test_numbers_that_preparation_cannot_hold_are_reported_with_their_column(
    refused, rows, overrides, message
):
    """By `check` as by `train`, since both prepare."""
    (said,) = refused(rows, *overrides)
    assert said.startswith(message)


@pytest.mark.parametrize("group", ["", "jobs", "jobs/mine"])
@pytest.mark.parametrize(
    ("own", "folder", "limit", "used"),
    [
        ("0::/jobs/mine", "", "memory.max", "memory.current"),
        (
            "8:pids:/\n3:cpu,memory:/jobs/mine",
            "memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        ),
    ],
    ids=["v2", "v1"],
)
def test_the_limits_of_control_groups_count(tmp_path, monkeypatch, own, folder, limit, used, group):
    """Of both versions, of its own group and of those above it; one that says `max` is none."""
    monkeypatch.setattr(data_memory, "_ROOT", tmp_path)
    monkeypatch.setattr(data_memory, "_OWN", tmp_path / "own")
    (tmp_path / "own").write_text(f"{own}\n")
    place = tmp_path / folder / group
    place.mkdir(parents=True, exist_ok=True)
    (place / limit).write_text("5000000\n")
    (place / used).write_text("1000000\n")
    assert 4_000_000 == data_memory.available_memory()
    (place / limit).write_text("max\n")
    assert data_memory.available_memory() > 4_000_000


@pytest.mark.parametrize("own", ["0::/../../other", "nonsense", None])
def test_groups_that_cannot_be_seen_are_the_root(tmp_path, monkeypatch, own):
    """As within a container, or where the system has none."""
    monkeypatch.setattr(data_memory, "_ROOT", tmp_path)
    monkeypatch.setattr(data_memory, "_OWN", tmp_path / "own")
    if own is not None:
        (tmp_path / "own").write_text(own)
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert 4_000_000 == data_memory.available_memory()


# Mistakes that only shapes and data show: each points at its line, before anything is trained.

HEAD = """dataset: {dataset}
network:
  layers:
{layers}
loss: {loss}
training: {{learning_rate: 0.1, iterations: 10, batch_size: {batch}}}
"""


def config(dataset="{name: iris}", loss="cross_entropy", batch=4, layers=()):
    lines = "\n".join(f"    - {layer}" for layer in layers)
    return HEAD.format(dataset=dataset, loss=loss, batch=batch, layers=lines)


DIGITS, FLAT = "{name: digits}", "{type: flatten}"


def dense(units, activation="linear"):
    return f"{{type: dense, units: {units}, activation: {activation}}}"


def conv(kernel):
    return f"{{type: conv2d, channels: 2, kernel: {kernel}}}"


SOFTMAX3, SOFTMAX10 = dense(3, "softmax"), dense(10, "softmax")
CASES = {
    "kernel larger than its input": (
        config(DIGITS, layers=[conv(9), FLAT, SOFTMAX10]),
        (4, "kernel of 9×9 is larger than its input of 8×8"),
    ),
    "pool larger than its input": (
        config(DIGITS, layers=["{type: max_pool2d, size: 9}", FLAT, SOFTMAX10]),
        (4, "size of 9×9 is larger"),
    ),
    "dense on images": (
        config(DIGITS, layers=[conv(3), SOFTMAX10]),
        (5, "put a flatten before it"),
    ),
    "convolution on vectors": (config(layers=[conv(3), FLAT, SOFTMAX3]), (4, "takes images")),
    "series on images": (
        config(DIGITS, layers=["{type: conv1d, channels: 2}", FLAT, SOFTMAX10]),
        (4, "takes series, images of height 1, but its input is 1×8×8"),
    ),
    "ends in images": (
        config(DIGITS, "mean_squared", layers=[conv(3)]),
        (4, "ends in images of 2×6×6; put a flatten and a dense layer"),
    ),
    "units that do not fit the classes": (
        config(layers=[dense(4, "softmax")]),
        (4, "4 outputs, but iris has 3 classes; use 3 units"),
    ),
    "one unit for several classes": (
        config(layers=[dense(1, "softmax")]),
        (4, "1 output, but iris has 3 classes; use 3 units"),
    ),
    "units that do not fit the target": (
        config("{name: boston}", "mean_squared", layers=[dense(2)]),
        (4, "2 outputs, but boston has 1 number to predict"),
    ),
    "softmax in the middle": (
        config(layers=[dense(3, "softmax"), SOFTMAX3]),
        (4, "softmax belongs in the last layer"),
    ),
    "cross-entropy without softmax": (
        config(layers=[dense(3, "sigmoid")]),
        (4, "loss cross_entropy needs softmax in the last layer, but this is sigmoid"),
    ),
    "binary cross-entropy without sigmoid": (
        config(loss="binary_cross_entropy", layers=[SOFTMAX3]),
        (4, "needs sigmoid"),
    ),
    "cross-entropy for regression": (
        config("{name: boston}", layers=[dense(1)]),
        (5, "cross_entropy is for classes, but boston is regression"),
    ),
    "poisson without softplus": (
        config("{name: boston}", "poisson", layers=[dense(1)]),
        (4, "loss poisson needs softplus in the last layer, but this is linear"),
    ),
    "poisson of scaled targets": (
        config("{name: boston, target: standard}", "poisson", layers=[dense(1, "softplus")]),
        (1, "the loss poisson needs targets of 0 or more; standard moves them below: write none"),
    ),
    "poisson of targets below 0": (
        config("{name: sine}", "poisson", layers=[dense(1, "softplus")]),
        (5, "poisson needs targets of 0 or more, but sine has -1."),
    ),
    "softmax for regression": (
        config("{name: boston}", "mean_squared", layers=[dense(1, "softmax")]),
        (4, "softmax makes a distribution"),
    ),
    "batch norm on single rows": (
        config(batch=1, layers=["{type: batch_norm}", SOFTMAX3]),
        (4, "batches of more than one row"),
    ),
    "batch norm on images of one pixel": (
        config(DIGITS, batch=1, layers=[conv(8), "{type: batch_norm}", FLAT, SOFTMAX10]),
        (5, "batch_norm on images of 2×1×1 needs batches of more than one row"),
    ),
    "published metric of another task": (
        config(layers=[SOFTMAX3]) + "published: {test_mse: 1.0}\n",
        (7, "classification has no mse; there are loss, accuracy, log_loss"),
    ),
    "published number of a split that is not there": (
        config(layers=[SOFTMAX3]) + "published: {validation_accuracy: 0.5}\n",
        (7, "there is no validation split"),
    ),
    "metric that needs probabilities": (
        config(layers=[dense(3)], loss="mean_squared") + "metrics: [roc_auc]\n",
        (7, "roc_auc needs probabilities: end the network in softmax, or in one sigmoid unit"),
    ),
    "metric of two classes for three": (
        config(layers=[SOFTMAX3]) + "metrics: [mcc, f1_binary]\n",
        (7, "f1_binary is for two classes, and iris has 3; write f1_macro"),
    ),
    "as many of the most probable classes as there are": (
        config(layers=[SOFTMAX3]) + "metrics: [top_3_accuracy]\n",
        (7, "top_3_accuracy is always 1 for the 3 classes of iris"),
    ),
    "order by a metric of another task": (
        config(layers=[SOFTMAX3]) + "sweep: {order_by: mape}\n",
        (7, "classification has no mape; there are loss, accuracy, log_loss, and more in"),
    ),
    "monitored metric of another task": (
        config("{name: iris, validation_size: 0.2}", layers=[SOFTMAX3]).replace(
            "batch_size: 4", "early_stopping: {monitor: validation_mse}"
        ),
        (6, "classification has no mse; there are loss, accuracy, log_loss"),
    ),
    "given test split that is not there": (
        config("{name: iris, test_size: given}", layers=[SOFTMAX3]),
        (1, "own test split"),
    ),
    "target scaling of classes": (
        config("{name: iris, target: standard}", layers=[SOFTMAX3]),
        (1, "target is a class"),
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_mismatch_is_located(prepared, case):
    """The message is at the line of what is wrong, with that line and a caret below it."""
    text, (line, message) = CASES[case]
    with pytest.raises(ConfigError) as caught:
        prepared(text)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert line == problem.place.line
    assert problem.place.text in text.splitlines()


@pytest.mark.parametrize(
    ("block", "key"),
    [
        ("published: {test_mse: 1.0}", "test_mse"),
        ("published: {validation_accuracy: 0.5}", "validation_accuracy"),
        (
            "training: {learning_rate: 1, iterations: 10, batch_size: 4, class_weight: {zebra: 2}}",
            "zebra",
        ),
    ],
)
def test_a_name_that_the_data_refuses_is_pointed_at(prepared, block, key):
    """The caret is below the key, not below its value."""
    first = [line for line in config(layers=[SOFTMAX3]).splitlines() if line[:4] != block[:4]]
    with pytest.raises(ConfigError) as caught:
        prepared("\n".join([*first, block, ""]))
    (place,) = [problem.place for problem in caught.value.problems]
    assert key == place.text[place.column - 1 :][: place.width]


@pytest.mark.parametrize(
    "block",
    [
        "  columns:\n    target: y\n    embedding:\n      zebra: 3",
        '  columns:\n    target: y\n    formats: {zebra: "1.234,50"}',
        "  columns: {target: y, missing: {zebra: drop_rows}}",
        "  columns: {target: y}\n  dates:\n    zebra:\n      - month",
        "  columns: {target: y}\n  split: {by: time, column: a}\n  lags: {zebra: [1]}",
    ],
)
def test_a_column_that_is_not_there_is_pointed_at(prepared, tmp_path, block):
    """The caret is below its name, also where the value is on lines of its own."""
    table = tmp_path / "t.csv"
    table.write_text("a,b,y\n" + "".join(f"{i},{i % 3},{i * i}\n" for i in range(9)))
    last = "{type: dense, units: 1, activation: linear}"
    _, *rest = config(layers=[last], loss="mean_squared").splitlines()
    text = f"dataset:\n  path: {table}\n  task: regression\n{block}"
    with pytest.raises(ConfigError) as caught:
        prepared("\n".join([text, *rest, ""]))
    (place,) = [problem.place for problem in caught.value.problems]
    assert "zebra" == place.text[place.column - 1 :][: place.width]


def test_all_mismatches_come_at_once(prepared):
    """A softmax in the middle does not hide that the last layer does not fit the classes."""
    layers = [SOFTMAX3, "{type: dense, units: 4, activation: sigmoid}"]
    with pytest.raises(ConfigError) as caught:
        prepared(config(layers=layers))
    assert [4, 5, 5] == [problem.place.line for problem in caught.value.problems]


def test_mistakes_of_the_training_come_with_those_of_the_network(prepared):
    """A batch and a schedule that do not suit the rows, beside units that do not."""
    rate = "{schedule: exponential, initial: 1, every: 1, factor: 1e300}"
    text = config(batch=500, layers=[SOFTMAX3.replace("3", "4")])
    with pytest.raises(ConfigError) as error:
        prepared(text.replace("learning_rate: 0.1", f"learning_rate: {rate}"))
    paths = [problem.path for problem in error.value.problems]
    assert [
        "network.layers[0].units",
        "training.batch_size",
        "training.learning_rate",
    ] == sorted(paths)


def test_a_run_that_cannot_fit_is_refused_with_the_figure(prepared):
    """A layer of 10¹⁰ units is refused before memory is taken."""
    layers = ["{type: dense, units: 10000000000}", SOFTMAX3]
    with pytest.raises(UsageError, match=r"would take about .* TB of memory .* are free"):
        prepared(config(layers=layers))
