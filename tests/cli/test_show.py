"""`nnrun show`, what a run watched, and values that are undefined."""

from __future__ import annotations

import json
from hashlib import sha256
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from nnrun.models.load import pack, unpack
from nnrun.runs.severity import OF_DATA
from nnrun.runs.storage.durable import acquire
from nnrun.runs.storage.reading import REPORT, WATCHED
from tests.forging import revise, said
from tests.lab import write

# `nnrun show` and `nnrun compare`: runs in full, and beside each other.

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


# Commands on a watched run: show, report, pack and search, and files that others have changed.

MOONS = """
name: moons
dataset: {name: moons, rows: 60, test_size: 0.2}
network:
  layers:
    - {type: dense, units: 4, activation: relu}
    - {type: dense, units: 2, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 40, evaluate_every: 10, engine: numpy, watch: true}
"""


@pytest.fixture
def watched(lab):
    """The folder of a watched run."""
    lab.begin({"moons.yaml": MOONS}, "train moons.yaml -q")
    return next(Path("results/moons").iterdir())


def forge(folder, change):
    """Write another record, with its digest in the report."""
    arrays, values = unpack(folder / WATCHED)
    change(arrays, values)
    content = pack(arrays, values)
    (folder / WATCHED).write_bytes(content)
    files = {**said(folder / REPORT)["files"], WATCHED: sha256(content).hexdigest()}
    revise(folder / REPORT, files=files)


def test_show_and_reports_have_a_row_for_each_layer(lab, watched):
    """In the terminal, report.md and the HTML report; charts are in the last."""
    shown = lab("show", "moons").said
    assert "Looked at 5 times, each time with 48 training rows" in shown
    assert [4, 2] == [sum(word in shown for word in words) for words in (
        ("gradient,", "update/weight", "dead", "saturated"), ("dense, relu", "dense, softmax")
    )]  # fmt: skip
    text = (watched / "report.md").read_text()
    assert "## Inside while it trained" in text
    assert "| 0 | dense, relu |" in text
    lab.ok("report", "moons", "-o", "r.html")
    page = Path("r.html").read_text()
    for title in ("Inside while it trained", "Gradients", "Updates", "Weights", "Outputs"):
        assert f">{title}<" in page
    for what in ("weights", "gradients of weights", "outputs"):
        assert f"Layer 1 (dense, softmax): {what}" in page


def test_a_run_that_is_not_watched_has_none_of_it(lab):
    """Not even an empty section."""
    lab("train", write("moons.yaml", MOONS.replace("true", "false")), "-q")
    lab("report", "moons", "-o", "r.html")
    assert "Looked at" not in lab("show", "moons").said
    assert "Inside while it trained" not in Path("r.html").read_text()


HOSTILE = {
    "numbers that are none": lambda arrays, values: [
        arrays[name].fill(np.nan if name == "weights.norm" else -np.inf)
        for name in ("weights.norm", "outputs.norm", "losses")
    ],
    "huge numbers": lambda arrays, values: [
        array.fill(1.7e308) for array in arrays.values() if array.dtype == np.float64
    ],
    "the widest ranges": lambda arrays, values: [
        arrays[f"{name}.range"].__setitem__(..., [-1.7e308, 1.7e308])
        for name in ("weights", "gradients", "outputs")
    ],
    "more than there is": lambda arrays, values: [
        arrays[name].fill(2**32 - 1) for name in arrays if name.endswith("histogram")
    ],
    "layers that are not there": lambda arrays, values: [
        layer.update(layer=f"{k}.9") for k, layer in enumerate(values["layers"])
    ],
    "shares above all": lambda arrays, values: arrays["units.dead"].fill(9.0),
    "a single look": lambda arrays, values: [
        arrays.update({name: array[:1]})
        for name, array in [*arrays.items()]
        if not name.startswith("frame.")
    ],
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_wrong_numbers_end_no_command(lab, watched, change):
    """A record of the right form may hold anything: commands show what can be shown."""
    forge(watched, change)
    for command in (["show", "moons"], ["report", "moons", "-o", "r.html"]):
        lab.ok(*command)
    page = Path("r.html").read_text()
    assert "This part of its report is damaged" not in page
    assert "NaN" not in page


@pytest.mark.parametrize("damage", ["changed", "missing", "form", "pickle"])
def test_a_record_that_cannot_be_used_is_named(lab, watched, damage):
    """By show and report, in a sentence; the rest of the run is shown."""
    file = watched / WATCHED
    if damage == "missing":
        file.unlink()
    elif damage == "form":
        forge(watched, lambda arrays, values: arrays.update(losses=np.zeros(3)))
    else:
        file.write_bytes(b"\x80\x04cos\nsystem\n." if damage == "pickle" else b"{}")
    shown = lab("show", "moons")
    assert 0 == shown.code
    assert WATCHED in shown.said
    lab.ok("report", "moons", "-o", "r.html")
    assert "What was recorded cannot be shown" in Path("r.html").read_text()
    assert lab("verify", "moons").code == 3


def test_a_packed_run_brings_its_record(lab, watched):
    """It is shown and verified from the zip file alone."""
    lab.ok("pack", "moons", "-o", "run.zip")
    assert "Looked at 5 times" in lab("show", "run.zip").said
    lab.ok("verify", "run.zip")


def test_a_sweep_trains_again_what_has_no_record(lab):
    """The runs are the same, and those that have one are not trained again."""
    write("moons.yaml", MOONS.replace("true", "false"))
    sweep = ["sweep", "moons.yaml", "seed=1,2", "--json"]
    first = lab(*sweep).json
    again = lab(*sweep, "training.watch=true").json
    assert len([*Path("results/moons").glob(f"*/{WATCHED}")]) == 2
    assert len([*Path("results/moons").glob("s*")]) == 2
    assert first.keys() == again.keys()
    varied = lab("sweep", "moons.yaml", "training.watch=true,false")
    assert varied.code == 2
    assert "training.watch" in varied.said


def test_a_search_watches_its_final_runs_alone(lab):
    """Trials are not watched: there may be many."""
    search = "search: {training.learning_rate: {choice: [0.1, 0.2]}, top: 1, fresh_seeds: 2}\n"
    write("moons.yaml", MOONS + search)
    lab.ok("search", "moons.yaml", "--trials", "2", "-q")
    found = {path.parent.name.split("-")[0] for path in Path("results").glob(f"*/*/{WATCHED}")}
    every = {path.parent.name.split("-")[0] for path in Path("results").glob(f"*/*/{REPORT}")}
    trials = {"s42"}
    assert found == every - trials


# A run whose predictions are too large for its metrics says so wherever it is shown.

CONFIG = """
name: large
dataset:
  path: rows.csv
  columns: {target: y, features: [a, b], formats: {t: "%Y-%m-%d"}}
  split: {by: time, column: t}
  test_size: 10
network: {sizes: [3, 1], activations: [linear, linear]}
loss: mean_squared
training: {learning_rate: 0.05, iterations: 20, batch_size: 10, engine: numpy}
metrics: [median_ae, mape, explained_variance, spearman]
"""
UNDEFINED = {"loss", "mse", "r2", "explained_variance"}


@pytest.fixture
def large(lab):
    """The folder of the run; its last row is 1e200 times as large as the others."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2))
    y = np.tanh(x[:, 0])
    x[-1] *= 1e200
    lines = [
        f"2020-{1 + row // 28:02}-{1 + row % 28:02},{a!r},{b!r},{value!r}"
        for row, ((a, b), value) in enumerate(zip(x.tolist(), y.tolist(), strict=True))
    ]
    write("rows.csv", "\n".join(["t,a,b,y", *lines, ""]))
    lab("train", write("large.yaml", CONFIG))
    (folder,) = Path("results/large").glob("s*")
    return folder


def test_every_null_has_its_reason_wherever_a_run_is_shown(large, lab):
    """In its report in three forms, on the terminal, and as a warning of the run."""
    report = json.loads((large / "report.json").read_text())
    reasons = report["metrics"]["test"]["undefined"]
    nulls = {name for name, value in report["metrics"]["test"].items() if value is None}
    assert nulls == reasons.keys() == UNDEFINED
    for numbers in (*report["metrics"].values(), *report["baseline"].values()):
        names = {name for name, value in (numbers or {}).items() if value is None}
        assert names == (numbers or {}).get("undefined", {}).keys()
    kinds = [warning["kind"] for warning in report["warnings"]]
    assert ["undefined", "undefined"] == kinds[-2:]
    assert {*kinds[:-2]} <= {*OF_DATA}
    assert "completed" == report["status"]

    done = lab.ok("report", "large", "-o", "page.html")
    shown = {
        "Markdown": (large / "report.md").read_text(),
        "HTML": unescape(Path("page.html").read_text()),
        "terminal": " ".join(lab("show", "large").out.split()),
    }
    for form, text in shown.items():
        for reason in {*reasons.values()}:
            assert reason in " ".join(text.split()), form
        assert text.count("undefined") > len(UNDEFINED), form
    assert "No result: the test mse is undefined" in shown["terminal"]

    done = lab("show", "large", "--importance")
    assert f"mse of its predictions is undefined: {reasons['mse']}" in done.err
