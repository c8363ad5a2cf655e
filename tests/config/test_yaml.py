"""The YAML of configs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nnrun.config import yaml as yaml12
from nnrun.config.yaml import Text, parse
from nnrun.config.yaml_scalars import flow, read_scalar
from nnrun.errors import ConfigError

# Reading YAML: positions, and everything that makes a file unreadable or untrustworthy.


def unreadable(text: str) -> list[str]:
    """The problems of text that cannot be read, or of what was read."""
    try:
        problems = tuple(parse(Text(text, "f.yaml")).problems)
    except ConfigError as error:
        problems = error.problems
    return [str(problem).split("\n")[0] for problem in problems]


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_places_are_exact(
    loader: type, end: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines and columns count characters, for either parser, any line end, with a BOM or not."""
    monkeypatch.setattr(yaml12, "_LOADER", loader)
    lines = [
        "# é",
        "ü: [😀x, {b: 'c d'}]",
        "list:",
        "- one",
        "-   two: 2",
        "empty:",
        "long: |",
        "  a",
    ]
    document = parse(Text(mark + end.join(lines) + end, "f.yaml"))
    spots = {
        path: (place.line, place.column, place.width, place.text)
        for path, place in document.values.items()
    }
    assert (2, 5, 2, lines[1]) == spots["ü", 0]
    assert (2, 9, 10, lines[1]) == spots["ü", 1]
    assert (2, 13, 5, lines[1]) == spots["ü", 1, "b"]
    assert (4, 3, 3, lines[3]) == spots["list", 0]
    assert (5, 5, 1, lines[4]) == spots["list", 1]
    assert (5, 10, 1, lines[4]) == spots["list", 1, "two"]
    assert (6, 7, 1, lines[5]) == spots["empty",]
    assert (7, 7, 1, lines[6]) == spots["long",]
    assert (5, 5, 3) == (
        document.keys["list", 1, "two"].line,
        document.keys["list", 1, "two"].column,
        document.keys["list", 1, "two"].width,
    )


def test_aliases_repeat_values_that_are_independent() -> None:
    """An alias stands for a copy, whose places are those of the anchor."""
    document = parse(Text("a: &x [1, 2]\nb: *x\n", "f.yaml"))
    document.data["a"].append(3)
    assert [1, 2] == document.data["b"]
    assert document.values["a", 1] == document.values["b", 1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "3:1: a: 'a' is given twice, the first time on line 1; remove one"),
        (
            "a: {b: 1, 'b': 2}",
            "1:11: a.b: 'b' is given twice, the first time on line 1; remove one",
        ),
        ("a: 1\n---\nb: 2", "2:1: a second document starts here; a config is one"),
        ("a: {b:1, c: 2}", "1:5: a.b: a blank is missing after the ':'; write b: 1"),
        ("{a: 0,05, b: 1}", "1:5: a: a comma ends the value; write a: 0.05, with a point"),
        (
            "{a: 1,000}",
            "1:5: a: a comma ends the value; write a: 1000, or 1.000, with a point",
        ),
        ("a:\n  -b: 1\n   c: 2", "2:3: a blank is missing after the '-' of an item"),
        ("a: *x", "1:4: a: there is no anchor '&x' above"),
        ("a: 1\n<<: {b: 1}", "2:1: '<<' (merging) is not part of YAML 1.2; write the keys out"),
        ("[a]: 1", "1:1: a key must be a word"),
        ("? {a: b}\n: 1", "1:3: a key must be a word"),
        ("a: !!int x", "1:4: a: 'x' is not what the tag '!!int' says"),
        ("a: !!map []", "1:4: a: the tag '!!map' is not allowed; configs hold plain data"),
        ("a:\n\tb: 1", "2:1: tabs cannot indent YAML; use spaces"),
        (
            "a: b: c",
            "1:5: this is not YAML: "
            "a ':' is not allowed here; quote the text, or check the indentation",
        ),
        (
            "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other",
            "2:1: a merge conflict is left here; keep one side, and remove the marks around both",
        ),
        ("a: \x07", "1:4: the character U+0007 is not allowed in YAML"),
        ("a: " + "9" * 5000, "1:4: a: a number of 5000 characters is too long"),
    ],
)
def test_what_is_wrong_with_the_yaml_is_said_in_place(text: str, problem: str) -> None:
    """Every kind of fault has its message at its line and column."""
    assert [f"f.yaml:{problem}"] == unreadable(text)


def test_digits_may_be_a_key() -> None:
    """They are keys after a blank, after a text, and where they have a value."""
    document = parse(Text("{a: 0, 5, b: c,6, d: 1,7: e}", "f.yaml"))
    assert not document.problems
    assert {"a": 0, "5": None, "b": "c", "6": None, "d": 1, "7": "e"} == document.data


def test_a_colon_may_be_a_part_of_a_key() -> None:
    """One with a value of its own is no mistake, nor is one in quotes or after a number."""
    document = parse(Text("{a:b: null, 'c:d', 12:30}", "f.yaml"))
    assert ({"a:b": None, "c:d": None, "12:30": None}, []) == (document.data, document.problems)


def test_core_tags_do_what_they_say() -> None:
    """Tags of the core schema choose between readings of the same text."""
    text = "a: !!str 5\nb: !!float 3\nc: !!int '7'\nd: !!null ''\ne: !!map {}\nf: ! 1\ng: !!seq []"
    expected = {"a": "5", "b": 3.0, "c": 7, "d": None, "e": {}, "f": "1", "g": []}
    assert repr(expected) == repr(parse(Text(text, "f.yaml")).data)


# YAML 1.2's scalars: what is a number, what is text, and that writing undoes reading.

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
