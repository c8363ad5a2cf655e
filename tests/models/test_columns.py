"""Trained networks with embeddings, means of the target, dates: stored, predicted, exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest

import nnrun
from nnrun.data.inference.sources import UnknownCategoryWarning
from nnrun.errors import DataError
from nnrun.models.code.layers import NUMPY
from nnrun.models.code.script import LANGUAGES, script
from nnrun.models.model import input_names
from nnrun.models.onnx import onnx_bytes
from nnrun.reports.importance import can_be_set, places_of
from tests.lab import invoke

SHOPS = [f"shop {i}" for i in range(8)]
NEW = ["shop 3", "shop 7", "new one", "once"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A file of sales in eight shops; one shop has a single row."""
    rng = np.random.default_rng(0)
    shop = rng.integers(8, size=160)
    size = rng.normal(size=160).round(3)
    price = np.cos(3 * shop) + size / 2 + rng.normal(0, 0.1, 160)
    frame = pd.DataFrame({"size": size, "shop": [SHOPS[i] for i in shop], "price": price})
    frame.loc[0, "shop"] = "once"
    path = tmp_path_factory.mktemp("sales") / "sales.csv"
    frame.to_csv(path, index=False)
    return path, frame


@pytest.fixture(scope="module")
def runs(table, tmp_path_factory):
    """A run for each way to treat the shops, stored in a folder."""
    results = tmp_path_factory.mktemp("results")
    return {
        key: nnrun.train(
            {
                "name": key,
                "dataset": {
                    "path": str(table[0]),
                    "columns": {"target": "price", key: value, "min_count": 2},
                    "test_size": 0.25,
                    "features": ["standard"],
                },
                "network": {"sizes": [6, 1], "activations": ["tanh", "linear"]},
                "loss": "mean_squared",
                "training": {"optimizer": "adam", "learning_rate": 0.02, "epochs": 25,
                             "batch_size": 8},
            },
            results=results,
        )
        for key, value in {"embedding": {"shop": 3}, "target_mean": ["shop"]}.items()
    }  # fmt: skip


@pytest.fixture(params=["embedding", "target_mean"])
def run(request, runs):
    """One of them."""
    return runs[request.param]


def rows_of(run, frame):
    """Raw rows as exports take them: the columns, encoded."""
    return run.model.rows(frame)


def test_it_learns_from_the_column(run):
    """More than the other feature has."""
    assert run.metrics["test"]["r2"] > 0.7


def test_new_categories_are_predicted_as_rare_ones(run):
    """With a warning that has their number."""
    frame = pd.DataFrame({"size": 0.5, "shop": NEW})
    with pytest.warns(UnknownCategoryWarning, match=r"shop: 1 cell has .*\('new one'\).*rare one$"):
        predicted = run.predict(frame)
    assert predicted[2] == predicted[3] != predicted[0]


def test_a_stored_run_predicts_the_same(run, table):
    """Its tables and means are restored."""
    frame = table[1].iloc[1:20]
    assert run.predict(frame).tolist() == nnrun.load(run.path).predict(frame).tolist()


def test_onnx_predicts_the_same(run, table):
    """From encoded rows, in single precision."""
    rows = rows_of(run, table[1].iloc[:40])
    session = onnxruntime.InferenceSession(onnx_bytes(run.model))
    found = session.run(["prediction"], {"x": rows.astype(np.float32)})[0]
    np.testing.assert_allclose(found, run.model.predict(rows), rtol=0, atol=1e-5)


def test_numbers_of_no_category_are_refused(runs):
    """By the model and by scripts, as an index out of range would be."""
    model = runs["embedding"].model
    rows = np.array([[0.5, 1.0], [0.5, 9.0]])
    with pytest.raises(DataError, match=r"row 1 has 9.0 in the column 'shop', where the numbers"):
        model.predict(rows)
    made: dict = {"__name__": "exported"}
    exec(script(model, LANGUAGES["numpy"]), made)
    with pytest.raises(ValueError, match="a row has no number of a category of 'shop'"):
        made["predict"](rows)


def test_parameters_are_described(runs):
    """Those of the tables apart from those of the layers."""
    network = runs["embedding"].record.network
    expected = [{"column": "shop", "entries": 9, "dimensions": 3, "parameters": 27}]
    assert (expected, 27 + 4 * 6 + 6 + 7) == (network["embeddings"], network["parameters"])
    assert [30, 7] == [layer["parameters"] for layer in network["layers"]]
    assert "embeddings" not in runs["target_mean"].record.network
    columns = runs["embedding"].model.layout.columns
    assert ["size", "shop[0]", "shop[1]", "shop[2]"] == input_names(columns)


# Networks that take dates and amounts: tables in memory, exports, importance.

CONFIG = {
    "dataset": {
        "path": "flats.csv",
        "columns": {"target": "rent", "formats": {"rent": "1,234.50", "size": "12 m²"}},
        "dates": {"let": ["month", "elapsed", "cyclic"], "built": ["year"]},
        "missing": {"impute": "median"},
        "features": ["standard"],
        "target": "standard",
    },
    "network": {"sizes": [4, 1], "activations": ["tanh", "linear"]},
    "loss": "mean_squared",
    "training": {"learning_rate": 0.05, "epochs": 2, "batch_size": 8, "engine": "numpy"},
}


def flats(rows=60):
    """What the flats are, as numbers and dates; one of them has no date."""
    frame = pd.DataFrame({"let": pd.date_range("2023-01-31", periods=rows, freq="11D")})
    frame["built"] = pd.date_range("1950-06-01", periods=rows, freq="173D").tz_localize("UTC")
    frame["size"] = np.arange(rows) % 37 + 20.5
    frame["rent"] = frame["size"] * 31 + frame["let"].dt.month
    frame.loc[3, "let"] = pd.NaT
    return frame


@pytest.fixture
def flats_run(tmp_path, monkeypatch):
    """A run on the flats in a file, which writes sizes and rents in its own way."""
    monkeypatch.chdir(tmp_path)
    frame = flats()
    frame["size"] = frame["size"].map("{:g} m²".format)
    frame["rent"] = frame["rent"].map("{:,.1f}".format)
    frame.to_csv("flats.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    return nnrun.train(CONFIG)


def test_frames_may_have_dates_as_dates_and_amounts_as_numbers(flats_run):
    """Rows of a frame with typed columns are those of the file, bit for bit."""
    Path("new.csv").write_text(Path("flats.csv").read_text())
    written = pd.read_csv("new.csv", keep_default_na=False)
    expected = flats_run.predict(written)
    assert (60,) == expected.shape
    assert expected.tolist() == flats_run.predict(flats()).tolist()
    objects = flats().astype({"let": object, "size": object})
    assert expected.tolist() == flats_run.predict(objects).tolist()


def test_wrong_cells_of_frames_are_reported(flats_run):
    """With row and column, as in files."""
    frame = pd.read_csv("flats.csv", keep_default_na=False)
    frame.loc[1, "size"], frame.loc[2, "built"] = "20 feet", "long ago"
    with pytest.raises(DataError) as error:
        flats_run.predict(frame)
    first, second = str(error.value).splitlines()
    assert first.startswith("row 1, column 'size': '20 feet' is not written as")
    assert second.startswith("row 2, column 'built': 'long ago' is not a date")


def test_a_column_of_dates_is_one_column(flats_run):
    """Its parts are shuffled together, and have no curve of single values."""
    model = flats_run.model
    assert {"let": 3, "built": 1, "size": 1} == {n: len(p) for n, p in places_of(model).items()}
    assert [False, False, True] == [can_be_set(model, name) for name in ("let", "built", "size")]
    assert ("let.month_sin", "let.month_cos", "let.elapsed", "built.year", "size") == (
        model.layout.columns.feature_names
    )


ZONES = [
    ("let", "2023-05-03T10:30Z", "is with a time zone, unlike those in training"),
    ("built", "2023-05-03T10:30", "is without a time zone, unlike those in training"),
]


@pytest.mark.parametrize("others", ["alike", "unlike"])
@pytest.mark.parametrize(("column", "date", "said"), ZONES)
def test_new_dates_have_time_zones_as_those_of_training(flats_run, others, column, date, said):
    """The rows before them in the file do not count; commands, tables and scripts agree."""
    frame = pd.read_csv("flats.csv", keep_default_na=False).iloc[4:8]
    frame.loc[[7] if others == "alike" else [4, 5, 6, 7], column] = date
    frame.to_csv("new.csv", index=False)
    line = 5 if others == "alike" else 2
    done = invoke("predict", str(flats_run.path), "new.csv")
    assert (2, True) == (done.code, f"new.csv:{line}:{column}: '{date}' {said}" in done.err)
    with pytest.raises(DataError, match=f"row {line - 2}, column '{column}': '{date}' {said}"):
        flats_run.predict(frame)
    names = {"__name__": "model"}
    exec(script(flats_run.model, NUMPY), names)
    with pytest.raises(ValueError, match=f"line {line}: {column}: '{date}' {said}"):
        names["read_rows"]("new.csv")


def test_rows_with_other_time_zones_are_put_aside_in_any_order(flats_run):
    """Which rows are bad does not depend on the rows before them."""
    frame = pd.read_csv("flats.csv", keep_default_na=False).iloc[4:8]
    frame.loc[4, "built"] = "2023-05-03T10:30"
    for order in (1, -1):
        frame[::order].to_csv("new.csv", index=False)
        done = invoke("predict", str(flats_run.path), "new.csv", "--skip-bad", f"bad{order}.csv")
        assert 0 == done.code
        (bad,) = pd.read_csv(f"bad{order}.csv")["built"]
        assert "2023-05-03T10:30" == bad


def test_tables_of_polars_keep_the_time_zones_of_their_dates(flats_run):
    """As those of pandas do."""
    frame = flats().iloc[4:]
    frame.loc[4, "built"] = pd.Timestamp("1999-12-31T20:00Z")  # the next year in Tokyo
    built = frame["built"].dt.tz_convert("Asia/Tokyo")
    zoned = pl.DataFrame({**frame.to_dict("list"), "built": built.tolist()}).with_columns(
        pl.col("built").dt.convert_time_zone("Asia/Tokyo")
    )
    assert (
        flats_run.predict(frame.assign(built=built)).tolist() == flats_run.predict(zoned).tolist()
    )
