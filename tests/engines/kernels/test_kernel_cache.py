"""Machine code of kernels is compiled once, kept signed, and taken from there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from nnrun.engines import kernels
from nnrun.engines.base import Batches
from nnrun.engines.kernels import build, load
from nnrun.engines.tape.engine import TapeEngine, compile_ahead
from nnrun.nn import SGD, CrossEntropy, Flatten, Network, conv2d, dense


@pytest.fixture(autouse=True)
def _new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has loaded nothing, and an empty cache."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    monkeypatch.setattr(load, "_addresses", {})


_compile = build.build


@cache
def code_of(unit: str, dtype: str, entry: str) -> bytes:
    """The object file of a unit whose entry in the table is this, the same for all tests."""
    return _compile(unit, dtype)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is compiled while a test runs."""
    found: list[str] = []

    def noted(unit: str, dtype: str) -> bytes:
        found.append(unit)
        return code_of(unit, dtype, str(kernels.KERNELS.get(unit)))

    monkeypatch.setattr(build, "build", noted)
    return found


def trained(units: int = 5, *, notes: list[str] | None = None) -> bytes:
    """The weights after a few updates, and after an evaluation."""
    layers = [conv2d(3, 2, activation="relu"), Flatten(), dense(units, "softmax")]
    network = Network(layers, CrossEntropy(), (1, 4, 4), "float32")
    network.initialize(rng=np.random.default_rng(0))
    optimizer = SGD()
    optimizer.allocate(network.theta)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((20, 1, 4, 4)).astype("float32")
    target = np.eye(units, dtype="float32")[rng.integers(units, size=20)]
    wait = (lambda text: None) if notes is None else notes.append
    engine = TapeEngine(network, optimizer, x, target, rng=rng, batch_size=10, wait=wait)

    engine.run(Batches(np.arange(20), np.array([0, 10, 20]), np.full(2, 0.1)))
    engine.evaluate(x, target)
    return network.theta.tobytes()


def test_once_for_all_networks(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second network of such layers compiles nothing, nor does another process, to which the
    cache has it all; waiting is announced once.
    """
    notes: list[str] = []
    weights = trained(notes=notes)
    assert ["compiling kernels, once for all networks"] == notes
    assert len(built) == len(set(built)) > 5
    built.clear()
    trained(7)
    monkeypatch.setattr(load, "_addresses", {})
    assert weights == trained()
    assert [] == built


def test_ahead(built: list[str]) -> None:
    """What is compiled ahead is all that training and evaluating need."""
    layers = [conv2d(3, 2, activation="relu"), Flatten(), dense(5, "softmax")]
    network = Network(layers, CrossEntropy(), (1, 4, 4), "float32")
    compile_ahead(network, SGD(), clip_norm=None, batch_size=10)
    built.clear()
    trained()
    assert [] == built


def test_code_that_was_tampered_with_is_made_again(
    built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object is not run under the name of another, nor with a bit changed."""
    weights = trained()
    files = sorted((tmp_path / "compiled").glob("*.o"))
    assert len(files) == len(built)
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, [*contents[1:], contents[0]], strict=True):
        file.write_bytes(content)
    files[0].write_bytes(contents[0][:-1] + bytes([contents[0][-1] ^ 1]))
    monkeypatch.setattr(load, "_addresses", {})
    expected = sorted(built)
    built.clear()
    assert weights == trained()
    assert expected == sorted(built)


def test_another_formula_is_another_kernel(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the table says of a kernel is part of what its code depends on."""
    trained()
    built.clear()
    monkeypatch.setattr(load, "_addresses", {})
    leaky = kernels.KERNELS["leaky_relu"]
    monkeypatch.setitem(kernels.KERNELS, "relu", leaky)
    trained()
    assert ["relu"] == built
