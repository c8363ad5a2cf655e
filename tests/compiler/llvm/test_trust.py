"""No machine code of other users is loaded, and no file changes how it is made."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from nnrun.compiler import cache
from nnrun.compiler import cache as private_files

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
