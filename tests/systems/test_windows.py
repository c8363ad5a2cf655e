"""Windows, as far as it can be imitated, and symbols of terminals."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from nnrun.compiler import machine
from nnrun.engines.kernels import KERNELS, LOOPS, unit_of
from nnrun.engines.kernels.build import build
from tests.forked import nnrun

# Commands on a pretended Windows: `windows/sitecustomize.py` says how far that goes.

WINDOWS = Path(__file__).parent / "windows"
CONFIG = """
dataset: {name: iris, features: standard}
network: {sizes: [6, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, epochs: 20, batch_size: 10}
"""
# Names of files that hold times begin so.
DIFFERING = ("leaderboard", "report.", ".index.sqlite")
COMMANDS = [
    ["train", "iris.yaml"],
    ["sweep", "iris.yaml", "--seeds", "3", "-j", "2", "training.learning_rate=0.1,0.05"],
    ["ls", "--json", "--leaderboard"],
    ["predict", "iris/s42-d", "rows.npz", "-o", "predicted.csv"],
    ["verify", "--json"],
]


class Machine:
    """A folder in which commands run, on this system or on the pretended one."""

    def __init__(self, folder: Path, *, pretended: bool) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "iris.yaml").write_text(CONFIG, encoding="utf-8")
        np.savez(folder / "rows.npz", x=np.linspace(0, 8, 40).reshape(10, 4))
        self._own = {"PRETENDED": str(folder), "PYTHONPATH": str(WINDOWS)} if pretended else {}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start Python with these words."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env={**os.environ, **self._own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """The exit code of a command, and what it printed."""
        if self._own:
            process = self.start("-m", "nnrun", *words)
        else:
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            process = nnrun(*words, cwd=self.folder, **streams)
        out, err = process.communicate()
        return process.returncode, out, err

    def files(self) -> dict[str, bytes]:
        """All files that are the same wherever they are made."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        names = {str(path.relative_to(self.folder)): path for path in found}
        return {
            name: b"" if path.name.startswith(DIFFERING) else path.read_bytes()
            for name, path in names.items()
        }


@pytest.fixture
def windows(tmp_path: Path) -> Machine:
    """The pretended Windows."""
    return Machine(tmp_path / "windows", pretended=True)


def test_all_commands_give_the_same_files(windows: Machine, tmp_path: Path) -> None:
    """Training, a sweep in processes, lists, predictions, verification."""
    here = Machine(tmp_path / "here", pretended=False)
    for command in COMMANDS:
        expected, actual = here.run(*command), windows.run(*command)
        assert (0, expected[0]) == (actual[0], actual[0]), actual[2]
    assert here.files() == windows.files()
    assert 6 == len([*windows.folder.glob("results/iris/s*/model.safetensors")])


HOLD = """
from pathlib import Path
from nnrun.runs.storage.durable import acquire
lock = acquire(Path("results/iris/s1"), wait=False)
print(type(lock).__module__, lock.names(), flush=True)
input()
"""
TRY = """
from pathlib import Path
from nnrun.runs.storage.sweep_progress import is_held
from nnrun.runs.storage.durable import acquire
folder = Path("results/iris/s1")
print(is_held(folder), acquire(folder, wait=False) is not None)
"""


def test_a_folder_is_locked_by_a_file_in_it(windows: Machine) -> None:
    """Only one process has it; a process that is killed does not keep it."""
    first = windows.start("-c", HOLD)
    assert first.stdout is not None
    assert "nnrun.systems.windows []\n" == first.stdout.readline()
    assert "True False\n" == windows.start("-c", TRY).communicate()[0]
    first.kill()
    first.communicate()
    assert [".lock"] == os.listdir(windows.folder / "results/iris/s1")
    assert "False True\n" == windows.start("-c", TRY).communicate()[0]


REPLACE = """
from pathlib import Path
from threading import Timer
from nnrun.runs.storage.durable import write_atomically
path = Path("a.txt")
path.write_bytes(b"old")
file = path.open()
Timer(0.05, file.close).start()
write_atomically(path, b"a\\n")
"""


def test_a_file_that_is_being_read_is_replaced_a_moment_later(windows: Machine) -> None:
    """Line ends stay as they are, and no temporary file is left."""
    process = windows.start("-c", REPLACE)
    assert ("", "") == process.communicate()
    assert b"a\n" == (windows.folder / "a.txt").read_bytes()
    assert {"a.txt", "iris.yaml", "rows.npz"} == set(os.listdir(windows.folder))


NAMES = """
from nnrun.config.names import is_name
print([*filter(is_name, ["nul", "Com1.small", "end.", "null", "com", "a.nul"])])
"""


def test_names_of_devices_are_refused(windows: Machine) -> None:
    """Windows has no folders of such names."""
    assert "['null', 'com', 'a.nul']\n" == windows.start("-c", NAMES).communicate()[0]
    code, _, err = windows.run("check", "iris.yaml", "name=nul")
    assert 2 == code
    assert "none of Windows' devices" in err


def test_json_is_utf_8_where_it_goes_into_a_file(windows: Machine) -> None:
    """Whatever the encoding of the terminal is."""
    words = ["-X", "utf8=0", "-m", "nnrun", "datasets", "iris", "--json"]
    process = windows.start(*words)
    out, err = process.communicate()
    assert "" == err
    assert "iris" == json.loads(out)["name"]


# Machine code for Windows: what it calls is there.

# Of Windows' C library, and of `symbols` in `nnrun/systems/windows.py`.
KNOWN = {"memset"} | {"_fltused", "clock_gettime", "sched_yield"}


def undefined(code: bytes) -> set[str]:
    """The names of another object file's symbols in one of Windows (COFF)."""
    _, _, _, table, count = struct.unpack_from("<HHIII", code)
    names, found, index = table + 18 * count, set(), 0
    while index < count:
        name, _, section, _, _, more = struct.unpack_from("<8sIhHBB", code, table + 18 * index)
        if section == 0:
            if not name.startswith(bytes(4)):
                found.add(name.rstrip(b"\0").decode())
            else:
                start = names + int.from_bytes(name[4:], "little")
                found.add(code[start : code.index(b"\0", start)].decode())
        index += 1 + more
    return found


def test_machine_code_for_windows_calls_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """All kernels and loops, for x86-64."""
    machine.target_machine()  # LLVM has no targets before
    windows = llvm.Target.from_triple("x86_64-pc-windows-msvc").create_target_machine(
        cpu="x86-64-v3", jit=True, codemodel="jitdefault"
    )
    monkeypatch.setattr(machine, "target_machine", lambda *_, **__: windows)
    units = {*map(unit_of, KERNELS), *LOOPS}
    assert KNOWN == set().union(*(undefined(build(unit, "float32")) for unit in units))
