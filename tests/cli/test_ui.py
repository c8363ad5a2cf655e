"""`nnrun ui` as a command: its address, its end, and what it refuses."""

from __future__ import annotations

import builtins
import signal
import socket
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.waiting import PATIENCE_SECONDS, ended


def opened(process):
    """The first page, by the address that was printed, and a stream of its events."""
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    opener = build_opener(HTTPCookieProcessor())
    for _ in range(2):  # the first time for the cookie
        with opener.open(address, timeout=PATIENCE_SECONDS) as answer:
            page = answer.read().decode()
    return page, opener.open(f"{address}events", timeout=PATIENCE_SECONDS)


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


def test_a_port_that_is_taken(lab):
    """It says so, and what to do; the code is that of a mistake."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = lab("ui", "--port", str(port))
    assert 2 == result.code
    assert f"127.0.0.1, port {port}: Address already in use; --port 0 takes" in result.err


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "", "a b"])
def test_a_host_that_is_not_this_machine(lab, host):
    """A mistake, in words."""
    result = lab("ui", "--host", host, "--port", "0")
    assert (2, True) == (result.code, "Traceback" not in result.said)


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


def test_another_address_comes_with_a_warning(lab, served):
    """Of loopback addresses alone there is none."""
    assert "warning" not in lab("ui", "--port", "0").err
    for host in ("0.0.0.0", "0"):
        result = lab("ui", "--host", host, "--port", "0")
        assert (
            f"warning: anyone who reaches {host} and opens this address first can read"
            in result.err
        )


def test_the_address_as_data(lab, served):
    """With --json one object; --open opens it."""
    found = lab.json("ui", "--port", "0")
    assert (served[0].address, served[0].port) == (found["address"], found["port"])


def test_the_browser_opens_a_local_page(lab, served, monkeypatch, tmp_path):
    """It is for this user alone, leads to the address, and is removed; only --open makes one."""
    opened = []

    def launch(path):
        opened.append((path, Path(path).stat().st_mode & 0o777, Path(path).read_text()))
        return 0

    monkeypatch.setattr("click.launch", launch)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    lab("ui", "--port", "0")
    assert [] == opened
    lab("ui", "--port", "0", "--open")
    ((path, mode, text),) = opened
    secret = served[1].address.split("/")[3]
    assert (0o600, False) == (mode, secret in path)
    assert f'content="0; url={served[1].address}"' in text
    assert not Path(path).exists()


def test_a_browser_is_started_where_the_system_opens_no_files(lab, served, monkeypatch, tmp_path):
    """Python starts it, with the path of the page as well."""
    opened = []
    monkeypatch.setattr("click.launch", lambda path: 1)
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    lab("ui", "--port", "0", "--open")
    assert [f"file://{tmp_path}/nnrun/ui-{served[0].port}.html"] == opened


def test_without_a_place_for_the_page_the_server_runs(lab, served, monkeypatch):
    """A warning says why no browser is opened; the address is printed."""
    monkeypatch.setattr("click.launch", pytest.fail)
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    result = lab("ui", "--port", "0", "--open")
    assert (0, served[0].address) == (result.code, result.out.strip())
    assert "warning: no browser is opened" in result.err


def test_addresses_are_new_at_each_start(lab, served):
    """The folder and the port may be the same."""
    lab("ui", "--port", "0")
    lab("ui", "--port", str(served[0].port))
    assert served[0].port == served[1].port
    assert served[0].address != served[1].address


@pytest.mark.parametrize("package", ["h11", "starlette", "uvicorn"])
def test_without_its_packages(lab, monkeypatch, package):
    """It names the extra, whichever package is missed first."""
    load = builtins.__import__

    def refused(name, *rest):
        if name == "nnrun.ui.server":
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refused)
    assert "pip install 'nnrun[ui]'" in lab.refused("ui")
