"""Commands on a watched run: show, report, pack and search, and files that others have changed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from nnrun.models.load import pack, unpack
from nnrun.runs.storage.reading import REPORT, WATCHED
from tests.forging import revise, said
from tests.lab import write

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
