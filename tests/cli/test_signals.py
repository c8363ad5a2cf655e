"""Commands that signals end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import pytest

from nnrun.cli import COMMANDS
from nnrun.cli import group as signals
from nnrun.cli.group import Interruption
from nnrun.errors import InterruptionError
from nnrun.runs.events import Listener
from nnrun.runs.storage import durable as files
from nnrun.runs.storage.durable import acquire
from nnrun.systems import system
from tests import forked
from tests.lab import CARS, write
from tests.waiting import PATIENCE_SECONDS, ended, training, until

# Ctrl-C, SIGTERM, SIGHUP and SIGKILL at any moment of any command: nothing unfinished is left.

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
INPUT = "cylinders,displacement,horsepower,weight,acceleration,model_year,origin\n" + (
    "8,307,130,3504,12,70,1\n4,113,95,2372,15,70,3\n"
)

# What writes files, and the one that it replaces.
WRITERS = {
    "best": ("best cars -o best.yaml", "best.yaml"),
    "check --picture": ("check cars.yaml --picture net.svg", "net.svg"),
    "explain": ("explain cars.yaml --html update.html", "update.html"),
    "export": ("export cars -o network.py", "network.py"),
    "export ZIP": ("export cars.zip -o network.py", "network.py"),
    "grade": ("grade . -o grades.csv", "grades.csv"),
    "help": ("help -o site", None),
    "init": ("init mine", None),
    "init --layer": ("init --layer mine.py", None),
    "init --lesson": ("init --lesson 11", None),
    "pack": ("pack cars -o packed.zip", "packed.zip"),
    "plan": ("plan cars.yaml -o plan.json", "plan.json"),
    "predict": ("predict cars new.csv -o out.csv", "out.csv"),
    "predict ZIP": ("predict cars.zip new.csv -o out.csv", "out.csv"),
    "report": ("report -o page.html", "page.html"),
    "report --figures": ("report --figures figures", None),
    "schema": ("schema -o schema.json", "schema.json"),
}
# What unpacks a run into the folder for temporary files.
UNPACKING = ("export cars.zip -o network.py", "predict cars.zip new.csv", "show cars.zip")
UNPACKING += ("verify cars.zip",)
OTHERS = ("check cars.yaml", "compare cars", "datasets", "ls", "search cars.yaml", "ui")
OTHERS += (
    "sweep cars.yaml",
    "train cars.yaml --force",
    "watch --once",
    "note cars text",
    "mv cars autos",
    "rm cars",
    "table",
)


@pytest.fixture
def here(lab, monkeypatch):
    """A config, its run, that run packed, and rows to predict; temporary files are made beside."""
    lab.begin({"cars.yaml": CARS, "new.csv": INPUT}, "train cars.yaml", "pack cars -o cars.zip")
    (lab.folder / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(lab.folder / "temporary"))
    return lab.folder


def contents(folder: Path) -> dict[str, bytes | None]:
    """All files and folders, with what is in them."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


class Interrupting:
    """Sends a signal the first time that a function is called, before or after its work."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int) -> None:
        self._patch = patch
        self._number = number
        self.sent = False

    def at(self, place: object, name: str, *, after: bool = False, when=lambda *_: True) -> None:
        original = getattr(place, name)

        def called(*arguments, **options):
            if not after:
                self._send(arguments, when)
            result = original(*arguments, **options)
            if after:
                self._send(arguments, when)
            return result

        self._patch.setattr(place, name, called)

    def _send(self, arguments: tuple[object, ...], when) -> None:
        if not self.sent and when(*arguments):
            self.sent = True
            signal.raise_signal(self._number)


@pytest.fixture(params=SIGNALS, ids=lambda number: number.name)
def interrupting(request, monkeypatch):
    return Interrupting(monkeypatch, request.param)


def made(interrupting):
    interrupting.at(system, "held")
    interrupting.at(system.Folder, "create", after=True)


def written(interrupting):
    interrupting.at(system, "force")


def to_be_renamed(interrupting):
    interrupting.at(system.Folder, "replace")
    interrupting.at(system.Folder, "link")


def code_of(interrupting) -> int:
    return 128 + interrupting._number


# The signal decides the exit code alone: `test_a_signal_ends_every_command` has all of them.
@pytest.mark.parametrize("interrupting", [signal.SIGTERM], indirect=True, ids=["SIGTERM"])
@pytest.mark.parametrize("moment", [made, written, to_be_renamed])
@pytest.mark.parametrize(
    ("writer", "there"),
    [*((name, False) for name in WRITERS), *((name, True) for name in WRITERS if WRITERS[name][1])],
)
def test_a_signal_leaves_nothing_of_a_file(lab, here, interrupting, writer, there, moment):
    """The exit code is that of the signal; an older file stays as it was, and no other is left."""
    words, target = WRITERS[writer]
    if there:
        write(target, "old")
    before = contents(here)
    moment(interrupting)
    done = lab(*words.split())
    assert interrupting.sent
    assert (code_of(interrupting), before) == (done.code, contents(here))
    assert "interrupted" in done.err


@pytest.mark.parametrize("words", UNPACKING)
def test_a_signal_leaves_no_unpacked_run(lab, here, interrupting, words):
    """The folder for temporary files is as before."""
    before = contents(here)
    interrupting.at(shutil, "copyfileobj", after=True)
    done = lab(*words.split())
    assert interrupting.sent
    assert (code_of(interrupting), before) == (done.code, contents(here))


def test_a_signal_ends_every_command(lab, here, interrupting, monkeypatch):
    """Each has the signal's exit code from its first line on, whatever it does."""
    every = [*(words for words, _ in WRITERS.values()), *UNPACKING, *OTHERS]
    assert {*COMMANDS} == {words.split()[0] for words in every}
    before = contents(here)
    interrupting.at(click.Context, "invoke", when=lambda context, *_: context.parent is not None)
    for words in every:
        interrupting.sent = False
        done = lab(*words.split())
        assert interrupting.sent
        assert (code_of(interrupting), before) == (done.code, contents(here)), words


# In a process of its own: what is left after signals is that of a process that has ended.
SCRIPT = """\
import os, signal, sys
from nnrun.__main__ import main
from nnrun.systems import system

first, *more = [getattr(signal, name) for name in sys.argv.pop(1).split(",")]

def interrupted(descriptor):
    try:
        signal.raise_signal(first)
    finally:
        for second in more:
            signal.raise_signal(second)

# Of several files, the first is called before, and not in another thread.
vars(system).update(start_writing=interrupted, force=interrupted)
main()
"""


@pytest.fixture
def process(here):
    def begin(signals: str, words: str):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        env = {**os.environ, "TMPDIR": str(here / "temporary")}
        command = ["-c", SCRIPT, signals, *words.split()]
        with forked.Forked(forked.COMMANDS, command, env=env, **pipes) as process:
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, out, err

    return begin


some_writers = pytest.mark.parametrize("writer", ["export ZIP", "report --figures"])


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@some_writers
def test_a_process_ends_with_the_code_of_a_signal(process, here, number, writer):
    """And not by the signal, with a word about it and no file."""
    before = contents(here)
    code, out, err = process(number.name, WRITERS[writer][0])
    assert (128 + number, "", before) == (code, out, contents(here))
    assert "interrupted\n" == err


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@some_writers
def test_a_second_signal_while_the_first_is_obeyed_leaves_nothing(process, here, number, writer):
    """No file, and no traceback: the process ends with the code of the second one."""
    before = contents(here)
    code, out, err = process(f"SIGTERM,{number.name}", WRITERS[writer][0])
    assert (128 + number, "", "", before) == (code, out, err, contents(here))


def test_what_a_killed_process_leaves_goes_with_the_next_file(process, lab, here):
    """After SIGKILL, the target is the old one, and the same command removes the partial file."""
    write("out.csv", "old")
    before = contents(here)
    code, _, _ = process("SIGKILL", WRITERS["predict"][0])
    (left,) = contents(here).keys() - before.keys()
    assert (-signal.SIGKILL, "old") == (code, Path("out.csv").read_text())
    assert left.startswith(".out.csv.")
    lab.ok(*WRITERS["predict"][0].split())
    assert before.keys() == contents(here).keys()
    assert 3 == len(Path("out.csv").read_text().splitlines())


def test_a_file_that_is_being_written_is_not_taken_for_abandoned(here):
    """Two write the same file at once, and each writes it whole."""
    target = here / "out.csv"
    with files.written_whole(target) as first:
        first.write(b"first")
        files.write_atomically(target, b"second")
        assert b"second" == target.read_bytes()
    assert b"first" == target.read_bytes()


def test_a_file_removed_before_it_is_held_is_made_again(here, monkeypatch):
    """Another process may look between these two steps."""
    held, removed = system.held, []

    def slowly(descriptor):
        if not removed:
            removed.extend(here.glob(".out.csv.*"))
            removed[0].unlink()
        return held(descriptor)

    monkeypatch.setattr(system, "held", slowly)
    files.write_atomically(here / "out.csv", b"whole")
    assert b"whole" == (here / "out.csv").read_bytes()


def test_an_interruption_is_no_error_that_a_command_handles():
    """It passes what makes a message of any error, as that of a plugin."""
    with (
        pytest.raises(InterruptionError) as caught,
        Interruption(before=None),
        suppress(Exception),
    ):
        signal.raise_signal(signal.SIGHUP)
    assert (129, "interrupted") == (caught.value.exit_code, str(caught.value))


# Ctrl-C, SIGTERM and SIGKILL: nothing reached is lost, and the same command continues.

ENDLESS = ("--iterations", "1000000000")


@pytest.fixture
def interrupted_at(monkeypatch):
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
def test_an_interrupted_run_goes_on_to_the_same_bits(lab, cars, interrupted_at, number, code):
    """Exit 130 or 143 with the command that goes on; that ends as if nothing had been."""
    arguments = ["train", cars, "seed=5", "--iterations", "3000", "--results", "the results"]
    lab("train", cars, "seed=5", "--iterations", "3000")
    interrupted_at(700, number)
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


def test_json_tells_of_an_interruption_too(lab, cars, interrupted_at):
    """With --json, stdout holds the report of what was reached."""
    interrupted_at(100, signal.SIGINT)
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
