"""A sweep is counted before it is planned: what has too many runs is refused at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import nnrun.sweeps.planning.variants
from nnrun.cli import cli
from nnrun.cli.sweep import MOST_RUNS
from nnrun.config import load

CONFIG = """\
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 10}
"""
THOUSAND = "range(1,1001)"
REFUSED = {
    "keys": (
        "",
        [
            f"training.iterations={THOUSAND}",
            f"training.batch_size={THOUSAND}",
            f"network.sizes.0={THOUSAND}",
        ],
        "1,000,000,000",
    ),
    "seeds": ("", ["seed=range(0,1000000)"], "1,000,000"),
    "--seeds": ("", ["--seeds", "1000000"], "1,000,000"),
    "keys and seeds": ("", [f"training.batch_size={THOUSAND}", "--seeds", "101"], "101,000"),
    "the config's seeds": ("sweep: {seeds: 1000000}", [], "1,000,000"),
    "the config's grid": (
        "sweep: {grid: {training.batch_size: [1, 2, 3], network.sizes.0: [3, 4, 5, 6]}}",
        ["seed=range(0,10000)"],
        "120,000",
    ),
}


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was prepared while a test ran."""
    seen: list[object] = []
    monkeypatch.setattr(
        nnrun.sweeps.planning.variants, "prepare", lambda experiment, *_: seen.append(experiment)
    )
    return seen


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The configs that were validated while a test ran."""
    seen: list[str] = []
    validate: Callable[..., object] = load._validate

    def counted(data: dict[str, object]) -> object:
        seen.append(str(data.get("name")))
        return validate(data)

    monkeypatch.setattr(load, "_validate", counted)
    return seen


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["", "dry"])
def test_too_many_runs_are_refused_at_once(
    kind: str, dry: list[str], tmp_path: Path, planned: list[object], loads: list[str]
) -> None:
    """With their number and the option that allows them, before any run is looked at."""
    own, arguments, figure = REFUSED[kind]
    (tmp_path / "a.yaml").write_text(CONFIG + own)
    words = ["sweep", str(tmp_path / "a.yaml"), *arguments, *dry]
    done = CliRunner().invoke(cli, [*words, "--results", str(tmp_path / "results")])
    allowed = f"--max-runs {figure.replace(',', '')} allows as many"
    message = f"this sweep would have {figure} runs, and may have {MOST_RUNS:,}; {allowed}"
    assert (2, f"error: {message}\n") == (done.exit_code, done.stderr)
    assert [] == planned
    assert len(loads) < 20
    assert not (tmp_path / "results").exists()


def test_all_configs_count(tmp_path: Path, planned: list[object]) -> None:
    """Each may have few enough runs, and all together too many."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(CONFIG)
    words = ["sweep", str(tmp_path), "--seeds", "4", "--max-runs", "11", "--dry-run"]
    done = CliRunner().invoke(cli, words)
    assert "this sweep would have 12 runs, and may have 11" in done.stderr
    assert [] == planned


def test_as_many_as_are_allowed(tmp_path: Path) -> None:
    """--max-runs is what it says, in both directions."""
    (tmp_path / "a.yaml").write_text(CONFIG)
    words = ["sweep", str(tmp_path / "a.yaml"), "--dry-run", "--seeds", "200000"]
    done = CliRunner().invoke(cli, [*words, "--max-runs", "200000", "--force"])
    assert (0, "") == (done.exit_code, done.stderr)
    assert "200,000 runs" in done.stdout


def test_many_arguments_with_a_mistake(tmp_path: Path, loads: list[str]) -> None:
    """Of what is wrong from the start, a part of the values is tried and not every one."""
    (tmp_path / "a.yaml").write_text(CONFIG)
    words = [f"training.x{number}=1,2" for number in range(15)]
    done = CliRunner().invoke(cli, ["sweep", str(tmp_path / "a.yaml"), *words])
    assert 2 == done.exit_code
    assert len(loads) <= 101
