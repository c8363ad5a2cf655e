"""The style sheets and scripts of pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nnrun.reports.html.page import page_script, page_style
from nnrun.reports.templates import resource

_PACKAGE = "nnrun.ui"
# Those of the report are the same as in its file.
_FILES: dict[str, Callable[[], str]] = {
    "page.css": page_style,
    "page.js": page_script,
    "ui.css": partial(resource, _PACKAGE, "ui.css"),
    "ui.js": partial(resource, _PACKAGE, "ui.js"),
    "try.js": partial(resource, _PACKAGE, "try.js"),
    "play.css": partial(resource, _PACKAGE, "playground/play.css"),
    "play.js": partial(resource, _PACKAGE, "playground/play.js"),
    "network.js": partial(resource, _PACKAGE, "playground/network.js"),
    "pictures.js": partial(resource, _PACKAGE, "playground/pictures.js"),
}
_TYPES = {"css": "text/css", "js": "text/javascript"}


def file(request: Request) -> Response:
    """One of them."""
    name = request.path_params["name"]
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    return Response(_FILES[name](), media_type=_TYPES[name.partition(".")[2]])
