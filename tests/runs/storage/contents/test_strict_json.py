"""JSON as reports have it."""

from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import pytest

from nnrun.runs.storage.sealed import strict_json

VALUES: list[Any] = [
    {},
    [],
    {"empty": {}, "none": [], "text": "", "nothing": None, "flags": [True, False]},
    {"deep": [{"a": [1, 2.5, [3]]}, [], [{}], ["x", None, 1e300, -0.0, 5e-324]]},
    {"quotes": 'a "b" \\ c', "lines": "a\n\tb", "letters": "naïve 日本", "steers": "\x00\x1b"},
    {"tuples": (1, ("a", {"b": 2})), "keys": {2: "two", None: 2, True: [3]}},
    [1, 2**70, -3, 1.0, 1e16, 0.1 + 0.2],
    "text",
    0.1,
    None,
]


REPORT = """\
{
  "status": "completed",
  "numbers": [1, 2.5],
  "metrics": {
    "train": {"loss": 0.5, "confusion": [[3, 0], [1, 2]]},
    "test": null
  },
  "warnings": [
    {"kind": "a", "places": [{"line": 1}]},
    {"kind": "b"}
  ],
  "files": {},
  "none": []
}
"""


@pytest.mark.parametrize("value", VALUES)
def test_it_is_what_the_standard_library_writes(value: Any) -> None:
    """All values are written as Python's own encoder has them, but for where lines end."""
    expected = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text = strict_json(value)
    assert expected.replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert json.loads(expected) == json.loads(text)


def test_people_can_read_it() -> None:
    """Two levels, or as many as are asked for, have a line for each item, and what lies deeper
    stays on its line; so do lists of plain values.
    """
    assert REPORT == strict_json(json.loads(REPORT))
    assert '[\n  {\n    "a": 1\n  }\n]\n' == strict_json([{"a": 1}])
    assert '{\n  "a": {\n    "b": {\n      "c": 1\n    }\n  }\n}\n' == strict_json(
        {"a": {"b": {"c": 1}}}, levels=3
    )


@pytest.mark.parametrize("value", [nan, inf, [1, 2.0, -inf], {"a": {"b": [nan]}}, (inf,)])
def test_numbers_that_are_not_finite_are_refused(value: Any) -> None:
    """No other program could read them."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json(value)
