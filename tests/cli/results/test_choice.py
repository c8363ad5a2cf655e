"""`--margin` on sweep, ls, compare and report; and the one test of two configs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnrun.runs.catalog import index
from nnrun.runs.catalog.summary import JsonMapping
from nnrun.runs.storage import reading

CONFIG = """
name: flowers
dataset: {name: iris, test_size: 0.2}
network: {sizes: [4, 3], activations: [linear, softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 200, engine: numpy}
sweep: {seeds: 3, grid: {training.learning_rate: [0.1, 0.0001]}}
"""


@pytest.fixture
def swept(lab):
    """Six runs of two settings, one of which hardly learns; with a margin."""
    return lab.begin(
        {"flowers.yaml": CONFIG}, "sweep flowers.yaml -j 1 --margin 0.9 -q --json"
    ).json


def test_a_sweep_names_what_is_as_good_as_the_best(lab, swept):
    """In its data, in the file, and in the words of ls, which takes a margin of its own."""
    (group,) = swept["leaderboard"]["groups"]
    stored = json.loads(Path("results/leaderboard.json").read_text())
    assert group == stored["groups"][0]
    assert stored["command"].endswith("--margin 0.9")
    assert (0.9, 35) == (group["margin"], group["rows"][0]["parameters"])
    assert group["rows"][0]["as_good"]
    text = " ".join(lab("ls", "--leaderboard").out.split())
    assert "As good as the best to within 0.9, at 95%: learning_rate=0.1" in text
    other = " ".join(lab("ls", "--leaderboard", "--margin", "0").out.split())
    assert "to within 0, at 95%" in other or "as the best to within 0:" in other


def test_compare_of_two_configs_is_one_test(lab, swept):
    """With p, interval and what was assumed, the first less the second; of more there is none."""
    runs = lab.json("ls")
    by_rate = {run["settings"]["training.learning_rate"]: run["run_id"] for run in runs}
    names = [f"flowers/{by_rate[rate]}" for rate in (0.0001, 0.1)]
    test = lab.json("compare", *names)["test"]
    assert "flowers learning_rate=0.0001" == test["first"]
    assert (True, 3) == (test["paired"], test["n"])
    assert test["low"] < test["difference"] < test["high"]
    assert test["difference"] < 0 < test["p"] < 1
    text = " ".join(lab("compare", *names, "--margin", "0.9").out.split())
    assert "The first less the second, as one test" in text
    assert f"3 pairs Assumed: {test['assumed']}." in text
    assert "As good as the best to within 0.9" in text
    one = [f"flowers/{run['run_id']}" for run in runs if run["run_id"] != by_rate[0.1]]
    same = [name for name in one if name != names[0]][:2]
    assert lab.json("compare", *same, *names)["leaderboard"]


def test_a_report_says_what_is_as_good_as_the_best(lab, swept):
    """Below its leaderboard."""
    lab.ok("report", "--margin", "0.9")
    assert "As good as the best to within 0.9" in Path("report.html").read_text()


def test_settings_beside_compared_runs_are_looked_at_once(lab, monkeypatch):
    """However many runs are compared with them."""
    rates = [0.01 * step for step in range(1, 10)]
    Path("flowers.yaml").write_text(CONFIG.replace("[0.1, 0.0001]", str(rates)))
    lab("sweep", "flowers.yaml", "-j", "1", "--seeds", "1", "--iterations", "1", "-q")
    runs = sorted(Path("results/flowers").iterdir())
    assert len(rates) == len(runs)
    looks = []
    monkeypatch.setattr(
        JsonMapping, "__getitem__", lambda self, key: looks.append(key) or self.plain[key]
    )

    def work(compared):
        looks.clear()
        lab("compare", *map(str, runs[:compared]))
        return len(looks)

    few, more, most = map(work, (3, 6, 9))
    assert more - few == most - more > 0


def test_runs_beside_compared_ones_come_from_the_index(lab, swept, monkeypatch):
    """Reports are read of the compared ones and the best alone."""
    monkeypatch.setattr(index, "WORTH", 1)
    runs = lab.json("ls")
    by_rate = {run["settings"]["training.learning_rate"]: run["run_id"] for run in runs}
    read, own = [], reading._read
    monkeypatch.setattr(reading, "_read", lambda path: read.append(path.parent.name) or own(path))
    names = [f"flowers/{run_id}" for run_id in by_rate.values()]
    (group,) = lab.json("compare", *names)["leaderboard"]["groups"]
    assert len({*read}) <= len(names) + 1 < len(runs)
    assert [3, 3] == [row["completed"] for row in group["rows"]]


@pytest.mark.parametrize("margin", ["-1", "nan", "inf", "much"])
@pytest.mark.parametrize("command", ["sweep", "ls", "compare", "report"])
def test_a_margin_is_a_number_from_0_on(lab, command, margin):
    """Anything else is a mistake in the command line, and nothing is written."""
    Path("flowers.yaml").write_text(CONFIG)
    words = {"sweep": ["flowers.yaml"], "ls": ["--leaderboard"]}.get(command, [])
    assert "--margin" in lab.refused(command, *words, "--margin", margin)
    assert not Path("results").exists()


def test_a_margin_without_a_board_is_a_mistake(lab, swept):
    """A list of runs has none."""
    assert "--leaderboard" in lab.refused("ls", "--margin", "0.1")
