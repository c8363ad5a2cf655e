"""Figures for papers, which need a library of the system, as the browser does."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from nnrun.cli import cli


@pytest.mark.parametrize(("form", "start"), [("pdf", b"%PDF-"), ("png", b"\x89PNG")])
def test_figures_for_papers(results, tmp_path, form, start) -> None:
    """As PDF and PNG, drawn from the same SVG: every chart of classes and of a regression."""
    runs = [str(results / name) for name in ("moons", "houses")]
    options = ["--figures", str(tmp_path), "--format", form]
    outcome = CliRunner().invoke(cli, ["report", *runs, *options])
    assert 0 == outcome.exit_code, outcome.output
    files = list(tmp_path.iterdir())
    assert {f".{form}"} == {file.suffix for file in files}
    assert len(files) > 30
    assert all(file.read_bytes().startswith(start) for file in files)
