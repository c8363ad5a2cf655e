"""All contestants train the same networks."""

from __future__ import annotations

import pytest

from tests.benchmarks.peers import c, nnrun, pytorch
from tests.benchmarks.works import WORKS


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_peers_have_the_same_number_of_parameters(work):
    """A work is one network for all contestants."""
    size = nnrun.build(work).size
    assert size == sum(parameter.numel() for parameter in pytorch.build(work).parameters())
    assert size == c.PARAMETERS.get(work.id, size)


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_order_visits_rows_evenly(work):
    """Minibatches come from whole shuffled epochs; the others draw each row anew."""
    order = work.order
    assert work.iterations * work.batch_size == len(order)
    if work.batch_size > 1:
        assert list(range(work.rows)) == sorted(order)
