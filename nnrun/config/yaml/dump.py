"""Plain data as readable YAML 1.2 that loads to exactly the same data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.config.yaml.scalars import write_scalar

WIDTH = 100


def dump(data: dict[str, Any]) -> str:
    """A YAML document in block style, with short values on one line."""
    return "".join(f"{line}\n" for line in _mapping(data, depth=0))


def flow(value: Any) -> str:
    """A value on one line, valid anywhere in YAML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{write_scalar(k)}: {flow(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(flow(item) for item in value)}]"
    return write_scalar(value)


def _mapping(data: dict[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in data.items():
        head = f"{indent}{write_scalar(key)}:"
        if _stays_on_line(value, len(head), depth):
            yield f"{head} {flow(value)}"
        else:
            yield head
            yield from _block(value, depth + 1)


def _block(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping(value, depth)
        return
    for item in value:
        # The first line of an item starts behind its dash.
        lines = [flow(item)]
        if len(lines[0]) + 2 * depth + 2 > WIDTH and isinstance(item, dict | list) and item:
            lines = [line[2 * depth + 2 :] for line in _block(item, depth + 1)]
        yield f"{'  ' * depth}- {lines[0]}"
        yield from (f"{'  ' * depth}  {line}" for line in lines[1:])


def _stays_on_line(value: Any, column: int, depth: int) -> bool:
    if not isinstance(value, dict | list | tuple) or not value:
        return True
    holds_mappings = isinstance(value, list | tuple) and any(isinstance(v, dict) for v in value)
    if holds_mappings or (depth == 0 and len(value) > 2):
        return False
    return column + 1 + len(flow(value)) <= WIDTH
