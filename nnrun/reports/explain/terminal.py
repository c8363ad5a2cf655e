"""An explained update as lines for the terminal: large arrays are shortened, surfaces are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult, group
from rich.rule import Rule
from rich.text import Text

from nnrun.characters import clean, shortened
from nnrun.explain.surfaces import SIDES, Film, Surfaces
from nnrun.explain.trace import LayerTrace, equations, loss_equation, optimizer_equation, shown
from nnrun.explain.update import Explanation
from nnrun.nn.signature import Array, shape_text
from nnrun.reports.document import Note
from nnrun.reports.explain.document import Numbers, number_text, phases
from nnrun.reports.numbers import count, number
from nnrun.reports.terminal.fitting import note
from nnrun.reports.terminal.plot import Axis, Curve, Plot


@group()
def explanation(explained: Explanation, *, full: bool = False) -> Iterator[RenderableType]:
    """Forward, loss, backward, step: every number, or with `full` every number of large arrays."""
    yield Text.assemble((clean(explained.title), "bold"), f"  {explained.moment}")
    if explained.description:
        yield Text(clean(explained.description), style="italic")
    for words in explained.notes:
        yield Text(words, style="dim")
    for phase in phases(explained):
        yield Text()
        yield Rule(phase.title, align="left")
        for part in phase.parts:
            if part.title:
                yield Text()
                yield Text(part.title, "bold cyan")
            if part.equation:
                yield Text(clean(part.equation), "italic")
            for item in part.items:
                if isinstance(item, Note):
                    yield note(item)
                else:
                    for line in matrix_lines(item, full=full or item.whole):
                        line.no_wrap, line.overflow = True, "ignore"
                        yield line
    if explained.film is not None:
        yield Text()
        yield Rule("Over training: the output", align="left")
        yield FilmLines(explained.film)


_GAP = "  "
_MORE = "…"
# Of a stack of matrices, such as channels, this many are shown.
_MATRICES = 2
# Of longer lines, fewer columns are shown.
_WIDEST = 80


def matrix_lines(item: Numbers, *, full: bool = False) -> Iterator[Text]:
    """A heading with the shape, then the numbers: of more than two dimensions, several matrices.

    What is left out is a `…`; with `full`, nothing is.
    """
    array = item.array
    yield Text.assemble((item.title, "bold"), f"  {shape_text(array.shape)}")
    if array.ndim <= 2:
        yield from _matrix(np.atleast_2d(array), full, item)
        return
    stack = array.reshape(-1, *array.shape[-2:])
    indices = list(np.ndindex(*array.shape[:-2]))
    many = len(stack) if full else min(len(stack), _MATRICES)
    for index, matrix in zip(indices[:many], stack, strict=False):
        if len(stack) > 1:
            yield Text(f"  [{', '.join(map(str, index))}]", "dim")
        yield from _matrix(matrix, full)
    if len(stack) > many:
        yield Text(f"  {_MORE} and {len(stack) - many:,} more of {shape_text(matrix.shape)}", "dim")


def _matrix(matrix: Array, full: bool, item: Numbers | None = None) -> Iterator[Text]:
    """Its lines; with the names of columns above them, and those of rows behind."""
    rows, columns = (list(range(n)) if full else shown(n) for n in matrix.shape)
    names = {
        row: f"{_GAP}{clean(shortened(item.rows[row], 20))}" for row in rows if item and item.rows
    }
    room = _WIDEST - max(map(len, names.values()), default=0)
    lines = _lines(matrix, rows, columns)
    while not full and len(columns) > 2 and max(map(len, lines)) > room:
        half = (len(columns) - 1) // 2
        columns = [*columns[:half], *columns[-half:]]
        lines = _lines(matrix, rows, columns)
    if item and item.columns:
        labels = ", ".join(clean(shortened(item.columns[column], 20)) for column in columns)
        text = wrap(f"columns: {labels}", _WIDEST - len(_GAP))
        yield from (Text(f"{_GAP}{line}", "dim") for line in text)
    for place, line in enumerate(lines):
        if place and rows[place] != rows[place - 1] + 1:
            yield Text(f"  {_MORE}")
        yield Text.assemble(line, (names.get(rows[place], ""), "dim"))


def _lines(matrix: Array, rows: Sequence[int], columns: Sequence[int]) -> list[str]:
    cells = [[number_text(float(matrix[row, column])) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  " + _joined(line, widths, columns) for line in cells]


def _joined(cells: Sequence[str], widths: Sequence[int], columns: Sequence[int]) -> str:
    line = ""
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if place and columns[place] != columns[place - 1] + 1:
            line += f"{_MORE}{_GAP}"
        line += f"{cell:>{width}}{_GAP}"
    return line.rstrip()


_WIDE, _HIGH, _BETWEEN = 16, 8, 2  # of a picture, in characters
_MOST_MOMENTS = 6
_SHADES = " ░▒▓█"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}  # upper, lower
_CURVES = (("·", "dim"), ("•", "cyan"), ("█", "bold"))


@dataclass(frozen=True)
class FilmLines:
    """Some moments side by side: as many as the terminal is wide enough for.

    Areas of two classes are drawn in half blocks, of more in shades or letters, values in shades;
    a function of one number is drawn as a plot.
    """

    film: Film

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if len(self.film.features) == 1:
            yield from _plots(self.film)
        else:
            room = (options.max_width + _BETWEEN) // (_WIDE + 2 + _BETWEEN)
            yield from _pictures(self.film, min(max(1, room), _MOST_MOMENTS))
        yield from (Text(words, style="dim") for words in self.film.notes)


def _pictures(film: Film, most: int) -> Iterator[Text]:
    frames = film.frames
    places = np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int)
    shown = [frames[place] for place in (places if most > 1 else [len(frames) - 1])]
    values = [surface.outputs[0] for _, surface in frames if surface.classes is None]
    ends = _ends(values)
    pictures = [[*_rows_of(surface, len(film.outputs), ends)] for _, surface in shown]
    for line in _legend(film, ends):
        yield Text(line, style="dim")
    heads = [f"iteration {count(iteration)}"[: _WIDE + 2] for iteration, _ in shown]
    yield _side_by_side([head.ljust(_WIDE + 2) for head in heads])
    yield _side_by_side([f"┌{'─' * _WIDE}┐"] * len(shown))
    for lines in zip(*pictures, strict=True):
        yield _side_by_side([f"│{line}│" for line in lines])
    yield _side_by_side([f"└{'─' * _WIDE}┘"] * len(shown))


def _side_by_side(parts: Sequence[str]) -> Text:
    return Text((" " * _BETWEEN).join(parts).rstrip(), no_wrap=True, overflow="crop")


def _rows_of(surface: Surfaces, outputs: int, ends: tuple[float, float]) -> Iterator[str]:
    """A picture, from top to bottom."""
    if surface.classes is None:
        low, high = ends
        # Halves, since the range of values may overflow.
        shares = (_sampled(surface.outputs[0], _HIGH) / 2 - low / 2) / (high / 2 - low / 2)
        steps = np.nan_to_num(shares).clip(0, 1 - 1e-9) * len(_SHADES)
        yield from ("".join(_SHADES[int(step)] for step in line) for line in steps)
    elif outputs == 2:
        halves = _sampled(surface.classes, 2 * _HIGH)
        for upper, lower in zip(halves[::2], halves[1::2], strict=True):
            yield "".join(_HALVES[int(a), int(b)] for a, b in zip(upper, lower, strict=True))
    else:
        signs = _signs(outputs)
        for line in _sampled(surface.classes, _HIGH):
            yield "".join(signs[int(label) % len(signs)] for label in line)


def _sampled(values: Array, high: int) -> Array:
    """The values at points that are equally far from each other, with the top first."""
    down, across = (
        ((np.arange(points) + 0.5) * size / points).astype(int)
        for points, size in zip((high, _WIDE), values.shape, strict=True)
    )
    return values[::-1][np.ix_(down, across)]


def _signs(classes: int) -> str:
    if classes == 2:
        return _SHADES[0] + _SHADES[-1]
    return "".join(_SHADES[k] for k in (0, 2, 4, 1, 3)[:classes]) if classes <= 5 else _LETTERS


def _ends(values: Sequence[Array]) -> tuple[float, float]:
    finite = np.concatenate([a[np.isfinite(a)] for a in values]) if values else np.zeros(1)
    low, high = float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def _legend(film: Film, ends: tuple[float, float]) -> Iterator[str]:
    """What the signs stand for, and the ends of both axes."""
    left, right, bottom, top = map(number, film.extent)
    across, up = (clean(shortened(name, 20)) for name in film.features)
    if film.frames[-1][1].classes is None:
        name = clean(shortened(film.outputs[0], 20))
        yield f"{name}: from blank at {number(ends[0])} to █ at {number(ends[1])}"
    else:
        signs = _signs(len(film.outputs))
        named = zip(signs, film.outputs, strict=False)
        yield ", ".join(f"{sign.strip() or 'blank'}: {shortened(name, 14)}" for sign, name in named)
    yield f"{across} from {left} to {right}, {up} upwards from {bottom} to {top}"


def _plots(film: Film) -> Iterator[Plot]:
    """The first, a middle and the last curve of the output."""
    frames = film.frames
    row = 1 if frames[-1][1].probabilistic and len(film.outputs) == 2 else 0
    chosen = [frames[place] for place in dict.fromkeys((0, len(frames) // 2, len(frames) - 1))]
    curves = [
        Curve(
            f"iteration {count(iteration)}",
            list(range(surface.outputs.shape[-1])), surface.outputs[row].tolist(), mark, style,
        )
        for (iteration, surface), (mark, style) in zip(chosen, _CURVES[-len(chosen) :], strict=True)
    ]  # fmt: skip
    left, right = map(number, film.extent)
    name = clean(shortened(film.outputs[row], 20))
    title = f"p of {name}" if frames[-1][1].probabilistic else name
    axis = Axis(left, clean(shortened(film.features[0], 20)), right)
    yield Plot(title, curves[::-1], axis, linear=True)


# An explained update as JSON data.

_OF_PARAMETER = ("value", "gradient", "numerical", "updated")


def as_data(explained: Explanation) -> dict[str, Any]:
    """All numbers, with the equations that they come from."""
    update = explained.update
    return {
        "title": explained.title,
        "moment": explained.moment,
        "rows": explained.rows,
        "notes": [*explained.notes],
        "classes": [*explained.classes],
        "x": numbers(update.x),
        "layers": [_layer(trace) for trace in update.layers],
        "loss": {
            "type": update.network.loss.type,
            "equation": loss_equation(update.network.loss),
            "head": update.network.head.type if update.network.head else None,
            "output": numbers(update.output),
            "prediction": numbers(update.prediction),
            "target": numbers(update.target),
            "weight": None if update.weight is None else numbers(update.weight[:, 0]),
            "value": update.loss,
            "gradient": numbers(update.dy),
        },
        "optimizer": {
            "type": update.optimizer.type,
            "equation": optimizer_equation(update.optimizer),
            "learning_rate": update.learning_rate,
            "settings": update.settings,
            "gradient_norm": update.norm,
            "clip_norm": update.clip_norm,
        },
        "surfaces": None if explained.film is None else _film(explained.film),
    }


def _film(film: Film) -> dict[str, Any]:
    """The outputs and hidden units over a grid, from bottom to top, at moments of training."""
    return {
        "features": [*film.features],
        "extent": [*film.extent],
        "side": SIDES[len(film.features)],
        "outputs": [*film.outputs],
        "notes": [*film.notes],
        "frames": [_frame(iteration, surfaces) for iteration, surfaces in film.frames],
    }


def _frame(iteration: int, surfaces: Surfaces) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "outputs": _short(surfaces.outputs),
        "classes": None if surfaces.classes is None else surfaces.classes.tolist(),
        "layers": [
            {"layer": layer.place, "type": layer.kind, "units": _short(layer.units)}
            for layer in surfaces.layers
        ],
    }


def _short(array: Array) -> Any:
    """Numbers with six digits, since there are very many."""
    return numbers(np.array([float(f"{v:.6g}") for v in array.ravel()]).reshape(array.shape))


def _layer(trace: LayerTrace) -> dict[str, Any]:
    forward, backward = equations(trace.layer)
    return {
        "place": trace.place,
        "type": trace.layer.type,
        "forward": forward,
        "backward": backward,
        "x": numbers(trace.x),
        "y": numbers(trace.y),
        "dy": numbers(trace.dy),
        "dx": numbers(trace.dx),
        "parameters": [
            {"name": p.name, **{key: numbers(getattr(p, key)) for key in _OF_PARAMETER}}
            | {"moments": {sign: numbers(array) for sign, array in p.moments.items()}}
            for p in trace.parameters
        ],
    }


def numbers(array: Array) -> Any:
    """Nested lists; null for what is no number."""
    if np.isfinite(array).all():
        return array.tolist()
    values = array.astype(object)
    values[~np.isfinite(array)] = None
    return values.tolist()
