"""The sliding windows of a convolution or a pooling, as arrays instead of loops."""

from __future__ import annotations

from math import ceil

from numpy.lib.stride_tricks import sliding_window_view

from nnrun.nn.signature import Array, ShapeError, Zeros, pair, shape_text

Sides2 = tuple[int, int]
Padding = tuple[Sides2, Sides2]  # ((top, bottom), (left, right))


def padding_of(rule: str | Zeros, size: Sides2, kernel: Sides2, stride: Sides2) -> Padding:
    """The rows and columns of zeros around an image of `size`.

    `valid` adds none, a number adds that many on each side, two add the first above and below and
    the second left and right, and `same` as many as make the output
    ceil(size / stride), the odd one at the bottom and right.
    """
    if rule == "valid":
        return (0, 0), (0, 0)
    if not isinstance(rule, str):
        down, right = pair(rule)
        return (down, down), (right, right)
    totals = [
        max((ceil(n / s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)
    ]
    top, left = totals[0] // 2, totals[1] // 2
    return (top, totals[0] - top), (left, totals[1] - left)


def output_size(size: Sides2, kernel: Sides2, stride: Sides2, what: str) -> Sides2:
    """Height and width of the output for windows of `kernel` on a (padded) image of `size`."""
    for n, k in zip(size, kernel, strict=True):
        if k > n:
            raise ShapeError(
                f"a {what} of {shape_text(kernel)} is larger than its input of {shape_text(size)}",
                field=what,
            )
    height, width = ((n - k) // s + 1 for n, k, s in zip(size, kernel, stride, strict=True))
    return height, width


def windows(x: Array, kernel: Sides2, stride: Sides2) -> Array:
    """A view of all windows: (batch, channels, h, w) to (batch, channels, oh, ow, kh, kw)."""
    view = sliding_window_view(x, kernel, axis=(2, 3))
    strided: Array = view[:, :, :: stride[0], :: stride[1]]
    return strided
