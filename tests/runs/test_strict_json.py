"""JSON as reports have it."""

from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import pytest

from nnrun.runs.strict_json import strict_json

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


@pytest.mark.parametrize("value", VALUES)
def test_it_is_what_the_standard_library_writes(value: Any) -> None:
    """All values look as Python's own encoder has them with an indent of two."""
    expected = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    assert expected == strict_json(value)


@pytest.mark.parametrize("value", [nan, inf, [1, 2.0, -inf], {"a": {"b": [nan]}}, (inf,)])
def test_numbers_that_are_not_finite_are_refused(value: Any) -> None:
    """No other program could read them."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json(value)
