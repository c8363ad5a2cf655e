"""The lessons of the course as notebooks, from the same pages."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from nnrun.course.files import configs
from nnrun.reports.reference.site import Page, for_terminal, lessons

_COMMANDS = re.compile(r"^```\n(nnrun .*?)^```$", re.MULTILINE | re.DOTALL)
# The kernel's own nnrun is found first, in an environment that is not active, too; no bars.
_SETUP = """\
import os, sys
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
os.environ["TERM"] = "dumb"
import nnrun"""
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebooks() -> dict[str, bytes]:
    """A notebook for each lesson, by the names of their files."""
    return {f"{page.name}.ipynb": _notebook(page) for page in lessons()}


def _notebook(page: Page) -> bytes:
    cells = [_cell("markdown", f"# {page.title}"), _cell("code", _SETUP), *_cells(page)]
    metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode() + b"\n"


def _cells(page: Page) -> Iterator[dict[str, Any]]:
    """Text as it is; each command as a cell, and before a grade the exercise, to be changed."""
    starts = configs(int(page.name.removeprefix("lesson-")))
    parts = _COMMANDS.split(page.text)  # text and commands in turn
    for text, commands in zip_longest(parts[::2], parts[1::2], fillvalue=""):
        if text.strip():
            yield _cell("markdown", for_terminal(text.strip()))
        for line in commands.splitlines():
            words = shlex.split(line)
            if "--lesson" in words and words[2] in starts:
                yield _cell("code", f"%%writefile {words[2]}\n{starts[words[2]].rstrip()}")
            yield _cell("code", _python(line, words))


def _python(line: str, words: list[str]) -> str:
    """A command in Python where its result shows more, and as a command elsewhere."""
    match words:
        case ["nnrun", "explain", config]:
            return f"nnrun.explain({json.dumps(config)})"
        case ["nnrun", "check", config, "--lesson", lesson]:
            return f"nnrun.check({json.dumps(config)}, lesson={lesson})"
    return f"!{line}"


def _cell(kind: str, text: str) -> dict[str, Any]:
    runs: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": text, **runs}
