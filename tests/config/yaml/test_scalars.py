"""YAML 1.2's scalars: what is a number, what is text, and that writing undoes reading."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nnrun.config.yaml import Text, parse
from nnrun.config.yaml_scalars import flow, read_scalar

NUMBERS = {
    "0": 0,
    "010": 10,
    "-007": -7,
    "+3": 3,
    "0o10": 8,
    "0x1F": 31,
    "1e3": 1000.0,
    "1e-3": 0.001,
    "1E+3": 1000.0,
    "1e-05": 0.00001,
    ".5": 0.5,
    "-.5e1": -5.0,
    "5.": 5.0,
    "-.inf": -math.inf,
    ".Inf": math.inf,
}
TEXTS = [
    "no",
    "on",
    "yes",
    "off",
    "y",
    "1_000",
    "0b11",
    "0o8",
    "0xg",
    "-0x1",
    "1:30",
    "2001-12-14",
    "2001-12-14T21:59:43Z",
    "1e",
    "e5",
    ".",
    "inf",
    "nan",
    "tRue",
    "nUll",
    "٣",
]
WORDS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "null": None,
    "NULL": None,
    "~": None,
    "": None,
}


@pytest.mark.parametrize(("text", "number"), NUMBERS.items())
def test_numbers_are_those_of_yaml_1_2(text: str, number: float) -> None:
    """Exponents need no dot, and a leading zero makes nothing octal."""
    value = read_scalar(text)
    assert (type(number), number) == (type(value), value)


def test_not_a_number_is_read_as_one() -> None:
    """`.nan` is YAML's spelling of NaN."""
    value = read_scalar(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize("text", TEXTS)
def test_everything_else_is_text(text: str) -> None:
    """Words, dates and numbers of YAML 1.1 alone stay as they are written."""
    assert text == read_scalar(text)


@pytest.mark.parametrize(("text", "value"), WORDS.items())
def test_true_false_and_null(text: str, value: bool | None) -> None:
    """Only these words are booleans and null."""
    assert value is read_scalar(text)


@pytest.mark.parametrize("text", [*NUMBERS, *TEXTS, *WORDS])
def test_quotes_make_text(text: str) -> None:
    """What is quoted is text, whatever it looks like."""
    assert [text, text] == parse(Text(f"- '{text}'\n- \"{text}\"", "f.yaml")).data


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from([*NUMBERS, *TEXTS, *WORDS, "- a", "a: b", "a #b", " a", "...", "---", "*a"])
)
_DATA = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(_DATA)
def test_written_data_is_read_back_exactly(data: Any) -> None:
    """Any plain data survives one line of YAML, types and all."""
    assert repr(data) == repr(parse(Text(flow(data), "f.yaml")).data)


@given(_SCALARS)
def test_other_programs_read_the_same_text(value: Any) -> None:
    """Strings are quoted wherever a YAML 1.1 reader would take them for something else."""
    if isinstance(value, str):
        assert value == yaml.safe_load(flow(value))
