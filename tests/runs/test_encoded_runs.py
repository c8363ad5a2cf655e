"""Runs whose steps add columns: all that takes a run takes them."""

from __future__ import annotations

import csv
import io
import runpy
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from nnrun.api import load
from nnrun.config.load import load_config
from nnrun.errors import NnrunError
from nnrun.models.load import load_model, pack, unpack
from nnrun.runs.preparation.prepare import prepare
from nnrun.training.augment import Augmenter

CONFIG = """\
dataset:
  path: rooms.csv
  columns: {target: price, embedding: {shop: 2}, categorical: [town]}
  missing: {impute: median, indicator: true}
  features: [standard, {piecewise_linear: {bins: 8}}]
  target: standard
  validation_size: 0.2
network: {sizes: [6, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.05, epochs: 4, batch_size: 16}
"""


def rooms(rows: int, seed: int = 0) -> str:
    """A table with blanks in `age` and `size`, a column of 0 and 1, and two of categories."""
    rng = np.random.default_rng(seed)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["age", "size", "lift", "shop", "town", "price"])
    for number in range(rows):
        age, size = 50 + 10 * rng.normal(), np.exp(2 * rng.normal())
        lift, shop, town = rng.integers(2), "abcde"[rng.integers(5)], "xy"[rng.integers(2)]
        price = np.sin(age / 5) + np.log(size) + lift
        age, size = ("" if number % 7 == 3 else age), ("" if number % 11 == 4 else size)
        table.writerow([age, size, lift, shop, town, price])
    return out.getvalue()


FILES = {"rooms.csv": rooms(150), "new.csv": rooms(20, seed=1), "rooms.yaml": CONFIG}
STEPS = ["robust", "quantile", "[standard, {piecewise_linear: {bins: 8}}]"]
DTYPES = {"float64": (), "float32": ("training.dtype=float32",)}


@pytest.fixture(params=DTYPES)
def dtype(request, lab):
    """A run in each precision, in the current folder."""
    lab.begin(FILES, " ".join(["train", "rooms.yaml", "-q", *DTYPES[request.param]]))
    return request.param


@pytest.mark.parametrize("steps", STEPS)
def test_a_run_has_the_same_bits_again(lab, steps):
    """By either engine."""
    lab.begin(FILES)
    for engine in ("numpy", "compiled"):
        config = (f"dataset.features={steps}", f"training.engine={engine}")
        lab.ok("train", "rooms.yaml", "-q", *config)
        assert "the same bits" in lab.ok("verify", "latest").out


@pytest.mark.parametrize(
    ("steps", "place", "value"),
    [
        ("robust", "kept", [99]),
        ("robust", "scale", [1.0]),
        ("robust", "scale", [0.0] * 6),
        ("quantile", "kept", [-1]),
        ("quantile", "quantiles", [[2.0] * 6, [1.0] * 6]),
        ("quantile", "quantiles", []),
        ("{piecewise_linear: {bins: 4}}", "place", [99] * 8),
        ("{piecewise_linear: {bins: 4}}", "start", [0.0]),
        ("{piecewise_linear: {bins: 4}}", "width", [0.0] * 8),
    ],
)
def test_forged_statistics_are_refused(lab, steps, place, value):
    """A model with them is damaged."""
    lab.begin(FILES)
    lab.ok("train", "rooms.yaml", "-q", f"dataset.features={steps}", "training.learning_rate=0.001")
    file = next(Path("results").rglob("model.safetensors"))
    arrays, values = unpack(file)
    step = values["preprocessing"]["features"][-1]
    assert step.keys() >= {place}
    step[place] = value
    file.write_bytes(pack(arrays, values))
    with pytest.raises(NnrunError, match="damaged"):
        load_model(file)


def test_check_shows_how_many_columns_the_network_takes(lab):
    """Six features, two indicators, and eight pieces of each of two columns."""
    lab.begin(FILES)
    lines = [line.split() for line in lab.ok("check", "rooms.yaml").out.splitlines()]
    assert ["input", "24"] in lines


def test_a_run_is_verified_packed_and_continued(lab):
    """To the same bits as one of the whole length."""
    lab.begin(FILES, "train rooms.yaml -q training.iterations=40 training.epochs=null")
    assert "the same bits" in lab.ok("verify", "latest").out
    lab.ok("pack", "latest", "-o", "run.zip")
    assert "the same bits" in lab.ok("verify", "run.zip").out
    lab.ok("train", "rooms", "--extend", "20", "-q")
    lab.ok("train", "rooms.yaml", "-q", "training.iterations=60", "training.epochs=null", "name=b")
    one, other = (load(f"results/{name}").model for name in ("rooms", "b"))
    assert one.network.theta.tobytes() == other.network.theta.tobytes()


def test_predictions_of_a_file_are_those_of_its_rows(lab, dtype):
    """Blank cells and numbers outside of the training rows' included."""
    far = "\n-1e6,1e6,1,zz,x,0\n,,0,a,y,0\n"
    Path("far.csv").write_text(rooms(3, seed=2).rstrip("\n") + far)
    out = lab.ok("predict", "latest", "far.csv").out.splitlines()[1:]
    assert 5 == len(out)
    assert np.isfinite(np.array(out, float)).all()


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_exports_predict_the_same(lab, dtype, steps, tmp_path, monkeypatch, capfd):
    """Scripts the numbers of `nnrun predict`, ONNX up to the rounding of its network to float32."""
    lab.begin(FILES)
    lab.ok("train", "rooms.yaml", "-q", f"dataset.features={steps}", *DTYPES[dtype])
    expected = lab.ok("predict", "latest", "new.csv").out
    values = np.array(expected.split()[1:], float)
    for library, rounding in (
        ("numpy", 0),
        ("pytorch", {"float64": 1e-12, "float32": 1e-5}[dtype]),
    ):
        script = tmp_path / f"by_{library}.py"
        lab.ok("export", "latest", "-o", script, "--code", library)
        monkeypatch.setattr(sys, "argv", [str(script), "new.csv"])
        runpy.run_path(str(script), run_name="__main__")
        predicted = np.array(capfd.readouterr().out.split()[1:], float)
        np.testing.assert_allclose(values, predicted, rtol=rounding, atol=rounding)
    lab.ok("export", "latest", "-o", "model.onnx", "--dtype", "float64")
    x = prepare(load_config(Path("rooms.yaml"))).dataset.x
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x.astype(np.float64)})
    np.testing.assert_allclose(load("results/rooms").model.predict(x), found, rtol=1e-5, atol=1e-5)


def test_folds_have_edges_of_their_own(lab):
    """Fitted to the rows that each is trained on."""
    lab.begin(FILES)
    changes = ("dataset.folds=3", "dataset.validation_size=0")
    lab.ok("sweep", "rooms.yaml", *changes, "--seeds", "1", "-q")
    starts = {
        tuple(load(folder).model.preprocessing.steps[-1].start)
        for folder in Path("results/rooms").iterdir()
        if (folder / "report.json").is_file()
    }
    assert 3 == len(starts)


def test_settings_of_a_grid_have_networks_of_their_own(lab):
    """As wide as their columns, also where the layers are the same."""
    lab.begin(FILES)
    grid = "sweep.grid={dataset.features: [standard, [standard, {piecewise_linear: {bins: 4}}]]}"
    lab.ok("sweep", "rooms.yaml", grid, "--seeds", "2", "-q")
    folders = [file.parent for file in Path("results/rooms").rglob("report.json")]
    assert [8, 8, 16, 16] == sorted(load(each).model.network.input_shape[0] for each in folders)


def test_importance_is_by_column_of_the_file(lab):
    """A column is permuted with its pieces and its indicator."""
    lab.begin(FILES, "train rooms.yaml -q")
    out = lab.ok("show", "latest", "--importance").out
    assert "piece" not in out
    assert "missing" not in out
    assert all(name in out for name in ("age", "size", "lift", "shop", "town"))


def test_the_first_layer_names_what_is_added(lab):
    """In the report, beside the numbers of an embedding's vectors."""
    lab.begin(FILES, "train rooms.yaml -q", "explain rooms.yaml", "report latest -o page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "age.piece_8" in page
    assert "size.missing" in page
    assert "shop[1]" in page


def test_noise_leaves_added_columns_alone(lab, monkeypatch):
    """It is added to the features that they are made of, but not to numbers of categories."""
    moved = []

    def changed(self, x, *rest):
        found = original(self, x, *rest)
        moved.append((found != x).any(axis=0).tolist())
        return found

    original = Augmenter.changed
    monkeypatch.setattr(Augmenter, "changed", changed)
    lab.begin(FILES)
    lab.ok("train", "rooms.yaml", "-q", "training.augment={noise: 0.1}")
    assert [True] * 3 + [False] + [True] * 2 + [False] * 18 == moved[0]


def test_a_blank_says_more_than_its_statistic(lab):
    """A row with a blank and one with the median in its place are told apart."""
    lab.begin(FILES, "train rooms.yaml -q")
    model = load("results/rooms").model
    median = model.preprocessing.steps[0].fill[0]
    row = prepare(load_config(Path("rooms.yaml"))).dataset.x[:1]
    blank, filled = row.copy(), row.copy()
    blank[0, 0], filled[0, 0] = np.nan, median
    assert model.predict(blank) != model.predict(filled)


def test_models_of_scikit_learn_take_indicators(lab):
    """Those beside the network, too; boosting takes blanks as they are."""
    lab.begin(FILES)
    lab.ok("sweep", "rooms.yaml", "--beside", "linear,boosting", "--seeds", "1", "-q")


def test_an_indicator_without_a_blank_is_refused_at_its_place(lab):
    """With what to do, and nothing left behind."""
    whole = "\n".join(line for line in FILES["rooms.csv"].split("\n") if ",," not in f",{line}")
    lab.begin({**FILES, "rooms.csv": whole})
    told = lab.refused("train", "rooms.yaml")
    assert "rooms.yaml:4:40: dataset.missing.indicator: an indicator without a blank" in told
    assert "leave 'indicator' out" in told
    assert not Path("results").exists()
    lab.ok("train", "rooms.yaml", "-q", "dataset.missing={impute: median}")


@pytest.mark.parametrize("rule", ["{indicator: true}", "{impute: median, indicator: 1}"])
def test_a_wrong_rule_is_refused_at_its_place(lab, rule):
    """With exit code 2, the line and the column."""
    lab.begin({**FILES, "rooms.yaml": CONFIG.replace("{impute: median, indicator: true}", rule)})
    assert "rooms.yaml:4:" in lab.refused("check", "rooms.yaml")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{piecewise_linear: {bins: 1}}", "1 is not a whole number of at least 2"),
        ("{piecewise_linear: {bins: 2.5}}", "2.5 is not a whole number of at least 2"),
        ("{piecewise_linear: 16}", "16 is not a mapping like {bins: 8}"),
        ("{piecewise_linear: {bin: 4}}", "'bin' is not a key of 'piecewise_linear'; did you mean"),
        ("{piecewise_linear: {}}", "'piecewise_linear' needs 'bins'"),
        ("piecewise_linear", "write {piecewise_linear: {bins: 8}}"),
    ],
)
def test_a_wrong_option_is_refused_at_its_place(lab, step, message):
    """With exit code 2, the line and the column."""
    config = CONFIG.replace("{piecewise_linear: {bins: 8}}", step)
    lab.begin({**FILES, "rooms.yaml": config})
    told = lab.refused("train", "rooms.yaml")
    assert "rooms.yaml:5:" in told
    assert message in told
    assert not Path("results").exists()
