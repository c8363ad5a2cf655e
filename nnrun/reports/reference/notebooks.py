"""The lessons of the course as notebooks, from the same pages."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from nnrun.course.files import configs
from nnrun.reports.reference.site import Page, for_terminal, lessons

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The kernel's own nnrun is found first, in an environment that is not active, too.
_SETUP = """\
import os, sys
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
import nnrun"""
_FORMAT = {"nbformat": 4, "nbformat_minor": 4}
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebooks() -> dict[str, bytes]:
    """A notebook for each lesson, by the names of their files."""
    return {f"{page.name}.ipynb": _notebook(page) for page in lessons()}


def _notebook(page: Page) -> bytes:
    cells = [_markdown(f"# {page.title}"), _code(_SETUP), *_cells(page)]
    metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, **_FORMAT}
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode() + b"\n"


def _cells(page: Page) -> Iterator[dict[str, Any]]:
    """Text as it is; each command as a cell, and before a grade the exercise, to be changed."""
    starts, at = configs(int(page.name.removeprefix("lesson-"))), 0
    for fence in (*_FENCE.finditer(page.text), None):
        end = len(page.text) if fence is None else fence.start()
        text = page.text[at:end].strip()
        if fence is not None and fence[1]:
            text, end = f"{text}\n\n{fence[0]}", fence.end()
        if text:
            yield _markdown(for_terminal(text))
        if fence is not None and not fence[1]:
            end = fence.end()
            for line in fence[2].splitlines():
                words = shlex.split(line)
                if "--lesson" in words and (start := starts.get(words[2])) is not None:
                    yield _code(f"%%writefile {words[2]}\n{start.rstrip()}")
                yield _code(_python(line, words))
        at = end


def _python(line: str, words: list[str]) -> str:
    """A command in Python where its result shows more, and as a command elsewhere."""
    match words:
        case ["nnrun", "explain", config]:
            return f"nnrun.explain({json.dumps(config)})"
        case ["nnrun", "check", config, "--lesson", lesson]:
            return f"nnrun.check({json.dumps(config)}, lesson={lesson})"
    return f"!{line}"


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": text
    }  # fmt: skip
