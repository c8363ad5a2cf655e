"""Draws nnrun/docs/house.svg: the floors of the import contract, with their first sentences.

.venv/bin/python .ci/house.py
"""

from __future__ import annotations

import ast
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "nnrun" / "docs" / "house.svg"
_WIDTH, _LEFT, _RIGHT, _TEXT = 900, 20, 840, 142
_CHARACTERS = 92
_LINE, _EDGE = 22, 14
_STYLE = """\
svg { --paper: #ffffff; --even: #f4f7fa; --top: #e8eef5; --line: #33475b; --ink: #12202e }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14191f; --even: #1b222a; --top: #243140; --line: #8fa3b8; --ink: #e6ecf2 }
}
.floor, path { stroke: var(--line); stroke-width: 1.5 }
text { fill: var(--ink) }
.name { font-weight: 700 }"""


def floors() -> list[list[str]]:
    """The names of the contract, from top to bottom; those of one list are side by side."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [[name.strip().removeprefix("nnrun.") for name in row.split("|")] for row in layers]


def sentence(name: str) -> str:
    """The first sentence of a folder's or module's docstring."""
    path = ROOT / "nnrun" / name
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).partition(". ")[0].rstrip(".").replace("`", "")


def drawn() -> str:
    """The picture."""
    parts, top = [], 20
    for number, names in enumerate(floors()):
        lines = [(name, *wrap(sentence(name), _CHARACTERS)) for name in names]
        height = _LINE * sum(len(line) - 1 for line in lines) + _EDGE
        fill = "var(--top)" if number < 3 else "var(--even)" if number % 2 else "var(--paper)"
        parts.append(
            f'<rect class="floor" x="{_LEFT}" y="{top}" width="{_RIGHT - _LEFT}" height="{height}" '
            f'fill="{fill}"/>'
        )
        y = top
        for name, *texts in lines:
            parts.append(f'<text class="name" x="{_LEFT + 16}" y="{y + 23}">{name}</text>')
            for text in texts:
                y += _LINE
                parts.append(f'<text x="{_TEXT}" y="{y + 1}">{escape(text, quote=False)}</text>')
        top += height
    x, middle = _RIGHT + 20, (20 + top) // 2
    parts += [
        f'<path d="M {x} 30 V {top - 10} m -6 -10 l 6 10 l 6 -10" fill="none"/>',
        f'<text transform="translate({x + 12} {middle}) rotate(90)" text-anchor="middle">'
        "imports go down only</text>",
    ]
    size = f'viewBox="0 0 {_WIDTH} {top + 20}" width="{_WIDTH}" height="{top + 20}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" '
            'font-family="system-ui, sans-serif" font-size="14">',
            "<title>The folders of nnrun, from the command line down</title>",
            f"<style>\n{_STYLE}\n</style>",
            f'<rect width="{_WIDTH}" height="{top + 20}" fill="var(--paper)"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
