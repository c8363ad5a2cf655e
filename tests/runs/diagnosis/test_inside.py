"""What is said of watched runs that learn nothing or diverge, with its layer, and of the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnrun.config.load import config_from_dict, load_config
from nnrun.data.splits import load_dataset
from nnrun.runs.diagnosis import data
from nnrun.runs.diagnosis.data import about_data, identifiers
from nnrun.runs.diagnosis.training import any_learning_rate, large_updates, learning_rate
from nnrun.runs.diagnosis.watched import (
    constant_since,
    exploding_gradients,
    faint_gradients,
    large_update,
    saturated_layer,
    since,
)
from nnrun.runs.events import Listener
from nnrun.runs.execution.descriptions import describe_dataset
from nnrun.runs.execution.execute import Execution
from nnrun.runs.execution.result import Ending, diagnosis_input
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare, prepare_again
from nnrun.runs.severity import leading
from nnrun.training.watched import Watched

MOONS = {"name": "moons", "rows": 200, "noise": 0.1, "test_size": 0.25}
DIABETES = {"name": "diabetes", "features": "standard", "target": "standard", "test_size": 0.25}
HUGE = {"type": "he_normal", "scale": 40}


def dense(units, activation, **more):
    return {"type": "dense", "units": units, "activation": activation, **more}


def said(layers, dataset, rate, *, watch=True, iterations=300):
    """The warnings of a run by kind, and its error."""
    loss = "mean_squared" if dataset is DIABETES else "cross_entropy"
    training = {"learning_rate": rate, "iterations": iterations, "batch_size": 16, "watch": watch}
    config = {"name": "inside", "dataset": dataset, "network": {"layers": layers}}
    run = prepare(load_config({**config, "loss": loss, "training": training}))
    record = train(run, None).record
    return {found["kind"]: found["message"] for found in record.warnings}, record.error


def test_vanishing_gradients_are_named_with_their_layer():
    """Eight layers of sigmoids pass no gradient to the first ones, from iteration 0 on."""
    layers = [*[dense(8, "sigmoid")] * 8, dense(2, "softmax")]
    found, _ = said(layers, MOONS, 0.1)
    assert (
        "gradients vanish from layer 2 on down, since iteration 0" in found["vanishing_gradients"]
    )
    assert (
        "try relu in place of sigmoid, with network.initializer=he_normal"
        in (found["vanishing_gradients"])
    )
    plain, _ = said(layers, MOONS, 0.1, watch=False)
    assert "vanishing_gradients" not in plain


def test_activations_that_keep_gradients_are_not_blamed():
    """A layer of relu before sigmoids stays as it is."""
    layers = [dense(8, "relu"), *[dense(8, "sigmoid")] * 8, dense(2, "softmax")]
    message = said(layers, MOONS, 0.1)[0]["vanishing_gradients"]
    assert "try relu in place of sigmoid, with network.initializer=he_normal" in message


def test_dead_units_are_named_with_their_iteration():
    """Units that a large rate has killed were alive before the first update."""
    layers = [dense(16, "relu"), dense(16, "relu"), dense(2, "softmax")]
    found, _ = said(layers, MOONS, 30.0)
    assert (
        "for every training row, since iteration 15; try a smaller learning rate"
        in (found["dead_units"])
    )


def test_units_that_die_one_after_another_do_not_share_an_iteration(tmp_path):
    """The iteration is that of the share from which they are a problem, and this is said."""
    x = np.random.default_rng(0).normal(size=(300, 2))
    rows = np.column_stack([x, np.sin(2 * x[:, 0]) + x[:, 1]])
    np.savetxt(tmp_path / "t.csv", rows, "%.17g", ",", header="a,b,y", comments="")
    dataset = {"path": str(tmp_path / "t.csv"), "columns": {"target": "y"}, "test_size": 0,
               "features": "standard"}  # fmt: skip
    layers = [dense(12, "tanh"), dense(20, "relu"), dense(10, "relu"), dense(1, "linear")]
    training = {"learning_rate": 0.3, "iterations": 200, "batch_size": 16, "watch": True,
                "sampling": "in_order", "evaluate_every": 10}  # fmt: skip
    config = {"name": "t", "dataset": dataset, "network": {"layers": layers}, "seed": 3}
    run = prepare(load_config({**config, "loss": "mean_squared", "training": training}))
    record = train(run, None).record
    said = {found["kind"]: found["message"] for found in record.warnings}["dead_units"]
    assert said.startswith(
        "9 of 10 relu units of layer 2 are zero for every training row, "
        "25% of the layer or more since iteration 30; "
    )


def test_saturated_units_are_named():
    """Weights that are far too large from the start leave tanh units flat."""
    layers = [
        dense(16, "tanh", initializer=HUGE),
        *[dense(16, "tanh", initializer=HUGE)] * 3,
        dense(1, "linear"),
    ]
    found, _ = said(layers, DIABETES, 1e-6)
    assert "units of layer" in found["saturated_units"]
    assert "are saturated since iteration 0" in found["saturated_units"]
    assert "try smaller initial weights" in found["saturated_units"]


def test_a_divergence_names_the_update_that_was_too_large():
    """In the error of the run, beside the rate."""
    found, error = said([dense(16, "relu"), dense(1, "linear")], DIABETES, 100.0)
    assert "; an update moved " in found["learning_rate"]
    assert found["learning_rate"].endswith("times its size, at iteration 0")
    assert "; an update moved " in error


def test_exploding_gradients_are_named():
    """They grow by a factor in every layer on their way back, before the first update."""
    big = {"type": "he_normal", "scale": 8}
    layers = [*[dense(16, "relu", initializer=big)] * 6, dense(1, "linear")]
    found, error = said(layers, DIABETES, 0.01)
    assert "gradients explode on their way back: at layer 0" in found["exploding_gradients"]
    assert "radients explode on their way back" in error


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_nothing_is_said_of_a_run_that_learns(activation):
    """Whatever its activations."""
    layers = [dense(16, activation), dense(2, "softmax")]
    rate = 3.0 if activation == "sigmoid" else 0.3
    assert ({}, None) == said(layers, MOONS, rate, iterations=2000)


def record(looks=4, layers=3, **arrays):
    """A record with gradients and weights of size 1, updates of 0.001, and no flat unit."""
    names = [f"{k}.weight" for k in range(layers)]
    wide, units = np.ones((looks, layers)), np.zeros((looks, layers - 1))
    known = {
        "iterations": 10 * np.arange(looks),
        "weights.norm": wide,
        "updates.norm": wide * 1e-3,
        "output_gradients.norm": wide,
        "units.dead": units,
        "units.saturated": units,
    }
    values = {
        "rows": 1,
        "parameters": [{"name": name, "size": 4} for name in names],
        "layers": [{"layer": str(k), "type": "tanh", "size": 1} for k in range(layers)],
        "units": [{"layer": str(k), "activation": "tanh", "units": 4} for k in range(layers - 1)],
    }
    return Watched(known | {name: np.array(given) for name, given in arrays.items()}, values)


def test_what_is_seen_has_a_layer_and_an_iteration():
    """The first look from which on it holds to the end; nothing of a usual record."""
    usual = record()
    looks = (faint_gradients, exploding_gradients, saturated_layer)
    assert [None] * 3 == [look(usual) for look in looks]
    assert [None] * 2 == [large_update(usual, lasting=lasting) for lasting in (True, False)]
    faint = record(
        **{"output_gradients.norm": [[1, 1, 1], [1e-5, 1e-4, 1]] + [[1e-6, 1e-5, 1]] * 2}
    )
    found = faint_gradients(faint)
    assert ("1", 10, 1e-5) == (found.where, found.iteration, found.value)
    recovered = record(**{"output_gradients.norm": [[1e-5, 1e-4, 1]] * 3 + [[1, 1, 1]]})
    assert faint_gradients(recovered) is None
    flat = record(**{"units.saturated": [[0, 0], [0, 0.4], [0, 0.6], [0, 0.8]]})
    found = saturated_layer(flat)
    assert ("1", 20, 0.8, False) == (found.where, found.iteration, found.value, found.from_start)
    assert 10 == constant_since(flat, "1", 0.25).iteration
    assert faint_gradients(record(**{**faint.arrays, "units.dead": [[0, 0.6]] * 4})) is None
    large = record(**{"updates.norm": [[0, 0.01, 0], [0.2, 0.5, 0], [0, 0, 0], [np.nan] * 3]})
    found = large_update(large, lasting=False)
    assert ("1.weight", 10, 0.5) == (found.where, found.iteration, found.value)
    assert large_update(large, lasting=True) is None
    kept = ([True, False], [True, True], [True, False, True])
    assert [None, 0, 2] == [since(np.array(holds)) for holds in kept]


def case_of(rate):
    """What a run at this learning rate is diagnosed from."""
    config = {
        "name": "inside",
        "dataset": MOONS,
        "network": {"layers": [dense(4, "tanh"), dense(2, "softmax")]},
        "loss": "cross_entropy",
        "training": {"learning_rate": rate, "iterations": 200, "batch_size": 16},
    }
    execution = Execution(prepare(load_config(config)))
    metrics = execution.run(Listener()).record.metrics
    return diagnosis_input(
        execution.prepared, Ending.of(execution.prepared, execution.trainer), metrics
    )


def test_a_rate_is_not_blamed_where_no_update_was_large():
    """What was seen counts for more than what rows of this size bear."""
    case = case_of(2.0)
    assert "the learning rate 2 is" in learning_rate(case).message
    seen = record(layers=2, **{"updates.norm": [[0.01, 0.02], [0.01, 0.03], [0.01, 0.02], [0, 0]]})
    assert learning_rate(replace(case, watched=seen)) is None
    assert "the learning rate 2 is" in any_learning_rate(replace(case, watched=seen)).message


def test_a_failure_without_a_cause_says_how_much_of_the_gradient_is_left():
    """At the first layer, if the run was watched; the limit for vanishing ones is a thousandth."""
    layers = [*[dense(32, "sigmoid")] * 5, dense(10, "softmax")]
    found, _ = said(layers, {"name": "digits", "test_size": 0.25}, 0.05)
    assert "gradients at the first layer are 0.002 of those at the last" in found["unknown_cause"]


def test_updates_that_are_too_large_blame_the_rate():
    """Where nothing else does; the rate that is suggested moves weights by a hundredth."""
    case = case_of(0.5)
    assert (None, None) == (learning_rate(case), large_updates(case))
    seen = record(layers=2, **{"updates.norm": [[0.01, 0.2], [0.01, 0.5], [0.01, 0.4], [0, 0]]})
    found = large_updates(replace(case, watched=seen))
    assert found.kind == "learning_rate"
    assert (
        "updates move 1.weight by 0.4 of its size each (the median over the run)" in found.message
    )
    assert found.message.endswith("try training.learning_rate=0.01")


# Warnings about the data: what is said, of which columns, and in which order.

ROWS = 200
DROP = "name it in dataset.columns.drop"
TRAINED = "in all 160 training rows: if it is known only after the target, " + DROP


@pytest.fixture
def said_of_table(tmp_path):
    """The warnings about a table, given by its columns; `y` is the target."""

    def find(cells, **keys):
        path = tmp_path / "t.csv"
        rows = zip(*cells.values(), strict=True)
        path.write_text("\n".join([",".join(cells), *(",".join(map(str, row)) for row in rows)]))
        classes = "loss" in keys
        layer = {"type": "dense", "units": 2 if classes else 1}
        layer |= {"activation": "softmax"} if classes else {}
        task = "classification" if classes else "regression"
        config = {
            "name": "t", "loss": keys.pop("loss", "mean_squared"), "network": {"layers": [layer]},
            "dataset": {"path": str(path), "columns": {"target": "y"}, "task": task, **keys},
            "training": {"learning_rate": 0.1, "iterations": 1},
        }  # fmt: skip
        config = config_from_dict(config)
        run = prepare_again(config, load_dataset(config.dataset))
        found = about_data(run.dataset, run.split, describe_dataset(run))
        assert found is about_data(run.dataset, run.split, describe_dataset(run))
        return [(each.kind, each.message) for each in found]

    return find


@pytest.fixture
def table():
    """A column of chance, and a target from 500 to 1,500 that has nothing to do with it."""
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=ROWS).round(6), "y": rng.uniform(500, 1500, ROWS).round(3)}


def test_a_table_of_chance_gets_no_warning(said_of_table, table):
    """Neither numbers nor classes."""
    assert [] == said_of_table(table)
    assert [] == said_of_table(
        {**table, "y": (table["y"] > 1000).astype(int)}, loss="cross_entropy"
    )


def test_a_column_that_is_almost_a_multiple_says_how_nearly(said_of_table, table):
    """With the ratio, as of a deposit of three rents."""
    ratio = np.linspace(2.967, 3.039, ROWS)
    table = {"deposit": (table["y"] * ratio).round(6), **table}
    ((kind, text),) = said_of_table(table, test_size=0)
    assert "leak" == kind
    assert text == (
        "the column deposit is almost 3 × y (ratio 2.967 to 3.039) in all 200 training rows: if it "
        f"is known only after the target, {DROP}"
    )


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda y: y * 4, "is 4 × y"),
        (lambda y: y, "is y"),
        (lambda y: -y * 2, "is -2 × y"),
        (lambda y: y * 1.8 + 3200, "is y, in another unit,"),
        (lambda y: np.log(y).round(9), "has the order of y"),
    ],
)
def test_a_column_that_gives_the_target_says_how(said_of_table, table, made, words):
    """As a multiple, in another unit, or in its order."""
    assert [("leak", f"the column b {words} {TRAINED}")] == said_of_table(
        {"b": made(table["y"]), **table}
    )


def test_a_column_that_only_predicts_well_is_no_leak(said_of_table, table):
    """With an error of a tenth."""
    rng = np.random.default_rng(1)
    assert [] == said_of_table({"b": table["y"] * rng.uniform(0.9, 1.1, ROWS), **table})


def test_rare_classes_are_separated_by_chance(said_of_table, table):
    """One positive row of two hundred is at an end of some column soon."""
    y = np.zeros(ROWS, int)
    y[table["a"].argmax()] = 1
    assert [] == said_of_table({**table, "y": y}, loss="cross_entropy", test_size=0)
    (leak,) = said_of_table({**table, "y": (table["a"] > 0).astype(int)}, loss="cross_entropy")
    assert f"the column a separates the classes {TRAINED}" == leak[1]


def test_copies_of_training_rows_are_said_with_the_key(said_of_table, table):
    """Where they may change an accuracy by more than chance."""
    table = {name: np.tile(column[:50], 4) for name, column in table.items()}
    ((kind, text),) = said_of_table(table)
    assert "duplicates" == kind
    assert text.startswith("40 of 40 test rows are training rows too, target included")
    assert "dataset.copies: drop leaves copies out, and together puts them into one split" in text


def test_copies_are_said_where_few_of_them_are_held_out(said_of_table, table):
    """Forty-three copies among two thousand rows."""
    rng = np.random.default_rng(2)
    table = {name: rng.normal(size=2000).round(9) for name in ("a", "b", "y")}
    table = {name: np.concatenate([column, column[:43]]) for name, column in table.items()}
    ((kind, text),) = said_of_table(table)
    assert "duplicates" == kind
    assert text.startswith("43 of 2,043 rows equal an earlier row, in all columns of the file")


def test_rows_that_differ_in_their_dates_are_no_copies(said_of_table, table):
    """Though no feature differs."""
    table = {name: np.tile(column[:50], 4) for name, column in table.items()}
    days = [f"2020-{1 + row // 28:02}-{1 + row % 28:02}" for row in range(ROWS)]
    assert [] == said_of_table({"day": days, **table}, columns={"target": "y", "drop": ["day"]})


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        (np.arange(1, ROWS + 1), True),
        (np.random.default_rng(0).permutation(ROWS) * 10, True),
        (np.delete(np.arange(ROWS + 5), [3, 50, 51, 90, 120]), True),
        (np.arange(ROWS) + 0.5, False),
        (np.arange(ROWS) ** 2, False),
        (np.arange(ROWS) // 2, False),
    ],
    ids=["rising", "in any order", "with gaps", "no whole numbers", "unevenly", "twice each"],
)
def test_a_column_that_only_numbers_rows_is_named(said_of_table, table, numbers, named):
    """Whole numbers, all different and evenly rising."""
    kinds = [kind for kind, _ in said_of_table({"id": numbers, **table})]
    assert ["identifier"] * named == kinds


def test_the_worst_comes_first(said_of_table, table):
    """A leak, row numbers, rows of another kind, a column with one value."""
    day = np.repeat([0.0, 9.0], ROWS // 2)
    columns = {"one": [7] * ROWS, "level": day, "id": range(ROWS), "b": table["y"] * 3, **table}
    split = {"by": "time", "column": "id"}
    names = {"target": "y", "features": ["one", "level", "id", "b", "a"]}
    found = said_of_table(columns, columns=names, split=split, test_size=0.5)
    kinds = [kind for kind, _ in found]
    assert ["leak", "identifier", "unlike_splits", "constant_column"] == list(dict.fromkeys(kinds))
    texts = dict(found)
    assert (
        "the columns one, level have one value in all 100 training rows" in texts["constant_column"]
    )
    assert "id is 150 on average, 49.5 in training" in texts["unlike_splits"]


def test_they_are_found_once_for_a_split(said_of_table, table, monkeypatch):
    """However many runs there are of it."""
    calls = []
    find = data._constant
    monkeypatch.setattr(data, "_constant", lambda columns: calls.append(1) or find(columns))
    said_of_table(table)
    assert [1] == calls


def test_the_first_to_name_is_what_costs_most():
    """Data that make a result mean nothing, then the network's, then other data."""
    assert "leak" == leading(["leak", "far_apart"])
    assert "far_apart" == leading(["constant_column", "far_apart"])
    assert "constant_column" == leading(["constant_column"])


def test_a_table_without_columns_has_no_identifiers():
    """Arrays are what they are."""
    config = config_from_dict({
        "name": "t", "dataset": {"name": "iris"}, "loss": "cross_entropy",
        "network": {"layers": [{"type": "dense", "units": 3, "activation": "softmax"}]},
        "training": {"learning_rate": 0.1, "iterations": 1},
    })  # fmt: skip
    assert [] == identifiers(load_dataset(config.dataset))
