"""Whatever stands in a file or an argument, it is a valid config or a located ConfigError."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.config.load import load_config
from nnrun.config.yaml_scalars import dump
from nnrun.errors import ConfigError
from tests.config.random_configs import CONFIGS

WORDS = st.sampled_from(
    [
        "none",
        "type",
        "dense",
        "conv2d",
        "l2",
        "sgd",
        "units",
        "sizes",
        "layers",
        "activations",
        "network",
        "schedule",
        "name",
        "path",
        "x.csv",
        "target",
        "initializer",
        "early_stopping",
        "null",
        "~",
        "-1",
        "0",
        "1",
        "1.5",
        "1e3",
        ".nan",
        ".inf",
        "true",
        "yes",
    ]
)
ANYTHING = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A valid config with up to three things in it replaced, removed or added."""
    config = deepcopy(draw(CONFIGS))
    for _ in range(draw(st.integers(1, 3))):
        block: Any = config
        while True:
            keys = list(block) if isinstance(block, dict) else list(range(len(block)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(block[key], dict | list) or draw(st.booleans()):
                break
            block = block[key]
        if isinstance(block, dict):
            block[draw(WORDS) if key is None or draw(st.booleans()) else key] = draw(ANYTHING)
        elif key is not None:
            block[key] = draw(ANYTHING)
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files of one test."""
    return tmp_path_factory.mktemp("configs")


def check(file: Path, arguments: list[str]) -> None:
    """Load it; of an error, all problems must say where they are in words of nnrun's own."""
    try:
        load_config(file, arguments)
    except ConfigError as error:
        for problem in error.problems:
            assert problem.place is not None or problem.argument in arguments
            assert "Input should" not in problem.message
            assert "what is expected" not in problem.message


@given(data=damaged())
@settings(max_examples=150, deadline=None)
def test_any_damage_is_located(folder: Path, data: dict[str, Any]) -> None:
    """No data makes the loader fail in another way."""
    file = folder / "damaged.yaml"
    file.write_text(dump(data), encoding="utf-8")
    check(file, [])


@given(text=st.text("ab:[]{}&*!?|>-'\"#%@` \n\t,0\\", max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_is_located(folder: Path, text: str) -> None:
    """No text makes the loader fail in another way."""
    file = folder / "text.yaml"
    file.write_text(f"a: {text}\n", encoding="utf-8")
    check(file, [])


KEYS = st.lists(
    WORDS | st.sampled_from(["dataset", "training", "optimizer", "loss", "0", "7"]),
    min_size=1,
    max_size=4,
).map(".".join)


@given(data=CONFIGS, keys=st.lists(KEYS, min_size=1, max_size=3), values=st.data())
@settings(max_examples=100, deadline=None)
def test_any_argument_is_located(folder: Path, data: Any, keys: Any, values: Any) -> None:
    """No argument makes the loader fail in another way, or blame the wrong place."""
    file = folder / "valid.yaml"
    file.write_text(dump(data), encoding="utf-8")
    check(file, [f"{key}={values.draw(WORDS)}" for key in keys])
