"""Streams that are closed, terminals that hang up, and signals that come at any time."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import COMMANDS, Forked
from tests.waiting import PATIENCE_SECONDS, printed, training, until

CONFIG = """
name: flowers
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 200, engine: numpy}
"""
COMMAND = [sys.executable, "-m", "nnrun"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("flowers.yaml").write_text(CONFIG)


def shell(words, redirection):
    """Exit code, stdout and stderr of a command whose streams are closed as the shell can."""
    line = f'exec "$0" -m nnrun {words} {redirection}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", ["train flowers.yaml", "check flowers.yaml", "datasets"])
def test_a_closed_stdout_is_reported(words):
    """The work is done, what cannot be shown is an error, and there is no traceback."""
    code, out, err = shell(words, ">&-")
    assert (1, "") == (code, out)
    assert err.endswith("error: stdout is closed; what was to be shown is lost\n")
    assert "Traceback" not in err
    assert words.startswith("train") == Path("results").is_dir()


def test_a_closed_stderr_costs_only_what_would_stand_there():
    """Results and exit codes are what they are otherwise."""
    assert (0, "") == shell("train flowers.yaml", "2>&-")[::2]
    code, out, _ = shell("train flowers.yaml --json", "2>&-")
    assert (0, "completed") == (code, json.loads(out)["status"])
    assert (2, "", "") == shell("train none.yaml", "2>&-")
    assert (2, "", "") == shell("bogus", ">&- 2>&-")


def test_no_file_takes_the_place_of_a_closed_stream():
    """What is written to a closed stdout ends up in no report."""
    assert (1, "", "") == shell("train flowers.yaml", "<&- >&- 2>&-")
    files = [path for path in Path("results").rglob("*") if path.is_file()]
    assert 5 == len(files)
    (report,) = Path("results").rglob("report.json")
    assert "completed" == json.loads(report.read_text())["status"]


def start(*words, **options):
    return subprocess.Popen([*COMMAND, *words], text=True, **options)


def test_a_hangup_is_answered_like_a_termination():
    """Exit 129, and what was reached is saved."""
    process = start(
        *("train", "flowers.yaml", "--iterations", "100000000"),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # tests may be under nohup
    )
    training()
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert 129 == process.returncode
    assert "which is saved; to continue:" in err
    (report,) = Path("results").rglob("report.json")
    assert "interrupted" == json.loads(report.read_text())["status"]


def test_a_hangup_that_is_to_be_ignored_is_ignored():
    """As under nohup."""
    words = ("train", "flowers.yaml", "--iterations", "30000")
    process = start(
        *words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    until(lambda: any(Path().glob("results/flowers/*")))
    process.send_signal(signal.SIGHUP)
    assert 0 == process.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_a_terminal_that_is_gone_costs_no_run(command):
    """Nobody sees the bar any more; the run completes all the same."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    words = (command, "flowers.yaml", "--iterations", "30000")
    process = start(*words, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    printed(ours, "%")
    os.close(ours)
    assert 0 == process.wait(PATIENCE_SECONDS)
    (report,) = Path("results").rglob("report.json")
    assert "completed" == json.loads(report.read_text())["status"]


def test_what_a_terminal_that_is_gone_was_not_shown_changes_no_exit_code():
    """Python tries again to write it as it ends, and would end with 120."""
    code = (
        "import os, sys\n"
        "from nnrun.cli import group\n"
        "made, (ours, theirs) = group.Output, os.pipe()\n"
        "def lost():\n"
        "    os.close(ours), os.dup2(theirs, 2)\n"
        "    sys.stderr.write('half a line')\n"
        "    return made()\n"
        "group.Output = lost\n"
        "sys.argv = ['nnrun', 'datasets']\n"
        "group.run()\n"
    )
    process = Forked(COMMANDS, ["-c", code], stdout=subprocess.PIPE)
    process.communicate()
    assert 0 == process.returncode


@pytest.mark.parametrize("module", ["click", "numpy", "nnrun.cli.output"])
def test_ctrl_c_while_it_loads_is_quiet(module):
    """Whatever is being imported, there is no traceback."""
    code = (
        "import builtins, os, signal, sys\n"
        "real = builtins.__import__\n"
        "def spy(name, *rest, **options):\n"
        f"    if name.startswith({module!r}): os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest, **options)\n"
        "builtins.__import__ = spy\n"
        "from nnrun.__main__ import main\n"
        "sys.argv = ['nnrun', 'train', 'flowers.yaml']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)
    assert not Path("results").exists()
