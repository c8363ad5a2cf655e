"""The notebook's updates, written out from its equations, with the exact gradient.

Nothing of `nnrun.nn`, no engine and no preprocessing is used: raw rows, initial weights and the
order of rows come in, trained weights go out. One row at a time, as the notebook has it:

- dense layer: z = x W + b, a = f(z); dL/dW = xᵀ dz, dL/db = dz, dL/dx = dz Wᵀ
- f: linear; sigmoid, f' = a (1 - a); tanh, f' = 1 - a²
- mean squared loss over m outputs: dL/da = 2 (a - t) / m
- softmax with cross-entropy: dL/dz = p - t
- convolution, no padding, stride 1: z[c] = Σ F[c, i, j] x[r + i, s + j] + B[c], a bias for each
  position; dL/dF = Σ over positions of dz · patch, dL/dB = dz

All gradients of a row are taken before any weight changes.
"""

from __future__ import annotations

import numpy as np


def unit_rows(x):
    """Each row divided by its Euclidean length."""
    return x / np.sqrt((x**2).sum(axis=1, keepdims=True))


def binary(x, threshold=8):
    """1 where a pixel is at least so bright."""
    return np.where(x >= threshold, 1.0, 0.0)


def one_hot(y, classes):
    return (y[:, None] == np.arange(classes)).astype(float)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


FORWARD = {"linear": lambda z: z, "sigmoid": sigmoid, "tanh": np.tanh, "softmax": softmax}
SLOPE = {
    "linear": np.ones_like,
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
}


def last_delta(a, t, activation):
    """dL/dz of the last layer: of the loss that goes with its activation."""
    if activation == "softmax":
        return a - t
    return 2 * (a - t) / len(t) * SLOPE[activation](a)


def train_dense(x, t, order, weights, activations, rate):
    """Weights and biases of a stack of dense layers after a step for each row of `order`.

    Args: x (rows, features); t (rows, outputs); weights [(W, b), …].
    """
    layers = [(w.copy(), b.copy()) for w, b in weights]
    for row in order:
        outputs = [x[row]]
        for (w, b), activation in zip(layers, activations, strict=True):
            outputs.append(FORWARD[activation](outputs[-1] @ w + b))
        delta = last_delta(outputs[-1], t[row], activations[-1])
        gradients = []
        for k in range(len(layers) - 1, -1, -1):
            gradients.append((np.outer(outputs[k], delta), delta))
            if k:
                delta = (layers[k][0] @ delta) * SLOPE[activations[k - 1]](outputs[k])
        for layer, gradient in zip(reversed(layers), gradients, strict=True):
            for parameter, slope in zip(layer, gradient, strict=True):
                np.subtract(parameter, rate * slope, out=parameter)
    return layers


def train_cnn(images, t, order, weights, rate):
    """Filters F (channels, 3, 3), their biases B (channels, 6, 6), W and b of the softmax.

    Args: images (rows, 8, 8); t (rows, 10); weights (F, B, W, b).
    """
    f, b_conv, w, b = (array.copy() for array in weights)
    channels, side = len(f), images.shape[1] - 2
    flat_f, flat_b = f.reshape(channels, 9), b_conv.reshape(channels, side * side)
    # patches[row, 3 i + j, side r + s] = images[row, r + i, s + j]
    patches = np.stack(
        [
            images[:, i : i + side, j : j + side].reshape(len(images), -1)
            for i in range(3)
            for j in range(3)
        ],
        axis=1,
    )
    for row in order:
        patch = patches[row]  # (9, positions)
        a = np.tanh(flat_f @ patch + flat_b)  # (channels, positions)
        flat = a.ravel()
        delta = softmax(flat @ w + b) - t[row]
        dz = (w @ delta).reshape(a.shape) * (1 - a**2)
        w -= rate * np.outer(flat, delta)
        b -= rate * delta
        flat_f -= rate * (dz @ patch.T)
        flat_b -= rate * dz
    return f, b_conv, w, b
