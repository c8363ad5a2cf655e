"""A page of its own within a notebook."""

from __future__ import annotations

from markupsafe import escape

_BASE = '<base href="about:srcdoc">'
_STYLE = "width:100%;height:640px;border:1px solid #8886;resize:vertical;overflow:auto"


def framed(page: str, title: str) -> str:
    """A whole HTML page in an `iframe`, which holds it and loads nothing.

    The sandbox allows the page's own script, which its policy names by digest, and gives it no
    origin: it reaches neither the notebook nor the server behind it. Its links to its own parts
    would lead to those of the notebook without a base, which its policy forbids further down.
    """
    page = page.replace("<head>", f"<head>{_BASE}", 1)
    return (
        f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts" title="{escape(title)}" '
        f'style="{_STYLE}"></iframe>'
    )
