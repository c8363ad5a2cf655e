"""Embeddings: their vectors, their gradients, and PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnrun.nn import MeanSquared, Network, dense
from nnrun.nn.embedding import SPREAD, Embedding, Table
from nnrun.nn.gradient_check import check_gradients
from nnrun.nn.sequential import LayerError

# Of five features the first and the fourth are numbers of categories.
TABLES = (Table(3, 7, 2), Table(0, 4, 3))


def rows(count, rng):
    x = rng.normal(size=(count, 5))
    for table in TABLES:
        x[:, table.place] = rng.integers(table.entries, size=count)
    return x


@pytest.fixture
def network():
    """Two embeddings before dense layers."""
    blocks = [[Embedding(TABLES), *dense(6, "tanh")], dense(2)]
    made = Network(blocks, MeanSquared(), (5,))
    made.initialize(rng=np.random.default_rng(1))
    return made


def test_categories_become_vectors_in_their_place():
    """Other features stay between them, as they are."""
    layer = Embedding(TABLES)
    assert (8,) == layer.connect((5,))
    layer.initialize(rng=np.random.default_rng(0))
    first, second = (w.value for w in layer.w)
    y = layer.forward(np.array([[2, 0.5, -1, 6, 9], [3, 1, 2, 0, 4]]))
    expected = [
        [*first[2], 0.5, -1, *second[6], 9],
        [*first[3], 1, 2, *second[0], 4],
    ]
    assert expected == y.tolist()


def test_vectors_begin_small_and_the_last_one_at_zero():
    """The last one stands for categories that training rows may not have."""
    layer = Embedding([Table(0, 1001, 4)])
    layer.connect((1,))
    layer.initialize(rng=np.random.default_rng(0))
    w = layer.w[0].value
    assert [0.0] * 4 == w[-1].tolist()
    assert 0.99 * SPREAD < np.abs(w).max() < SPREAD
    assert w.std() == pytest.approx(SPREAD / np.sqrt(3), rel=0.05)


def test_gradients_are_exact(network):
    """They agree with central differences, those of categories that no row has being 0."""
    rng = np.random.default_rng(2)
    checks = check_gradients(network, rows(9, rng), rng.normal(size=(9, 2)), rng=rng)
    assert ["0.embedding0", "0.embedding1"] == [check.name for check in checks[:2]]
    assert all(check.passed and check.error <= 1e-7 for check in checks)


def test_pytorch_has_the_same_gradients(network):
    """Those of nn.Embedding and nn.Linear, to 1e-10."""
    rng = np.random.default_rng(3)
    x, target = rows(50, rng), rng.normal(size=(50, 2))
    values = {name: torch.tensor(p.value) for name, p in network.parameters.items()}
    shop, town = (
        torch.nn.Embedding.from_pretrained(values[f"0.embedding{i}"], freeze=False)
        for i in range(2)
    )
    linear = [
        values[name].requires_grad_() for name in ("0.weight", "0.bias", "1.weight", "1.bias")
    ]
    t = torch.tensor(x)
    h = torch.cat([shop(t[:, 0].long()), t[:, 1:3], town(t[:, 3].long()), t[:, 4:]], 1)
    y = torch.tanh(h @ linear[0] + linear[1]) @ linear[2] + linear[3]
    loss = torch.nn.functional.mse_loss(y, torch.tensor(target))
    loss.backward()
    ours = network.loss_and_gradient(x, target, rng)
    assert loss.item() == pytest.approx(ours, rel=1e-12)
    theirs = [shop.weight.grad, town.weight.grad, *(w.grad for w in linear)]
    for parameter, gradient in zip(network.parameters.values(), theirs, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient.numpy(), rtol=0, atol=1e-10)


def test_the_gradient_of_the_input_is_that_of_other_features(network):
    """0 for numbers of categories, which have no slope."""
    layer = network.layers[0]
    rng = np.random.default_rng(4)
    x, dy = rows(3, rng), rng.normal(size=(3, 8))
    layer.forward(x)
    dx = layer.backward(dy)
    np.testing.assert_array_equal(np.zeros((3, 2)), dx[:, [0, 3]])
    np.testing.assert_array_equal(dy[:, [3, 4, 7]], dx[:, [1, 2, 4]])


def test_too_few_features_are_refused():
    """A table belongs to a feature."""
    with pytest.raises(LayerError, match="there are 3 features, too few for the categories"):
        Network([[Embedding(TABLES), *dense(1)]], MeanSquared(), (3,))
