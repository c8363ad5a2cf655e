"""The reference as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from nnrun.reports.reference.topics import KINDS, Topic, plural

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
pre, code { font: 14px/1.45 ui-monospace, monospace; white-space: pre-wrap; }
pre { border-left: 3px solid #8888; padding-left: .8rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top; }
nav a { margin-right: .6rem; } h3 { margin-top: 2rem; overflow-wrap: anywhere; }
"""


def reference_html(topics: Sequence[Topic], version: str) -> str:
    """All topics, by kind, with a list of their names at the top."""
    return "\n".join(_page(topics, version)) + "\n"


def _page(topics: Sequence[Topic], version: str) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>nnrun {escape(version)}: reference</title>\n<style>{_STYLE}</style>\n</head>"
    yield f"<body>\n<h1>nnrun {escape(version)}: reference</h1>"
    kinds = [kind for kind in KINDS if any(topic.kind == kind for topic in topics)]
    for kind in kinds:
        links = " ".join(
            f'<a href="#{_anchor(topic)}">{escape(topic.name)}</a>'
            for topic in topics
            if topic.kind == kind
        )
        yield f"<nav><strong>{escape(plural(kind))}</strong> {links}</nav>"
    for kind in kinds:
        yield f"<h2>{escape(plural(kind).capitalize())}</h2>"
        for topic in topics:
            if topic.kind == kind:
                yield from _topic(topic)
    yield "</body>\n</html>"


def _topic(topic: Topic) -> Iterator[str]:
    yield f'<h3 id="{_anchor(topic)}">{escape(topic.name)}</h3>'
    yield f"<pre>{escape(topic.text)}</pre>"
    if topic.shapes:
        yield f"<p>Shapes: {escape(topic.shapes)}</p>"
    if topic.keys:
        yield "<table><tr><th>key</th><th>default</th><th>value</th><th></th></tr>"
        for key in topic.keys:
            cells = (key.name, key.default or "needed", key.form, key.about)
            yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        yield "</table>"
    if topic.example:
        yield f"<p><code>{escape(topic.example)}</code></p>"


def _anchor(topic: Topic) -> str:
    return escape(f"{topic.kind}-{topic.name}".replace(" ", "-"), quote=True)
