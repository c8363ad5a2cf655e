"""Batch normalisation, a block of rows at a time, with the sums that go before it.

x̂ = (x - mean) · inverse with inverse = 1 / sqrt(variance + ε), all of them by channel. Lines of
pixels are summed up by themselves, then the lines of an image, then the images: thousands of
numbers one after the other would lose digits in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnrun.engines.compiled.kernels.conv.channels import (
    LANES,
    Channels,
    each,
    line_pixels,
    lines,
    pixels,
    rows,
)
from nnrun.engines.compiled.kernels.writer import Kernel, Value, written

LEVEL = 0  # of LLVM's passes: none


@written
def moments(module: Any, symbol: str, dtype: str) -> None:
    """The task's Σ x, and Σ (x - m)² with m the mean of the task's own numbers."""
    k = Kernel(module, symbol, dtype)
    sums, squares = (_part(k, name) for name in ("sums", "squares"))
    first, last = k.rows(k.n)
    held = _spread(k, _numbers(k, k.sub(last, first)))

    def measure(channels: Channels) -> None:
        total = _sums(k, channels, ["x"], 1, lambda places: channels.load(places[0]))
        channels.store(total, sums)
        means = [k.b.fdiv(one, held) for one in total]

        def deviations(places: list[Value]) -> list[Value]:
            values = channels.load(places[0])
            centred = [k.b.fsub(x, mean) for x, mean in zip(values, means, strict=True)]
            return [k.b.fmul(one, one) for one in centred]

        channels.store(_sums(k, channels, ["x"], 1, deviations), squares)

    each(k, (2, 1), measure)
    k.end()


@written
def normalise(module: Any, symbol: str, dtype: str) -> None:
    """y = γ x̂ + β; y may be x."""
    k = Kernel(module, symbol, dtype)

    def scale(channels: Channels) -> None:
        means, inverses, gammas, betas = _loaded(k, channels, "mean inverse gamma beta")
        factors = [k.b.fmul(gamma, one) for gamma, one in zip(gammas, inverses, strict=True)]

        def pixel(places: list[Value]) -> None:
            results = [
                k.fma(k.b.fsub(x, mean), factor, beta)
                for x, mean, factor, beta in zip(
                    channels.load(places[0]), means, factors, betas, strict=True
                )
            ]
            channels.store(results, places[1])

        _each_pixel(k, ["x", "y"], pixel)

    each(k, (2, 1), scale)
    k.end()


@written
def gradients(module: Any, symbol: str, dtype: str) -> None:
    """The task's Σ dy and Σ dy x̂, which are parts of dβ and dγ."""
    k = Kernel(module, symbol, dtype)
    dbeta, dgamma = (_part(k, name) for name in ("dbeta", "dgamma"))

    def measure(channels: Channels) -> None:
        means, inverses = _loaded(k, channels, "mean inverse")

        def terms(places: list[Value]) -> list[Value]:
            x, dy = (channels.load(place) for place in places)
            along = [
                k.b.fmul(slope, k.b.fsub(value, mean))
                for slope, value, mean in zip(dy, x, means, strict=True)
            ]
            return [*dy, *along]

        found = _sums(k, channels, ["x", "dy"], 2, terms)
        channels.store(found[: channels.count], dbeta)
        along = zip(found[channels.count :], inverses, strict=True)
        channels.store([k.b.fmul(total, inverse) for total, inverse in along], dgamma)

    each(k, (2, 1), measure)
    k.end()


@written
def normalise_back(module: Any, symbol: str, dtype: str) -> None:
    """dx = γ · inverse · (dy - dβ / N - x̂ dγ / N), with N numbers in each sum; dx may be dy."""
    k = Kernel(module, symbol, dtype)
    count = _spread(k, _numbers(k, k.n))

    def scale(channels: Channels) -> None:
        means, inverses, gammas, dbetas, dgammas = _loaded(
            k, channels, "mean inverse gamma dbeta dgamma"
        )
        factors = [k.b.fmul(gamma, one) for gamma, one in zip(gammas, inverses, strict=True)]
        shifts = [k.b.fdiv(one, count) for one in dbetas]
        slopes = [
            k.b.fmul(k.b.fdiv(one, count), inverse)
            for one, inverse in zip(dgammas, inverses, strict=True)
        ]

        def pixel(places: list[Value]) -> None:
            values = zip(
                channels.load(places[0]), channels.load(places[1]), means, shifts, slopes, factors,
                strict=True,
            )  # fmt: skip
            results = []
            for x, dy, mean, shift, slope, factor in values:
                along = k.fma(k.b.fsub(x, mean), slope, shift)
                results.append(k.b.fmul(k.b.fsub(dy, along), factor))
            channels.store(results, places[2])

        _each_pixel(k, ["x", "dy", "dx"], pixel)

    each(k, (2, 1), scale)
    k.end()


def _part(k: Kernel, name: str) -> Value:
    """The task's place in a buffer."""
    return k.at(k.pointer(name), k.mul(k.task, k.bytes("part")))


def _loaded(k: Kernel, channels: Channels, names: str) -> list[list[Value]]:
    return [channels.load(k.pointer(name)) for name in names.split()]


def _numbers(k: Kernel, count: Value) -> Value:
    """How many numbers of a channel so many rows have."""
    return k.mul(k.mul(count, k["height"]), k["width"])


def _spread(k: Kernel, count: Value) -> Value:
    return k.spread(k.b.sitofp(count, k.real), LANES)


def _sums(
    k: Kernel, channels: Channels, names: Sequence[str], arrays: int,
    terms: Callable[[list[Value]], list[Value]],
) -> list[Value]:  # fmt: skip
    """The sums of `terms` of each pixel, over the task's rows."""
    zeros = channels.zeros(arrays)

    def added(sums: Sequence[Value], values: Sequence[Value]) -> list[Value]:
        return [k.b.fadd(total, value) for total, value in zip(sums, values, strict=True)]

    def pixel(places: list[Value], *sums: Value) -> list[Value]:
        return added(sums, terms(places))

    def line(starts: list[Value], *sums: Value) -> list[Value]:
        return added(sums, line_pixels(k, names, starts, pixel, zeros))

    def row(images: list[Value], *sums: Value) -> list[Value]:
        return added(sums, lines(k, names, images, line, zeros))

    return rows(k, names, row, zeros)


def _each_pixel(k: Kernel, names: Sequence[str], body: Callable[[list[Value]], None]) -> None:
    rows(k, names, lambda images: pixels(k, names, images, body) and None)
