"""The settings of a stored row in one line."""

from __future__ import annotations

from types import SimpleNamespace

from nnrun.sweeps.board.from_store.stored import StoredBoard


def texts(*choices):
    variants = [SimpleNamespace(choice=choice) for choice in choices]
    board = StoredBoard(None, [SimpleNamespace(variant=variant) for variant in variants])
    return [board.choice_text(variant) for variant in variants]


def test_a_long_choice_begins_with_what_the_fewest_rows_have():
    """Its end is cut where it is shown; a short one is in the order of the config."""
    shared = {f"network.layers.{layer}.units": 1000 for layer in range(10)}
    rates = [{**shared, "training.learning_rate": rate} for rate in (0.1, 0.2)]
    assert ["learning_rate=0.1", "layers.0.units=1000"] == texts(*rates)[0].split()[:2]
    assert ["batch_size=8 learning_rate=0.1"] == texts(
        {"training.batch_size": 8, "training.learning_rate": 0.1}
    )
