"""What tables say about layers, those within layers included."""

from __future__ import annotations

import pytest

from nnrun.reports.summary import curve_names, layer_kind, layer_rows, layers_by_name, split_words

INNER = {"type": "dense", "activation": "relu", "output_shape": [8], "parameters": 72}
NETWORK = {
    "input_shape": [4],
    "layers": [
        {"type": "dense", "activation": "linear", "output_shape": [8], "parameters": 40},
        {
            "type": "residual",
            "activation": None,
            "output_shape": [8],
            "parameters": 72 + 72,
            "layers": [
                {**INNER, "name": "1.0"},
                {
                    "type": "residual",
                    "activation": None,
                    "output_shape": [8],
                    "parameters": 72,
                    "name": "1.1",
                    "layers": [{**INNER, "name": "1.1.0"}],
                },
            ],
        },
        {"type": "activation", "activation": None, "output_shape": [8], "parameters": 0},
    ],
    "parameters": 184,
}


def test_layers_inside_are_indented_under_their_layer():
    """Each has its dotted index; what has no parameters of its own shows none, so that they add."""
    step = "\u00a0\u00a0"
    assert [
        ("0", "dense", "8", "40"),
        ("1", "residual", "8", ""),
        ("1.0", f"{step}dense, relu", "8", "72"),
        ("1.1", f"{step}residual", "8", ""),
        ("1.1.0", f"{step}{step}dense, relu", "8", "72"),
        ("2", "activation", "8", ""),
    ] == layer_rows(NETWORK)


def test_layers_are_found_by_the_names_in_those_of_parameters():
    """What stands before the last dot of a parameter's name is the name of its layer."""
    layers = layers_by_name(NETWORK)
    assert ["0", "1", "1.0", "1.1", "1.1.0", "2"] == list(layers)
    assert "dense, relu" == layer_kind(layers["1.1.0.weight".rpartition(".")[0]])


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({}, []),
        ({"folds": 5, "fold": 2, "stratified": True}, ["fold 2 of 5, stratified"]),
        (
            {"column": "patient", "groups": {"test": 1200, "train": 3}, "stratified": True},
            ["no patient is in two splits: 3 train, 1,200 test, stratified"],
        ),
        (
            {"column": "year", "times": {"train": [1990.0, 2001.5], "test": [2002.0, 2003.0]}},
            ["split by time, year: 1990 to 2001.5 train, 2002 to 2003 test"],
        ),
        (
            {
                "folds": 3,
                "fold": 1,
                "stratified": False,
                "column": "day",
                "times": {"train": ["2024-01-01", "2024-01-09"], "validation": ["a", "b"]},
            },
            [
                "fold 1 of 3",
                "split by time, day: 2024-01-01 to 2024-01-09 train, a to b validation",
            ],
        ),
    ],
)
def test_how_rows_were_split_is_told_in_words(split, words):
    """The fold, whether it is stratified, and the groups or times of each split; else nothing."""
    assert words == list(split_words(split))


@pytest.mark.parametrize(("metric", "names"), [(2.0, ["loss"]), (2.1, ["loss", "mse"])])
def test_a_loss_and_a_metric_that_differ_by_rounding_are_one_curve(metric, names):
    """Both are computed on their own, so that equal ones may differ in their last digit."""
    history = {"train_loss": [3.0, 2.0 + 4e-16], "train_mse": [3.0, metric]}
    assert names == curve_names("mse", [history])
