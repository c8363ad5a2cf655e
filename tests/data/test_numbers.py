"""Numbers: how they are written, and columns of them read in parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.data.columns.cell_errors import Problems
from nnrun.data.columns.cells import NumberCells
from nnrun.data.columns.number_formats import THOUSANDS, NumberEvidence, NumberFormat
from nnrun.data.columns.table import Numbers, Texts

EXAMPLES = {
    "1,234.50": NumberFormat(",", "."),
    "1.234,50": NumberFormat(".", ","),
    "1 234,5": NumberFormat(" ", ","),
    "1\u202f234,5": NumberFormat(" ", ","),
    "1'234.50": NumberFormat("'", "."),
    "1’234.50": NumberFormat("'", "."),
    "1,234,567": NumberFormat(",", "."),
    "1234.5": NumberFormat("", "."),
    "1234,5": NumberFormat("", ","),
    "12 kg": NumberFormat("", ".", "", "kg"),
    "45%": NumberFormat("", ".", "", "%"),
    "25 m2": NumberFormat("", ".", "", "m2"),
    "$1,234.50": NumberFormat(",", ".", "$"),
    "USD 1,234.50": NumberFormat(",", ".", "USD"),
    "1.234,50 €": NumberFormat(".", ",", "", "€"),
    "(1,234.50)": NumberFormat(",", "."),
    "(€1.234,50)": NumberFormat(".", ",", "€"),
}

CELLS = {
    # format, text: number; None if it is not written so
    ("1,234.50", "1,234,567.25"): 1234567.25,
    ("1,234.50", "1234567.25"): 1234567.25,
    ("1,234.50", "12"): 12.0,
    ("1,234.50", "-1,234"): -1234.0,
    ("1,234.50", "\u22121,234"): -1234.0,
    ("1,234.50", "(1,234)"): -1234.0,
    ("1,234.50", "1,234.50-"): -1234.5,
    ("1,234.50", "1,23"): None,
    ("1,234.50", "12,34,567"): None,
    ("1,234.50", "0,123"): None,
    ("1,234.50", "1.234,50"): None,
    ("1,234.50", "-(5)"): None,
    ("1,234.50", "5 kg"): None,
    ("1.234,50", "587.133,32"): 587133.32,
    ("1 234,5", "1\u00a0234\u00a0567,5"): 1234567.5,
    ("12 kg", "7.5kg"): 7.5,
    ("12 kg", "1.5e3 kg"): 1500.0,
    ("12 kg", "12"): None,
    ("12 kg", "12 lb"): None,
    ("12 kg", "kg"): None,
    ("$1,234.50", "-$3"): -3.0,
    ("$1,234.50", "$-3"): -3.0,
    ("$1,234.50", "($3.25)"): -3.25,
    ("$1,234.50", "-$-3"): None,
    ("1.234,50 €", "1.234,50- €"): -1234.5,
    ("45%", "(5)%"): -5.0,
    ("45%", "5 %"): 5.0,
    ("1234.50", ".5"): 0.5,
    ("1234.50", "٥"): None,
}

# The cells of a column, with the decimal sign of the file: the format, how many cells it reads, the
# first one that it does not, and whether another reads all of them as other numbers.
COLUMNS = {
    ("587.133,32", "12,5", "7"): (NumberFormat(".", ","), 3, None, False),
    ("1,234.5", "12"): (NumberFormat(",", "."), 2, None, False),
    ("1,234", "12,5"): (NumberFormat("", ","), 2, None, False),
    ("1,234", "12.5"): (NumberFormat(",", "."), 2, None, False),
    ("1,234", "0,500"): (NumberFormat("", ","), 2, None, False),
    ("1,234", "1234"): (NumberFormat(",", "."), 2, None, True),
    ("1,234", "2,500"): (NumberFormat(",", "."), 2, None, True),
    ("1.234", "2.500"): (NumberFormat("", "."), 2, None, True),
    ("1.234 €", "2.500 €"): (NumberFormat(".", ",", "", "€"), 2, None, True),
    ("1 234", "7"): (NumberFormat(" ", "."), 2, None, False),
    ("12 kg", "3.5kg", "1,000 kg"): (NumberFormat(",", ".", "", "kg"), 3, None, False),
    ("12 kg", "7 lb", "8 kg"): (NumberFormat("", ".", "", "kg"), 2, "7 lb", False),
    ("1,234.5", "n.d.", "7", "8"): (NumberFormat(",", "."), 3, "n.d.", False),
    ("1.5", "1e5", "007"): (NumberFormat(), 3, None, False),
    ("12:00", "13:00"): None,
    ("1-A", "2-A"): None,
    ("Q1", "Q2"): None,
    ("31.12.2024", "1.1.2025"): None,
    ("red", "blue"): None,
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_shows_the_format(text):
    """The signs, the currency and the unit of a format are those of its example."""
    assert NumberFormat.from_example(text) == EXAMPLES[text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,234", r'may be 1.234 or 1234; write "1234,50" or "1,234.50"'),
        ("1.234 kg", r'may be 1.234 or 1234; write "1234.50 kg" or "1.234,50 kg"'),
        ("kg", "shows no number"),
        ("31.12.2024", "is no number"),
        ("1,23,45", "is no number"),
    ],
)
def test_an_example_that_shows_no_single_format_is_refused(text, said):
    """An example that may be two numbers, or none, is an error that says so."""
    with pytest.raises(ValueError, match=said):
        NumberFormat.from_example(text)


@pytest.mark.parametrize(("example", "text"), CELLS)
def test_a_cell_is_read_by_the_format(example, text):
    """Groups, units and signs are read; what is written otherwise is no number."""
    assert NumberFormat.from_example(example).read(text) == CELLS[example, text]


@given(
    st.sampled_from([(t, d) for t in ("", *THOUSANDS) for d in ".," if t != d]),
    st.sampled_from([("", ""), ("$", ""), ("", "€"), ("USD", ""), ("", "km/h")]),
    st.decimals(-(10**9), 10**9, places=2),
)
def test_what_a_format_writes_it_reads(signs, unit, value):
    """A number that is written in groups with a unit is read as that number, by the example too."""
    form = NumberFormat(*signs, *unit)
    text = f"{abs(value):,.2f}".translate({ord(","): form.thousands, ord("."): form.decimal})
    sign = "-" if value < 0 else ""
    assert form.read(f"{sign}{form.before} {text} {form.after}") == float(value)
    assert NumberFormat.from_example(form.example()) == form


@pytest.mark.parametrize("cells", COLUMNS)
def test_a_column_shows_its_format(cells):
    """The format of a column reads most of its cells, but for the first odd one."""
    evidence = NumberEvidence()
    evidence.add(cells, range(2, len(cells) + 2))
    shown = evidence.shown(".", known=False)
    odd = [cell for cell in cells if shown and shown.format.read(cell) is None]
    read, first = len(cells) - len(odd), next(iter(odd), None)
    assert (shown and (shown.format, read, first, shown.ambiguous)) == COLUMNS[cells]


def test_the_decimal_sign_of_the_file_settles_what_a_column_leaves_open():
    """Where the file has decimal commas, 1,234 is one and 1.234 has a group of three."""
    comma, point = NumberEvidence(), NumberEvidence()
    comma.add(["1,234"], [2])
    point.add(["1.234"], [2])
    found = [evidence.shown(",", known=True) for evidence in (comma, point)]
    assert [shown.format for shown in found] == [NumberFormat("", ","), NumberFormat(".", ",")]
    assert [shown.ambiguous for shown in found] == [False, False]


# Columns of numbers that are read one by one and in parts.


def filled() -> NumberCells:
    """0 to 11: single numbers, parts of them, texts, and a number that was left to Python."""
    cells = NumberCells("a", Problems("x.csv"))
    cells.add("0", 2)
    cells.extend(Numbers(np.arange(1.0, 5.0)), range(3, 7))
    cells.extend(Texts.of(["5", "6"]), range(7, 9))
    cells.extend(Numbers(np.array([7.0, np.nan, 9.0]), {1: " 8.0 "}), range(9, 12))
    cells.add("10", 12)
    cells.add("11", 13)
    return cells


def test_numbers_are_in_the_order_of_rows():
    """However they came, also if they are asked for in between."""
    cells = filled()
    assert [*range(12)] == cells.features()[:, 0].tolist()
    cells.extend(Numbers(np.array([12.0])), [14])
    assert [*range(13)] == cells.features()[:, 0].tolist()


@pytest.mark.parametrize("size", range(1, 14))
def test_rows_are_taken_from_the_start(size):
    """In pieces of any size, until none is left."""
    cells, taken = filled(), []
    for _ in range(0, 12, size):
        taken += cells.taken(size)[:, 0].tolist()
    assert [*range(12)] == taken
    assert (0, 1) == cells.features().shape
