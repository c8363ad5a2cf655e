"""What is wrong with a table is said by `init`, `check`, `train`, boards and reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

RNG = np.random.default_rng(0)
RENT = RNG.uniform(400, 1600, 120)
RATIO = np.linspace(2.967, 3.039, 120)
SIZE = RENT / 10 + RNG.normal(0, 10, 120)
ROWS = [
    f"{size:.1f},{rent * ratio:.3f},{rent:.3f}"
    for size, rent, ratio in zip(SIZE, RENT, RATIO, strict=True)
]
FILES = {"rents.csv": "\n".join(["size,deposit,rent", *ROWS]) + "\n"}
LEAK = "deposit is almost 3 × rent (ratio "


def words(text):
    """A screen as one line, without its frame."""
    return " ".join(text.split())


@pytest.fixture
def drafted(lab):
    """A config by `init`, and what it printed."""
    lab.begin(FILES)
    return lab.ok("init", "--data", "rents.csv", "--target", "rent")


def test_init_says_it_after_the_draft(drafted, lab):
    """As a warning, below the commands."""
    text = words(drafted.err)
    assert f"warning: the column {LEAK}" in text
    assert text.index("nnrun train rents.yaml") < text.index("warning: ")


def test_check_says_it(drafted, lab):
    """For a config alone, for several, and in JSON."""
    assert LEAK in words(lab.ok("check", "rents.yaml").out)
    (warning,) = lab.ok("check", "rents.yaml", "--json").json["configs"][0]["warnings"]
    assert "leak" == warning["kind"]
    Path("other.yaml").write_text(Path("rents.yaml").read_text())
    assert 2 == words(lab.ok("check", "rents.yaml", "other.yaml").err).count(LEAK)


def test_boards_say_it_once(drafted, lab):
    """Before everything else that is wrong, however many runs there are."""
    short = ("training.epochs=2", "members.number=2")
    board = words(lab.ok("sweep", "rents.yaml", "--seeds", "3", *short).out)
    assert 1 == board.count(LEAK)
    assert f"Problems: the column {LEAK}" in board


def test_a_draft_predicts_nothing_absurd_for_a_number_with_its_point_lost(drafted, lab):
    """Since its features are clipped to the range of the training rows, a tenth wider."""
    text = Path("rents.yaml").read_text()
    assert "features: [{clip: {margin: 0.1}}, standard, {piecewise_linear: {bins: 16}}]" in text
    lab.ok("train", "rents.yaml", "-q", "training.epochs=5")
    Path("new.csv").write_text("size,deposit\n55,1e9\n")
    value = float(lab.ok("predict", "rents", "new.csv").out.split()[-1].split(",")[-1])
    assert RENT.min() / 2 < value < RENT.max() * 2
