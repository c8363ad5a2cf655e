"""Folders of images with what is none, and images that are too large or broken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.hostile.refused.refusals import Case, both, link, text

CONFIG = """dataset: {images: {folder: cats}}
network: {sizes: [2], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 1}
"""
SOUND = b"P5 2 2 255\n" + bytes(4)


def images(name: str, said: str, make: Callable[[], object] = lambda: None) -> Case:
    """A folder with two classes of one image each, and with more."""

    def sound() -> None:
        for place in ("cats/a/1.pgm", "cats/b/1.pgm"):
            Path(place).parent.mkdir(parents=True)
            Path(place).write_bytes(SOUND)

    return Case(name, both(sound, both(text("a.yaml", CONFIG), make)), ("check", "a.yaml"), said)


def file(content: bytes) -> Callable[[], object]:
    """Puts one more image into the first class."""
    return lambda: Path("cats/a/2.pgm").write_bytes(content)


def deep() -> None:
    """Folders within folders, 900 of them."""
    Path("cats/a/" + "d/" * 900).mkdir(parents=True)
    Path("cats/a/1.pgm").unlink()


CASES = [
    images("a FIFO as an image", "2.pgm: is a FIFO", lambda: os.mkfifo("cats/a/2.pgm")),
    images("zeros as an image", "is a link out of", link("cats/a/2.pgm", "/dev/zero")),
    images("a link elsewhere", "is a link out of", link("cats/a/2.pgm", "../../a.yaml")),
    images("a loop of images", "leads to itself", link("cats/a/2.pgm", "2.pgm")),
    images("a link to no image", "is a link to nothing", link("cats/a/2.pgm", "3.pgm")),
    images("a loop of folders", "is a link to a folder", link("cats/a/d", "../..")),
    images("folders in folders", "a: has no images", deep),
    images("an image of many pixels", "has 9,999×9,999 pixels", file(b"P5 9999 9999 255\n")),
    images("an image of more pixels", "exceeds limit of", file(b"P5 99999 99999 255\n")),
    images("an image of no pixels", "cannot be read", file(b"P5 0 0 255\n")),
    images("an image that ends early", "cannot be read", file(SOUND[:-1])),
    images("a script as an image", "cannot be read", file(b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run\n")),
    images("sizes that differ", "has 1×1 pixels, and", file(b"P5 1 1 255\n\0")),
    Case("no folder", text("a.yaml", CONFIG), ("check", "a.yaml"), "cats does not exist"),
    Case(
        "a file as a folder",
        text("a.yaml", CONFIG.replace("cats", "a.yaml")),
        ("check", "a.yaml"),
        "a.yaml is a file, not a folder",
    ),
    Case(
        "a name that is none",
        text("a.yaml", CONFIG.replace("cats", '"a\\0b"')),
        ("check", "a.yaml"),
        "this is not the path of a folder",
    ),
]
