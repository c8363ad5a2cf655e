"""The same weights, order and settings as scikit-learn's own networks: the same loss curve."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import scale

from nnrun.sklearn import NetworkClassifier, NetworkRegressor

EPOCHS = 3
# Adam's ε is added at another place there; where it is next to nothing, both are the same.
OPTIMIZERS = {
    "sgd": ({"type": "sgd"}, {"solver": "sgd", "momentum": 0.0}),
    "momentum": (
        {"type": "sgd", "momentum": 0.9},
        {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
    ),
    "nesterov": (
        {"type": "sgd", "momentum": 0.9, "nesterov": True},
        {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True},
    ),
    "adam": ({"type": "adam", "epsilon": 1e-30}, {"solver": "adam", "epsilon": 1e-30}),
}
ACTIVATIONS = {"tanh": "tanh", "sigmoid": "logistic", "relu": "relu"}


def classes():
    x, y = load_iris(return_X_y=True)
    return scale(x), y


def two_classes():
    x, y = load_breast_cancer(return_X_y=True)
    return scale(x)[:200], y[:200]


def values():
    x, y = load_diabetes(return_X_y=True)
    return scale(x)[:150], scale(y)[:150]


@cache
def initial(data, activation: str) -> dict[str, np.ndarray]:
    """The parameters that our network for these data begins with, by their names."""
    kind = NetworkRegressor if data is values else NetworkClassifier
    # A rate so small that it changes no bit, but of the biases, which start at zero.
    start = kind((7, 5), activation, learning_rate=1e-300, epochs=1, random_state=0, engine="numpy")
    return {
        name: np.where(np.abs(part.value) < 1e-200, 0.0, part.value)
        for name, part in start.fit(*data()).network_.parameters.items()
    }


def twins(data, activation: str, optimizer: str, batch_size: int):
    """Both estimators before their first update, with the same weights; and how a loss is ours."""
    x, y = data()
    regression = data is values
    ours, theirs = OPTIMIZERS[optimizer]
    # Half the error there, the whole of it here: twice the gradient, which Adam does not see.
    rate = 0.01 / (2 if regression and optimizer != "adam" else 1)
    kind, peer_kind = NetworkClassifier, MLPClassifier
    if regression:
        kind, peer_kind = NetworkRegressor, MLPRegressor
    settings = {"optimizer": ours, "batch_size": batch_size, "sampling": "in_order",
                "random_state": 0, "engine": "numpy"}  # fmt: skip
    model = kind((7, 5), activation, learning_rate=rate, epochs=EPOCHS, **settings)
    peer = peer_kind(
        hidden_layer_sizes=(7, 5), activation=ACTIVATIONS[activation], alpha=0,
        batch_size=batch_size, shuffle=False,
        learning_rate_init=0.01, **theirs,
    )  # fmt: skip
    peer.partial_fit(x, y, **({} if regression else {"classes": np.unique(y)}))
    weights = initial(data, activation)
    peer.coefs_ = [weights[f"{layer}.weight"].copy() for layer in range(3)]
    peer.intercepts_ = [weights[f"{layer}.bias"].copy() for layer in range(3)]
    peer.loss_curve_ = []
    del peer._optimizer
    return model, peer, x, y


@pytest.mark.parametrize(
    ("batch_size", "engine"),
    [
        (1, "numpy"),
        (7, "numpy"),
        (64, "numpy"),
        (10_000, "numpy"),
        (1, "compiled"),
        (7, "compiled"),
    ],
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("data", [classes, two_classes, values])
def test_loss_curves(data, optimizer, batch_size, engine):
    """`loss_curve_` is `loss_curve_`: single rows, batches with a smaller last one, all at once."""
    agree(data, "tanh", optimizer, batch_size, engine)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_other_settings(activation, optimizer):
    """Every activation and kind of momentum that both have."""
    for data in (classes, two_classes, values):
        agree(data, activation, optimizer, 16, "numpy")


def agree(data, activation: str, optimizer: str, batch_size: int, engine: str) -> None:
    """The loss of every epoch is the same to 1e-10, and so is what comes out."""
    model, peer, x, y = twins(data, activation, optimizer, min(batch_size, len(data()[0])))
    model.set_params(engine=engine, batch_size=batch_size).fit(x, y)
    for _ in range(EPOCHS):
        peer.partial_fit(x, y)
    # The error squared here, half of that there.
    factor = 2 if data is values else 1
    np.testing.assert_allclose(model.loss_curve_, factor * np.array(peer.loss_curve_), rtol=1e-10)
    assert EPOCHS == len(model.loss_curve_)
    assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]
    for layer in range(3):
        weight = model.network_.parameters[f"{layer}.weight"].value
        np.testing.assert_allclose(weight, peer.coefs_[layer], rtol=1e-8, atol=1e-10)
    if data is values:
        np.testing.assert_allclose(model.predict(x), peer.predict(x), rtol=1e-8, atol=1e-10)
    else:
        np.testing.assert_allclose(model.predict_proba(x), peer.predict_proba(x), rtol=1e-8)
