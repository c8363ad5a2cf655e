"""Which runs `nnrun ls --where` shows."""

from __future__ import annotations

import pytest

from tests.lab import CARS, invoke, invoke_well, refused


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Six runs: three rates and two optimizers."""
    folder = tmp_path_factory.mktemp("where")
    config = folder / "cars.yaml"
    config.write_text(CARS)
    grid = ["training.learning_rate=0.001,0.01,0.1", "training.optimizer=sgd,adam"]
    invoke_well("sweep", config, *grid, "training.iterations=50", "--results", folder / "r")
    return folder / "r"


def rates(results, *conditions: str) -> list[tuple[float, str]]:
    words = [word for condition in conditions for word in ("--where", condition)]
    rows = invoke_well("ls", "--json", "--results", results, *words).json
    settings = [row["settings"] for row in rows]
    return sorted(
        (each["training.learning_rate"], each["training.optimizer.type"]) for each in settings
    )


ALL = [(rate, rule) for rate in (0.001, 0.01, 0.1) for rule in ("adam", "sgd")]


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        (["learning_rate>0.001"], lambda rate, rule: rate > 0.001),
        (["learning_rate >= 0.01"], lambda rate, rule: rate >= 0.01),
        (["learning_rate<0.01"], lambda rate, rule: rate < 0.01),
        (["learning_rate<=0.01"], lambda rate, rule: rate <= 0.01),
        (["learning_rate!=0.01"], lambda rate, rule: rate != 0.01),
        (["learning_rate!=0.01,0.1"], lambda rate, rule: rate not in (0.01, 0.1)),
        (["optimizer~AD"], lambda rate, rule: rule == "adam"),
        (["optimizer!=sgd", "learning_rate>0.01"], lambda rate, rule: (rate, rule) == ALL[4]),
        (["learning_rate=0.1 or optimizer=adam"], lambda rate, rule: rate == 0.1 or rule == "adam"),
        (["mse>0"], lambda rate, rule: True),
        (["test_mse<0 or rmse<0"], lambda rate, rule: False),
    ],
)
def test_conditions_choose_runs(results, conditions, holds):
    """Each operator, several conditions together, and alternatives."""
    assert [each for each in ALL if holds(*each)] == rates(results, *conditions)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("learning_rate>fast", "'fast' is no number to compare with"),
        ("learning_rate<", "is no number to compare with"),
        ("mse>0.1,0.2", "is no number to compare with"),
        ("learning_rat>0.1", "did you mean 'learning_rate'?"),
        ("status!=finished", "'finished' is not a status"),
        ("or", "is not of the form key=value"),
        ("learning_rate=0.1 or ", "nothing stands beside `or`"),
    ],
)
def test_what_is_no_condition_is_refused(results, condition, said):
    """The message names the condition, and exit code 2."""
    assert said in refused("ls", "--results", results, "--where", condition)


def test_a_value_that_no_run_has_is_said(results):
    """Standard error names the nearest one, for `!=` too."""
    for condition in ("learning_rate=0.02", "learning_rate!=0.02"):
        answer = invoke("ls", "--results", results, "--where", condition)
        assert "no run has learning_rate=0.02; did you mean 0.01?" in answer.err
