"""A notebook that is executed and exported, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from nnrun.reports.reference.notebooks import notebooks

CELLS = (
    "import nnrun\n"
    "iris = {'name': 'flowers', 'dataset': {'name': 'iris', 'validation_size': 0.1},\n"
    "  'network': {'sizes': [4, 3], 'activations': ['tanh', 'softmax']}, 'loss': 'cross_entropy',\n"
    "  'training': {'learning_rate': 0.05, 'iterations': 200, 'evaluate_every': 20}}\n"
    "nnrun.check(iris)",
    "nnrun.train(iris, {'training.engine': 'numpy', 'training.iterations': 3000})",
    "board = nnrun.sweep(iris, {'training.learning_rate': [0.1, 0.01]}, seeds=4, jobs=1)\nboard",
    "nnrun.report(board)",
    "Path = __import__('pathlib').Path\n"
    "Path('wrong.yaml').write_text('name: wrong\\nloss: cross\\n')\n"
    "nnrun.train('wrong.yaml')",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with its outputs, and its export without what nbconvert's pages load."""
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    folder = tmp_path_factory.mktemp("executed")
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, allow_errors=True, timeout=300, resources=resources).execute()
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    page = folder / "notebook.html"
    head = "<!doctype html><meta charset=utf-8><title>notebook</title>"
    page.write_text(f"{head}<body>{body}</body>", encoding="utf-8")
    return notebook, page


def test_results_show_themselves(executed, open_page):
    """Tables and pictures, with nothing from elsewhere and no message on the console."""
    _, file = executed
    opened = open_page(file)
    page = opened.page
    pictures = page.locator("body > div img, .jp-Cell img, img")
    sizes = pictures.evaluate_all("found => found.map(one => [one.complete, one.naturalWidth])")
    run, board, curves = 2, 3, 4  # loss and accuracy; a scale and a strip a row; of each setting
    assert run + board + curves == len(sizes)
    assert all(complete and width > 0 for complete, width in sizes)
    for words in ("dense, tanh", "each run", "validation accuracy"):
        assert page.get_by_text(words).count()
    page.screenshot(path=file.with_suffix(".png"), full_page=True)
    assert [] == opened.console
    assert [file.as_uri()] == [u for u in opened.requests if not u.startswith(("data:", "about:"))]


def test_a_report_is_alive_in_its_frame(executed, open_page):
    """Its script sorts and its links lead to its parts, though it cannot reach the notebook."""
    _, file = executed
    opened = open_page(file)
    frame = opened.page.frame_locator("iframe")
    frame.locator("#board summary").first.click()
    frame.locator("table.sortable thead button").first.click()
    assert frame.locator("th[aria-sort]").count()
    link = frame.locator("nav a").last
    link.click()
    expect(frame.locator(link.get_attribute("href"))).to_be_in_viewport()
    assert [] == opened.console


def test_a_mistake_has_no_frames_of_ours(executed):
    """Its message with file, line and column, below the line of the cell."""
    notebook, _ = executed
    (output,) = notebook.cells[-1].outputs
    text = "\n".join(output.traceback)
    assert "ConfigError" == output.ename
    assert "nnrun.train('wrong.yaml')" in text
    assert re.search(r"wrong\.yaml:2:7: loss: 'cross' is not a loss", text)
    assert str(Path(__file__).parents[2] / "nnrun") not in text


def test_a_bar_is_gone_at_the_end(executed):
    """Short work shows none; nothing is printed."""
    notebook, _ = executed
    kinds = [[one.output_type for one in cell.outputs] for cell in notebook.cells]
    assert [["execute_result"]] * 2 == [kinds[0], kinds[3]]
    shown = [
        one.data["text/html"]
        for cell in notebook.cells
        for one in cell.outputs
        if one.output_type == "display_data"
    ]
    assert {""} >= set(shown)
    assert not any("stream" in kind for kind in kinds)


@pytest.mark.parametrize("lesson", [1, 3])
def test_a_lesson_can_be_executed(lesson, tmp_path):
    """From its first cell to the grade of the start, with no error in Python."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.reads(notebooks()[f"lesson-{lesson}.ipynb"].decode(), as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    (grade,) = next(cell.outputs for cell in notebook.cells if "lesson=" in cell.source)
    assert f"exercise-{lesson}.yaml  lesson {lesson}" in grade["data"]["text/plain"]
    shown = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    assert any("<iframe" in one.get("data", {}).get("text/html", "") for one in shown)
    printed = "".join(one.get("text", "") for one in shown)
    assert "Result: " in printed
    assert "\x1b" not in printed
