"""What is refused before it starts, at its place: sizes, and numbers out of range."""

from __future__ import annotations

import pytest

from nnrun.config.load import load_config
from nnrun.data import rows as data_memory
from nnrun.errors import ConfigError
from nnrun.runs.preparation import memory
from nnrun.runs.preparation.prepare import prepare

CONFIG = """\
dataset: {path: data.csv, columns: {target: y}, test_size: 0.5, features: standard}
network: {sizes: [4, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.1, iterations: 5, batch_size: 2}
"""


@pytest.fixture
def refused(tmp_path):
    """The heads of what is wrong with a config on these rows, their file left out."""

    def of(rows, *overrides):
        lines = [",".join(map(str, row)) for row in rows]
        (tmp_path / "data.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
        (tmp_path / "config.yaml").write_text(CONFIG)
        with pytest.raises(ConfigError) as error:
            prepare(load_config(tmp_path / "config.yaml", overrides))
        return [str(p).split("\n")[0].rpartition("config.yaml:")[2] for p in error.value.problems]

    return of


ROWS = [(i, i % 3, i) for i in range(10)]


def test_a_batch_is_no_larger_than_the_training_split(refused):
    """At its key, with both numbers; a batch of all rows is fine."""
    message = (
        "training.batch_size: a batch of 6 rows is larger than the training split, which has 5"
    )
    assert [f"argument 'training.batch_size=6': {message}"] == refused(
        ROWS, "training.batch_size=6"
    )


def test_learning_rates_are_numbers(refused):
    """At the key, with the first iteration at which a schedule leaves what float64 can hold."""
    rate = "training.learning_rate={schedule: step, initial: 1.0, every: 2, factor: 1e300}"
    message = "at iteration 5 it is larger than any number (1.8e308)"
    place = f"argument '{rate}': training.learning_rate"
    assert [f"{place}: {message}"] == refused(ROWS, rate)


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        (["network.sizes=[100000, 100000, 1]"], "argument 'network.sizes=[100000, 100000, 1]'"),
        ([], "2:10: network"),
    ],
)
def test_a_run_that_cannot_fit_is_refused_at_its_largest_part(
    refused, monkeypatch, overrides, place
):
    """With the figures and what to do, at a line of the config."""
    monkeypatch.setattr(memory, "available_memory", lambda: 100)
    if overrides:
        overrides = [*overrides, "network.activations=[tanh, tanh, linear]"]
    (said,) = refused(ROWS, *overrides)
    assert "this run would take about" in said
    assert "of memory" in said
    assert "100 B are free; " in said


def test_many_rows_are_refused_at_the_data(refused, monkeypatch):
    """Where the data are most of it."""
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
    (said,) = refused([(i, i, i) for i in range(3000)], "network.sizes=[1]",
                      "network.activations=[linear]")  # fmt: skip
    assert said.startswith("1:10: dataset: this run would take about")
    assert said.endswith("use fewer rows or features")


@pytest.mark.parametrize(
    ("rows", "overrides", "message"),
    [
        (
            [(1.7e308, 1, 1), (-1.7e308, 2, 2)] * 4,
            [],
            "1:75: dataset.features: column 'a' has values too large to be scaled: their spread "
            "overflows float64",
        ),
        (
            [(1.7e308, 1, 1), (-1.7e308, 2, 2)] * 4,
            ["dataset.features=minmax"],
            "argument 'dataset.features=minmax': dataset.features: column 'a' has values too large",
        ),
        (
            [(1, 1, 1.7e308), (3, 2, -1.7e308)] * 4,
            ["dataset.target=standard"],
            "argument 'dataset.target=standard': dataset.target: column 'y' has values too large",
        ),
        (
            [(1e39, 1, 1), (2, 2, 2)] * 4,
            ["dataset.features=none", "training.dtype=float32"],
            "argument 'dataset.features=none': dataset.features: column 'a' leaves the range of "
            "float32 when it is prepared",
        ),
        (
            [(1, 1, 1e39), (3, 2, 2)] * 4,
            ["training.dtype=float32"],
            "1:1: dataset.target: column 'y' leaves the range of float32 when it is prepared",
        ),
    ],
)
def test_numbers_that_preparation_cannot_hold_are_reported_with_their_column(
    refused, rows, overrides, message
):
    """By `check` as by `train`, since both prepare."""
    (said,) = refused(rows, *overrides)
    assert said.startswith(message)


@pytest.mark.parametrize("group", ["", "jobs", "jobs/mine"])
@pytest.mark.parametrize(
    ("own", "folder", "limit", "used"),
    [
        ("0::/jobs/mine", "", "memory.max", "memory.current"),
        (
            "8:pids:/\n3:cpu,memory:/jobs/mine",
            "memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        ),
    ],
    ids=["v2", "v1"],
)
def test_the_limits_of_control_groups_count(tmp_path, monkeypatch, own, folder, limit, used, group):
    """Of both versions, of its own group and of those above it; one that says `max` is none."""
    monkeypatch.setattr(data_memory, "_ROOT", tmp_path)
    monkeypatch.setattr(data_memory, "_OWN", tmp_path / "own")
    (tmp_path / "own").write_text(f"{own}\n")
    place = tmp_path / folder / group
    place.mkdir(parents=True, exist_ok=True)
    (place / limit).write_text("5000000\n")
    (place / used).write_text("1000000\n")
    assert 4_000_000 == data_memory.available_memory()
    (place / limit).write_text("max\n")
    assert data_memory.available_memory() > 4_000_000


@pytest.mark.parametrize("own", ["0::/../../other", "nonsense", None])
def test_groups_that_cannot_be_seen_are_the_root(tmp_path, monkeypatch, own):
    """As within a container, or where the system has none."""
    monkeypatch.setattr(data_memory, "_ROOT", tmp_path)
    monkeypatch.setattr(data_memory, "_OWN", tmp_path / "own")
    if own is not None:
        (tmp_path / "own").write_text(own)
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert 4_000_000 == data_memory.available_memory()
