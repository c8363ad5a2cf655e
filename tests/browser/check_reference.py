"""The reference in a browser: what `nnrun help -o` writes."""

from __future__ import annotations

from click.testing import CliRunner

from nnrun.cli import cli


def test_nothing_overflows_a_telephone(open_page, tmp_path) -> None:
    """At 390 pixels the page is 390 wide; tables that are wider scroll by themselves."""
    file = tmp_path / "reference.html"
    outcome = CliRunner().invoke(cli, ["help", "-o", str(file)])
    assert 0 == outcome.exit_code, outcome.output
    opened = open_page(file, width=390)
    assert 390 == opened.page.evaluate("document.documentElement.scrollWidth")
    assert [] == opened.console
    assert [] == [url for url in opened.requests if not url.startswith("file:")]
