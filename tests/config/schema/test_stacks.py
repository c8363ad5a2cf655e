"""The short form of a network is its long form."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from nnrun.config.load import config_from_dict
from nnrun.config.schema.network import Network
from nnrun.errors import ConfigError

SHORT = {"sizes": [4.0, 3], "activations": ["tanh", "softmax"]}
LONG = {
    "layers": [
        {"type": "dense", "units": 4, "activation": "tanh"},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]
}


@pytest.mark.parametrize("more", [{}, {"initializer": "zeros"}, {"initializer": {"scale": 2}}])
def test_both_forms_are_the_same_block(more):
    """With the same values in the same order, given and by default, which written configs show."""
    network = TypeAdapter(Network)
    one, other = (network.validate_python({**form, **more}) for form in (SHORT, LONG))
    assert one == other
    assert one.model_dump_json() == other.model_dump_json()
    for mine, others in zip(one.layers, other.layers, strict=True):
        assert type(mine) is type(others)
        assert [*vars(mine).items()] == [*vars(others).items()]
        assert mine.model_fields_set == others.model_fields_set


def test_both_forms_are_refused_for_the_same_sizes():
    """So that the long form has no mistakes but those of the short one."""
    rest = {"dataset": {"name": "iris"}, "loss": "cross_entropy"}
    rest = {"name": "some", **rest, "training": {"learning_rate": 0.1, "iterations": 1}}
    for size in (0, -1, 2**63, 1.5, True, "4", None):
        for form in (
            {**SHORT, "sizes": [size, 3]},
            {"layers": [{**LONG["layers"][0], "units": size}, LONG["layers"][1]]},
        ):
            with pytest.raises(ConfigError, match="a whole number greater than 0"):
                config_from_dict({**rest, "network": form})
