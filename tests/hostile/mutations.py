"""Bytes that were sound once: cut, flipped, doubled, or with something odd put in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

# What has made some reader stumble at some time.
ODD = [
    b"\0", b"\xff", b"\x1b[31m", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85",
    b"\r", b"\n", b"\t", b"'", b'"', b"\\", b"[", b"]", b"{", b"}", b"(", b")", b",", b":", b"#",
    b"&a ", b"*a", b"!!python/name:os.system ", b"<<: *a", b"? ", b"- ", b"---\n", b"...\n", b"%",
    b"null", b"~", b"true", b"nan", b".nan", b"inf", b"-inf", b"1e999", b"-1", b"0", b"1_0",
    b"0x" + b"f" * 4000, b"9" * 400, b"9" * 5000, b"-" * 3000, b"[" * 3000, b"(" * 3000,
    b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\x1f\x8b", b"PK\x03\x04",
    b"cos\nsystem\n(S'id'\ntR.", b"__class__", b"../../", b"\xf4\x90\x80\x80", b"\x93NUMPY",
]  # fmt: skip


Making = Callable[[Random], Any]
"""Makes an example of a random stream."""


def flipped(sound: bytes) -> Making:
    """The bytes with one bit of them turned."""

    def make(random: Random) -> bytes:
        content = bytearray(sound)
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        return bytes(content)

    return make


def mutated(sound: bytes) -> Making:
    """Up to four things done to these bytes."""

    def make(random: Random) -> bytes:
        content = bytearray(sound)
        for _ in range(random.randint(0, 4)):
            _mutate(content, random)
        return bytes(content)

    return make


def one_of(*makings: Making) -> Making:
    """Examples of all of these, each as often as another."""
    return lambda random: random.choice(makings)(random)


def sampled(examples: Sequence[Any]) -> Making:
    """These examples."""
    return lambda random: random.choice(examples)


def _mutate(content: bytearray, random: Random) -> None:
    start = random.randint(0, len(content))
    length = random.randint(0, random.choice((12, max(1, len(content)))))
    piece = bytes(content[start : start + length])
    match random.choice(("flip", "cut", "remove", "double", "put", "move")):
        case "flip" if start < len(content):
            content[start] ^= 1 << random.randrange(8)
        case "cut":
            del content[start:]
        case "remove":
            del content[start : start + length]
        case "double":
            content[start:start] = piece
        case "put":
            odd = random.choice((random.choice(ODD), random.randbytes(random.randint(0, 8))))
            content[start:start] = odd
        case "move":
            del content[start : start + length]
            place = random.randint(0, len(content))
            content[place:place] = piece
