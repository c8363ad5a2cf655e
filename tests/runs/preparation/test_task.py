"""What preparation infers: the task, categories, ranges; and batches that rows allow."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

from nnrun.config.load import config_to_dict, load_config
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.preprocessing import Preprocessing
from nnrun.errors import ConfigError
from nnrun.models.load import restore
from nnrun.reports.run import report_markdown
from nnrun.runs.events import Listener
from nnrun.runs.execution.descriptions import describe_dataset
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.config_cache import ConfigCache, GridCache
from nnrun.runs.preparation.prepare import _LARGEST as LARGEST
from nnrun.runs.preparation.prepare import _SMALLEST as SMALLEST
from nnrun.runs.preparation.prepare import prepare, prepare_again, stays_in_range
from nnrun.sklearn import NetworkRegressor

# The task of a CSV file: what the network says of it, and where that is open.

CONFIG = """\
dataset: {path: data.csv, columns: {target: y}, test_size: 0}
network: {sizes: SIZES, activations: ACTIVATIONS}
loss: LOSS
training: {learning_rate: 0.1, iterations: 5}
"""


@pytest.fixture
def labelled(tmp_path):
    """Prepares a network on a file of one feature and a target."""

    def make(labels, sizes, activations, loss, *overrides):
        rows = "".join(f"{i},{label}\n" for i, label in enumerate(labels))
        (tmp_path / "data.csv").write_text(f"x,y\n{rows}")
        text = CONFIG.replace("SIZES", sizes).replace("ACTIVATIONS", activations)
        (tmp_path / "config.yaml").write_text(text.replace("LOSS", loss))
        return prepare(load_config(tmp_path / "config.yaml", overrides))

    return make


@pytest.mark.parametrize(
    ("labels", "sizes", "activations", "loss", "task"),
    [
        ([1.5, 2.5, 3.5], "[1]", "[linear]", "mean_squared", "regression"),
        ([0, 1, 0], "[4, 1]", "[tanh, linear]", "huber", "regression"),
        ([5, 6, 7], "[1]", "[softplus]", "mean_absolute", "regression"),
        ([0, 1, 2], "[3]", "[softmax]", "cross_entropy", "classification"),
        ([0, 1, 0], "[1]", "[sigmoid]", "binary_cross_entropy", "classification"),
        ([0, 1, 2], "[3]", "[sigmoid]", "mean_squared", "classification"),
        ([0, 1, 2], "[3]", "[softmax]", "mean_squared", "classification"),
        (["a", "b", "a"], "[1]", "[sigmoid]", "mean_squared", "classification"),
    ],
)
def test_loss_and_last_activation_say_it(labelled, labels, sizes, activations, loss, task):
    """No `task` is needed, and the resolved config has it."""
    assert task == labelled(labels, sizes, activations, loss).config.dataset.task


@pytest.mark.parametrize(("loss", "last"), [("poisson", "softplus"), ("pinball", "linear")])
def test_whole_numbers_of_arrays_are_counts_where_the_loss_says_so(tmp_path, loss, last):
    """An npz file may hold classes or numbers; counts and quantiles are numbers."""
    np.savez(tmp_path / "data.npz", x=np.arange(6.0)[:, np.newaxis], y=np.array([0, 1, 2] * 2))
    text = CONFIG.replace("data.csv, columns: {target: y}", "data.npz")
    text = text.replace("SIZES", "[1]").replace("ACTIVATIONS", f"[{last}]").replace("LOSS", loss)
    (tmp_path / "config.yaml").write_text(text)
    assert "regression" == prepare(load_config(tmp_path / "config.yaml")).dataset.task


def test_what_is_inferred_is_said(labelled):
    """With its reason; where the config says it, nothing has to be said."""
    given = ([1.5, 2.5], "[1]", "[linear]", "mean_squared")
    reason = "as the loss mean_squared and a single output without sigmoid say"
    assert f"regression, {reason}" == labelled(*given).inferred
    explicit = labelled(*given, "dataset.task=regression")
    assert "" == explicit.inferred
    assert reason == explicit.task_from


def test_the_report_says_why(labelled):
    """Whether or not the config says the task itself, so that both give one report."""
    run = labelled([1.5, 2.5], "[1]", "[linear]", "mean_squared")
    found = describe_dataset(run)
    assert ("regression", run.task_from) == (found["task"], found["task_from"])


def test_what_is_open_is_asked_at_columns(labelled):
    """One sigmoid under a squared error may be a share or a label: the message says what to add."""
    with pytest.raises(ConfigError) as error:
        labelled([0, 1, 1], "[1]", "[sigmoid]", "mean_squared")
    first, excerpt, caret = str(error.value).splitlines()
    assert "config.yaml:1:36: dataset.columns: 'y' holds numbers, which may be values" in first
    assert "add `task: regression` or `task: classification` beside `columns`" in first
    assert "{target: y}" == excerpt[caret.index("^") :][: len("{target: y}")]


def test_text_under_a_loss_for_numbers_is_one_line(labelled):
    """With how many cells there are, and what classes need."""
    with pytest.raises(ConfigError) as error:
        labelled(["a", "b", "c"], "[1]", "[linear]", "mean_squared")
    last = str(error.value).splitlines()[-1]
    assert "data.csv:2:y: 'a' is not a number (2 more like it in this column), and" in last
    assert "classes need a loss like cross_entropy" in last


def test_an_npz_of_numbers_may_hold_classes(tmp_path):
    """A loss for classes says so, whatever the type of its labels."""
    np.savez(tmp_path / "data.npz", x=np.arange(6.0)[:, None], y=np.array([0.0, 1, 2, 0, 1, 2]))
    text = CONFIG.replace("data.csv, columns: {target: y}", "data.npz")
    text = text.replace("SIZES", "[3]").replace("ACTIVATIONS", "[softmax]")
    (tmp_path / "config.yaml").write_text(text.replace("LOSS", "cross_entropy"))
    assert ("0", "1", "2") == prepare(load_config(tmp_path / "config.yaml")).dataset.classes


# Runs whose splits differ in their categories: what is trained, evaluated, reported, predicted.

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
    messages = {warning["kind"]: warning["message"] for warning in record.warnings}
    assert f"{len(lost)} in 'town': '{lost[0]}'" in messages["unseen_category"]
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
    assert "duplicates" in [warning["kind"] for warning in twice.record.warnings]
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


# Numbers that stay finite however rows are divided are known without preparing any.

ROWS, SIZES = 10, range(1, 6)
STEPS = [[], ["standard"], ["minmax"], ["per_channel"], ["l2"], [{"binarize": 0.5}]]
# Neighbours of each other among floats, at both ends of what is in range, and nothing.
NEIGHBOURS = [
    0.0, SMALLEST, float(np.nextafter(SMALLEST, 1)), -SMALLEST, 1.0, float(np.nextafter(1.0, 2)),
    LARGEST, float(np.nextafter(LARGEST, 0)), -LARGEST,
]  # fmt: skip


def block(features, target="none"):
    return DatasetConfig.model_validate({"name": "iris", "features": features, "target": target})


def dataset(values):
    column = values.reshape(-1, 1)
    return Dataset("some", "regression", column, column, (), ("a",), ("y",))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_numbers_in_range_are_finite_for_any_training_rows(step):
    """For each choice of up to three of them, with the closest neighbours there are."""
    values = np.array(NEIGHBOURS)
    config = block(step, step[0] if step in (["standard"], ["minmax"]) else "none")
    assert stays_in_range(dataset(values), config)
    places = range(len(values))
    for some in map(list, chain(*(combinations(places, count) for count in (1, 2, 3)))):
        data = dataset(values)
        fitted = Preprocessing.for_dataset(data, config).fit(data.x[some], data.y[some])
        for prepared in (fitted.transform_x(data.x), fitted.transform_y(data.y)):
            assert np.isfinite(prepared.astype(np.float32)).all(), (step, values[some])


@pytest.mark.parametrize("wrong", [SMALLEST / 2, -LARGEST * 2, np.nan, np.inf, 5e-324])
def test_other_numbers_are_not_in_range(wrong):
    """As features and as targets."""
    values = np.array([*NEIGHBOURS, wrong])
    inside = np.ones(len(values)).reshape(-1, 1)
    for x, y in ((values.reshape(-1, 1), inside), (inside, values.reshape(-1, 1))):
        assert not stays_in_range(Dataset("some", "regression", x, y), block([]))


def test_steps_after_others_are_not_known():
    """What a step makes of moderate numbers may be close together."""
    assert not stays_in_range(dataset(np.array(NEIGHBOURS)), block(["l2", "standard"]))


@pytest.fixture
def sizes(tmp_path, monkeypatch):
    """Prepares rows with each test size: how often preprocessing is fitted, and the problems."""
    fitted = []
    fit = Preprocessing.fit
    monkeypatch.setattr(Preprocessing, "fit", lambda *args: fitted.append(1) or fit(*args))

    def of(values):
        rows = [(value, index % 3, index) for index, value in enumerate(values)]
        lines = [",".join(map(str, row)) for row in rows]
        (tmp_path / "data.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
        (tmp_path / "config.yaml").write_text(
            "dataset: {path: data.csv, columns: {target: y}, task: regression, features: minmax}\n"
            "network: {sizes: [1], activations: [linear]}\n"
            "loss: mean_squared\n"
            "training: {learning_rate: 0.1, iterations: 5, batch_size: 2, dtype: float32}\n"
        )
        cache, said = GridCache(), []
        for size in SIZES:
            experiment = load_config(tmp_path / "config.yaml", [f"dataset.test_size={size}"])
            try:
                prepare(experiment, cache=cache)
            except ConfigError as error:
                said += [problem.message for problem in error.problems]
        return len(fitted), said

    return of


def test_test_sizes_are_checked_without_fitting_anything(sizes):
    """Where all numbers are in range."""
    assert sizes(range(ROWS)) == (0, [])


def test_numbers_that_leave_the_range_in_some_splits_are_found_in_these(sizes):
    """A row that is far from training rows is refused wherever it is a test row."""
    counts = []
    for far in range(ROWS):
        _, said = sizes([1.0 if row == far else row * 1e-40 for row in range(ROWS)])
        assert all("column 'a' leaves the range of float32" in message for message in said)
        counts.append(len(said))
    # Each size adds one test row.
    assert [0] * (ROWS - len(SIZES)) + [*range(1, len(SIZES) + 1)] == sorted(counts)


# Batches, images, and the cache of prepared configs.

# Batch normalisation and what is left of an epoch for its last batch.

NORM = "{type: batch_norm}"
PIXEL = "{type: conv2d, channels: 2, kernel: 8}"
# Of digits 401 rows are left to train on, whose last batch of 8, 16 or 25 is a single one.
TEXT = """dataset: {{name: digits, test_size: 1396}}
network:
  layers: [{layers}, {{type: dense, units: 10, activation: softmax}}]
loss: cross_entropy
training: {{learning_rate: 0.1, epochs: 1, batch_size: {size}, sampling: {sampling}}}
"""
VECTORS, ONE_PIXEL, INSIDE, IMAGES, NONE = (
    f"{{type: flatten}}, {NORM}",
    f"{PIXEL}, {NORM}, {{type: flatten}}",
    f"{{type: flatten}}, {{type: residual, layers: [{{type: residual, layers: [{NORM}]}}]}}",
    f"{{type: conv2d, channels: 2, kernel: 7}}, {NORM}, {{type: flatten}}",
    "{type: flatten}",
)


def text(layers=VECTORS, size=16, sampling="shuffle"):
    return TEXT.format(layers=layers, size=size, sampling=sampling)


@pytest.mark.parametrize("sampling", ["shuffle", "in_order"])
@pytest.mark.parametrize(
    ("layers", "what"),
    [(VECTORS, "vectors"), (ONE_PIXEL, "images of 2×1×1"), (INSIDE, "vectors")],
)
def test_a_last_batch_of_one_row_is_refused(prepared, layers, what, sampling):
    """Its variance is 0; the message has both sizes, and one that works."""
    with pytest.raises(ConfigError) as caught:
        prepared(text(layers, sampling=sampling))
    (problem,) = caught.value.problems
    assert "training.batch_size" == problem.path
    assert (
        "401 rows in batches of 16 leave a last batch of a single row, and batch_norm on "
        f"{what} needs batches of more than one row; use batch_size 17"
    ) == problem.message
    prepared(text(layers, 17, sampling))


@pytest.mark.parametrize(
    ("layers", "size", "sampling"),
    [
        (VECTORS, 16, "with_replacement"),  # every batch is full
        (VECTORS, 401, "shuffle"),
        (VECTORS, 399, "shuffle"),  # two are left
        (IMAGES, 16, "shuffle"),  # one row has four pixels
        (NONE, 16, "shuffle"),
        (NONE, 1, "shuffle"),
    ],
)
def test_other_last_batches_are_taken(prepared, layers, size, sampling):
    """Full batches, two rows, more pixels than one, and networks without batch normalisation."""
    assert size == prepared(text(layers, size, sampling)).config.training.batch_size


@pytest.mark.parametrize("rows", range(3, 40))
def test_the_size_that_is_named_works(rows):
    """Whatever the number of rows, and of any batch size that leaves one of them."""
    x = np.random.default_rng(rows).normal(size=(rows, 2))
    settings = {"layers": [4, {"type": "batch_norm"}], "epochs": 1, "engine": "numpy"}
    for size in (size for size in range(2, rows) if rows % size == 1):
        with pytest.raises(ValueError, match="use batch_size") as caught:
            NetworkRegressor(**settings, batch_size=size).fit(x, x[:, 0])
        better = int(str(caught.value).split()[-1])
        assert 1 not in (better, rows % better)
        assert 1 == NetworkRegressor(**settings, batch_size=better).fit(x, x[:, 0]).n_iter_


# Whether a network takes the images of a data set as images or as vectors.

IMAGES_CONFIG = """dataset: {{path: images.npz, task: regression, test_size: 2}}
network:
  layers: [{layers}, {{type: dense, units: 1}}]
loss: mean_squared
training: {{learning_rate: 0.1, iterations: 1, batch_size: 2}}
"""
IMAGES_NORM, FLAT = "{type: batch_norm}", "{type: flatten}"
BIAS = "{type: bias, per: channel}"
RESIDUAL = "{{type: residual, layers: [{}, {{type: dense, units: 24}}]}}"


@pytest.fixture
def network(prepared, tmp_path):
    """Makes the network of these layers and a dense one, for images of 2×3×4."""
    x = np.random.default_rng(0).standard_normal((6, 2, 3, 4))
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(6.0))
    return lambda *layers: prepared(IMAGES_CONFIG.format(layers=", ".join(layers))).network


@pytest.mark.parametrize("before", [BIAS, IMAGES_NORM, "{type: dropout, rate: 0.5}, " + BIAS])
def test_what_stands_before_a_flatten_takes_images(network, before):
    """A bias per channel has as many numbers as there are channels, normalisation likewise."""
    made = network(before, FLAT)
    assert (2, 3, 4) == made.input_shape
    assert {(2,), (24, 1), (1,)} == {one.shape for one in made.parameters.values()}


@pytest.mark.parametrize(
    "layers",
    [
        [FLAT],
        [FLAT, IMAGES_NORM],
        [IMAGES_NORM],
        ["{type: dense, units: 5}", FLAT],
        [RESIDUAL.format(FLAT)],
        [RESIDUAL.format(IMAGES_NORM), FLAT],
    ],
)
def test_all_else_takes_vectors(network, layers):
    """Without a flatten, after a dense layer, and where a flatten is the first layer."""
    assert (24,) == network(*layers).input_shape


# What the runs of one config have in common.


def seeded(first, seed, common):
    config = first.config.model_copy(update={"seed": seed})
    return prepare_again(config, first.dataset, common)


def test_runs_that_share_are_those_that_do_not(prepared):
    """In any order, on either engine: the same run, to the last bit of its weights."""
    for engine in ("numpy", "compiled"):
        first, common = prepared(None, f"training.engine={engine}"), ConfigCache()
        for seed in (5, 3, 5):
            ours, alone = seeded(first, seed, common), seeded(first, seed, None)
            assert alone.run_id == ours.run_id
            expected, record = (train(run, None).record for run in (alone, ours))
            assert expected.config == record.config
            assert expected.weights_sha256 == record.weights_sha256
            assert expected.metrics == record.metrics


def test_what_is_done_to_one_run_is_not_done_to_the_next(prepared):
    """Each has a config of its own."""
    first, common = prepared(), ConfigCache()
    one, other = (seeded(first, seed, common) for seed in (1, 2))
    one.config_dict["training"]["learning_rate"] = 9.0
    assert config_to_dict(other.config) == other.config_dict
    assert one.identity is other.identity
