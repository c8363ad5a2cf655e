"""Runs whose splits differ in their categories: what is trained, evaluated, reported, predicted."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.models.load import restore
from nnrun.reports.run import report_markdown
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.config_cache import ConfigCache
from nnrun.runs.preparation.prepare import prepare_again

TABLE = """
name: towns
dataset:
  {path: towns.csv, columns: {target: price, categorical: [town]}, features: standard,
   test_size: 0.3}
network: {sizes: [4, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.05, epochs: 20, batch_size: 8, engine: numpy}
"""
# Each of these stands in one row, so that a split has it in one part.
RARE = tuple(f"rare{number}" for number in range(6))


@pytest.fixture
def towns(prepared, tmp_path):
    """Prepares a run on a table with six rare categories."""
    rows = [f"{k},{'AB'[k % 2]},{k % 7}" for k in range(60)]
    rows += [f"{60 + k},{name},{k}" for k, name in enumerate(RARE)]
    (tmp_path / "towns.csv").write_text("\n".join(["age,town,price", *rows]))

    def make(*overrides):
        return prepared(TABLE, *overrides)

    return make


def test_rare_categories_of_the_test_split_are_none(towns):
    """No weight of theirs exists; they are counted and named, and the run goes on."""
    run = towns()
    lost = [RARE[row - 60] for row in sorted(run.split.test.rows) if row >= 60]
    kept = sorted({"A", "B", *RARE} - set(lost))
    assert lost
    assert {"town": tuple(kept)} == dict(run.dataset.layout.columns.categories)
    result = train(run, None).result
    record = result.record
    assert (1 + len(kept), 4) == result.weights["0.weight"].shape
    assert 1 + len(kept) == record.dataset["n_features"]
    entry = {"split": "test", "column": "town", "rows": len(lost), "categories": lost}
    assert [entry] == record.dataset["unseen"]
    assert "unseen_category" == record.warnings[-1]["kind"]
    assert f"{len(lost)} in 'town': '{lost[0]}'" in record.warnings[-1]["message"]
    note = f"; test rows with a category that no training row has: town {len(lost)}."
    assert note in report_markdown(result)


def test_they_are_evaluated_as_zeros(towns):
    """The test loss is that of rows with 0 in all columns of their category."""
    run = towns()
    result = train(run, None).result
    model = restore(result.weights, result.metadata)
    x = np.zeros((len(run.split.test), len(run.dataset.feature_names)))
    x[:, 0] = run.split.test.rows
    for row, number in enumerate(run.split.test.rows):
        name = "AB"[number % 2] if number < 60 else RARE[number - 60]
        if f"town={name}" in run.dataset.feature_names:
            x[row, run.dataset.feature_names.index(f"town={name}")] = 1
    errors = model.decode(model.evaluate(x)) - run.split.test.y[:, 0]
    assert result.record.metrics["test"]["mse"] == pytest.approx(np.mean(errors**2), rel=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_seeds_of_one_config_may_have_other_categories(towns, engine):
    """What runs share is made for networks of one width: alone, each has the same bits."""
    first, common = towns(f"training.engine={engine}"), ConfigCache()
    widths = set()
    for seed in range(6):
        config = first.config.model_copy(update={"seed": seed})
        ours, alone = (prepare_again(config, first.dataset, c) for c in (common, None))
        widths.add(len(ours.dataset.feature_names))
        expected, record = (train(run, None).record for run in (alone, ours))
        assert expected.weights_sha256 == record.weights_sha256
        assert expected.metrics == record.metrics
    assert len(widths) > 1


def test_rows_that_are_training_rows_too_are_reported(prepared, tmp_path):
    """A count in the report whatever it is, and a warning where it is more than chance."""

    def run(rows):
        (tmp_path / "towns.csv").write_text("\n".join(["age,town,price", *rows]))
        return train(prepared(TABLE), None).result

    few = [f"{k},A,{k % 9}" for k in range(100)]
    once = run(few)
    assert {"test": 0} == once.record.dataset["duplicates"]
    twice = run([row for row in few for _ in range(2)])
    copies = twice.record.dataset["duplicates"]["test"]
    assert 60 >= copies > 30
    assert "duplicates" == twice.record.warnings[-1]["kind"]
    assert f"{copies} of 60 test rows are training rows too." in report_markdown(twice)


def test_in_order_visits_rows_as_they_stand_in_the_file(towns):
    """Whatever rows a drawn split has taken out."""
    execution = Execution(towns("training.sampling=in_order", "dataset.validation_size=0.1"))
    train_rows = execution.prepared.split.train.rows
    assert sorted(train_rows) == train_rows.tolist()
    taken, _ = execution.trainer.sampler.take(execution.prepared.batches_per_epoch)
    ages = execution.prepared.split.train.x[taken, 0]
    assert sorted(train_rows) == ages.tolist()
    assert "completed" == execution.run(Listener()).record.status


def test_own_test_rows_that_are_left_out_are_reported(prepared, tmp_path):
    """In the report's sentence on the data."""
    x, y = np.arange(20.0)[:, None], np.arange(20.0)
    np.savez(tmp_path / "own.npz", x=x, y=y, x_test=x[:5] + 0.5, y_test=y[:5])
    text = TABLE.replace("path: towns.csv, columns: {target: price, categorical: [town]}",
                         "path: own.npz").replace("0.3", "0")  # fmt: skip
    result = train(prepared(text), None).result
    dataset = result.record.dataset
    assert (20, 0, 5) == (dataset["n_train"], dataset["n_test"], dataset["left_out"])
    assert "; without the set's own 5 test rows." in report_markdown(result)


def test_rows_that_missing_values_leave_out_are_counted(prepared, tmp_path):
    """As own test rows are; the sentence on the data has them once."""
    rows = [f"{age}.5,{'a' if age % 2 else 'b'},{age}" for age in range(20)]
    (tmp_path / "towns.csv").write_text("\n".join(["age,town,price", *rows, ",a,3", "7,,3", ""]))
    text = TABLE.replace("path: towns.csv,", "path: towns.csv, missing: drop_rows,")
    result = train(prepared(text), None).result
    dataset = result.record.dataset
    assert (14, 6, 2, 2) == tuple(dataset[k] for k in ("n_train", "n_test", "left_out", "dropped"))
    assert "20 rows (2 more left out for missing values)" in dataset["description"]
    assert "Without the set's own" not in report_markdown(result)
