"""`nnrun ui` as a command: its address, its end, and what it refuses."""

from __future__ import annotations

import builtins
import json
import signal
import socket
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.waiting import PATIENCE_SECONDS, ended


def opened(process):
    """The first page, by the address that was printed, and a stream of its events."""
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    opener = build_opener(HTTPCookieProcessor())
    with opener.open(address, timeout=PATIENCE_SECONDS) as answer:
        page = answer.read().decode()
    base = address.partition("/?")[0]
    return page, opener.open(f"{base}/events", timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it(start, number, code):
    """At once, although a page is open; no traceback, no results folder."""
    process = start("ui", "--port", "0", environment={"PYTHONWARNINGS": "error"})
    page, events = opened(process)
    with events:
        assert b"retry: 1000\n" == events.readline()
        process.send_signal(number)
        _, shown = ended(process)
    assert ("There is no run yet" in page, code) == (True, process.returncode)
    assert ["Ctrl-C ends this page; runs go on", "the page is closed; runs go on"] == [
        line for line in shown.splitlines() if line
    ]


def test_a_port_that_is_taken(nnrun):
    """It says so, and what to do; the code is that of a mistake."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = nnrun("ui", "--port", str(port))
    assert 2 == result.exit_code
    assert f"127.0.0.1, port {port}: Address already in use; --port 0 takes" in result.stderr


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "", "a b"])
def test_a_host_that_is_not_this_machine(nnrun, host):
    """A mistake, in words."""
    result = nnrun("ui", "--host", host, "--port", "0")
    assert (2, True) == (result.exit_code, "Traceback" not in result.output)


@pytest.fixture
def served(monkeypatch):
    """Servers that were asked for, which end as soon as they are ready."""
    from nnrun.ui.server import Server

    found = []

    def run(server, ready):
        found.append(server)
        ready()
        server._socket.close()

    monkeypatch.setattr(Server, "run", run)
    return found


def test_another_address_comes_with_a_warning(nnrun, served):
    """Of loopback addresses alone there is none."""
    assert "warning" not in nnrun("ui", "--port", "0").stderr
    for host in ("0.0.0.0", "0"):
        result = nnrun("ui", "--host", host, "--port", "0")
        assert f"warning: anyone who reaches {host} can read" in result.stderr


def test_the_address_as_data(nnrun, served):
    """With --json one object; --open opens it."""
    found = json.loads(nnrun("ui", "--port", "0", "--json").stdout)
    assert (served[0].address, served[0].port) == (found["address"], found["port"])


def test_the_browser_opens_the_address(nnrun, served, monkeypatch):
    """With --open, and not otherwise."""
    addresses = []
    monkeypatch.setattr("click.launch", addresses.append)
    nnrun("ui", "--port", "0")
    assert [] == addresses
    nnrun("ui", "--port", "0", "--open")
    assert [served[1].address] == addresses


@pytest.mark.parametrize("package", ["h11", "starlette", "uvicorn"])
def test_without_its_packages(nnrun, monkeypatch, package):
    """It names the extra, whichever package is missed first."""
    load = builtins.__import__

    def refused(name, *rest):
        if name == "nnrun.ui.server":
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refused)
    result = nnrun("ui")
    assert (2, True) == (result.exit_code, "pip install 'nnrun[ui]'" in result.stderr)
