"""What notebooks show; they are executed, and looked at, in tests/browser."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64decode
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest

import nnrun
from nnrun.errors import ConfigError
from tests.forked import COMMANDS, Forked

IRIS = {
    "name": "flowers",
    "description": "three <kinds> of flowers",
    "dataset": {"name": "iris", "validation_size": 0.1},
    "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.05, "iterations": 60},
}
GRID = {"training.learning_rate": [0.1, 0.01]}
CLASSES = re.compile(r'class="([^"]*)"')


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def ipython(monkeypatch):
    """A session of IPython, without it: what it is asked to display; `kernel` makes a notebook."""
    shown = []

    class Handle:
        def update(self, html):
            shown[-1].append(html)

    def display(html, display_id):
        shown.append([html])
        return Handle()

    module, shell = ModuleType("IPython"), SimpleNamespace(kernel=object())
    module.get_ipython = lambda: shell
    module.display = SimpleNamespace(HTML=str, display=display)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr("nnrun.reports.notebook_blocks._START_SECONDS", 0.0)
    monkeypatch.setattr("nnrun.reports.notebook_blocks._REFRESH_SECONDS", 0.0)
    return SimpleNamespace(shown=shown, shell=shell)


def images(html):
    return [b64decode(found).decode() for found in re.findall(r'base64,([^"]*)', html)]


def test_a_board_shows_strips_and_curves():
    """A strip for each row and the scale above them, then the curves; each picture is valid XML.

    A strip has a rule for each class of its elements.
    """
    board = nnrun.sweep(IRIS, GRID, seeds=3, jobs=1)
    shown = board._repr_html_()
    pictures = images(shown)
    for picture in pictures:
        ElementTree.fromstring(picture)
    strips = [picture for picture in pictures if "chart strip" in picture]
    assert (3, 4) == (len(strips), len(pictures) - len(strips))
    assert [3, 3] == [strip.count("<circle") for strip in strips[1:]]
    for strip in strips:  # `strip` is for the page of a report alone
        used = {name for found in CLASSES.findall(strip) for name in found.split()}
        assert {"strip"} == {name for name in used if f".{name}{{" not in strip}
    assert "<figcaption>learning rate 0.1: accuracy</figcaption>" in shown
    assert str is type(shown)


def test_a_board_in_memory_shows_strips():
    """Histories are not kept, so that there are no curves."""
    shown = nnrun.sweep(IRIS, GRID, seeds=2, jobs=1, results=None)._repr_html_()
    assert [True] * 3 == ["chart strip" in picture for picture in images(shown)]


def test_a_check_is_a_table():
    """Layers, data, training and gradients; what users write is text."""
    shown = nnrun.check(IRIS, gradients=True)._repr_html_()
    assert "three &lt;kinds&gt; of flowers" in shown
    for words in ("dense, tanh", "60 iterations", "about ", "gradient of", "agree"):
        assert words in shown


def test_a_report_is_a_page_in_a_frame():
    """Of runs, boards and names; the frame holds the page that `nnrun report` writes."""
    board = nnrun.sweep(IRIS, seeds=2, jobs=1)
    first, *_ = runs = list(board.runs())
    assert "<Report on 1 run>" == repr(nnrun.report(first))
    page = nnrun.report(board)
    assert page.html == nnrun.report(runs).html == nnrun.report().html
    shown = page._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert 'sandbox="allow-scripts"' in shown
    assert 1 == shown.count("<") - shown.count("</iframe>")
    assert page.html == page.save("report.html").read_text()


def test_a_report_needs_runs_on_the_disk():
    """The error says which is not there."""
    with pytest.raises(nnrun.errors.UsageError, match="kept in memory"):
        nnrun.report(nnrun.train(IRIS, results=None))


def test_ipython_shows_mistakes_without_a_traceback():
    """The message with its places, below the line that the caller wrote."""
    with pytest.raises(ConfigError) as caught:
        nnrun.train({**IRIS, "loss": "cross"})
    line, _, message = caught.value._render_traceback_()
    assert line.endswith('nnrun.train({**IRIS, "loss": "cross"})')
    assert f"ConfigError: {caught.value}" == message


def test_a_row_and_a_table_are_shown(monkeypatch):
    """IPython shows a row in lines. Without pandas, the error of a table says what to install."""
    board = nnrun.sweep(IRIS, jobs=1)
    assert [board.best.mean] == board.to_frame()["mean"].tolist()
    printed = []
    board.best._repr_pretty_(SimpleNamespace(text=printed.append), cycle=False)
    assert f"\n    mean={board.best.mean!r},\n" in printed[0]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        board.to_frame()


def test_a_notebook_shows_progress_and_removes_it(ipython):
    """A bar for a run and for a sweep, with figures; nothing is left of it at the end."""
    nnrun.train(IRIS, {"training.engine": "numpy"})
    nnrun.sweep(IRIS, seeds=2, jobs=1)
    run, sweep = ipython.shown
    assert "<progress value=" in run[0]
    assert "flowers" in run[0]
    assert re.search(r"100%, [\d,]+/s, loss [\d.]+ █\S+, ", run[-2])
    assert "2/2 runs" in sweep[-2]
    assert ["", ""] == [run[-1], sweep[-1]]


@pytest.mark.parametrize("given", [{"progress": False}, {}])
def test_progress_can_be_turned_off(ipython, given, capfd):
    """By `progress=False`; a terminal that no one watches, as in tests, has lines for long runs."""
    if not given:
        del ipython.shell.kernel
    nnrun.train(IRIS, **given)
    nnrun.sweep(IRIS, seeds=2, jobs=1, **given)
    assert ([], "") == (ipython.shown, capfd.readouterr().out)


def test_programs_show_progress_if_asked():
    """On stderr; without `progress=True` they print nothing at all."""
    code = f"import nnrun\nnnrun.sweep({IRIS!r}, seeds=2, jobs=1, results=None, progress="
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    silent, shown = (
        Forked(COMMANDS, ["-c", f"{code}{value})"], **pipes).communicate() for value in (None, True)
    )
    assert ("", "") == silent
    assert ("", 2) == (shown[0], len(shown[1].splitlines()))


def test_a_run_shows_the_note_of_its_data():
    """What a user should know of a built-in set, as every report of a run says it."""
    config = {
        "dataset": {"name": "boston"},
        "network": {"sizes": [1], "activations": ["linear"]},
        "loss": "mean_squared",
        "training": {"learning_rate": 0.001, "iterations": 5},
    }

    assert "segregation as a factor of price" in nnrun.train(config, results=None)._repr_html_()
