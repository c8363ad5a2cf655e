"""Whatever stands in a file, reading it ends in what it holds or in an error that says so.

Some seconds for all readers, or with `-m campaign` an hour; `-rP` shows how many inputs were tried.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnrun.config.load import Experiment, load_config
from nnrun.config.overrides import parse_grid
from nnrun.config.scaffold.from_data import draft
from nnrun.data.builtin.fetched import read_idx
from nnrun.data.dataset import Dataset
from nnrun.data.images import FORMATS, read_image
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.readers.npz import read_npz
from nnrun.data.readers.text_lines import CsvTable
from nnrun.errors import ConfigError, DataError, NnrunError, UsageError
from nnrun.models.load import load_model, make_model
from nnrun.models.model import Model
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.reading import (
    CHECKPOINT,
    HISTORY,
    REPORT,
    StoredRun,
    load_history,
    read_history,
    read_run,
)
from nnrun.runs.storage.sealed import sealed
from nnrun.runs.storage.store import Store
from nnrun.sweeps.board.means import summarize
from nnrun.sweeps.board.published import read_references, welch_p
from nnrun.sweeps.workers.job import pack_result, unpack_message, unpack_result
from tests.data.tables import CategorySettings, read_csv
from tests.sweeps.helpers import large, make_store

pytestmark = pytest.mark.campaign

CONFIG = b"""\
# An experiment
name: digits
description: "a \\"quoted\\" text"
dataset: {name: iris, test_size: 0.25, features: [{binarize: 1.5}, standard]}
network:
  initializer: &how {type: he_uniform, scale: 0.5}
  layers:
    - {type: dense, units: 4, activation: tanh, initializer: *how}
    - {type: dropout, rate: 0.1}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training:
  optimizer: {type: sgd, momentum: 0.9}
  learning_rate: {schedule: cosine, initial: 1e-1, final: 0.001, over: 20}
  iterations: 20
  batch_size: 0x4
seed: 0o17
published: {source: |
    somewhere
  , test_accuracy: 0.9}
sweep: {seeds: [1, 2], grid: {training.batch_size: [1, 8]}}
"""
SMALL = b"""\
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 20, engine: numpy}
"""
TABLE = b'\xef\xbb\xbfa;b;y\r\n1;red;2\r\n 2.5 ;"blue";3\r\n\r\n-1e3;red;4\r\n0;blue;1\r\n'
READERS = 23
SECONDS = 3600 / READERS if large() else 0
EXAMPLES = 300

Check = Callable[[Any], object]


def fuzz(making: Making, check: Check, examples: int = EXAMPLES) -> None:
    """Try examples once or, in a campaign, always others until the time is over."""
    tried, end = 0, time.monotonic() + SECONDS
    while tried < examples or time.monotonic() < end:
        content = making(Random(tried))
        try:
            check(content)
        except BaseException as error:
            error.add_note(f"example {tried}: {content!r}")
            raise
        tried += 1
    print(f"{tried:,} tried")


def test_configs(tmp_path: Path) -> None:
    """An experiment, or problems that all have their places."""
    path = tmp_path / "a.yaml"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            assert isinstance(load_config(path), Experiment)
        except ConfigError as error:
            assert error.problems
            assert all(problem.place or problem.path for problem in error.problems)
            assert str(error)

    fuzz(mutated(CONFIG), check)


def test_overrides(tmp_path: Path) -> None:
    """An experiment, or problems that all name their arguments; likewise for grids."""
    path = tmp_path / "a.yaml"
    path.write_bytes(CONFIG)
    words = [b"training.learning_rate=0.1", b"network.layers.0.units=[1,2]", b"seed=range(1,5,2)"]
    words += [b"dataset={path: x.csv, columns: {target: y}}", b"network.sizes='a',\"b\""]

    def making(random: Random) -> list[str]:
        chosen = random.choices(words, k=random.randint(0, 3))
        return [mutated(word)(random).decode(errors="surrogateescape") for word in chosen]

    def check(arguments: list[str]) -> None:
        try:
            assert isinstance(load_config(path, arguments), Experiment)
        except ConfigError as error:
            assert all(p.argument in arguments or p.place for p in error.problems)
        try:
            assert isinstance(parse_grid(arguments), dict)
        except ConfigError as error:
            assert all(problem.argument in arguments for problem in error.problems)

    fuzz(making, check)


def test_csv_files(tmp_path: Path) -> None:
    """A data set of finite numbers, or what is wrong with the file."""
    path = tmp_path / "x.csv"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        for task, by in (("regression", "time"), ("classification", "group")):
            options = {"task": task, "split_by": by, "split_column": "a"}
            for ways in ({"task": task}, {**options, "features": ["a", "b"]}):
                try:
                    data = read_csv(path, "y", categories=CategorySettings(["b"]), **ways)
                except DataError as error:
                    assert str(error)
                else:
                    assert isinstance(data, Dataset)
                    assert len(data.x) == len(data.y)
                    assert np.isfinite(data.x).all()
                    assert data.split_values is None or len(data.split_values) == len(data.y)
        with path.open("rb") as file:
            try:
                assert all(isinstance(line, int) for line, _ in CsvTable(path, file).rows())
            except DataError as error:
                assert "x.csv:" in str(error)

    fuzz(mutated(TABLE), check)


def archive(**arrays: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


@pytest.mark.parametrize("packed", [False, True], ids=["", "packed"])
def test_npz_files(tmp_path: Path, packed: bool) -> None:
    """A data set of finite numbers, or what is wrong with the file; nothing is unpickled."""
    path = tmp_path / "x.npz"
    labels = np.array(["a", "ü", "a", "ü"])
    sound = archive(x=np.arange(8.0).reshape(4, 2), y=labels, x_test=np.ones((4, 2)), y_test=labels)
    if packed:
        content = io.BytesIO()
        np.savez_compressed(content, x=np.arange(8.0).reshape(4, 2), y=np.arange(4))
        sound = content.getvalue()

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            data = read_npz(path)
        except DataError as error:
            assert str(error)
        else:
            assert len(data.x) == len(data.y)
            assert np.isfinite(data.x.astype(float)).all()

    fuzz(mutated(sound), check)


@pytest.mark.parametrize("packed", [False, True], ids=["", "packed"])
def test_idx_files(tmp_path: Path, packed: bool) -> None:
    """Images of the shape that the file says, or what is wrong with it."""
    path = tmp_path / "images"
    sound = struct.pack(">IIII", 0x803, 2, 3, 3) + bytes(range(18))

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            assert 3 == read_idx(path, 3).ndim
        except DataError as error:
            assert "images" in str(error)

    fuzz(mutated(gzip.compress(sound, mtime=0) if packed else sound), check)


@pytest.mark.parametrize("kind", FORMATS)
def test_images(tmp_path: Path, kind: str) -> None:
    """Bytes of the size that is asked for, or what is wrong with the file."""
    path, sound = tmp_path / "image", io.BytesIO()
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save(sound, kind)

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            assert (3, 2, 3) == read_image(path, "rgb", (2, 3)).shape
        except DataError as error:
            assert str(path) in str(error)

    fuzz(mutated(sound.getvalue()), check, examples=EXAMPLES // 6)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Experiment, Path]:
    """A small run, its store and its folder."""
    root = tmp_path_factory.mktemp("trained")
    (root / "a.yaml").write_bytes(SMALL)
    experiment = load_config(root / "a.yaml")
    store = make_store(root / "results")
    folder = train(prepare(experiment), store).folder
    assert folder is not None
    return store, experiment, folder


HOUSES = b"""\
dataset: {path: x.csv, columns: {target: y, categorical: [b]}, task: regression}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.1, iterations: 20, engine: numpy}
"""


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_new_rows(tmp_path: Path, kind: str) -> None:
    """Finite predictions for each row, or what is wrong with which of them."""
    (tmp_path / "a.yaml").write_bytes(HOUSES)
    (tmp_path / "x.csv").write_bytes(TABLE)
    run = train(prepare(load_config(tmp_path / "a.yaml")), None).result
    assert run is not None
    assert run.weights is not None
    model = make_model(run.weights, json.loads(json.dumps(run.metadata)), "the run")
    path = tmp_path / f"new.{kind}"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            with open_rows(path, model.layout, with_target=True) as rows:
                for batch in rows.batches(3):
                    assert (len(batch.x),) == model.predict(batch.x).shape
                    assert np.isfinite(batch.x.astype(float)).all()
        except DataError as error:
            assert path.name in str(error)

    x = np.arange(12.0).reshape(4, 3)
    fuzz(mutated(TABLE if kind == "csv" else archive(x=x, y=np.arange(4.0))), check)


def test_surveys(tmp_path: Path) -> None:
    """A config for the file that makes a network, or what is wrong with it."""
    path, made = tmp_path / "x.csv", tmp_path / "made.yaml"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            made.write_text(draft(path, None, tmp_path).text, encoding="utf-8")
        except DataError as error:
            assert "x.csv" in str(error)
        else:
            assert prepare(load_config(made)).network.layers

    fuzz(mutated(TABLE), check)


def test_references(tmp_path: Path) -> None:
    """Means that ours can be held against, or the line that is wrong."""
    path = tmp_path / "means.csv"
    ours = summarize([1.0, 2.0, 4.0])
    assert ours is not None
    sound = b"experiment,metric,mean,sd,n,source\n"
    sound += b"a,test_mse,1.5,0.25,20,someone\nb,test_mse,1e300,1e200,9,another\n"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            found = read_references(path)
        except UsageError as error:
            assert "means.csv" in str(error)
        else:
            assert all(0 <= (welch_p(ours, each) or 0) <= 1 for each in found.values())

    fuzz(mutated(sound), check)


def test_reports(trained: tuple[Store, Experiment, Path]) -> None:
    """A run as it was stored, or one that is said to be damaged."""
    _, _, folder = trained
    report = folder / REPORT
    sound = report.read_bytes()

    def check(content: bytes) -> None:
        report.write_bytes(content)
        run = read_run(folder)
        assert isinstance(run, StoredRun)
        assert run.record is not None or run.problem

    unsealed = sound.rpartition(b",\n")[0]
    inner = one_of(mutated(unsealed), sampled([b"[" * 100_000, b"{", b"[", *ODD]))
    makings = mutated(sound), sampled([b"{}", b"[]", *ODD]), lambda random: sealed(inner(random))
    try:
        fuzz(one_of(*makings), check)
    finally:
        report.write_bytes(sound)


def test_models(trained: tuple[Store, Experiment, Path]) -> None:
    """A model that can predict, or an error that names the file."""
    _, _, folder = trained
    path = folder / "model.safetensors"
    sound = path.read_bytes()

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            assert isinstance(load_model(folder), Model)
        except NnrunError as error:
            assert "model.safetensors" in str(error)

    try:
        fuzz(mutated(sound), check)
    finally:
        path.write_bytes(sound)


def test_histories(trained: tuple[Store, Experiment, Path]) -> None:
    """A learning curve, or an error that names the file."""
    _, _, folder = trained
    path = folder / HISTORY
    sound = path.read_bytes()

    def check(content: bytes) -> None:
        path.write_bytes(content)
        assert all(isinstance(column, list) for column in read_history(folder).values())
        try:
            assert all(type(row.get("iteration", 0)) is int for row in load_history(folder))
        except NnrunError as error:
            assert HISTORY in str(error)

    try:
        fuzz(mutated(sound), check)
    finally:
        path.write_bytes(sound)


def test_results_of_workers(trained: tuple[Store, Experiment, Path]) -> None:
    """The result of the run that was asked for, or none at all."""
    _, experiment, _ = trained
    prepared = prepare(experiment)
    key = f"{prepared.config.name}/{prepared.run_id}"
    result = train(prepared, None).result
    assert result is not None

    def check(content: bytes) -> None:
        with suppress(NnrunError):
            found = unpack_result(content, key)
            assert found is None or found.record.run_id == prepared.run_id
        unpack_message(content, key)

    fuzz(mutated(pack_result(result)), check)


def test_checkpoints(trained: tuple[Store, Experiment, Path], tmp_path: Path) -> None:
    """Whatever stands in a checkpoint, the run ends with the bits that it has without one."""
    _, experiment, whole = trained
    prepared = prepare(experiment)
    states = []

    def stop_half_way() -> Any:
        from nnrun.runs.execution.execute import Execution

        execution = Execution(prepared)
        next(iter(execution.trainer.run()))
        return execution.trainer.checkpoint()

    store = make_store(tmp_path / "results")
    folder = store.run(prepared.config.name, prepared.run_id)
    assert folder.lock()
    folder.save_checkpoint(stop_half_way())
    folder.release()
    path = folder.path / CHECKPOINT
    sound = path.read_bytes()
    weights = (whole / "model.safetensors").read_bytes()

    def check(content: bytes) -> None:
        path.write_bytes(content)
        folder = train(prepared, store, force=False).folder
        assert folder is not None
        states.append((folder / "model.safetensors").read_bytes() == weights)
        for file in folder.iterdir():
            file.unlink()

    fuzz(one_of(flipped(sound), mutated(sound)), check, examples=EXAMPLES // 4)
    assert all(states)


# Bytes that were sound once: cut, flipped, doubled, or with something odd put in.

# What has made some reader stumble at some time.
ODD = [
    b"\0", b"\xff", b"\x1b[31m", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85",
    b"\r", b"\n", b"\t", b"'", b'"', b"\\", b"[", b"]", b"{", b"}", b"(", b")", b",", b":", b"#",
    b"&a ", b"*a", b"!!python/name:os.system ", b"<<: *a", b"? ", b"- ", b"---\n", b"...\n", b"%",
    b"null", b"~", b"true", b"nan", b".nan", b"inf", b"-inf", b"1e999", b"-1", b"0", b"1_0",
    b"0x" + b"f" * 4000, b"9" * 400, b"9" * 5000, b"-" * 3000, b"[" * 3000, b"(" * 3000,
    b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\x1f\x8b", b"PK\x03\x04",
    b"cos\nsystem\n(S'id'\ntR.", b"__class__", b"../../", b"\xf4\x90\x80\x80", b"\x93NUMPY",
]  # fmt: skip


Making = Callable[[Random], Any]
"""Makes an example of a random stream."""


def flipped(sound: bytes) -> Making:
    """The bytes with one bit of them turned."""

    def make(random: Random) -> bytes:
        content = bytearray(sound)
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        return bytes(content)

    return make


def mutated(sound: bytes) -> Making:
    """Up to four things done to these bytes."""

    def make(random: Random) -> bytes:
        content = bytearray(sound)
        for _ in range(random.randint(0, 4)):
            _mutate(content, random)
        return bytes(content)

    return make


def one_of(*makings: Making) -> Making:
    """Examples of all of these, each as often as another."""
    return lambda random: random.choice(makings)(random)


def sampled(examples: Sequence[Any]) -> Making:
    """These examples."""
    return lambda random: random.choice(examples)


def _mutate(content: bytearray, random: Random) -> None:
    start = random.randint(0, len(content))
    length = random.randint(0, random.choice((12, max(1, len(content)))))
    piece = bytes(content[start : start + length])
    match random.choice(("flip", "cut", "remove", "double", "put", "move")):
        case "flip" if start < len(content):
            content[start] ^= 1 << random.randrange(8)
        case "cut":
            del content[start:]
        case "remove":
            del content[start : start + length]
        case "double":
            content[start:start] = piece
        case "put":
            odd = random.choice((random.choice(ODD), random.randbytes(random.randint(0, 8))))
            content[start:start] = odd
        case "move":
            del content[start : start + length]
            place = random.randint(0, len(content))
            content[place:place] = piece
