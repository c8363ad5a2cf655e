"""The names of runs last: finished work is found again by later versions of nnrun."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from nnrun import NUMERICS_VERSION
from nnrun.config.load import config_to_dict, load_config
from nnrun.config.schema.columns import STEP_BLOCKS
from nnrun.config.schema.dataset import BuiltInConfig, ColumnsConfig, DatasetConfig
from nnrun.config.schema.network import InitializerConfig, LayerConfig, LossConfig
from nnrun.config.schema.training import (
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)
from nnrun.config.yaml_scalars import dump, flow
from nnrun.runs.preparation.prepare import prepare

CONFIGS = Path(__file__).parents[2] / "configs"
DEFAULTS = Path(__file__).with_name("defaults.txt")

# These change where a config does, or NUMERICS_VERSION: never because the language has grown.
GOLDEN = {
    "autompg_mlp": "s42-b89052b72c",
    "boston_arch1": "s42-70acc6933d",
    "boston_arch2": "s42-f171077075",
    "boston_arch2_standardized": "s42-ef14d9db8c",
    "boston_arch3": "s42-94bcb0190e",
    "boston_linear": "s42-d8f6927113",
    "digits_arch1": "s42-4f94179fe4",
    "digits_arch2": "s42-34e4753324",
    "digits_cnn": "s42-23e69e48f4",
    "iris_softmax": "s42-44cf27b0fa",
    "mnist1d/mnist1d_cnn": "s0-0f1933428c",
    "mnist1d/mnist1d_cnn_shuffled": "s0-4a5798ca01",
    "mnist1d/mnist1d_logistic": "s0-c5e52eff13",
    "mnist1d/mnist1d_mlp": "s0-1a026febf0",
    "mnist_5k_cnn": "s42-1f812d1889",
    "mnist_5k_mlp": "s42-6fca493468",
}


@cache
def shipped(name):
    return prepare(load_config(CONFIGS / f"{name}.yaml"))


def test_every_shipped_config_is_here():
    """A config that is added gets its line."""
    assert sorted(GOLDEN) == sorted(
        str(path.relative_to(CONFIGS).with_suffix("")) for path in CONFIGS.rglob("*.yaml")
    )


@pytest.mark.parametrize("name", GOLDEN)
def test_shipped_configs_keep_the_ids_of_their_runs(name):
    """A version that computes the same bits finds what an earlier one has trained."""
    assert GOLDEN[name] == shipped(name).run_id


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("iterations", [None, 50])
def test_the_config_of_a_run_is_that_run(name, iterations, tmp_path):
    """`config.yaml` gives the same id, also for another length: nothing in it was counted out."""
    original = CONFIGS / f"{name}.yaml"
    resolved = tmp_path / "config.yaml"
    resolved.write_text(dump(config_to_dict(shipped(name).config)))
    one, other = (prepare(load_config(f, iterations=iterations)) for f in (original, resolved))
    assert one.run_id == other.run_id
    assert one.evaluate_every == other.evaluate_every


def blocks():
    """Those that have defaults with a say in the results, by the words for them."""
    named = [DatasetConfig, ColumnsConfig, *STEP_BLOCKS.values(), InitializerConfig, TrainingConfig]
    for block in (*named, EarlyStoppingConfig):
        yield block.__name__, block
    for base in (BuiltInConfig, LayerConfig, LossConfig, OptimizerConfig, ScheduleConfig):
        for name, block in base.blocks.items():
            yield f"{base.__name__} {name}", block


def defaults():
    """A line for each key with a default; of built-in data sets, only their own options."""
    for name, block in blocks():
        for key, field in block.model_fields.items():
            shared = issubclass(block, BuiltInConfig) and key not in block.parameters
            if not (field.is_required() or shared):
                yield f"{name}.{key}: {flow(field.default)}"


def test_defaults_stay_what_they_are():
    """Digests leave defaults out, so a changed one would give old runs a new meaning.

    Add a line for a new key. A default that changes raises NUMERICS_VERSION, here too.
    """
    head, *known = DEFAULTS.read_text().splitlines()
    assert f"numerics {NUMERICS_VERSION}" == head
    there = list(defaults())
    new = "\n".join(line for line in there if line not in known)
    assert "" == new, f"add these lines to {DEFAULTS}, in the order of the tables"
    assert known == there
