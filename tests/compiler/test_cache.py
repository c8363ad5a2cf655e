"""The cache of compiled code, and which files of it are trusted."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nnrun.compiler import cache
from nnrun.compiler import cache as private_files
from nnrun.engines.generated.engine import compile_ahead
from nnrun.engines.generated.generate import generate
from nnrun.nn import SGD, Adam, Dropout, MeanSquared, Network, dense
from tests.forked import Forked

# Machine code is made once, and the cache can be in any state.

SCRIPT = """
import sys
import numpy as np
from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.nn import Adam, Dropout, MeanSquared, Network, dense

network = Network([dense(4, "gelu"), Dropout(0.2), dense(1)], MeanSquared(), (3,))
network.initialize(rng=np.random.default_rng(0))
optimizer = Adam()
optimizer.allocate(network.theta)
x, target = np.random.default_rng(1).random((10, 3)), np.ones((10, 1))
engine = CompiledEngine(
    network, optimizer, x, target, rng=np.random.default_rng(2), clip_norm=1.0, batch_size=2
)
engine.run(Batches(np.arange(1000) % 10, np.arange(0, 1001, 2), np.full(500, 0.1)))
print(network.theta.tobytes().hex(), "nnrun.compiler.compile" in sys.modules)
"""

LOADED = ("nnrun.engines.generated.engine", "nnrun.nn")  # but no compiler


def train(folder: Path, **settings: str) -> tuple[str, bool]:
    """The weights that a process of its own comes to, and whether it had to compile."""
    environment = {**os.environ, "NNRUN_CACHE": str(folder), **settings}
    with Forked(LOADED, ["-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True) as done:
        weights, compiled = done.stdout.read().split()
    assert 0 == done.returncode
    return weights, compiled == "True"


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A cache that was used, and the weights of that run."""
    folder = tmp_path_factory.mktemp("warm")
    weights, compiled = train(folder)
    assert compiled
    return folder, weights


def test_what_takes_its_time_is_said_before(tmp_path, monkeypatch) -> None:
    """A line for each architecture that is compiled, and none for what the cache has already."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "_compile", lambda source, dtype, path: b"code")
    said: list[str] = []
    for source in ("one", "two", "one"):
        assert b"code" == cache.object_code(source, "float64", cache.digest(source), said.append)
    assert ["compiling, once for this architecture"] * 2 == said


def networks(number: int) -> Iterator[str]:
    """Sources of this many small networks."""
    for units in range(1, number + 1):
        network = Network([dense(units), dense(1)], MeanSquared(), (2,))
        yield generate(network, SGD(), clip_norm=None, single=True, losses=False).source


def test_functions_that_are_used_no_more_are_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker trains thousands of networks, and holds the code of the last ones alone."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "_functions", {})
    monkeypatch.setattr(cache, "_MOST_FUNCTIONS", 2)
    known = [weakref.ref(cache.function(source, "float64")) for source in networks(3)]
    assert [True, False, False] == [function() is None for function in known]


def test_the_cache_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled first is removed; each new network would add to it for ever."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "_MOST_BYTES", 5000)
    for number in range(40):
        cache.kept(f"0{number}", lambda: bytes(1000), lambda text: None, "compiling")
    assert {f"0{number}.o" for number in range(35, 40)} == {*os.listdir(tmp_path / "compiled")}


PASSES = """
import gc, psutil, sys
from nnrun.compiler import machine
from nnrun.compiler.compile import compile_source

compiled, make = [], machine.object_file
machine.object_file = lambda code, target: compiled.append(code) or b""
compile_source(sys.argv[1], "float64", "network.py")

def memory(times):
    for _ in range(times):
        make(compiled[0])
    gc.collect()
    return psutil.Process().memory_info().rss

before = memory(2)
print((memory(8) - before) // 8)
"""


def test_compiling_keeps_no_memory() -> None:
    """Passes that are not freed hold about 250 KB each; workers compile thousands of functions."""
    (source,) = networks(1)
    done = subprocess.run(
        [sys.executable, "-c", PASSES, source], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 100_000


def object_file(folder: Path) -> Path:
    """The one object file of a generated function in a cache."""
    (source,) = (folder / "compiled").glob("*.py")
    return source.with_suffix(".o")


def test_second_process_compiles_nothing(warm: tuple[Path, str]) -> None:
    """With a warm cache nothing compiles, and the bits are those of the first run."""
    folder, weights = warm
    assert train(folder) == (weights, False)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_files_are_made_again(damage: str, warm: tuple[Path, str]) -> None:
    """A file cut short or changed is noticed, and replaced by a good one."""
    folder, weights = warm
    path = object_file(folder)
    whole = path.read_bytes()
    broken = {"cut": whole[:-100], "empty": b"", "flipped": whole[:-9] + b"\x00" * 9}[damage]
    assert broken != whole
    path.write_bytes(broken)
    assert train(folder) == (weights, True)
    assert path.read_bytes() == whole


def test_folder_that_cannot_be_written(tmp_path: Path, warm: tuple[Path, str]) -> None:
    """Where a file stands in the folder's place, training is slower to start, and that is all."""
    _, weights = warm
    obstacle = tmp_path / "file"
    obstacle.write_text("no folder")
    assert train(obstacle / "cache") == (weights, True)
    assert obstacle.read_text() == "no folder"


def test_many_processes_at_once(tmp_path: Path, warm: tuple[Path, str]) -> None:
    """Processes that start together on an empty cache all end with the same bits."""
    _, weights = warm
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: train(tmp_path), range(4)))
    assert {weights} == {run for run, _ in runs}
    # One object and its source, and nothing half-written.
    assert {".o", ".py"} == {path.suffix for path in (tmp_path / "compiled").iterdir()}


def test_files_of_another_key_are_made_again(tmp_path: Path, warm: tuple[Path, str]) -> None:
    """Machine code that was signed by somebody else is not run, though all else about it fits."""
    _, weights = warm
    assert train(tmp_path, XDG_STATE_HOME=str(tmp_path / "theirs")) == (weights, True)
    foreign = object_file(tmp_path).read_bytes()
    assert train(tmp_path) == (weights, True)
    assert train(tmp_path) == (weights, False)
    assert foreign != object_file(tmp_path).read_bytes()


def test_code_of_another_network_is_made_again(warm: tuple[Path, str], tmp_path: Path) -> None:
    """A signature holds for one network: under the name of another, the file is not run."""
    folder, weights = warm
    network = Network([dense(9)], MeanSquared(), (3,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNRUN_CACHE", str(tmp_path))
        compile_ahead(network, Adam(), clip_norm=None, batch_size=2)
    path = object_file(folder)
    path.write_bytes(object_file(tmp_path).read_bytes())
    assert train(folder) == (weights, True)


def test_garbage_with_a_hash_is_not_run(warm: tuple[Path, str]) -> None:
    """Bytes that are no machine code are made again, whatever hash they come with."""
    folder, weights = warm
    path = object_file(folder)
    head = path.read_bytes().partition(b"\n")[0] + b"\n"
    path.write_bytes(head + hashlib.sha256(b"garbage" * 99).digest() + b"garbage" * 99)
    assert train(folder) == (weights, True)


def test_compiling_ahead_fills_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep compiles once, and its workers load what it made."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    network = Network([dense(4, "gelu"), Dropout(0.2), dense(1)], MeanSquared(), (3,))
    compile_ahead(network, Adam(), clip_norm=1.0, batch_size=2)
    assert not train(tmp_path)[1]


# No machine code of other users is loaded, and no file changes how it is made.

SOURCE = "def train(): pass"
KEY = "0" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache and a key that nobody has used yet."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "cache" / "compiled"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that were compiled; what comes out is no machine code, and is not run here."""
    sources: list[str] = []

    def compile_source(source: str, dtype: str, path: str) -> bytes:
        sources.append(source)
        return b"object of " + source.encode()

    monkeypatch.setattr("nnrun.compiler.compile.compile_source", compile_source)
    return sources


def object_code() -> bytes:
    return cache.object_code(SOURCE, "float64", KEY)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def key_file(folder: Path) -> Path:
    return folder.parents[1] / "state" / "nnrun" / "cache.key"


def test_others_can_write_nothing(folder: Path, compiled: list[str]) -> None:
    """Folders are 0700 and files 0600, though the umask would give them to all."""
    before = os.umask(0)
    try:
        object_code()
    finally:
        os.umask(before)
    made = [folder, folder.parent, key_file(folder).parent, key_file(folder).parents[1]]
    assert [0o700] * 4 == [permissions(path) for path in made]
    files = [*folder.iterdir(), key_file(folder)]
    assert [0o600] * 3 == [permissions(path) for path in files]


def open_folder(folder: Path) -> None:
    folder.chmod(0o777)


def open_file(folder: Path) -> None:
    (folder / f"{KEY}.o").chmod(0o646)


def link(folder: Path) -> None:
    path = folder / f"{KEY}.o"
    path.symlink_to(path.rename(folder / "elsewhere"))


def fifo(folder: Path) -> None:
    (folder / f"{KEY}.o").unlink()
    os.mkfifo(folder / f"{KEY}.o")


def device(folder: Path) -> None:
    (folder / f"{KEY}.o").unlink()
    (folder / f"{KEY}.o").symlink_to("/dev/zero")


def subfolder(folder: Path) -> None:
    (folder / f"{KEY}.o").unlink()
    (folder / f"{KEY}.o").mkdir()


def linked_folder(folder: Path) -> None:
    folder.symlink_to(folder.rename(folder.with_name("elsewhere")))


def no_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("")


def open_key(folder: Path) -> None:
    key_file(folder).chmod(0o640)


def open_key_folder(folder: Path) -> None:
    key_file(folder).parent.chmod(0o770)


CASES: list[tuple[Callable[[Path], None], str, str]] = [
    (open_folder, "compiled", "others can write to it; `chmod go-w` changes that"),
    (open_file, f"{KEY}.o", "others can write to it; `chmod go-w` changes that"),
    (link, f"{KEY}.o", "is a link; remove it"),
    (fifo, f"{KEY}.o", "is no regular file; remove it"),
    (device, f"{KEY}.o", "is a link; remove it"),
    (subfolder, f"{KEY}.o", "is no regular file; remove it"),
    (linked_folder, "compiled", "Not a directory"),
    (no_folder, "compiled", "Not a directory"),
    (open_key, "cache.key", "others can read it; remove it, and another is made"),
    (open_key_folder, "state/nnrun", "others can write to it; `chmod go-w` changes that"),
]


@pytest.mark.parametrize(("harm", "place", "reason"), CASES, ids=[c[0].__name__ for c in CASES])
def test_what_others_could_have_written_is_not_used(
    harm: Callable[[Path], None], place: str, reason: str, folder: Path, compiled: list[str]
) -> None:
    """The code is compiled in memory, one line says why, and the file stays as it is."""
    code = object_code()
    assert object_code() == code
    assert [SOURCE] == compiled
    harm(folder)
    with pytest.warns(cache.CacheWarning) as said:
        assert object_code() == code
    assert [SOURCE, SOURCE] == compiled
    (message,) = (str(warning.message) for warning in said)
    assert message.startswith("machine code is made anew and not kept: ")
    assert message.endswith(f"{place}: {reason}")


def test_one_reason_is_said_once(folder: Path, compiled: list[str]) -> None:
    """Functions and kernels are asked for in several places."""
    object_code()
    open_folder(folder)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        object_code()
        cache.kept(KEY, lambda: b"", lambda text: None, "compiling")
    assert 1 == len(said)


def test_what_belongs_to_others_is_not_used(
    folder: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its permissions are right: its owner can change them at any time."""
    object_code()
    monkeypatch.setattr(private_files.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.warns(cache.CacheWarning, match="state/nnrun: belongs to another user"):
        object_code()
    assert [SOURCE, SOURCE] == compiled


def test_a_key_cut_short_is_replaced(folder: Path, compiled: list[str]) -> None:
    """As after a crash of the machine: what the old key has signed is made again."""
    object_code()
    key_file(folder).write_bytes(b"short")
    object_code()
    object_code()
    assert [SOURCE, SOURCE] == compiled
    assert len(key_file(folder).read_bytes()) == 32
