"""The README's tables are put in their place by the command that measures them."""

from __future__ import annotations

import pytest

from tests.benchmarks.report import README, put_between_marks


def test_readme_has_the_place():
    """All but the tables stays as it was."""
    page = README.read_text(encoding="utf-8")
    changed = put_between_marks(page, "| new |")
    assert "\n<!-- measured -->\n\n| new |\n\n<!-- /measured -->\n" in changed
    assert page.partition("<!-- measured -->")[0] == changed.partition("<!-- measured -->")[0]
    assert page.partition("<!-- /measured -->")[2] == changed.partition("<!-- /measured -->")[2]


def test_page_without_a_place_is_refused():
    """Nothing is written where it does not belong."""
    with pytest.raises(ValueError, match="there is no <!-- measured -->"):
        put_between_marks("# Speed\n", "| new |")
