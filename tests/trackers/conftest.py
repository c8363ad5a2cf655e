"""A real MLflow server on the loopback address, for check_*.py: `.ci/run trackers` runs them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

CONFIG = {
    "name": "flowers",
    "description": "three kinds of flowers",
    "dataset": {"name": "iris", "validation_size": 0.1},
    "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.05, "iterations": 100, "evaluate_every": 10},
}


class Server:
    """A server that keeps what it is sent in a folder, so that it can start again."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"),
            *("--port", str(self.port)),
            *("--backend-store-uri", f"sqlite:///{self._folder}/runs.db"),
            *("--artifacts-destination", str(self._folder / "files")),
        ]
        quiet = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **quiet}, cwd=self._folder,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for _ in range(1200):
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return
            time.sleep(0.1)
        raise AssertionError((self._folder / "log").read_text())

    def stop(self) -> None:
        """Kill it with its workers."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("mlflow"))
    started.start()
    yield started
    started.stop()
