"""Advice names what was seen, and says nothing of what it does not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnrun.runs.diagnosis import diagnose
from nnrun.runs.diagnosis.data import about_data
from nnrun.runs.diagnosis.symptoms import trained_past_the_best, unfinished
from nnrun.runs.diagnosis.training import tiny_rate, unstable_rate
from nnrun.runs.events import Listener
from nnrun.runs.execution.descriptions import describe_dataset
from nnrun.runs.execution.execute import Execution
from nnrun.runs.execution.result import Ending, diagnosis_input
from tests.simulations.advice import outcome
from tests.simulations.corpus.recipes import FINE, ILL, looked_at

FRAUD = """
dataset: {path: fraud.npz, task: classification, features: standard, test_size: 0.3}
network: {sizes: [4, 2], activations: [tanh, softmax]}
loss: cross_entropy
training: {optimizer: adam, learning_rate: 0.01, epochs: 8, batch_size: 64}
"""


@pytest.fixture
def fraud(tmp_path):
    """Writes rows with few positive ones, whose probability depends on the first column or not."""

    def make(strength: float, rows: int = 3000):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(rows, 3))
        score = strength * x[:, 0] + rng.logistic(size=rows)
        np.savez(tmp_path / "fraud.npz", x=x, y=(score > np.quantile(score, 0.97)).astype(int))

    return make


@pytest.fixture
def finished(prepared):
    """Trains a config and gives the input of its diagnosis."""

    def make(text, *overrides):
        execution = Execution(prepared(text, *overrides))
        metrics = execution.run(Listener()).record.metrics
        return diagnosis_input(
            execution.prepared, Ending.of(execution.prepared, execution.trainer), metrics
        )

    return make


@pytest.fixture
def leak(prepared):
    """What is said of a column that gives the target of a config, if anything."""

    def find(text):
        run = prepared(text)
        found = about_data(run.dataset, run.split, describe_dataset(run))
        return {each.kind: each.message for each in found}.get("leak")

    return find


def said(case):
    return {found.kind: found.message for found in diagnose(case)}


@pytest.mark.parametrize("recipe", looked_at(FINE) + looked_at(ILL), ids=lambda recipe: recipe.name)
def test_the_corpus_gets_the_advice_that_its_recipes_say(recipe, tmp_path):
    """What must be said of a run is said, and nothing that is not so."""
    assert "right" == outcome(recipe, tmp_path).verdict


def test_unequal_classes_are_told_apart_though_accuracy_does_not_show_it(fraud, finished):
    """With both numbers, the remedies, and no word on what the features say."""
    fraud(2.0)
    case = finished(FRAUD)
    found = said(case)
    assert ["unequal_classes"] == list(found)
    text = found["unequal_classes"]
    assert text.startswith("the classes are unequal: accuracy (0.971) is no further from the ")
    area = case.metrics["test"]["roc_auc"]
    assert f"tells classes apart (ROC AUC {area:.2f} on test data, 0.5 by chance; log" in text
    assert text.endswith("try training.class_weight=balanced, or a threshold by "
                         "decide.maximize=f1 with dataset.validation_size=0.2")  # fmt: skip


@pytest.mark.parametrize(
    "remedy", [("training.class_weight=balanced",),
               ("decide.maximize=f1", "dataset.validation_size=0.2")]
)  # fmt: skip
def test_advice_that_is_taken_is_not_repeated(fraud, finished, remedy):
    """Nor is an accuracy that falls on purpose held against the run."""
    fraud(2.0)
    assert {} == said(finished(FRAUD, *remedy))


def test_unequal_classes_without_a_relation_get_no_claim(fraud, finished):
    """An area under the curve that rare rows do not tell from chance is said to be so."""
    fraud(0.0, 1000)
    found = said(finished(FRAUD))
    assert ["one_prediction", "majority_share"] == list(found)[:2]
    assert "unknown_cause" not in found
    assert "rows of a class do not tell from 0.5; try" in found["unequal_classes"]


def test_the_loss_of_weighted_classes_is_compared_with_the_class_shares(fraud, finished):
    """By its numbers, and not by the majority class, which accuracy is about."""
    fraud(2.0)
    case = finished(FRAUD, "training.class_weight=balanced")
    worse = {name: {**numbers, "loss": 5.0} for name, numbers in case.metrics.items() if numbers}
    found = said(replace(case, metrics=worse))
    text = "the loss on training data, 5, is worse than the class shares' 0.693"
    assert text == found["worse_than_baseline"]


def test_a_network_that_has_memorised_is_told_by_its_losses(finished):
    """A training loss of 0.002 beside a test loss of 1.33, though accuracies are near.

    If the learning rate is far too large, that is the cause, and not the size of the network.
    """
    text = """
dataset: {name: moons, rows: 100, noise: 0.35, features: standard, test_size: 0.4}
network: {sizes: [64, 64, 2], activations: [relu, relu, softmax]}
loss: cross_entropy
training: {optimizer: adam, learning_rate: 0.01, epochs: 300, batch_size: 10}
"""
    case = finished(text)
    losses = {"train": (1.0, 0.002), "test": (0.88, 1.33)}
    metrics = {
        name: {**case.metrics[name], "accuracy": share, "loss": loss, "log_loss": loss}
        for name, (share, loss) in losses.items()
    }
    found = said(replace(case, metrics=metrics))
    assert (
        "far apart: log_loss 0.002 and 1.33, where the class shares give 0.71"
        in (found["far_apart"])
    )
    assert {"many_parameters", "trained_past_the_best"} <= set(found)
    unstable = said(replace(case, metrics=metrics, peak_rate=3.0))
    assert "300 times what adam usually bears" in unstable["learning_rate"]
    assert "many_parameters" not in unstable


def test_a_tiny_rate_is_told_while_the_loss_is_on_its_way(fraud, finished):
    """Not of one that has levelled off, whatever its rate."""
    fraud(2.0)
    case = finished(FRAUD, "training.learning_rate=0.000001")

    def tiny(*losses):
        rows = [{"iteration": i, "train_loss": loss} for i, loss in enumerate(losses)]
        found = tiny_rate(replace(case, history=rows))
        return found and found.message

    assert "10,000 times below what adam usually bears" in tiny(0.7, 0.699, 0.698, 0.697)
    assert [None, None] == [tiny(0.7, 0.68, 0.68, 0.68), tiny(0.7, 0.6, 0.5, 0.4)]


def test_a_rate_at_the_limit_is_not_above_it(fraud, finished):
    """No advice names a factor of 1."""
    fraud(2.0)
    case = finished(FRAUD, "training.learning_rate=0.01")
    assert unstable_rate(replace(case, peak_rate=0.01004)) is None
    above = unstable_rate(replace(case, peak_rate=0.0106))
    assert "is 1.1 times what adam usually bears" in above.message


def test_kept_weights_of_the_best_evaluation_are_not_too_old(fraud, finished):
    """A loss that rose after it is no reason for a smaller patience."""
    fraud(2.0)
    case = finished(FRAUD)
    rows = [{"iteration": i, "validation_loss": loss} for i, loss in enumerate((0.9, 0.5, 1.0))]

    def past(kept):
        numbers = {"validation": {"loss": kept}}
        return trained_past_the_best(replace(case, history=rows, metrics=numbers)) is not None

    assert [False, True] == [past(0.5), past(1.0)]


def test_the_first_of_several_networks_is_held_against_its_own_curve(fraud, finished):
    """The loss of the mean, over other rows, says nothing of when one of them was best."""
    fraud(2.0)
    case = finished(FRAUD, "members=2")
    rows = [{"iteration": i, "validation_loss": loss} for i, loss in enumerate((0.9, 0.5, 1.0))]
    mean = {"validation": {"loss": 7.0}}

    def said(kept):
        case_of = replace(case, history=rows, metrics=mean, kept_iteration=kept)
        found = trained_past_the_best(case_of)
        return None if found is None else found.message.partition(";")[0]

    expected = "the validation loss of the first network was 0.5 at iteration 1 and 1 at the end"
    assert [None, expected] == [said(1), said(None)]


def test_an_early_stop_is_not_called_too_early(fraud, finished):
    """A training loss that falls while the held-out loss rises asks for no more iterations."""
    fraud(2.0)
    case = finished(FRAUD)

    def kinds(*held_out):
        rows = [
            {"iteration": i, "train_loss": base * (1 - 0.04 * i), "test_loss": loss}
            for i, loss in enumerate(held_out)
        ]
        return unfinished(replace(case, history=rows)) is not None

    base = case.baseline["train"]["loss"]
    assert [True, False] == [kinds(*range(10, 0, -1)), kinds(*range(10))]


OF_DATES = """
network: {sizes: [16, 2], activations: [tanh, softmax]}
loss: cross_entropy
training: {optimizer: adam, learning_rate: 0.02, epochs: 200, batch_size: 20}
dataset:
  path: t.csv
  columns: {target: y}
  task: classification
  features: standard
  test_size: 0.3
"""


def test_a_column_that_gives_the_target_is_named_as_in_the_file(leak, tmp_path):
    """A part of a date cannot be dropped by itself."""
    hours = [(row * 7) % 24 for row in range(200)]
    rows = [f"2024-01-01T{hour:02}:00,{row % 5},{int(hour > 11)}" for row, hour in enumerate(hours)]
    (tmp_path / "t.csv").write_text("\n".join(["left,a,y", *rows]))
    expected = (
        "the column left alone, by left.hour, separates the classes in all 140 training rows: "
        "if it is known only after the target, name it in dataset.columns.drop"
    )
    assert expected == leak(OF_DATES + "  dates: {left: [hour]}\n")


@pytest.mark.parametrize("blanks_tell", [True, False])
def test_a_column_that_is_blank_in_one_class_is_named(leak, tmp_path, blanks_tell):
    """The median that fills it lies between the days of the other class; another column, which
    only predicts well, is not named.
    """
    rng = np.random.default_rng(0)
    left, days = rng.random(300) < 0.4, rng.integers(1, 29, 300)
    blank = ~left if blanks_tell else rng.random(300) < 0.4
    cells = ["" if no else f"2024-03-{day:02}" for no, day in zip(blank, days, strict=True)]
    told = np.where(left, 1, -1) * rng.choice([-1, 1], 300)
    rows = zip(cells, told, np.where(left, told, -told), left.astype(int), strict=True)
    (tmp_path / "t.csv").write_text(
        "\n".join(["day,a,b,y", *(",".join(map(str, r)) for r in rows)])
    )
    text = (
        f"{OF_DATES}  dates: {{day: [weekday, elapsed, cyclic]}}\n  missing: {{impute: median}}\n"
    )
    expected = (
        "the column day is blank or the same for one class, never for the other, in all 210 "
        "training rows: if it is known only after the target, name it in dataset.columns.drop"
    )
    assert (expected if blanks_tell else None) == leak(text)


def test_an_accuracy_without_mistakes_is_not_held_against_a_run(fraud, finished):
    """Though by a few rows it is no further from the largest class's share than chance."""
    fraud(2.0)
    case = finished(FRAUD)
    perfect = {
        name: {**numbers, "accuracy": 1.0} for name, numbers in case.metrics.items() if numbers
    }
    share = {
        name: {**numbers, "accuracy": 0.97} for name, numbers in case.baseline.items() if numbers
    }
    few = {name: part[:38] for name, part in case.outputs.items()}
    assert not replace(case, metrics=perfect, baseline=share, outputs=few).at_share("test")
    assert replace(case, metrics=share, baseline=share, outputs=few).at_share("test")
    assert "unequal_classes" not in said(replace(case, metrics=perfect))


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_logarithm_of_the_target_is_found(leak, tmp_path, noise):
    """It has the target's order; one with noise has not, though it predicts well."""
    rng = np.random.default_rng(0)
    wage, age = rng.uniform(1, 8, 300), rng.uniform(20, 60, 300)
    logarithm = np.log(wage) + noise * rng.normal(size=300)
    rows = zip(logarithm.round(4), age.round(1), wage.round(4), strict=True)
    lines = [",".join(map(str, row)) for row in rows]
    (tmp_path / "t.csv").write_text("\n".join(["logwage,age,wage", *lines]))
    text = """
dataset:
  path: t.csv
  columns: {target: wage}
  features: standard
  target: standard
  test_size: 0.2
network: {sizes: [16, 1], activations: [tanh, linear]}
loss: mean_squared
training: {optimizer: adam, learning_rate: 0.02, epochs: 150, batch_size: 16}
"""
    expected = (
        "the column logwage has the order of wage in all 240 training rows: if it is known "
        "only after the target, name it in dataset.columns.drop"
    )
    assert (None if noise else expected) == leak(text)
