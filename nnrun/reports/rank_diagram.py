"""The critical-difference diagram of Demšar (JMLR 7, 2006) as SVG, PDF and TikZ.

Mean ranks stand on a line, the best on the left; a bar joins settings that do not differ at 95%.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from nnrun.reports.markup import tex
from nnrun.sweeps.board.ranks import Ranks

_WIDTH, _LEFT, _STEP, _LETTER = 360.0, 20.0, 16.0, 5.0
THIN, THICK = 0.6, 2.4


@dataclass(frozen=True)
class Drawing:
    """Lines and texts in points, from the lower left corner.

    Args:
        width: of all.
        height: likewise.
        lines: both ends and the thickness of each.
        texts: the left end of the base line of each.
    """

    width: float
    height: float
    lines: list[tuple[float, float, float, float, float]]
    texts: list[tuple[float, float, str]]


def drawing(settings: Sequence[str], ranks: Ranks) -> Drawing:
    """The diagram of settings, whose names are in the order of the ranks' means."""
    ordered = sorted(zip(ranks.mean, settings, strict=True))
    means = [mean for mean, _ in ordered]
    bars = [*_joined(means, ranks.critical)]
    scale = _WIDTH / max(len(ordered) - 1, ranks.critical)
    top = 40 + 5 * len(bars) + _STEP * len(ordered)
    axis = top - 32

    def x(rank: float) -> float:
        return round(_LEFT + scale * (rank - 1), 2)

    lines = [
        (x(1), axis, x(len(ordered)), axis, THIN),
        (x(1), top - 6, x(1 + ranks.critical), top - 6, THIN),
        *((x(at), axis, x(at), axis + 4, THIN) for at in range(1, len(ordered) + 1)),
        *((x(1 + end), top - 9, x(1 + end), top - 3, THIN) for end in (0.0, ranks.critical)),
    ]
    texts = [(x(1 + ranks.critical) + 4, top - 9.0, f"CD {ranks.critical:.2f}")]
    texts += [(x(at) - 2.5, axis + 7, str(at)) for at in range(1, len(ordered) + 1)]
    for at, (low, high) in enumerate(bars):
        down = axis - 5 * (at + 1)
        lines.append((x(low) - 3, down, x(high) + 3, down, THICK))
    # The last one stands highest, so that no line crosses a name.
    for at, (mean, name) in enumerate(reversed(ordered)):
        down = axis - 5 * len(bars) - _STEP * (at + 1)
        lines.append((x(mean), axis, x(mean), down + 3, THIN))
        texts.append((x(mean) + 4, down, f"{name} ({mean:.2f})"))
    side = _LETTER * max(len(text) for _, _, text in texts)
    return Drawing(_LEFT + _WIDTH + side, top, lines, texts)


def _joined(means: Sequence[float], critical: float) -> Iterator[tuple[float, float]]:
    """The widest spans of ordered mean ranks that do not differ."""
    before = 0.0
    for low in means:
        high = max(mean for mean in means if mean < low + critical)
        if high > low and high > before:
            yield low, high
            before = high


def as_svg(drawn: Drawing) -> str:
    """An SVG file in the colour of the text around it."""
    size = f"{drawn.width:g} {drawn.height:g}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" color="#222" '
        'stroke="currentColor" font-family="sans-serif" font-size="9">',
        "<style>@media (prefers-color-scheme: dark) { svg { color: #ddd } }</style>",
    ]
    for x1, y1, x2, y2, width in drawn.lines:
        ends = f'x1="{x1:g}" y1="{drawn.height - y1:g}" x2="{x2:g}" y2="{drawn.height - y2:g}"'
        parts.append(f'<line {ends} stroke-width="{width:g}"/>')
    for x, y, text in drawn.texts:
        place = f'x="{x:g}" y="{drawn.height - y:g}"'
        parts.append(f'<text {place} fill="currentColor" stroke="none">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def as_tikz(drawn: Drawing) -> Iterator[str]:
    """Lines of LaTeX for the package tikz."""
    yield "\\begin{tikzpicture}[x=1pt, y=1pt]"
    for x1, y1, x2, y2, width in drawn.lines:
        yield f"  \\draw[line width={width:g}pt] ({x1:g}, {y1:g}) -- ({x2:g}, {y2:g});"
    for x, y, text in drawn.texts:
        words = f"\\footnotesize {tex(text)}"
        yield f"  \\node[anchor=base west, inner sep=0] at ({x:g}, {y:g}) {{{words}}};"
    yield "\\end{tikzpicture}"


def as_pdf(drawn: Drawing) -> bytes:
    """A PDF file of one page, by PDF 1.4; its font is Helvetica, which every reader has."""
    parts = [
        f"{width:g} w {x1:g} {y1:g} m {x2:g} {y2:g} l S" for x1, y1, x2, y2, width in drawn.lines
    ]
    for x, y, text in drawn.texts:
        escaped = re.sub(r"([\\()])", r"\\\1", text)
        parts.append(f"BT /F1 9 Tf {x:g} {y:g} Td ({escaped}) Tj ET")
    content = "\n".join(parts).encode("cp1252", "replace")
    box = f"[0 0 {drawn.width:g} {drawn.height:g}]"
    font = "/Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents 4 0 R "
        f"/Resources << /Font << /F1 << {font} >> >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    file, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return file + head + table + end % (len(objects) + 1, len(file))
