"""The base class of matrix products and convolutions: sums that may start from a bias."""

from __future__ import annotations

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.layers.bias import Bias


class Product(Emitter):
    """A layer whose sums start from the bias, if the next layer is one, else from zero."""

    bias: Bias | None = None

    def start(self, index: int | str) -> str:
        """The start of one output's sum."""
        return "zero" if self.bias is None else self.bias.at(index)

    def with_start(self, terms: list[str], index: int | str) -> list[str]:
        """The terms of a sum, the bias among them if there is one."""
        return terms if self.bias is None else [*terms, self.bias.at(index)]
