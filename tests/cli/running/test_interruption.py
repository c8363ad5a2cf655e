"""Ctrl-C, SIGTERM and SIGKILL: nothing reached is lost, and the same command continues."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from nnrun.cli import group as signals
from nnrun.cli.group import Interruption
from nnrun.errors import InterruptionError
from nnrun.runs.events import Listener
from nnrun.runs.storage.durable import acquire
from tests.waiting import PATIENCE_SECONDS, ended, training, until

ENDLESS = ("--iterations", "1000000000")


@pytest.fixture
def interrupting(monkeypatch):
    """Lets a signal come while a run is at its first steps past an iteration."""

    def at(iteration: int, number: int):
        sent = []

        def watch(run, progress):
            if progress.iteration >= iteration and not sent:
                sent.append(number)
                signal.raise_signal(number)

        @contextmanager
        def shown(*_):
            yield Listener(progressed=watch)

        monkeypatch.setattr("nnrun.cli.train.shown", shown)

    return at


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupted_run_goes_on_to_the_same_bits(lab, cars, interrupting, number, code):
    """Exit 130 or 143 with the command that goes on; that ends as if nothing had been."""
    arguments = ["train", cars, "seed=5", "--iterations", "3000", "--results", "the results"]
    lab("train", cars, "seed=5", "--iterations", "3000")
    interrupting(700, number)
    done = lab(*arguments, "--force")
    assert code == done.code
    assert "" == done.out
    cut = lab.report("the results/*/*/report.json")
    reached = cut["timing"]["iterations"]
    assert 700 <= reached < 3000
    assert "interrupted" == cut["status"]
    said = f"interrupted at iteration {reached:,}, which is saved; to continue:\n"
    command = "nnrun train cars.yaml seed=5 --iterations 3000 --results 'the results'"
    assert f"{said}  {command}\n" == done.err
    again = lab.ok(*arguments)
    assert f"continuing from iteration {reached:,}\n" == again.err
    whole, resumed = lab.report(), lab.report("the results/*/*/report.json")
    assert ("completed", 3000) == (resumed["status"], resumed["timing"]["iterations"])
    assert whole["weights_sha256"] == resumed["weights_sha256"]
    histories = [
        next(Path().glob(f"{name}/*/*/history.csv")).read_text()
        for name in ("results", "the results")
    ]
    assert histories[0] == histories[1]
    assert not list(Path("the results").rglob("checkpoint*"))


def test_json_tells_of_an_interruption_too(lab, cars, interrupting):
    """With --json, stdout holds the report of what was reached."""
    interrupting(100, signal.SIGINT)
    done = lab("train", cars, "--json")
    assert 130 == done.code
    assert lab.report() == done.json
    assert "interrupted" == lab.report()["status"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_process_answers_a_signal_within_five_seconds(start, cars, lab, number, code):
    """A real process, a real signal, a long run: it is saved and ends with the signal's code."""
    process = start("train", cars, *ENDLESS)
    training()
    process.send_signal(number)
    _, err = ended(process)
    assert "stopping here and saving; a second signal quits at once" in err
    assert code == process.returncode
    assert "interrupted" == lab.report()["status"]
    assert list(Path("results").rglob("checkpoint.safetensors"))


@pytest.mark.parametrize("moment", ["results/cars/*", "results/cars/*/config.yaml"])
def test_a_killed_run_is_completed_by_the_same_command(start, lab, cars, moment):
    """After SIGKILL in training or in writing, the same command ends well and leaves no debris."""
    arguments = ("train", cars, "--iterations", "20000")
    process = start(*arguments)
    until(lambda: any(Path().glob(moment)))
    process.kill()
    process.communicate()
    lab.ok(*arguments)
    assert "completed" == lab.report()["status"]
    assert not [path for path in Path("results").rglob("*") if path.name.endswith(".partial")]
    first = lab.report()["weights_sha256"]
    lab.ok(*arguments, "--force")
    assert first == lab.report()["weights_sha256"]


def test_a_signal_before_training_ends_at_once():
    """Until there is something to save, a signal breaks in; handlers are put back at the end."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(InterruptionError, match="before training") as caught, Interruption():
        signal.raise_signal(signal.SIGTERM)
    assert 143 == caught.value.exit_code
    assert before == signal.getsignal(signal.SIGTERM)


def test_a_second_signal_quits_on_the_spot(monkeypatch):
    """The first waits to be asked for; the second does not wait for anything."""
    ended = []
    monkeypatch.setattr(signals.os, "_exit", ended.append)
    with Interruption() as interruption:
        interruption.defer()
        assert not interruption.stop()
        signal.raise_signal(signal.SIGINT)
        assert interruption.stop()
        assert [] == ended
        signal.raise_signal(signal.SIGINT)
    assert [130] == ended


def test_a_signal_while_python_ends_changes_no_exit_code():
    """The work has one by then."""
    script = (
        "import atexit, os, signal, sys\n"
        "from nnrun.__main__ import main\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"  # called after those of main
        "sys.argv = ['nnrun', '--version']\n"
        "main()\n"
    )
    assert 0 == subprocess.run([sys.executable, "-c", script], check=False).returncode


def test_two_of_the_same_run_wait_for_each_other(start, lab, cars):
    """One run has one writer at a time; who waits says so."""
    (run,) = lab.json("check", cars)["configs"]
    lock = acquire(Path("results/cars", run["run_id"]), wait=True)
    process = start("train", cars)
    assert "another process is training this run; waiting for it\n" == process.stderr.readline()
    lock.close()
    process.communicate(timeout=PATIENCE_SECONDS)
    assert 0 == process.returncode
    assert "completed" == lab.report()["status"]


def test_a_reader_of_stderr_who_leaves_does_not_stop_a_run(start, cars, lab):
    """Notes that nobody reads are no reason to lose a run."""
    start("train", cars).communicate()
    read, write = os.pipe()
    os.close(read)
    process = start("train", cars, "--json", stderr=write)
    os.close(write)
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert 0 == process.returncode
    assert lab.report() == json.loads(out)
