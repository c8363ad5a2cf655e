"""Kinds of columns, and columns as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nnrun.data.columns.categories import Embedding, OneHot, TargetMean
from nnrun.data.columns.column import Number
from nnrun.data.columns.date_formats import DateFormat
from nnrun.data.columns.kinds import KINDS, Date, Lag, from_json, to_json
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.models.code.layers import EMITTERS as SCRIPT_EMITTERS
from nnrun.models.onnx import COLUMNS as ONNX_EMITTERS

EUROS = NumberFormat.from_example("1.234,50 €")
GERMAN = DateFormat.from_example("31.12.2024")
COLUMNS = {
    "number": [Number("age"), Number("age", "median"), Number("price", "", EUROS)],
    "date": [Date("sold", ("month", "cyclic"), "mean"), Date("sold", ("year",), "", GERMAN, False)],
    "lag": [
        Lag("load.lag", "load", (1, 24), "time"),
        Lag("load.lag", "load", (1,), "time", "site", EUROS, GERMAN),
    ],
    "one_hot": [
        OneHot("town", ("A", "B", "")),
        OneHot("floor", ("1", "2"), by_value=True, rare=("3",), unknown="ignore"),
    ],
    "embedding": [
        Embedding("shop", ("x", "y"), dimensions=3, unknown="most_frequent", frequent="y")
    ],
    "target_mean": [
        TargetMean("city", ("p",), means=((0.5,), (0.25,))),
        TargetMean("city", ("p",), classes=("a", "b", "c"), means=((0.1, 0.2, 0.7),) * 2),
    ],
}


def test_every_kind_is_tried_and_exported():
    """The tables of emitters and of these tests have the kinds that there are."""
    assert KINDS.keys() == COLUMNS.keys() == SCRIPT_EMITTERS.keys() == ONNX_EMITTERS.keys()


@pytest.mark.parametrize("column", [each for kind in COLUMNS.values() for each in kind])
def test_columns_survive_json(column):
    """A stored column is the same column."""
    assert column == from_json(json.loads(json.dumps(to_json(column))))


@pytest.mark.parametrize("column", [each for kind in COLUMNS.values() for each in kind])
def test_an_example_is_encoded_as_in_training(column):
    """It has the width of the column, and nothing in it is odd or missing."""
    x = column.example()[None]
    assert ((1, column.width), None) == (x.shape, column.odd(x))
    np.testing.assert_array_equal(x, column.completed(x, str))
