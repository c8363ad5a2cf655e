"""All contestants train the same networks; tables say what was measured, in their place."""

from __future__ import annotations

import pytest

from tests.benchmarks.contest import build_nnrun
from tests.benchmarks.peers import c, pytorch
from tests.benchmarks.report import BEGIN, END, PAGE, README, put_between_marks
from tests.benchmarks.tables import ROWS, short_table, threads
from tests.benchmarks.works import WORKS


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_peers_have_the_same_number_of_parameters(work):
    """A work is one network for all contestants."""
    size = build_nnrun(work).size
    assert size == sum(parameter.numel() for parameter in pytorch.build(work).parameters())
    assert size == c.PARAMETERS.get(work.id, size)


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_order_visits_rows_evenly(work):
    """Minibatches come from whole shuffled epochs; the others draw each row anew."""
    order = work.order
    assert work.iterations * work.batch_size == len(order)
    if work.batch_size > 1:
        assert list(range(work.rows)) == sorted(order)


# What the tables say follows from the rates that were measured.


def test_threads_stand_beside_what_the_cores_give():
    """Of one thread, of as many runs at once, of the best peer's; a peer may lack a work."""
    rates = {"alone": 10.0, "two": 15.0, "at once": 20.0, "a": 5.0}
    results = {"W6": rates, "W13": {**rates, "b": 7.5}}
    page = threads([WORKS["W6"], WORKS["W13"]], results, 2).splitlines()
    assert page[-2].endswith("| 1.5× | 0.75× | 3× |")
    assert page[-1].endswith("| 1.5× | 0.75× | 2× |")


def test_without_peers_threads_are_held_against_nnrun_alone():
    """No peer is installed on many machines."""
    rates = {"alone": 10.0, "two": 15.0, "at once": 20.0}
    page = threads([WORKS["W6"]], {"W6": rates}, 2).splitlines()
    assert page[-1].endswith("| 1.5× | 0.75× |  |")


# The tables of speeds are put in their place by the command that measures them.


@pytest.mark.parametrize("path", [README, PAGE], ids=["README", "benchmarks"])
def test_pages_have_the_place(path):
    """All but the tables stays as it was."""
    page = path.read_text(encoding="utf-8")
    changed = put_between_marks(page, "| new |")
    assert "\n<!-- measured -->\n\n| new |\n\n<!-- /measured -->\n" in changed
    assert page.partition("<!-- measured -->")[0] == changed.partition("<!-- measured -->")[0]
    assert page.partition("<!-- /measured -->")[2] == changed.partition("<!-- /measured -->")[2]


def test_page_without_a_place_is_refused():
    """Nothing is written where it does not belong."""
    with pytest.raises(ValueError, match="there is no <!-- measured -->"):
        put_between_marks("# Speed\n", "| new |")


def between(path) -> str:
    return path.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def test_the_readme_has_four_rows_of_the_page():
    """The same figures: the better engine, the best of PyTorch's ways, and ratios to it."""
    tables = between(PAGE)
    sentence = tables.splitlines()[-1]
    assert sentence.startswith("Measured on")
    assert between(README) == short_table(tables, sentence)


def test_rows_are_made_of_rates_and_ratios():
    """The engine and the way of PyTorch's that are fastest; blank where a peer did not run."""
    rates = "| W{} | 90 k | 1.2 M | 5 k | 7 k | {} |"
    ratios = "| W{} | 240× | 171× | {} | 171× |"
    numbers = [name.removeprefix("W") for name in ROWS]
    lines = [
        "|  | nnrun numpy | nnrun compiled | PyTorch | PyTorch, torch.compile | JAX |",
        "| --- | --- | --- | --- | --- | --- |",
        *(rates.format(number, "" if number == "6" else "600 k") for number in numbers),
        "",
        "|  | PyTorch | PyTorch, torch.compile | JAX | the best of PyTorch's |",
        "| --- | --- | --- | --- | --- |",
        *(ratios.format(number, "" if number == "6" else "2×") for number in numbers),
        "",
        *(f"- {name}: a network" for name in ROWS),
    ]
    shown = short_table("\n".join(lines), "Measured.").splitlines()
    assert "| W1: a network | 1.2 M | 7 k (171×) | 600 k (2×) |  |" in shown
    assert "| W6: a network | 1.2 M | 7 k (171×) |  |  |" in shown
    assert "Measured." == shown[-1]
