"""ONNX files that take the columns of a table, run by onnxruntime beside what runs predict."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pandas as pd
import pytest

import nnrun
from nnrun.errors import UsageError
from nnrun.models.onnx import onnx_bytes
from tests.lab import invoke

ROWS = 120


@pytest.fixture(scope="module")
def frame():
    """Numbers, some of them missing, categories as text and as numbers, a date and a target."""
    rng = np.random.default_rng(1)
    shop = np.array(["north", "Süd", "east 3", "west"])[rng.integers(4, size=ROWS)]
    table = pd.DataFrame(
        {
            "size": rng.normal(50, 20, ROWS).round(2),
            "shop": shop,
            "zone": rng.choice([1, 2, 5], ROWS),
            "cast_0": rng.normal(size=ROWS).round(3),
            "day": [f"2024-03-{1 + row % 28:02}" for row in range(ROWS)],
            "kind": np.where(rng.random(ROWS) < 0.5, "yes", "no"),
        }
    )
    table["price"] = (table["size"] / 10 + 3 * (shop == "west") + table["zone"]).round(3)
    table.loc[::9, "size"] = np.nan
    table.loc[4::11, "shop"] = None
    table.loc[5::13, "zone"] = np.nan
    table.loc[3, "shop"] = "once"
    return table


def run_of(frame, columns, *, missing="median", task="price", **others):
    """A network trained on the columns, with the keys of its config that are not the usual."""
    classes = task == "kind"
    dataset = {
        "columns": {"target": task, "features": ["size", "shop", "zone", "cast_0"], **columns},
        "missing": {"impute": missing, "indicator": True},
        "features": others.pop("steps", ["standard"]),
        "target": "none" if classes else "standard",
        "test_size": 0.2,
        "stratify": False,
        **others.pop("dataset", {}),
    }
    return nnrun.train(
        {
            "name": "table",
            "dataset": dataset,
            "network": {
                "sizes": [5, 2 if classes else 1],
                "activations": ["tanh", "softmax" if classes else "linear"],
            },
            "loss": "cross_entropy" if classes else "mean_squared",
            "training": {"learning_rate": 0.05, "iterations": 200, "batch_size": 8},
            **others,
        },
        data=frame,
        results=None,
    )


def fed(run, frame, dtype="float32"):
    """The outputs of the ONNX file, from the columns as they are."""
    session = onnxruntime.InferenceSession(onnx_bytes(run.model, dtype, by_column=True))
    inputs = {}
    for each in session.get_inputs():
        cells = frame[each.name]
        texts = each.type == "tensor(string)"
        values = cells.fillna("").astype(str).to_numpy(object) if texts else cells.to_numpy(dtype)
        inputs[each.name] = values[:, None]
    return session.run(None, inputs)


ONE_HOT = {"categorical": ["shop", "zone"]}
CASES = {
    "one-hot": {"columns": ONE_HOT},
    "rare ones together": {"columns": {**ONE_HOT, "min_count": 5}},
    "embedding": {"columns": {"embedding": {"shop": 2, "zone": 2}}},
    "means of the target": {"columns": {"target_mean": ["shop", "zone"]}},
    "text beside a number": {"columns": {"categorical": ["shop"]}},
    "pieces": {"columns": ONE_HOT, "steps": ["standard", {"piecewise_linear": {"bins": 6}}]},
    "quantile": {"columns": ONE_HOT, "steps": ["quantile"]},
    "robust": {"columns": {"target_mean": ["shop"], "categorical": ["zone"]}, "steps": ["robust"]},
    "members": {"columns": {"embedding": {"shop": 2}, "categorical": ["zone"]}, "members": 3},
    "most frequent": {"columns": ONE_HOT, "dataset": {"unknown": "most_frequent"}},
    "most frequent beside rare": {
        "columns": {**ONE_HOT, "min_count": 5},
        "dataset": {"unknown": "most_frequent"},
    },
    "classes": {"columns": ONE_HOT, "task": "kind"},
    "classes by means": {"columns": {"target_mean": ["shop", "zone"]}, "task": "kind"},
}


@pytest.mark.filterwarnings("ignore::nnrun.data.inference.sources.UnknownCategoryWarning")
@pytest.mark.parametrize("case", CASES)
def test_columns_predict_what_the_run_predicts(case, frame):
    """To 1e-6 of the target's spread; rows with blanks and with new categories too."""
    run = run_of(frame, **CASES[case])
    rows = pd.concat([frame, frame.iloc[:3].assign(shop="new", zone=9)], ignore_index=True)
    found = fed(run, rows, "float64")
    if case.startswith("classes"):
        np.testing.assert_allclose(found[1], run.predict_proba(rows), rtol=0, atol=1e-6)
        assert run.predict(rows).tolist() == found[0].tolist()
    else:
        spread = frame["price"].std()
        np.testing.assert_allclose(found[0] / spread, run.predict(rows) / spread, 0, 1e-6)


def test_inputs_are_columns_by_name(frame):
    """Each once, categories as text unless they are numbers."""
    run = run_of(frame, ONE_HOT)
    session = onnxruntime.InferenceSession(onnx_bytes(run.model, by_column=True))
    types = {each.name: (each.type, each.shape) for each in session.get_inputs()}
    number, text = ("tensor(float)", ["rows", 1]), ("tensor(string)", ["rows", 1])
    assert {"size": number, "shop": text, "zone": number, "cast_0": number} == types


def test_missing_categories_are_spelled_as_in_files(frame):
    """NA and null are blanks, as `nnrun predict` reads them."""
    run = run_of(frame, ONE_HOT)
    blank = frame.iloc[:1].assign(shop="")
    for word in ("NA", "nan", "null", "N/A", "NULL"):
        assert fed(run, blank)[0] == fed(run, blank.assign(shop=word))[0]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("shop", "new", "a category of 'shop' is missing or none of training"),
        ("shop", "", "a category of 'shop' is missing or none of training"),
        ("zone", 9, "a category of 'zone' is missing or none of training"),
        ("size", np.nan, "a number of 'size' is missing"),
    ],
)
def test_what_prediction_refuses_is_an_error(column, value, words, frame):
    """The operator that fails has the reason for its name."""
    whole = frame.dropna()
    held_out = {"unknown": "error", "missing": "error", "test_size": 0}
    run = run_of(whole, ONE_HOT, dataset=held_out)
    fed(run, whole)
    row = whole.iloc[:1].assign(**{column: value})
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match=words):
        fed(run, row)


def test_what_has_no_columns_is_refused(frame):
    """Dates, arrays, and a column that is called as an output is."""
    dates = run_of(frame, {"features": ["size", "day"]}, dataset={"dates": {"day": ["weekday"]}})
    with pytest.raises(UsageError, match="'day' is a column of kind 'date', which ONNX has no"):
        onnx_bytes(dates.model, by_column=True)
    named = frame.rename(columns={"cast_0": "prediction"})
    run = run_of(named, {"features": ["size", "prediction"]})
    with pytest.raises(UsageError, match="'prediction' is the name of an output, too"):
        onnx_bytes(run.model, by_column=True)


def test_categories_that_single_precision_confuses_need_double(frame):
    """As numbers of articles may be."""
    run = run_of(frame.assign(zone=frame["zone"] + 123456789), ONE_HOT)
    with pytest.raises(UsageError, match=r"'zone' are equal in float32; add --dtype float64"):
        onnx_bytes(run.model, by_column=True)
    onnx_bytes(run.model, "float64", by_column=True)


def test_the_command_writes_columns(frame, tmp_path):
    """With `--columns`, which is for ONNX alone."""
    run = nnrun.train(
        {"name": "iris", "dataset": {"name": "iris"},
         "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
         "loss": "cross_entropy", "training": {"learning_rate": 0.1, "iterations": 10}},
        results=tmp_path / "results",
    )  # fmt: skip
    file = tmp_path / "iris.onnx"
    assert 0 == invoke("export", run.path, "-o", file, "--columns").code
    assert 4 == len(onnxruntime.InferenceSession(file.read_bytes()).get_inputs())
    answer = invoke("export", run.path, "-o", tmp_path / "iris.py", "--columns")
    assert 2 == answer.code
    assert "--columns is for ONNX files" in answer.err


def test_words_for_missing_values_are_those_of_the_run(frame):
    """In texts, in categories that are numbers, and in numbers."""
    rows = frame.assign(
        shop=frame["shop"].fillna("k.A."),
        zone=frame["zone"].fillna(-9),
        size=frame["size"].fillna(-1),
    )
    words = {"shop": ["k.A."], "zone": ["-9"], "size": ["-1"]}
    run = run_of(rows, ONE_HOT, dataset={"missing_values": words})
    found, spread = fed(run, rows, "float64")[0], frame["price"].std()
    np.testing.assert_allclose(found / spread, run.predict(rows) / spread, 0, 1e-6)
    assert (
        found[4]
        == fed(run, rows.assign(shop=rows["shop"].replace("k.A.", "K.A.")), "float64")[0][4]
    )
