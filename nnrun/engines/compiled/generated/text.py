"""Putting source text together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from textwrap import wrap

from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer


def tree(terms: Sequence[str]) -> str:
    """The sum as a balanced tree, ((a + b) + (c + d)), so that additions run side by side.

    Floating-point addition may not be reordered: written as a row, each one would wait for the
    one before.
    """
    if len(terms) == 1:
        return terms[0]
    middle = (len(terms) + 1) // 2
    left, right = tree(terms[:middle]), tree(terms[middle:])
    return f"({left} + {right})"


def affine(index: str, stride: int, offset: int | str) -> str:
    """The source of index · stride + offset, without · 1 and + 0."""
    if stride != 1:
        index = f"({index}) * {stride}" if " " in index else f"{index} * {stride}"
    return index if offset == 0 else f"{index} + {offset}"


def words(lines: Sequence[str]) -> set[str]:
    """All names in lines of source, without comments."""
    code = [line for line in lines if not line.lstrip().startswith("#")]
    return set(re.findall(r"\w+", "\n".join(code)))


def title_lines(network: Network, optimizer: Optimizer) -> list[str]:
    """A description of the network, in lines of 90 characters at most."""
    steps = [str(tuple(network.input_shape)), *(layer.type for layer in network.active_layers)]
    text = f"Trains {' > '.join(steps)}, {network.loss.type}; {optimizer.type}."
    return wrap(text, 90, break_long_words=False)


class Text:
    """Lines of source, indented by their loops."""

    def __init__(self, depth: int = 0) -> None:
        self.lines: list[str] = []
        self.depth = depth

    def line(self, text: str) -> None:
        """Add a line."""
        self.lines.append("    " * self.depth + text)

    def comment(self, text: str) -> None:
        """Add a comment."""
        self.line(f"# {text}")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A block: lines added inside are indented under this line."""
        self.line(head)
        self.depth += 1
        yield
        self.depth -= 1

    def loop(self, index: str, *bounds: int | str) -> AbstractContextManager[None]:
        """A loop over range(*bounds)."""
        return self.block(f"for {index} in range({', '.join(map(str, bounds))}):")

    @contextmanager
    def nest(self, **loops: int | str) -> Iterator[None]:
        """Loops within loops, the last one innermost."""
        with ExitStack() as stack:
            for index, count in loops.items():
                stack.enter_context(self.loop(index, count))
            yield
