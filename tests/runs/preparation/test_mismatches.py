"""Mistakes that only shapes and data show: each points at its line, before anything is trained."""

from __future__ import annotations

import pytest

from nnrun.errors import ConfigError, UsageError

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


SOFTPLUS = "{type: dense, units: 1, activation: softplus}"
SOFTMAX3 = "{type: dense, units: 3, activation: softmax}"
CASES = {
    "kernel larger than its input": (
        config(
            "{name: digits}",
            layers=[
                "{type: conv2d, channels: 2, kernel: 9}",
                "{type: flatten}",
                "{type: dense, units: 10, activation: softmax}",
            ],
        ),
        (4, "kernel of 9×9 is larger than its input of 8×8"),
    ),
    "pool larger than its input": (
        config(
            "{name: digits}",
            layers=[
                "{type: max_pool2d, size: 9}",
                "{type: flatten}",
                "{type: dense, units: 10, activation: softmax}",
            ],
        ),
        (4, "size of 9×9 is larger"),
    ),
    "dense on images": (
        config(
            "{name: digits}",
            layers=[
                "{type: conv2d, channels: 2, kernel: 3}",
                "{type: dense, units: 10, activation: softmax}",
            ],
        ),
        (5, "put a flatten before it"),
    ),
    "convolution on vectors": (
        config(layers=["{type: conv2d, channels: 2, kernel: 3}", "{type: flatten}", SOFTMAX3]),
        (4, "takes images"),
    ),
    "ends in images": (
        config("{name: digits}", "mean_squared", layers=["{type: conv2d, channels: 2, kernel: 3}"]),
        (4, "ends in images of 2×6×6; put a flatten and a dense layer"),
    ),
    "units that do not fit the classes": (
        config(layers=["{type: dense, units: 4, activation: softmax}"]),
        (4, "4 outputs, but iris has 3 classes; use 3 units"),
    ),
    "one unit for several classes": (
        config(layers=["{type: dense, units: 1, activation: softmax}"]),
        (4, "1 output, but iris has 3 classes; use 3 units"),
    ),
    "units that do not fit the target": (
        config("{name: boston}", "mean_squared", layers=["{type: dense, units: 2}"]),
        (4, "2 outputs, but boston has 1 number to predict"),
    ),
    "softmax in the middle": (
        config(layers=["{type: dense, units: 3, activation: softmax}", SOFTMAX3]),
        (4, "softmax belongs in the last layer"),
    ),
    "cross-entropy without softmax": (
        config(layers=["{type: dense, units: 3, activation: sigmoid}"]),
        (4, "loss cross_entropy needs softmax in the last layer, but this is sigmoid"),
    ),
    "binary cross-entropy without sigmoid": (
        config(loss="binary_cross_entropy", layers=[SOFTMAX3]),
        (4, "needs sigmoid"),
    ),
    "cross-entropy for regression": (
        config("{name: boston}", layers=["{type: dense, units: 1}"]),
        (5, "cross_entropy is for classes, but boston is regression"),
    ),
    "poisson without softplus": (
        config("{name: boston}", "poisson", layers=["{type: dense, units: 1}"]),
        (4, "loss poisson needs softplus in the last layer, but this is linear"),
    ),
    "poisson of scaled targets": (
        config("{name: boston, target: standard}", "poisson", layers=[SOFTPLUS]),
        (1, "the loss poisson needs targets of 0 or more; standard moves them below: write none"),
    ),
    "poisson of targets below 0": (
        config("{name: sine}", "poisson", layers=[SOFTPLUS]),
        (5, "poisson needs targets of 0 or more, but sine has -1."),
    ),
    "softmax for regression": (
        config(
            "{name: boston}",
            "mean_squared",
            layers=["{type: dense, units: 1, activation: softmax}"],
        ),
        (4, "softmax makes a distribution"),
    ),
    "batch norm on single rows": (
        config(batch=1, layers=["{type: batch_norm}", SOFTMAX3]),
        (4, "batches of more than one row"),
    ),
    "batch norm on images of one pixel": (
        config(
            "{name: digits}",
            batch=1,
            layers=[
                "{type: conv2d, channels: 2, kernel: 8}",
                "{type: batch_norm}",
                "{type: flatten}",
                "{type: dense, units: 10, activation: softmax}",
            ],
        ),
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
        config(layers=["{type: dense, units: 3}"], loss="mean_squared") + "metrics: [roc_auc]\n",
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
