"""`nnrun show` and `nnrun compare`: runs in full, and beside each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnrun.runs.storage.durable import acquire

IRIS = """\
dataset: {name: iris, features: standard}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 200, engine: numpy}
seed: 3
"""


@pytest.fixture
def iris(lab):
    """Runs of iris with two learning rates and three seeds."""
    sweep = "sweep iris.yaml training.learning_rate=0.1,0.001 --seeds 3 -j 1 -q"
    lab.begin({"iris.yaml": IRIS}, sweep)
    return lambda rate: [
        row["name"] + "/" + row["run_id"]
        for row in lab.json("ls", "--sort", "seed", "--where", f"learning_rate={rate}")
    ]


def test_a_run_is_shown_in_full(lab, iris):
    """Results, curve, confusion, network, and the command that makes it again."""
    run = iris(0.1)[0]
    shown = lab.ok("show", run, COLUMNS="90")
    for words in ("accuracy", "iteration", "└", "Predictions", "true class",
                  "setosa", "dense, softmax", "nnrun train", f"{run}/config.yaml"):  # fmt: skip
        assert words in shown.out
    assert "loss   • test   · train" in shown.out


def test_the_command_that_makes_it_again_does(lab, iris):
    """To the same weights, in another folder."""
    run = iris(0.1)[0]
    line = next(x for x in lab("show", run, "--wide").out.splitlines() if x.startswith("again"))
    lab.ok(*line.split()[2:])
    reports = [
        json.loads(Path(root, run, "report.json").read_text()) for root in ("results", "again")
    ]
    assert reports[0]["weights_sha256"] == reports[1]["weights_sha256"]


def test_show_as_data(lab, cars):
    """The report, its folder, and the history with nothing but numbers."""
    lab("train", cars)
    data = lab.json("show", "latest")
    assert ("cars", "completed") == (data["name"], data["status"])
    assert (Path(data["folder"]) / "report.json").is_file()
    assert 300 == data["history"]["iteration"][-1]
    assert data["metrics"]["test"]["loss"] == data["history"]["test_loss"][-1]


def test_every_state_is_shown_as_what_it_is(lab, cars):
    """Diverged with its reason, corrupt, and going on; the exit code says that it was shown."""
    lab("train", cars, "training.learning_rate=1e6")
    assert "diverged" in lab("show", "latest").out
    lab("train", cars)
    (row,) = lab.json("ls", "--where", "status=completed")
    folder = Path("results/cars", row["run_id"])
    held = acquire(folder, wait=False)
    (folder / "model.safetensors").unlink()
    try:
        assert "running: the following is from its last report" in lab("show", str(folder)).out
    finally:
        held.close()
    shown = lab("show", str(folder)).out
    assert "damaged: the following is from its last report" in shown
    assert "model.safetensors is missing" in shown
    (folder / "report.json").write_text("{")
    shown = lab.ok("show", str(folder))
    assert "damaged" in shown.out
    assert "report.json is not the file that was written" in shown.out
    trains = f"nnrun train {folder}/config.yaml --force --results results trains it again"
    assert trains in shown.out
    assert "damaged" == lab.json("show", str(folder))["status"]


def test_a_run_that_is_none_is_reported(lab, cars):
    """With exit code 2, as everywhere."""
    lab("train", cars)
    assert "did you mean 'cars'?" in lab.refused("show", "carz")


def test_compare_shows_only_what_differs(lab, iris):
    """Settings first, then results; what is the same is left out."""
    fast, slow = iris(0.1)[0], iris(0.001)[0]
    shown = lab("compare", fast, slow, COLUMNS="90").out
    assert shown.index("learning_rate   0.1   0.001") < shown.index("test accuracy")
    for same in ("seed", "iterations", "cross_entropy", "engine"):
        assert same not in shown.partition("Over all seeds")[0]
    data = lab.json("compare", fast, slow)
    assert {"training.learning_rate": [0.1, 0.001]} == data["settings"]
    assert [fast, slow] == data["labels"]


def test_compare_names_the_folder_that_runs_lie_in(lab, iris, monkeypatch):
    """Wherever that is, and from within it."""
    runs = iris(0.1)[0], iris(0.001)[0]
    Path("results").rename("elsewhere")
    shown = lab("compare", *(f"elsewhere/{run}" for run in runs)).out
    assert "best stored setting: nnrun best iris --results elsewhere\n" in shown
    monkeypatch.chdir("elsewhere/iris")
    shown = lab("compare", *(run[5:] for run in runs)).out
    assert "best stored setting: nnrun best iris --results ..\n" in shown


def test_compare_pairs_configs_over_their_seeds(lab, iris):
    """Over all seeds that are stored for them, with the interval of the difference."""
    data = lab.json("compare", iris(0.1)[0], iris(0.001)[2])
    first, second = data["leaderboard"]["groups"][0]["rows"]
    assert ("paired", "paired") == (first["comparison"], second["comparison"])
    assert (3, 3) == (first["completed"], second["completed"])
    assert second["difference_low"] < second["difference"] <= second["difference_high"]
    expected = second["test"]["mean"] - first["test"]["mean"]
    assert expected == pytest.approx(second["difference"])
    assert "Over all seeds that are stored" in lab("compare", iris(0.1)[0], iris(0.001)[0]).out


def test_compare_of_seeds_of_one_config_has_no_table_of_configs(lab, iris):
    """They are one row; only their seeds and results differ."""
    runs = iris(0.1)[:2]
    data = lab.json("compare", *runs)
    assert {"seed": [3, 4]} == data["settings"]
    assert data["leaderboard"] is None


def test_what_cannot_be_compared_is_reported(lab, cars):
    """One run, or one whose report cannot be read."""
    lab("train", cars)
    assert "two runs or more" in lab("compare", "cars").err
    folder = next(Path("results/cars").iterdir())
    (folder / "report.json").write_text("{")
    assert f"{folder} is damaged: report.json is not the file that was written" in lab.refused(
        "compare", str(folder), str(folder)
    )


def test_the_shell_completes_runs(lab, iris, monkeypatch):
    """Names and `latest`, then ids and `best`; in the results folder of the command line."""
    runs = sorted(f"plain,{run}" for rate in (0.1, 0.001) for run in iris(rate))

    def completed(line, **environment):
        monkeypatch.setenv("COMP_WORDS", line)
        words = line.split()
        monkeypatch.setenv("COMP_CWORD", str(len(words) - (not line.endswith(" "))))
        monkeypatch.setenv("_NNRUN_COMPLETE", "bash_complete")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return lab().out.split()

    assert ["plain,latest", "plain,iris"] == completed("nnrun show ")
    assert ["plain,iris"] == completed("nnrun compare latest ir")
    assert runs == sorted(completed("nnrun predict iris/s"))
    assert ["plain,iris/best", *runs] == sorted(completed("nnrun predict iris/"))
    assert [] == [word for word in completed("nnrun predict irs/") if "best" in word]
    Path("results").rename("elsewhere")
    assert ["plain,latest", "plain,iris"] == completed("nnrun show --results elsewhere ")
    assert ["plain,iris"] == completed("nnrun ls i", NNRUN_RESULTS="elsewhere")
