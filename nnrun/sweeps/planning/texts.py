"""Texts of many settings: packed, and made again for those that differ in numbers alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.yaml.parse import KeyPath

# Of templates.
_MOST_KEPT = 1024
# No number of a config.
_RARE = 7.236498123756482e-91


@dataclass(frozen=True)
class Template:
    """Texts with a mark in place of each number.

    Args:
        texts: each with every mark once; none, if they have a number more or less often.
        marks: by the paths of the numbers.
        left_out: the values that are not written where they are those of a number.
    """

    texts: Sequence[str]
    marks: Mapping[KeyPath, str]
    left_out: Mapping[KeyPath, Sequence[Any]]

    @classmethod
    def of(
        cls,
        write: Callable[[Mapping[KeyPath, float]], Sequence[str]],
        left_out: Mapping[KeyPath, Sequence[Any]],
    ) -> Template:
        """Of the texts that a function writes for numbers at the paths of `left_out`."""
        numbers = {path: _RARE / (1 + index) for index, path in enumerate(left_out)}
        marks = {path: f"\0{index}\0" for index, path in enumerate(left_out)}
        texts = write(numbers)
        once = all(text.count(repr(number)) == 1 for text in texts for number in numbers.values())
        plain = {repr(number): marks[path] for path, number in numbers.items()}
        return cls([_replaced(text, plain) for text in texts] if once else [], marks, left_out)

    def filled(self, numbers: Mapping[KeyPath, float]) -> Sequence[str]:
        """The texts with these numbers; none where they differ in something else, too."""
        if any(number in self.left_out[path] for path, number in numbers.items()):
            return []
        values = {self.marks[path]: repr(number) for path, number in numbers.items()}
        return [_replaced(text, values) for text in self.texts]


def _replaced(text: str, values: Mapping[str, str]) -> str:
    for old, new in values.items():
        text = text.replace(old, new)
    return text


class Texts:
    """Packs texts that are much like the first one, such as configs that differ in few values."""

    def __init__(self) -> None:
        self._first = b""
        self._templates: dict[bytes, Template] = {}

    def pack(self, texts: Sequence[str]) -> bytes:
        """In which they differ from the first ones."""
        plain = "\n".join(texts).encode()
        self._first = self._first or plain
        packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS, zdict=self._first)
        return packer.compress(plain) + packer.flush()

    def unpack(self, packed: bytes) -> list[str]:
        """The texts as they were."""
        plain = zlib.decompressobj(-zlib.MAX_WBITS, self._first).decompress(packed)
        return plain.decode().split("\n")

    def template(self, packed: bytes, make: Callable[[], Template]) -> Template:
        """That of packed texts; the last ones are kept."""
        if packed not in self._templates:
            if len(self._templates) >= _MOST_KEPT:
                self._templates.clear()
            self._templates[packed] = make()
        return self._templates[packed]
