"""Each chart of a report as a separate file, for papers and slides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from nnrun.errors import UsageError
from nnrun.reports.charts.chart import Chart

FORMATS = ("svg", "pdf", "png")

_MOST_CHARACTERS = 60
_PIXELS = 3  # of a PNG per pixel of the chart: about 288 per inch


def figure_files(
    charts: Iterable[tuple[str, Chart]], form: str = "svg"
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files; a name has a number, the section and the title of the chart.

    Args:
        charts: each chart with the section of the report that it is in.
        form: one of `FORMATS`.

    Raises:
        UsageError: the format needs a package that is not installed.
    """
    convert = _converter(form)
    for number, (part, chart) in enumerate(charts, start=1):
        yield f"{number:03d}-{_slug(f'{part} {chart.title}')}.{form}", convert(chart.file)


def _slug(text: str) -> str:
    """The text in characters that every file system allows."""
    words = (word.strip(".") for word in re.findall(r"[a-z0-9.]+", text.lower()))
    return "-".join(filter(None, words))[:_MOST_CHARACTERS].strip("-.")


def _converter(form: str) -> Callable[[str], bytes]:
    if form == "svg":
        return str.encode
    try:
        import cairosvg  # noqa: PLC0415  # an optional package, for PDF and PNG only
    except ImportError:
        raise UsageError(f"{form} files need an extra: pip install 'nnrun[figures]'") from None
    except OSError as error:  # the package is installed, but not the system's cairo library
        reason = str(error).splitlines()[0]
        message = f"{form} files need the cairo library (on Debian, libcairo2): {reason}"
        raise UsageError(message) from None
    if form == "pdf":
        return lambda svg: bytes(cairosvg.svg2pdf(bytestring=svg.encode()))
    return lambda svg: bytes(cairosvg.svg2png(bytestring=svg.encode(), scale=_PIXELS))
