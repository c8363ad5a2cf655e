"""Batch normalisation: y = γ x̂ + β, x̂ = (x - μ) / sqrt(σ² + ε), over all rows (and pixels).

dβ = Σ dy, dγ = Σ dy x̂, dx = γ / sqrt(σ² + ε) (dy - dβ / N - x̂ dγ / N).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.row import Row


class BatchNorm(Emitter):
    """The one layer whose rows depend on each other: two sums over the batch, each way."""

    seconds = 0.2
    batch_dependent = True

    def plan(self) -> None:
        p, x, tag, layer = self.program, self.x, self.tag, self.layer
        self.features = layer.gamma.size
        places = x.order if self.features == x.size else np.arange(self.features)
        self.pixels_per_row = x.size // self.features
        shape = (self.features,)
        self.gamma = p.parameter(layer.gamma, f"w{tag}", shape, places)
        self.beta = p.parameter(layer.beta, f"b{tag}", shape, places)
        self.running_mean = p.statistic(layer, "running_mean", tag, places)
        self.running_variance = p.statistic(layer, "running_variance", tag, places)
        self.mean = p.shared(f"mean{tag}", shape)
        self.variance = p.shared(f"variance{tag}", shape)
        self.part = p.shared(f"part{tag}", shape)
        self.inverse = p.shared(f"inverse{tag}", shape)
        self.x_hat = p.like(f"x_hat{tag}", x)
        self.y = p.like(f"h{tag}", x)

    def across(self) -> None:
        p, layer, features = self.program, self.layer, self.features
        p.comment(f"{self.tag}: batch_norm, the running mean and variance, or those of the batch")
        mean, variance = f"{self.running_mean}[c]", f"{self.running_variance}[c]"
        with p.block("if evaluating:"), p.loop("c", features):
            p.line(f"{self.mean}[c] = {mean}")
            p.line(f"{self.inverse}[c] = one / sqrt({variance} + real({layer.epsilon!r}))")
        with p.block("else:"):
            self._measure(mean, variance)

    def _measure(self, mean: str, variance: str) -> None:
        """Mean and variance of the batch, which the running ones follow."""
        p, layer, features = self.program, self.layer, self.features
        p.line(f"numbers = double(n * {self.pixels_per_row})")
        with p.loop("c", features):
            p.line(f"{self.mean}[c] = zero")
            p.line(f"{self.variance}[c] = zero")
        self._sums({self.mean: self._at(self.x)})
        with p.loop("c", features):
            p.line(f"{self.mean}[c] *= real(1.0 / numbers)")
        centred = f"({self._at(self.x)} - {self.mean}[c])"
        self._sums({self.variance: f"{centred} * {centred}"})
        p.line("unbiased = real(numbers / max(numbers - 1.0, 1.0))")
        p.line(f"momentum = real({layer.momentum!r})")
        with p.loop("c", features):
            p.line(f"{self.variance}[c] *= real(1.0 / numbers)")
            p.line(f"{self.inverse}[c] = one / sqrt({self.variance}[c] + real({layer.epsilon!r}))")
            p.line(f"{mean} += momentum * ({self.mean}[c] - {mean})")
            p.line(f"{variance} += momentum * ({self.variance}[c] * unbiased - {variance})")

    def forward(self) -> None:
        p = self.program
        p.comment(f"{self.tag}: batch_norm, y = γ x̂ + β")
        with self._each():
            centred = f"({self._at(self.x)} - {self.mean}[c])"
            p.line(f"{self._at(self.x_hat)} = {centred} * {self.inverse}[c]")
            scaled = f"{self._at(self.x_hat)} * {self.gamma}[c]"
            p.line(f"{self._at(self.y)} = {scaled} + {self.beta}[c]")

    def across_backward(self, dy: Row) -> None:
        p = self.program
        p.comment(f"{self.tag}: batch_norm, dβ = Σ dy, dγ = Σ dy x̂")
        self._sums(
            {
                f"d{self.beta}": self._at(dy),
                f"d{self.gamma}": f"{self._at(dy)} * {self._at(self.x_hat)}",
            }
        )

    def backward(self, dy: Row) -> Row:
        p, x = self.program, self.x
        if not self.needs_dx:
            return dy
        p.comment(f"{self.tag}: batch_norm, dx = γ / sqrt(σ² + ε) (dy - dβ / N - x̂ dγ / N)")
        dx = p.like(f"d{x.name}", x)
        p.line(f"part = real(1.0 / double(n * {self.pixels_per_row}))")
        with self._each():
            p.line(f"along = {self._at(self.x_hat)} * d{self.gamma}[c]")
            p.line(f"inner = {self._at(dy)} - (d{self.beta}[c] + along) * part")
            p.line(f"{self._at(dx)} = {self.gamma}[c] * {self.inverse}[c] * inner")
        return dx

    def _sums(self, terms: dict[str, str]) -> None:
        """Add a term of every number of the batch to each of these arrays.

        An image is summed up by itself first: in float32, thousands of numbers added one after
        the other would lose digits.
        """
        p = self.program
        with p.rows():
            if self.features == self.x.size:
                with self._each():
                    for array, term in terms.items():
                        p.line(f"{array}[c] += {term}")
                return
            for array, term in terms.items():
                with p.loop("c", self.features):
                    p.line(f"{self.part}[c] = zero")
                with self._each():
                    p.line(f"{self.part}[c] += {term}")
                with p.loop("c", self.features):
                    p.line(f"{array}[c] += {self.part}[c]")

    @contextmanager
    def _each(self) -> Iterator[None]:
        """Every number of a row, c its feature or channel."""
        p, image = self.program, self.x.image
        if image is not None and self.features == image[0]:
            with p.pixels(self.x):
                yield
        else:
            with p.loop("c", self.features):
                yield

    def _at(self, row: Row) -> str:
        if row.image is not None and self.features == row.image[0]:
            return f"{row.name}_hwc[i, j, c]"
        return row.at("c")
