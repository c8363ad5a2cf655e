"""Whatever else the files of a run say than training gives is found, also where digests agree."""

from __future__ import annotations

import copy
import functools
import json
import operator
import struct

import numpy as np
import pytest
from PIL import Image

from nnrun.models.load import pack, unpack, weights_sha256
from nnrun.reports.run import report_markdown
from nnrun.runs import verify as module
from nnrun.runs.events import Listener
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.storage.contents import pack_checkpoint, parse_checkpoint
from nnrun.runs.verify import verify
from nnrun.training.state import TrainingState
from tests.forging import altered, forge, forged, leaves, redo, revise, said
from tests.lab import invoke, invoke_well

MODEL, STATE, WATCHED = "model.safetensors", "state.safetensors", "watched.safetensors"
COLUMNS = """
dataset:
  path: sales.csv
  columns:
    target: price
    categorical: [kind]
    embedding: {shop: 2}
    target_mean: [city]
    min_count: 3
    weight: visits
    drop: [paid]
    missing: {size: {impute: median}}
    formats: {price: "1.234,50 €", sold: "31.12.2024"}
  dates: {sold: [month, cyclic]}
  lags: {count: [1]}
  split: {by: time, column: sold}
  validation_size: 0.2
  features: [minmax, standard]
  target: standard
network:
  layers:
    - {type: dense, units: 3, activation: tanh}
    - {type: dropout, rate: 0.1}
    - {type: dense, units: 1}
loss: mean_squared
training:
  optimizer: adam
  learning_rate: {schedule: reduce_on_plateau, initial: 0.01, patience: 1}
  iterations: 20
  evaluate_every: 5
  batch_size: 8
  early_stopping: {patience: 2}
  watch: true
  engine: numpy
"""
CLASSES = """
dataset:
  path: sales.csv
  columns: {target: paid, features: [count, visits], weight: size, missing: {size: drop_rows}}
  stratify: true
  validation_size: 0.3
  features: [minmax, l2, {binarize: 0.1}]
decide: {maximize: f1, positive: "True"}
network: {sizes: [3, 1], activations: [relu, sigmoid]}
loss: binary_cross_entropy
training: {learning_rate: 0.1, iterations: 20, batch_size: 8, class_weight: balanced, engine: numpy}
"""
IMAGES = """
dataset: {images: {folder: shapes, size: 3, mode: rgb}, test_size: 0.3, features: per_channel}
network:
  layers:
    - {type: conv2d, channels: 2, kernel: 2, activation: relu}
    - {type: batch_norm}
    - {type: flatten}
    - {type: dense, units: 2, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 6, batch_size: 4, engine: numpy, optimizer: adam}
"""
CONFIGS = {"columns": COLUMNS, "classes": CLASSES, "images": IMAGES}


def write_data(folder):
    """A table with columns of all kinds, and a folder of images of two classes."""
    rng = np.random.default_rng(5)
    lines = ["sold;price;kind;shop;city;count;visits;size;paid"]
    for day in range(60):
        size = "" if day % 9 == 4 else str(rng.integers(20, 90))
        cells = [
            f"{day % 28 + 1:02}.{day // 28 + 1:02}.2024",
            f"{rng.integers(1, 9)}.{rng.integers(100, 999)},50 €",
            rng.choice(["flat", "house"]),
            rng.choice(["a", "b", "c"]),
            rng.choice(["Bern", "Rome"]),
            *(str(number) for number in rng.integers(1, 9, 2)),
            size,
            rng.choice(["True", "False"]),
        ]
        lines.append(";".join(cells))
    (folder / "sales.csv").write_text("\n".join([*lines, ""]))
    for label in ("dark", "light"):
        (folder / "shapes" / label).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 256, (3, 3, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "shapes" / label / f"{number}.png")


@pytest.fixture
def folder_of(prepared, store, tmp_path):
    """Trains one of the configs, and returns the folder of its run."""
    write_data(tmp_path)
    return lambda name: train(prepared(CONFIGS[name]), store).folder


@pytest.fixture
def trained_once(monkeypatch):
    """The run of a test is prepared and trained once for all of its verifications."""
    for name in ("prepare", "train"):
        monkeypatch.setattr(module, name, once(getattr(module, name)))


def once(function):
    """A function that returns again what it returned first."""
    results = []

    def first(*given):
        results.extend([] if results else [function(*given)])
        return results[0]

    return first


def found_in(folder):
    """The places of what differs from what training gives."""
    verdict = verify(folder, render=report_markdown)
    assert (False, 3) == (verdict.agrees, verdict.exit_code)
    return [difference.place for difference in verdict.differences]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_value_of_a_model_is_compared(folder_of, trained_once, name):
    """Network, loss, shapes, preprocessing, columns, categories, classes, threshold, last state:
    each value that is another one is named.
    """
    folder = folder_of(name)
    assert "same_bits" == verify(folder, render=report_markdown).finding
    arrays, values = unpack(folder / MODEL)
    for path in leaves(values):
        redo(folder, MODEL, pack(arrays, altered(values, path, forged)))
        place = "model " + ".".join(map(str, path))
        assert [place] == found_in(folder)
    redo(folder, MODEL, pack(arrays, values))
    assert "same_bits" == verify(folder, render=report_markdown).finding


def mappings(value, *path):
    """The places of all mappings in a tree."""
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for key, entry in inside:
        yield from mappings(entry, *path, key)
    if isinstance(value, dict):
        yield path


def test_no_key_of_a_model_is_more_or_less(folder_of, trained_once):
    """An added one is named, also one without a value; and so is one that is missing."""
    folder = folder_of("columns")
    arrays, values = unpack(folder / MODEL)
    for path in mappings(values):
        start = "model " + "".join(f"{key}." for key in path)
        for key in functools.reduce(operator.getitem, path, values):
            fewer = copy.deepcopy(values)
            del functools.reduce(operator.getitem, path, fewer)[key]
            redo(folder, MODEL, pack(arrays, fewer))
            (place,) = found_in(folder)
            assert f"{place}.".startswith((f"{start}{key}.", start))
        more = copy.deepcopy(values)
        functools.reduce(operator.getitem, path, more)["another"] = None
        redo(folder, MODEL, pack(arrays, more))
        assert [f"{start}another"] == found_in(folder)


def verdict_of(folder):
    """Why a run is not verified, and the places of what differs."""
    verdict = verify(folder, render=report_markdown)
    assert 3 == verdict.exit_code
    return verdict.reason, [difference.place for difference in verdict.differences]


@pytest.mark.parametrize(("name", "kind"), [(STATE, "state"), (WATCHED, "watched")])
def test_every_array_of_a_longer_run_and_of_a_watched_one_is_compared(
    folder_of, trained_once, name, kind
):
    """One that is another, one that is missing, and one that is added."""
    folder = folder_of("columns")
    arrays, values = unpack(folder / name)
    for array, content in arrays.items():
        other = np.nan_to_num(content)
        other.flat[-1] += 1
        redo(folder, name, pack({**arrays, array: other}, values))
        last = ", ".join(str(side - 1) for side in other.shape)
        # Many changes of a record make one that no network has.
        assert name == WATCHED or [f"{kind} {array}[{last}]"] == found_in(folder)
        assert not verify(folder, render=report_markdown).agrees
        redo(folder, name, pack({k: v for k, v in arrays.items() if k != array}, values))
        assert not verify(folder, render=report_markdown).agrees
    redo(folder, name, pack({**arrays, "another": np.zeros(2)}, values))
    assert not verify(folder, render=report_markdown).agrees


def test_what_a_watched_run_says_of_its_network_is_compared(folder_of, trained_once):
    """Rows, names and sizes."""
    folder = folder_of("columns")
    arrays, values = unpack(folder / WATCHED)
    believed = []
    for path in leaves(values):
        redo(folder, WATCHED, pack(arrays, altered(values, path, forged)))
        if verify(folder, render=report_markdown).agrees:
            believed.append(path)
    assert [] == believed


def test_a_weight_more_is_found(folder_of, trained_once):
    """By its name, with its form in place of a number."""
    folder = folder_of("images")
    arrays, values = unpack(folder / MODEL)
    more = {**arrays, "9.weight": np.zeros(3)}
    redo(folder, MODEL, pack(more, values))
    revise(folder / "report.json", weights_sha256=weights_sha256(more))
    (difference,) = verify(folder, render=report_markdown).differences
    expected = ("weights 9.weight", "float64 of shape (3,)", None)
    assert expected == (difference.place, difference.stored, difference.again)


def other_header(content):
    """A file of arrays with one more entry in its header, which nothing reads."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["note"] = "another"
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


REWRITTEN = {
    "config.yaml": lambda content: b"# another\n" + content,
    "history.csv": lambda content: content.replace(b",0.01,", b",0.010,"),
    "report.md": lambda content: content.replace(b"completed", b"excellent", 1),
    MODEL: other_header,
    STATE: other_header,
    WATCHED: other_header,
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_files_are_what_nnrun_writes(folder_of, trained_once, name):
    """To the last byte, besides the values that they hold."""
    folder = folder_of("columns")
    content = (folder / name).read_bytes()
    redo(folder, name, REWRITTEN[name](content))
    assert content != (folder / name).read_bytes()
    assert (f"{name} is not what nnrun writes", []) == verdict_of(folder)


def test_no_key_of_a_report_is_more(folder_of, trained_once):
    """Not beside those that nnrun reads, and not within them."""
    folder = folder_of("images")
    report = folder / "report.json"
    content = said(report)
    for path in mappings(content):
        if path[:1] not in (("environment",), ("files",)):
            more = copy.deepcopy(content)
            functools.reduce(operator.getitem, path, more)["another"] = None
            forge(report, more)
            reason, places = verdict_of(folder)
            place = "".join(f"{key}." for key in path) + "another"
            invalid = path and f"the '{path[0]}' of report.json is not what it should be"
            assert places == [place] or reason == invalid


def test_a_file_that_the_report_does_not_name_is_found(folder_of, trained_once):
    """A model, state or record that commands could take for the run's; and one that it leaves out,
    whose digest nothing would compare.
    """
    folder = folder_of("images")
    (folder / WATCHED).write_bytes(pack({}, {}))
    assert (f"report.json does not name {WATCHED}", []) == verdict_of(folder)
    (folder / WATCHED).unlink()
    files = said(folder / "report.json")["files"]
    revise(folder / "report.json", files={k: v for k, v in files.items() if k != "history.csv"})
    assert ["whether history.csv is there"] == found_in(folder)


def test_a_state_that_the_report_does_not_name_is_not_continued(prepared, store):
    """A longer run starts from files alone that the report names."""
    folder = train(prepared(), store).folder
    assert not (folder / STATE).exists()
    (folder / STATE).write_bytes(pack({"theta": np.zeros(5)}, {}))
    assert "theta" in extend(folder, 5).state.arrays
    assert "best.theta" not in extend(folder, 5).state.arrays


def test_a_model_of_scikit_learn_has_no_network_to_predict_with(prepared, store):
    """Nor has its run a curve."""
    beside = prepared("name: flowers\ndataset: {name: iris}\nbeside: linear\n")
    folder = train(beside, store).folder
    network = train(prepared(), store).folder
    assert "same_bits" == verify(folder, render=report_markdown).finding
    redo(folder, MODEL, (network / MODEL).read_bytes())
    revise(folder / "report.json", weights_sha256=said(network / "report.json")["weights_sha256"])
    assert found_in(folder)[0].startswith("weights ")
    redo(folder, MODEL, pack({}, {}))
    revise(folder / "report.json", weights_sha256=weights_sha256({}))
    assert [f"whether {MODEL} is there"] == found_in(folder)


def test_the_state_of_a_stopped_run_is_compared(prepared, store, trained_once):
    """All that the next command would continue from, but how long it took."""
    run = prepared(None, "training.optimizer=adam", "training.evaluate_every=50")
    stops = Listener(decides=True, evaluated=lambda run, rows: rows[-1]["iteration"] >= 100)
    folder = train(run, store, stops).folder
    name, run_id = "checkpoint.safetensors", folder.name
    state = parse_checkpoint((folder / name).read_bytes(), run_id, folder / name)
    assert "same_bits" == verify(folder, render=report_markdown).finding
    believed = []
    for path in leaves(state.values):
        values = altered(state.values, path, forged)
        redo(folder, name, pack_checkpoint(TrainingState(state.arrays, values), run_id))
        if verify(folder, render=report_markdown).agrees:
            believed.append(path)
    assert [("train_seconds",), ("evaluation_seconds",)] == believed
    for array, content in state.arrays.items():
        arrays = {**state.arrays, array: content + 1}
        redo(folder, name, pack_checkpoint(TrainingState(arrays, state.values), run_id))
        assert [f"state {array}[0]"] == found_in(folder)


def test_the_command_names_what_is_forged_in_a_model_also_in_a_packed_run(
    prepared, store, tmp_path, monkeypatch
):
    """With the value that is stored and the one that training gives, and exit code 3."""
    monkeypatch.chdir(tmp_path)
    config = "name: homes\ndataset: {name: boston, target: standard}\n" + (
        "network: {sizes: [2, 1], activations: [tanh, linear]}\nloss: mean_squared\n"
        "training: {learning_rate: 0.01, iterations: 20, engine: numpy}\n"
    )
    folder = train(prepared(config), store).folder
    arrays, values = unpack(folder / MODEL)
    (scale,) = values["preprocessing"]["target"]["scale"]
    place = ("preprocessing", "target", "scale", 0)
    redo(folder, MODEL, pack(arrays, altered(values, place, lambda _: -30.0)))
    invoke_well("pack", folder, "-o", "homes.zip")
    for place in (folder, "homes.zip"):
        done = invoke("verify", place)
        assert 3 == done.code
        shown = f"model preprocessing.target.scale.0: -30.0 is stored, and again it is {scale!r}"
        assert shown in " ".join(done.err.split())
        assert "its model has values that training does not reproduce" in done.err


ELSEWHERE = {
    ("preprocessing", "target", "scale", 0): (True, lambda number: number * (1 + 1e-9)),
    ("preprocessing", "target", "shift", 0): (False, lambda number: number * (1 + 1e-3)),
    ("preprocessing", "layout", "target_names", 0): (False, lambda name: f"{name}."),
    ("input_shape", 0): (False, lambda size: size + 1),
    ("state", "iteration"): (False, lambda iteration: iteration + 1),
    ("state", "stopping", "waited"): (True, lambda evaluations: evaluations + 1),
    ("state", "dropout", "state", "state"): (False, lambda number: number + 1),
}


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda path: ".".join(map(str, path)))
def test_elsewhere_what_is_fitted_may_be_rounded_otherwise(
    folder_of, trained_once, monkeypatch, path
):
    """And what follows from losses may differ; all else of a model may not."""
    folder = folder_of("columns")
    here = module.environment()
    monkeypatch.setattr(module, "environment", lambda: {**here, "cpu": "another"})
    allowed, change = ELSEWHERE[path]
    arrays, values = unpack(folder / MODEL)
    redo(folder, MODEL, pack(arrays, altered(values, path, change)))
    expected = "within_tolerance" if allowed else "differs"
    assert expected == verify(folder, render=report_markdown).finding


@pytest.mark.parametrize(
    ("name", "array", "change", "expected"),
    [
        (STATE, "optimizer.mean", lambda numbers: numbers * (1 + 1e-9), "within_tolerance"),
        (STATE, "optimizer.mean", lambda numbers: numbers * 1.5, "differs"),
        (WATCHED, "weights.norm", lambda norms: norms * (1 + 1e-9), "within_tolerance"),
        (WATCHED, "weights.norm", lambda norms: norms * 1.5, "differs"),
        (WATCHED, "outputs.histogram", lambda counts: counts[..., ::-1], "within_tolerance"),
    ],
)
def test_elsewhere_arrays_may_be_rounded_otherwise(
    folder_of, trained_once, monkeypatch, name, array, change, expected
):
    """Other rounding moves numbers between the bins of a histogram, but no norm by half."""
    folder = folder_of("columns")
    here = module.environment()
    monkeypatch.setattr(module, "environment", lambda: {**here, "cpu": "another"})
    arrays, values = unpack(folder / name)
    redo(folder, name, pack({**arrays, array: change(arrays[array])}, values))
    assert expected == verify(folder, render=report_markdown).finding


def test_what_is_not_compared_is_said(folder_of, trained_once):
    """Another version of nnrun writes another report.md of the same values."""
    folder = folder_of("images")
    redo(folder, "report.md", b"another\n")
    revise(folder / "report.json", nnrun_version="0.0.1")
    done = invoke_well("verify", str(folder))
    assert "report.md is of another version of nnrun or safetensors, and is not" in done.out
