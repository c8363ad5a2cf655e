"""Texts of many settings: packed, and made again for those that differ in numbers alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.yaml.parse import KeyPath

# Of templates.
_MOST_KEPT = 1024
# Texts of settings are short: a small compressor begins in a quarter of the time.
_WINDOW, _MEMORY = 14, 6
# No numbers of a config.
_RARE_FLOAT, _RARE_INT = 7.236498123756482e-91, 7_236_498_123_756_482

Evaluations = Mapping[str, int | None]
"""Keys of the block `training` in an identity that follow from the length of a run."""
Write = Callable[[Mapping[KeyPath, float], Sequence[Evaluations]], Sequence[str]]


@dataclass(frozen=True)
class Template:
    """A config and its identities with a mark in place of each number.

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
        write: Write,
        left_out: Mapping[KeyPath, Sequence[Any]],
        numbers: Mapping[KeyPath, float],
        evaluations: Sequence[Evaluations],
    ) -> Template:
        """Of the texts that a function writes for numbers at the paths of `left_out`.

        They are of the kinds of `numbers`. The values of `evaluations` are replaced, too, unless
        they are None.
        """
        marks = {path: f"\0{index}\0" for index, path in enumerate(numbers)}
        rare = {path: _rare(number, index) for index, (path, number) in enumerate(numbers.items())}
        known = len(numbers)
        rare_evaluations = [
            {key: value and _RARE_INT - known - at for at, (key, value) in enumerate(each.items())}
            for each in evaluations
        ]
        texts = write(rare, rare_evaluations)
        found = []
        for text, each in zip(texts, [{}, *rare_evaluations], strict=True):
            plain = {repr(number): marks[path] for path, number in rare.items()}
            plain |= {repr(value): _mark(key) for key, value in each.items() if value is not None}
            if any(text.count(number) != 1 for number in plain):
                return cls([], marks, left_out)
            found.append(_replaced(text, plain))
        return cls(found, marks, left_out)

    def filled(
        self, numbers: Mapping[KeyPath, float], evaluations: Sequence[Evaluations]
    ) -> Sequence[str]:
        """The texts with these numbers; none where they differ in something else, too."""
        if not self.texts or any(n in self.left_out[path] for path, n in numbers.items()):
            return []
        values = {self.marks[path]: repr(number) for path, number in numbers.items()}
        return [
            _replaced(text, values | {_mark(key): repr(value) for key, value in each.items()})
            for text, each in zip(self.texts, [{}, *evaluations], strict=True)
        ]


def _rare(number: float, index: int) -> float:
    return _RARE_INT - index if isinstance(number, int) else _RARE_FLOAT / (1 + index)


def _mark(key: str) -> str:
    return f"\0{key}\0"


def _replaced(text: str, values: Mapping[str, str]) -> str:
    for old, new in values.items():
        text = text.replace(old, new)
    return text


class Texts:
    """Packs texts that are much like the first one, such as configs that differ in few values."""

    def __init__(self) -> None:
        self._first = b""
        self._templates: dict[Hashable, Template] = {}

    def pack(self, texts: Sequence[str]) -> bytes:
        """In which they differ from the first ones."""
        plain = "\n".join(texts).encode()
        self._first = self._first or plain
        packer = zlib.compressobj(1, wbits=-_WINDOW, memLevel=_MEMORY, zdict=self._first)
        return packer.compress(plain) + packer.flush()

    def unpack(self, packed: bytes) -> list[str]:
        """The texts as they were."""
        plain = zlib.decompressobj(-_WINDOW, self._first).decompress(packed)
        return plain.decode().split("\n")

    def template(self, key: Hashable, make: Callable[[], Template]) -> Template:
        """That of a key, made unless it is one of the last ones."""
        if key not in self._templates:
            if len(self._templates) >= _MOST_KEPT:
                self._templates.clear()
            self._templates[key] = make()
        return self._templates[key]
