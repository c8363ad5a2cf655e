"""What the runs of one config have in common."""

from __future__ import annotations

from nnrun.config.load import config_to_dict
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.config_cache import ConfigCache
from nnrun.runs.preparation.prepare import prepare_again


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
