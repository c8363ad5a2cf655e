"""Whatever is given in masses: a screenful is said, the rest is counted, and time grows in step."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path

import pytest

from nnrun.config.load import load_config
from nnrun.errors import MOST_SHOWN, ConfigError, UsageError
from tests.data.tables import CategorySettings, read_csv

DATASET = "dataset: {name: iris}\n"
NETWORK = "network: {sizes: [3], activations: [softmax]}\n"
REST = "loss: cross_entropy\ntraining: {learning_rate: 0.1, iterations: 10}\n"


def listed(item: str, count: int) -> str:
    return "[" + ", ".join([item] * count) + "]"


def numbered(form: str, count: int) -> str:
    return ", ".join(form.format(number) for number in range(count))


# What stands in a config, by how many; each is wrong in every place.
CONFIGS: dict[str, Callable[[int], str]] = {
    "sizes": lambda n: DATASET + f"network: {{sizes: {listed('x', n)}, activations: [relu]}}\n",
    "activations": lambda n: DATASET + f"network: {{sizes: [1], activations: {listed('x', n)}}}\n",
    "layers": lambda n: DATASET + f"network: {{layers: {listed('{type: bogus}', n)}}}\n",
    "words for layers": lambda n: DATASET + f"network: {{layers: {listed('dense', n)}}}\n",
    "features": lambda n: f"dataset: {{name: iris, features: {listed('x', n)}}}\n" + NETWORK,
    "seeds": lambda n: DATASET + NETWORK + f"sweep: {{seeds: {listed('x', n)}}}\n",
    "one seed again": lambda n: DATASET + NETWORK + f"sweep: {{seeds: {listed('1', n + 1)}}}\n",
    "keys": lambda n: DATASET + NETWORK + "".join(f"key{i}: 1\n" for i in range(n)),
    "one key again": lambda n: DATASET + NETWORK + "seed: 1\n" * (n + 1),
    "keys of a block": lambda n: DATASET + NETWORK + f"published: {{{numbered('k{}: 1', n)}}}\n",
    "tags": lambda n: DATASET + NETWORK + f"description: {listed('!!python/x 1', n)}\n",
    "tags and values": lambda n: (
        DATASET + f"network: {{sizes: {listed('!!int x', n)}}}\n" + NETWORK
    ),
    "values of a grid": lambda n: (
        DATASET + NETWORK + f"sweep: {{grid: {{training.batch_size: {listed('x', n)}}}}}\n"
    ),
}
ARGUMENTS: dict[str, Callable[[int], list[str]]] = {
    "no assignments": lambda n: [f"word{i}" for i in range(n)],
    "unknown keys": lambda n: [f"training.x{i}=1" for i in range(n)],
    "layers that are not there": lambda n: [f"network.layers.{i}.units=1" for i in range(1, n + 1)],
    "values": lambda n: [f"network.sizes=[{numbered('x{}', n)}]"],
    "values through others": lambda n: [f"dataset.name.a{i}=1" for i in range(n)],
}


def refusal(path: Path, content: str, arguments: list[str]) -> ConfigError:
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path, arguments)
    return caught.value


def calls(work: Callable[[], object]) -> int:
    """How many calls of functions the work takes, which no other load of the machine changes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def check_refusals(refuse: Callable[[int], ConfigError], *, counted: bool) -> None:
    """What is shown of many problems, and that twice as many take twice as long."""
    error = refuse(400)
    lines = [line for line in str(error).splitlines() if not line.startswith("    ")]
    assert MOST_SHOWN + 1 == len(lines)
    more = len(error.problems) - MOST_SHOWN
    assert f"and {more:,} more problems" == lines[-1]
    assert not counted or 400 <= len(error.problems)
    assert len(str(error)) < 20_000
    few, many = calls(lambda: refuse(500)), calls(lambda: refuse(1000))
    assert many < 2.2 * few


@pytest.mark.parametrize("kind", CONFIGS)
def test_many_mistakes_in_a_config(kind: str, tmp_path: Path) -> None:
    """At most 20 are shown, in the order of the file, and the others are counted."""
    # Of the values of a grid, as many as is worth are looked at before a sweep plans.
    counted = kind not in ("values of a grid", "tags")
    check_refusals(
        lambda n: refusal(tmp_path / "a.yaml", CONFIGS[kind](n) + REST, []), counted=counted
    )


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_many_mistakes_in_arguments(kind: str, tmp_path: Path) -> None:
    """Likewise, in the order of the arguments."""
    config = DATASET + NETWORK + REST
    check_refusals(lambda n: refusal(tmp_path / "a.yaml", config, ARGUMENTS[kind](n)), counted=True)


@pytest.mark.parametrize(
    "argument", ["a" * 100_000 + "=1", "a=1," * 30_000 + "[", "x" * 100_000, "[1]" * 30_000 + "=1"]
)
def test_a_long_argument_is_cut_short(argument: str, tmp_path: Path) -> None:
    """What is quoted of an argument can be read, however long it is."""
    error = refusal(tmp_path / "a.yaml", DATASET + NETWORK + REST, [argument])
    assert len(str(error)) < 5_000
    assert "[…]" in str(error)


def test_a_key_of_many_steps_is_refused(tmp_path: Path) -> None:
    """No config is as deep as that, so nothing is built up for it."""
    error = refusal(tmp_path / "a.yaml", DATASET + NETWORK + REST, [".".join("a" * 5000) + "=1"])
    assert "a key of 5,000 steps; a config has at most 40" in str(error)


def header(*names: str) -> str:
    return ",".join(names) + "\n" + ",".join("1" for _ in names) + "\n"


def columns(n: int) -> list[str]:
    return [f"c{i}" for i in range(n)]


# A CSV of this many columns, and what is asked of it.
TABLES: dict[str, Callable[[int], tuple[str, dict[str, object]]]] = {
    "columns of one name": lambda n: (header("y", *columns(n), *columns(n)), {}),
    "columns without a name": lambda n: (header("y", *[""] * n), {}),
    "columns that are not there": lambda n: (header("y", "c"), {"features": columns(n)}),
    "columns that are dropped": lambda n: (
        header("y", *columns(n)),
        {"features": columns(n), "drop": columns(n)},
    ),
    "columns given twice": lambda n: (header("y", *columns(n)), {"drop": [*columns(n)] * 2}),
    "cells that are no numbers": lambda n: (
        header("y", *columns(n)).replace("1,", "x,").replace(",1", ",x"),
        {},
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_many_mistakes_in_a_csv(kind: str, tmp_path: Path) -> None:
    """A wide table is refused like a narrow one: in a screenful, in time that grows in step."""

    def refuse(n: int) -> str:
        text, asked = TABLES[kind](n)
        path = tmp_path / "a.csv"
        path.write_text(text)
        with pytest.raises(UsageError) as caught:
            read_csv(path, "y", task="regression", **asked)  # type: ignore[arg-type]
        return str(caught.value)

    lines = refuse(1000).splitlines()
    assert MOST_SHOWN + 1 == len(lines)
    assert "more" in lines[-1]
    assert calls(lambda: refuse(2000)) < 2.2 * calls(lambda: refuse(1000))


def test_a_wide_csv_is_read_in_step(tmp_path: Path) -> None:
    """100,000 columns are no mistake; reading them takes as long as reading as many cells."""

    def read(n: int) -> tuple[int, ...]:
        path = tmp_path / "a.csv"
        path.write_text(header("y", *columns(n)))
        categories = CategorySettings(columns(n // 2))
        return read_csv(path, "y", task="regression", categories=categories).x.shape

    assert (1, 20_000) == read(20_000)
    assert calls(lambda: read(4000)) < 2.2 * calls(lambda: read(2000))
