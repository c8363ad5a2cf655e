"""Every chart of a report as a file of its own, for papers and slides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from nnrun.errors import UsageError
from nnrun.reports.charts.chart import Chart

FORMATS = ("svg", "pdf", "png")

_MOST_CHARACTERS = 60
_PIXELS = 3  # of a PNG for each of the chart's own: some 288 to the inch


def figure_files(
    charts: Iterable[tuple[str, Chart]], form: str = "svg"
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of files: numbered, and named for where each chart stands.

    Args:
        charts: the charts, each with the part of the report that it is from.
        form: one of `FORMATS`.

    Raises:
        UsageError: the format needs what is not installed.
    """
    convert = _converter(form)
    for number, (part, chart) in enumerate(charts, start=1):
        yield f"{number:03d}-{_slug(f'{part} {chart.title}')}.{form}", convert(chart.file)


def _slug(text: str) -> str:
    """The text in letters that every file system takes."""
    words = (word.strip(".") for word in re.findall(r"[a-z0-9.]+", text.lower()))
    return "-".join(filter(None, words))[:_MOST_CHARACTERS].strip("-.")


def _converter(form: str) -> Callable[[str], bytes]:
    if form == "svg":
        return str.encode
    try:
        import cairosvg  # noqa: PLC0415  # an extra, for these two formats only
    except ImportError:
        raise UsageError(f"{form} files need an extra: pip install 'nnrun[figures]'") from None
    except OSError as error:  # the extra is there, the library of the system is not
        reason = str(error).splitlines()[0]
        message = f"{form} files need the cairo library (on Debian, libcairo2): {reason}"
        raise UsageError(message) from None
    if form == "pdf":
        return lambda svg: bytes(cairosvg.svg2pdf(bytestring=svg.encode()))
    return lambda svg: bytes(cairosvg.svg2png(bytestring=svg.encode(), scale=_PIXELS))
