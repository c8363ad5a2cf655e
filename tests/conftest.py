"""What all tests share: an environment without what users may have set, and caches of compiled
code, which processes share and later tests find.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
_SETTINGS = ("NNRUN_RESULTS", "NNRUN_PLUGINS", "NNRUN_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
for name in _SETTINGS:
    os.environ.pop(name, None)
# Else each process that a test starts would compile all modules of nnrun again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
_kept = Path(__file__).parents[1] / ".pytest_cache"
os.environ["NNRUN_CACHE"] = str(_kept / "nnrun")
os.environ["XDG_STATE_HOME"] = str(_kept / "state")
# Threads of a BLAS wait in loops, beside tests that use the same cores; commands have one as well.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import_module("numpy")
del os.environ["OPENBLAS_NUM_THREADS"]  # processes of tests start as users start them


def pytest_configure(config: pytest.Config) -> None:
    """`pytest -m campaign` runs at their full size what otherwise is a sample."""
    gc.set_threshold(10_000)  # the tests' own objects are many, and hardly any are garbage
    if config.option.markexpr == "campaign":
        os.environ["NNRUN_TEST_LARGE"] = "1"


def pytest_sessionstart(session: pytest.Session) -> None:
    """The second worker imports all tests from the end, and the first one from the beginning, so
    that each finds compiled what the other has imported.
    """
    worker = getattr(session.config, "workerinput", {}).get("workerid")
    if worker == "gw1" and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        here = Path(__file__).parent
        for path in sorted(here.rglob("test_*.py"), reverse=True):
            with suppress(Exception):  # the collection reports it
                import_module(".".join(path.relative_to(here.parent).with_suffix("").parts))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Collected tests and modules are never garbage, and need not be looked at again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def loaded_workers():
    """Workers that tests start in this process are copies; those of commands are as they are.

    Yields: what starts them otherwise.
    """
    from nnrun.systems import system
    from tests.forked import with_socket

    start = system.start_with_socket
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "start_with_socket", with_socket)
        yield start


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder, and an environment without what other tests may have set."""
    monkeypatch.chdir(tmp_path)
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def begun():
    """Folders in which commands ran once, for `Lab.begin`."""
    return {}


@pytest.fixture
def lab(folder, begun, tmp_path_factory):
    """Commands in an empty folder, which is the current one."""
    from tests.lab import Lab

    return Lab(folder, begun, lambda: tmp_path_factory.mktemp("begun"))
