"""The output of a network over training, drawn with characters for terminals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from nnrun.characters import clean, shortened
from nnrun.explain.film import Film
from nnrun.explain.surfaces import Surfaces
from nnrun.nn.signature import Array
from nnrun.reports.numbers import count, number
from nnrun.reports.terminal.plot import Axis, Curve, Plot

_WIDE, _HIGH, _GAP = 16, 8, 2  # of a picture, in characters
_MOST = 6
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
            room = (options.max_width + _GAP) // (_WIDE + 2 + _GAP)
            yield from _pictures(self.film, min(max(1, room), _MOST))
        for note in self.film.notes:
            yield Text(note, style="dim")


def _pictures(film: Film, most: int) -> Iterator[Text]:
    frames = film.frames
    places = np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int)
    shown = [frames[place] for place in (places if most > 1 else [len(frames) - 1])]
    values = [one.outputs[0] for _, one in frames if one.classes is None]
    ends = _ends(values)
    pictures = [[*_lines(one, len(film.outputs), ends)] for _, one in shown]
    for line in _legend(film, ends):
        yield Text(line, style="dim")
    heads = [f"iteration {count(iteration)}"[: _WIDE + 2] for iteration, _ in shown]
    yield _joined([head.ljust(_WIDE + 2) for head in heads])
    yield _joined([f"┌{'─' * _WIDE}┐"] * len(shown))
    for lines in zip(*pictures, strict=True):
        yield _joined([f"│{line}│" for line in lines])
    yield _joined([f"└{'─' * _WIDE}┘"] * len(shown))


def _joined(parts: Sequence[str]) -> Text:
    return Text((" " * _GAP).join(parts).rstrip(), no_wrap=True, overflow="crop")


def _lines(one: Surfaces, outputs: int, ends: tuple[float, float]) -> Iterator[str]:
    """A picture, from top to bottom."""
    if one.classes is None:
        low, high = ends
        # Halves, since the range of values may overflow.
        shares = (_sampled(one.outputs[0], _HIGH) / 2 - low / 2) / (high / 2 - low / 2)
        steps = np.nan_to_num(shares).clip(0, 1 - 1e-9) * len(_SHADES)
        yield from ("".join(_SHADES[int(step)] for step in line) for line in steps)
    elif outputs == 2:
        halves = _sampled(one.classes, 2 * _HIGH)
        for upper, lower in zip(halves[::2], halves[1::2], strict=True):
            yield "".join(_HALVES[int(a), int(b)] for a, b in zip(upper, lower, strict=True))
    else:
        signs = _signs(outputs)
        for line in _sampled(one.classes, _HIGH):
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
    known = np.concatenate([one[np.isfinite(one)] for one in values]) if values else np.zeros(1)
    low, high = float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))
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
            list(range(one.outputs.shape[-1])), one.outputs[row].tolist(), mark, style,
        )
        for (iteration, one), (mark, style) in zip(chosen, _CURVES[-len(chosen) :], strict=True)
    ]  # fmt: skip
    left, right = map(number, film.extent)
    name = clean(shortened(film.outputs[row], 20))
    title = f"p of {name}" if frames[-1][1].probabilistic else name
    axis = Axis(left, clean(shortened(film.features[0], 20)), right)
    yield Plot(title, curves[::-1], axis, linear=True)
