"""What is wrong with a config is said in one pass, in place, in plain sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nnrun.config.load import load_config
from nnrun.errors import ConfigError, Place, Problem
from tests.config.random_configs import pairs, says

ProblemsOf = Callable[..., list[str]]


def test_the_error_of_the_specification(write: Callable[..., Path]) -> None:
    """A misspelt activation is shown with its line, a caret under the word, and a suggestion."""
    file = write(
        """\
        name: boston_arch2
        dataset:
           name: boston
           test_size: 0.2
           features: l2

        network:
           sizes: [13, 1]
           activations: [sigmiod, linear]

        loss: mean_squared
        training: {learning_rate: 0.001, iterations: 11111}
        """,
        "boston_arch2.yaml",
    )
    with pytest.raises(ConfigError) as error:
        load_config(file)
    where, line, mark = str(error.value).split("\n")
    expected = (
        f"{file}:9:18: network.activations[0]: "
        "'sigmiod' is not an activation; did you mean 'sigmoid'?"
    )
    assert expected == where
    assert "activations: [sigmiod, linear]" == line.strip()
    assert line.index("sigmiod") == mark.index("^")
    assert "^~~~~~~" == mark.strip()


def test_five_mistakes_give_five_located_messages(problems_of: ProblemsOf) -> None:
    """All mistakes come at once, in the order of the file, whatever kind they are."""
    content = """\
    dataset: {name: bostn}
    network:
      layers:
        - {type: dense, unitz: 13, activation: sigmoid}
        - {type: dens, units: 1}
    loss: mean_squared
    seed: 1
    training:
      learning_rate: fast
      iterations: 100
    seed: 2
    """
    assert [
        "1:17: dataset.name: 'bostn' is not a built-in data set; did you mean 'boston'?",
        "4:21: network.layers[0].unitz: 'unitz' is not a key of 'dense'; did you mean 'units'?",
        "5:14: network.layers[1].type: 'dens' is not a layer; did you mean 'dense'?",
        "9:18: training.learning_rate: 'fast' is not a number greater than 0 "
        "or a schedule, like {schedule: step, ...}",
        "11:1: seed: 'seed' is given twice, the first time on line 7; remove one",
    ] == problems_of(content)


def test_a_misspelt_type_does_not_hide_what_is_wrong_beside_it(problems_of: ProblemsOf) -> None:
    """Keys are checked as those of what was meant; what seems to be missing is left for later."""
    content = """\
    dataset: {name: digits}
    network:
      layers:
        - {type: Conv2D, filters: 8, stride: 0}
        - {type: dens, kernel: 3}
        - {typ: dense, unit: 8}
        - {type: residul, layers: [{type: dens, units: -1}]}
    loss: {type: hubr, dleta: 1}
    training:
      optimizer: {type: adm, beta1: 2}
      learning_rate: {schedule: cosin, final: -1}
      iterations: 100
    """
    found = [line.partition(": ")[2] for line in problems_of(content)]
    assert [
        "network.layers[0].type: 'Conv2D' is not a layer; did you mean 'conv2d'?",
        "network.layers[0].filters: 'filters' is not a key of 'conv2d'; did you mean 'channels'?",
        "network.layers[0].stride: 0 is not a whole number greater than 0 or a list of 2",
        "network.layers[1].type: 'dens' is not a layer; did you mean 'dense'?",
        "network.layers[1].kernel: 'kernel' is not a key of 'dense', but of 'conv2d' and 'conv1d'",
        "network.layers[2].typ: 'typ' is not a key of a layer; did you mean 'type'?",
        "network.layers[2].unit: 'unit' is not a key of 'dense'; did you mean 'units'?",
        "network.layers[3].type: 'residul' is not a layer; did you mean 'residual'?",
        "network.layers[3].layers[0].type: 'dens' is not a layer; did you mean 'dense'?",
        "network.layers[3].layers[0].units: -1 is not a whole number greater than 0",
        "loss.type: 'hubr' is not a loss; did you mean 'huber'?",
        "loss.dleta: 'dleta' is not a key of 'huber'; did you mean 'delta'?",
        "training.optimizer.type: 'adm' is not an optimizer; did you mean 'adam'?",
        "training.optimizer.beta1: 2 is not a number of at least 0 and below 1",
        "training.learning_rate.schedule: 'cosin' is not a schedule; did you mean 'cosine'?",
        "training.learning_rate.final: -1 is not a number of at least 0",
    ] == found


def test_a_bad_tag_does_not_hide_other_mistakes(problems_of: ProblemsOf) -> None:
    """The value with the tag has one problem, and the rest is checked."""
    content = """\
    dataset: !python {name: boston}
    network: {sizes: [1], activations: [linear]}
    loss: mean_square
    training: {learning_rate: 1, iterations: !!int x}
    """
    assert [
        "1:10: dataset: the tag '!python' is not allowed; configs hold plain data",
        "3:7: loss: 'mean_square' is not a loss; did you mean 'mean_squared'?",
        "4:42: training.iterations: 'x' is not what the tag '!!int' says",
    ] == problems_of(content)


LINES = {
    "dataset": "dataset: {name: boston}",
    "network": "network: {sizes: [13, 1], activations: [sigmoid, linear]}",
    "loss": "loss: mean_squared",
    "training": "training: {learning_rate: 0.01, iterations: 100}",
}


@pytest.mark.parametrize(("line", "message"), pairs("mistakes.txt"))
def test_each_mistake_has_its_sentence(problems_of: ProblemsOf, line: str, message: str) -> None:
    """One mistake gives one problem, which says what is wrong and what would be right."""
    key = line.partition(":")[0]
    content = "\n".join({**LINES, key: line}.values())
    (problem,) = problems_of(content)
    where, _, said = problem.partition(": ")
    number, _, column = where.partition(":")
    assert says(message, said), said
    assert line == content.split("\n")[int(number) - 1]
    assert 1 <= int(column) <= len(line) + 1


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("sweep: {grid: {seed: [1, -2]}}", 26),
        ("training: {learning_rat: 1, iterations: 1}", 12),
        ("training: {optimizer: {momentum: 1}, learning_rate: 1, iterations: 1}", 23),
        ("network: {sizes: [1, 0], activations: [relu, relu]}", 22),
        ("training:", 10),
    ],
)
def test_columns_are_those_of_key_or_value(problems_of: ProblemsOf, line: str, column: int) -> None:
    """Unknown keys are marked themselves, wrong values where they begin."""
    content = "\n".join({**LINES, line.partition(":")[0]: line}.values())
    (problem,) = problems_of(content)
    assert str(column) == problem.split(":")[1]


def test_a_missing_key_is_shown_at_the_name_of_its_block(problems_of: ProblemsOf) -> None:
    """In block style that is the line above; in a list it is where the entry begins."""
    content = """\
    dataset:
      test_size: 0.2
    network:
      layers:
        - activation: relu
          type: dense
    loss: huber
    training:
      iterations: 3
    """
    assert [
        "1:1: dataset: dataset needs 'name' (see `nnrun datasets`), 'path' or 'images'",
        "5:7: network.layers[0]: 'dense' needs 'units'",
        "8:1: training: training needs 'learning_rate'",
    ] == problems_of(content)


def test_missing_blocks_are_shown_at_the_start(problems_of: ProblemsOf) -> None:
    """What the whole config lacks is said at its first line, all of it."""
    assert [
        f"1:1: the config needs '{key}'" for key in ("dataset", "network", "loss", "training")
    ] == problems_of("seed: 1\n")


def test_contradictions_are_found_beside_wrong_values(problems_of: ProblemsOf) -> None:
    """A wrong value in a block does not keep its keys from being looked at together."""
    content = """\
    dataset: {name: boston, path: x.csv, test_size: x}
    network: {sizes: [1, x], activations: [relu]}
    loss: mean_squared
    training:
      learning_rate: x
      iterations: 1
      epochs: 1
      optimizer: {type: sgd, nesterov: true, weight_decay: x}
      early_stopping: {patience: x}
    """
    assert [
        "1:25: dataset.path",
        "1:49: dataset.test_size",
        "2:22: network.sizes[1]",
        "2:39: network.activations",
        "5:18: training.learning_rate",
        "7:3: training.epochs",
        "8:36: training.optimizer.nesterov",
        "8:56: training.optimizer.weight_decay",
        "9:3: training.early_stopping",
        "9:30: training.early_stopping.patience",
    ] == [": ".join(problem.split(": ")[:2]) for problem in problems_of(content)]


@pytest.mark.parametrize("stem", ["my config", "_draft", "größe", "a" * 101, ".hidden"])
def test_a_file_name_that_cannot_name_runs_is_an_error(
    problems_of: ProblemsOf, valid: str, stem: str
) -> None:
    """Without `name` the file's stem is the name, and must follow the same rule."""
    (problem,) = problems_of(valid, name=f"{stem}.yaml")
    assert problem.startswith("1:1: name: the file's name is not one for runs")


def test_an_anchor_with_a_mistake_is_shown_once(problems_of: ProblemsOf) -> None:
    """However often a value is repeated, it is wrong in one place."""
    content = """\
    dataset: {name: boston}
    network:
      layers:
        - &layer {type: dense, units: 0}
        - *layer
        - *layer
    loss: mean_squared
    training: {learning_rate: 0.1, epochs: 1}
    """
    expected = "4:35: network.layers[0].units: 0 is not a whole number greater than 0"
    assert [expected] == problems_of(content)


def test_errors_point_into_long_lines():
    """A line that would wrap is cut around its caret, which stays below what is meant."""
    text = "network: {sizes: [" + ", ".join(["13"] * 40) + "], activations: [sigmiod, linear]}"
    column = text.index("sigmiod") + 1
    shown = str(Problem("no", place=Place("a.yaml", 2, column, text, len("sigmiod"))))
    _, line, mark = shown.splitlines()
    assert len(line) <= 80
    start = mark.index("^")
    assert "sigmiod" == line[start : start + len(mark.strip())]
