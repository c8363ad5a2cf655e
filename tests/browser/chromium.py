"""Which browser, with what, and on what."""

from __future__ import annotations

import shutil

NOTEBOOK = [
    *("boston_linear", "boston_arch1", "boston_arch2", "boston_arch3"),
    *("iris_softmax", "digits_arch1", "digits_arch2", "digits_cnn"),
]
# A browser that asks nobody for anything.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def program() -> str:
    """The distribution's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "this needs Chromium: apt-get install chromium"
    return found
