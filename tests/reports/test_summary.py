"""What tables say about layers, those within layers included."""

from __future__ import annotations

from nnrun.reports.summary import layer_kind, layer_rows, layers_by_name

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
