"""`nnrun sweep`, and names of sweeps."""

from __future__ import annotations

import errno
import gc
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread

import pytest

from nnrun.config.load import load_config
from nnrun.engines.generated.cost import compiling_seconds
from nnrun.errors import NnrunError
from nnrun.reports.live.work import Work
from nnrun.reports.terminal.sweeps import MOST_ROWS
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.store import Store
from nnrun.sweeps.active_runs import RunEnds
from nnrun.sweeps.planning import validate
from nnrun.sweeps.sweep import Sweep
from tests.forked import nnrun
from tests.sweeps.helpers import BOSTON, IRIS, WILD, in_session, lasting, weights_of
from tests.waiting import PATIENCE_SECONDS, ended, printed, training, until

# `nnrun sweep` as a command: what it prints, writes and returns.


def test_a_sweep_ends_in_a_leaderboard(wide, write, tmp_path):
    """Printed, and written as CSV, JSON and Markdown; a line for each run on stderr."""
    write("iris"), write("boston", BOSTON)
    code, out, err = wide("sweep", "configs", "--seeds", 3)
    assert 0 == code
    assert "iris: accuracy, ordered by the test split" in out
    assert "boston: mse, ordered by the test split" in out
    assert 6 == sum(line.startswith("[") for line in err.splitlines())
    assert "[6/6] " in err
    assert "6 runs: 6 trained in " in err
    board = json.loads((tmp_path / "results/leaderboard.json").read_text())
    assert ["boston", "iris"] == [row["name"] for group in board["groups"] for row in group["rows"]]
    assert 3 == board["groups"][0]["rows"][0]["test"]["n"]
    assert "nnrun sweep configs --seeds 3" == board["command"]
    assert (tmp_path / "results/leaderboard.md").read_text().startswith("# Leaderboard\n")
    assert 3 == len((tmp_path / "results/leaderboard.csv").read_text().splitlines())
    code, again, err = wide("sweep", "configs", "--seeds", 3)
    assert (0, out) == (code, again)
    assert "6 runs: 0 trained in " in err
    assert "6 complete already" in err


def test_what_is_there_is_no_garbage(wide, write, monkeypatch):
    """While runs are trained, the garbage collector passes over what was there before them."""
    write("iris")
    spared = []
    count = RunEnds.count

    def counting(*arguments, **keywords):
        spared.append(gc.get_freeze_count())
        count(*arguments, **keywords)

    monkeypatch.setattr(RunEnds, "count", counting)
    before = gc.get_freeze_count()
    assert 0 == wide("sweep", "configs", "--seeds", 2, "-j", 1)[0]
    assert 2 == sum(number > 10_000 for number in spared)
    assert gc.get_freeze_count() <= before


def test_a_sweep_has_a_leaderboard_that_no_other_replaces(wide, write, tmp_path):
    """The same sweep again has the same one; `leaderboard.json` is that of the last."""
    write("iris"), write("boston", BOSTON)

    def kept():
        return {file.name: file.read_bytes() for file in (tmp_path / "results").glob("*-*.json")}

    wide("sweep", "configs/iris.yaml", "--seeds", 2)
    first = kept()
    wide("sweep", "configs/iris.yaml", "--seeds", 2)
    assert first == kept()
    for words in (["configs/iris.yaml"], ["configs/boston.yaml"], ["configs"]):
        wide("sweep", *words, "--seeds", 3)
    assert first.items() <= kept().items()
    names = sorted(name.rpartition("-")[0] for name in kept())
    own = ["leaderboard-iris", "leaderboard-iris"]
    assert ["leaderboard-2-experiments", "leaderboard-boston", *own] == names
    last = json.loads((tmp_path / "results/leaderboard.json").read_text())
    assert "nnrun sweep configs --seeds 3" == last["command"]
    found = [json.loads(content)["command"] for content in kept().values()]
    assert 4 == len(set(found))


def test_a_leaderboard_is_shown_by_its_experiment_or_key(wide, write):
    """The last one of the experiment; others are named on stderr."""
    write("iris"), write("boston", BOSTON)
    for words in (["configs/iris.yaml", "--seeds", 2], ["configs"], ["configs/iris.yaml"]):
        assert 0 == wide("sweep", *words)[0]

    def shown(*words):
        return wide.json("ls", "--leaderboard", *words)

    assert "nnrun sweep configs/iris.yaml" == shown()["command"] == shown("iris")["command"]
    assert "nnrun sweep configs" == shown("2-experiments")["command"]
    assert "nnrun sweep configs" == shown("boston")["command"]
    assert shown("2-experiments")["key"] == shown(shown("2-experiments")["key"])["key"]
    code, _, err = wide("ls", "--leaderboard", "iris")
    assert (0, True) == (code, "other leaderboards, for nnrun ls KEY --leaderboard: 2-exp" in err)
    code, _, err = wide("ls", "--leaderboard", "iri")
    assert (0, True) == (code, "no leaderboard has an experiment iri; this is iris-" in err)
    assert "no leaderboard in results has 'wine' on it or starts with" in wide.refused(
        "ls", "--leaderboard", "wine"
    )


def test_a_leaderboard_of_two_experiments_is_found_though_a_longer_name_is_newer(wide, write):
    """An experiment's name is not taken for the start of another one."""
    write("iris"), write("boston", BOSTON)
    assert 0 == wide("sweep", "configs")[0]
    (key,) = (board.name for board in Path("results").glob("leaderboard-2-*"))
    longer = write("iris_long")
    assert 0 == wide("sweep", longer)[0]
    board = wide.json("ls", "--leaderboard", "iris")
    assert key == f"leaderboard-{board['key']}.json"


def test_a_long_leaderboard_is_cut_and_says_so(wide, write):
    """The first rows with their marks; --all shows all."""
    write("iris")
    words = ("training.learning_rate=0.1,0.2,0.3", "training.iterations=1", "--seeds", 2)
    assert 0 == wide("sweep", "configs/iris.yaml", *words)[0]
    every = wide("ls", "--leaderboard", "--all", "--wide")[1].splitlines()
    some = wide("ls", "--leaderboard", "--top", 1, "--wide")[1].splitlines()
    key = wide.json("ls", "--leaderboard")["key"]
    left = "2 more rows, all ranked below these, are left out"
    assert f"{left}; nnrun ls {key} --leaderboard --all shows all." in some
    moved = Path("results").rename("moved runs")
    hint = f"nnrun ls {key} --leaderboard --all --results 'moved runs' shows all"
    assert hint in wide("ls", "--leaderboard", "--top", 1, "--wide", "--results", moved)[1]
    (first,) = (line for line in some if line.lstrip().startswith("1 "))
    assert first.split() in [line.split() for line in every]
    assert ["1 *", "2 *", "3 *"] == [line[:3] for line in every if line[1:3] == " *"]


def test_a_leaderboard_is_printed_in_other_forms(wide, write):
    """CSV and Markdown are those of the files, or their first rows; options of runs are refused."""
    write("iris")
    words = ("training.learning_rate=0.1,0.2", "training.iterations=1")
    assert 0 == wide("sweep", "configs/iris.yaml", *words)[0]
    for form in ("csv", "md"):
        file = Path(f"results/leaderboard.{form}").read_text()
        assert file == wide("ls", "--leaderboard", f"--{form}")[1]
    assert 2 == len(wide("ls", "--leaderboard", "--csv", "--top", 1)[1].splitlines())
    for refused in (["--sort", "test"], ["--where", "seed=1"], ["--last", 1]):
        assert f"{refused[0]} is for lists of runs" in wide.refused("ls", "--leaderboard", *refused)
    assert 2 == wide("ls", "--leaderboard", "--top", 3, "--all")[0]


def test_a_dry_run_writes_nothing(wide, write, tmp_path):
    """The plan with its runs and an estimate; complete runs are counted."""
    write("iris"), write("boston", BOSTON)
    wide("sweep", "configs/iris.yaml")
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = wide("sweep", "configs", "training.batch_size=8,16", "--seeds", 2, "--dry-run")
    assert 0 == code
    assert "8 runs, 1 of them complete already; about " in out
    assert "iris batch_size=16" in out
    assert "42–43" in out
    code, out, _ = wide("sweep", "configs", "--seeds", 2, "--dry-run", "--json")
    plan = json.loads(out)
    assert (4, 1) == (plan["runs"], plan["complete"])
    assert [42, 43] == plan["points"][0]["seeds"]
    _, out, _ = wide("sweep", "configs/iris.yaml", "--dry-run")
    assert "1 run, 1 of them complete already. Nothing was written." in out
    assert before == sorted(tmp_path.rglob("*"))


def test_rows_of_a_dry_run_can_be_compared(wide, write):
    """Times are in one unit, and blocks in few words."""
    write("iris")
    rates = "training.learning_rate=0.1,{schedule: warmup_cosine, peak: 0.1, warmup: 5}"
    iterations = "training.iterations=10,10000000000"
    words = ("sweep", "configs/iris.yaml", rates, iterations, "training.epochs=null")
    out = wide(*words, "--dry-run", "--wide")[1]
    assert 2 == out.count(" learning_rate=warmup_cosine(peak=0.1, warmup=5) ")
    heading, _, *rows = out.split("\n\n")[0].splitlines()
    assert "about" == heading.split()[-1]
    assert [["s"] * 4, []] == [[r.split()[-1] for r in rows], [r for r in rows if " min " in r]]


def test_a_dry_run_names_the_time_of_compiling(wide, write):
    """Of each function once, without those of complete runs; none by NumPy."""
    file = write("boston", BOSTON)
    words = ("sweep", file, "network.sizes.0=2,3,4")
    dry, rates = ("--dry-run", "--json"), "training.learning_rate=0.1,0.2"

    def compiling(*more):
        return json.loads(wide(*words, *more, *dry)[1])["estimated_seconds_of_compiling"]

    choices = [load_config(file, [f"network.sizes.0={units}"]) for units in (2, 3, 4)]
    times = [compiling_seconds(prepare(choice).network) for choice in choices]
    by_function = "training.engine=compiled"
    for more in ((), ("--seeds", 2), (rates,), ("training.iterations=20,30",)):
        assert pytest.approx(sum(times)) == compiling(by_function, "-j", 1, *more)
    assert 0 == compiling("training.engine=numpy")
    assert "of compiling" not in wide(*words, "training.engine=numpy", "--dry-run")[1]
    assert 0 == wide("sweep", file, "network.sizes.0=3", by_function)[0]
    assert pytest.approx(sum(times) - times[1]) == compiling(by_function, "-j", 1, "--seeds", 2)
    shown = wide(*words, by_function, "-j", 1, "--dry-run")[1]
    assert " s of compiling. Nothing was written." in shown


def test_lengths_that_a_smoke_run_replaces_are_named(wide, write):
    """Once for all configs, those of their own grids included; not with --quiet."""
    own = "sweep: {grid: {training.epochs: [1, 2]}}"
    write("iris"), write("own", f"{IRIS}{own}"), write("boston", BOSTON + own)
    made = "so that they make no settings of their own\n"
    smoke = ("--iterations", 5, "--dry-run")
    code, out, err = wide("sweep", "configs", "training.batch_size=8,16", "--json", *smoke)
    assert (0, 6) == (code, json.loads(out)["runs"])
    assert f"--iterations 5 replaces the values of 'training.epochs', {made}" == err
    both = "'training.iterations' and 'training.epochs'"
    given = ("sweep", "configs", "training.iterations=7,8", *smoke)
    assert f"--iterations 5 replaces the values of {both}, {made}" == wide(*given)[2]
    assert "" == wide(*given, "-q")[2]
    for one in ("training.epochs=2", "training.batch_size=8,16"):
        assert "" == wide("sweep", "configs/iris.yaml", one, *smoke)[2]
    trained = wide("sweep", "configs/iris.yaml", "training.epochs=1,2", *smoke[:2])
    assert (0, 1) == (trained[0], trained[2].count(made))


@pytest.mark.parametrize("form", [[], ["--json"]], ids=("table", "JSON"))
def test_a_dry_run_makes_each_setting_once(wide, write, monkeypatch, form):
    """To count its runs, to look for them in the results, and to show it."""
    write("iris")
    made = []
    make = validate.make_variant
    monkeypatch.setattr(validate, "make_variant", lambda *given: made.append(given) or make(*given))
    words = ("sweep", "configs", "training.iterations=range(1,51)", "--dry-run")
    assert 0 == wide(*words, *form)[0]
    assert 50 == len(made)


def test_a_plan_of_many_rows_is_cut(wide, write):
    """The table has the first rows, the totals are of all, and JSON has each."""
    write("iris")
    words = ("sweep", "configs", f"training.iterations=range(1,{MOST_ROWS + 4})", "--dry-run")
    _, out, _ = wide(*words)
    assert MOST_ROWS == out.count("iris iterations=")
    assert "and 3 rows below; --json has all" in out
    assert f"{MOST_ROWS + 3} runs; about " in out
    assert MOST_ROWS + 3 == len(wide.json(*words)["points"])


def test_one_bad_config_starts_nothing(wide, write, tmp_path):
    """Exit 2 with its place; the good ones are not begun."""
    for number in range(5):
        write(f"good{number}")
    write("bad", IRIS.replace("cross_entropy", "mean_squarred"))
    assert "configs/bad.yaml:4:7: loss: 'mean_squarred' is not a loss" in wide.refused(
        "sweep", "configs"
    )
    assert not (tmp_path / "results").exists()


def test_subfolders_are_taken_on_request(wide, write):
    """A folder means the configs directly in it."""
    write("iris"), write("deep", IRIS, "configs/more")
    assert 1 == wide.json("sweep", "configs", "--dry-run")["runs"]
    found = wide.json("sweep", "configs", "--dry-run", "--recursive")
    assert 2 == found["runs"]


def test_failures_show_at_once_and_in_the_end(wide, write):
    """Exit 1; the leaderboard counts them; --json has them with their reasons."""
    write("iris"), write("wild", WILD)
    code, out, err = wide("sweep", "configs", "--seeds", 2)
    assert 1 == code
    lines = err.splitlines()
    assert 2 == sum(line.startswith("failed: wild seed=4") for line in lines)
    assert any(line.startswith("4 runs: 4 trained in ") for line in lines)
    assert "error: of 4 runs, 2 diverged" in lines
    assert "0 of 2" in out
    code, out, err = wide("sweep", "configs", "--seeds", 2, "--json", "-q")
    data = json.loads(out)
    assert (1, 0, 4, 2) == (code, data["trained"], data["complete_before"], len(data["failures"]))
    assert all("left the range of numbers" in failure["reason"] for failure in data["failures"])


def test_a_run_that_cannot_be_saved_again_has_the_reason(wide, write, monkeypatch):
    """Not the path of the report of before, which knows of no failure."""
    write("iris")
    assert 0 == wide("sweep", "configs")[0]
    sync = os.fsync

    def full(descriptor):
        if "iris/s" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EFBIG, "File too large")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = wide("sweep", "configs", "--force", "-j", 1)
    assert 1 == code
    assert err.endswith(
        "error: of 1 run, 1 failed\n  iris seed=3: cannot be saved: File too large\n"
    )


def test_fail_fast_names_the_command_that_goes_on(wide, write, tmp_path):
    """And leaves no leaderboard of half a sweep."""
    write("wild", WILD)
    code, _, err = wide("sweep", "configs", "--seeds", 9, "--fail-fast", "-j", 1)
    assert 1 == code
    assert "error: of 9 runs, 1 diverged" in err
    assert "to continue:\n  nnrun sweep configs --seeds 9 --jobs 1 --fail-fast" in err
    assert not (tmp_path / "results/leaderboard.md").exists()


def test_failures_are_reported_though_the_leaderboard_cannot_be_written(wide, write, monkeypatch):
    """What went wrong with the runs comes first, then what went wrong with their table."""
    write("wild", WILD)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "results/leaderboard.csv")

    monkeypatch.setattr(Store, "write", full)
    code, out, err = wide("sweep", "configs")
    assert 1 == code
    assert "0 of 1" in out
    lines = err.partition("error: ")[2].splitlines()
    assert "of 1 run, 1 diverged" == lines[0]
    place = "results/leaderboard.csv: No space left on device"
    assert f"the leaderboard cannot be written: {place}" == lines[-1]


def test_a_link_out_of_the_results_folder_is_refused_before_the_start(wide, write, tmp_path):
    """Exit 2; nothing is trained, here or there."""
    write("iris"), write("other")
    (tmp_path / "outside").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results/other").symlink_to(tmp_path / "outside")
    assert "leads out of the results folder" in wide.refused("sweep", "configs")
    assert ["other"] == [path.name for path in (tmp_path / "results").iterdir()]
    assert [] == list((tmp_path / "outside").iterdir())


def test_the_command_that_goes_on_names_its_folder(wide, write, monkeypatch):
    """Also where an environment variable has another one."""
    monkeypatch.setenv("NNRUN_RESULTS", "elsewhere")
    write("iris")
    board = wide.json("sweep", "configs", "--results", "results")["leaderboard"]
    assert "nnrun sweep configs --results results" == board["command"]


def test_quiet_is_quiet(wide, write):
    """Nothing at all where all is well."""
    write("iris")
    assert (0, "", "") == wide("sweep", "configs", "-q")


def test_replication_is_written_on_request(wide, write, tmp_path):
    """In the results folder, with the command that makes it."""
    write("iris", IRIS + "published: {test_accuracy: 0.0}\n")
    assert 0 == wide("sweep", "configs", "--seeds", 2, "--replication")[0]
    text = (tmp_path / "results/REPLICATION.md").read_text()
    assert "| iris | test accuracy | 2 |" in text
    assert "| 0 | **no** |" in text
    assert "nnrun sweep configs --seeds 2 --replication" in text


def test_replication_of_runs_that_are_complete(wide, write, tmp_path):
    """Numbers that are published after the runs were trained are held against them all the same."""
    write("iris")
    assert 0 == wide("sweep", "configs", "--seeds", 2)[0]
    write("iris", IRIS + "published: {test_accuracy: 0.0, train_accuracy: 1.5}\n")
    code, _, err = wide("sweep", "configs", "--seeds", 2, "--replication")
    assert 0 == code
    assert "0 trained" in err
    text = (tmp_path / "results/REPLICATION.md").read_text()
    assert "| 0 | **no** |" in text
    assert "| 1.5 | **no** |" in text


def test_jobs_and_dask_exclude_each_other(wide, write):
    """A usage error, as is an address that is none."""
    write("iris")
    assert 2 == wide("sweep", "configs", "-j", 2, "--dask", "tcp://127.0.0.1:1")[0]
    err = wide.refused("sweep", "configs", "--dask", "nonsense://x")
    kinds = err.removeprefix("error: --dask nonsense://x: 'nonsense://' is not a kind of address")
    assert kinds.startswith(" of Dask (one of inproc://, tcp://, tls://, ")
    wrong = {
        "it ends in no port, as tcp://127.0.0.1:8786 does": ("x", "tcp://x", "tls://x:y"),
        "it names no host, as tcp://127.0.0.1:8786 does": ("tcp://:8786",),
        "ports are from 1 to 65535": ("tcp://x:99999", "x:0", "tcp://127.0.0.1:-1"),
    }
    for reason, addresses in wrong.items():
        for address in addresses:
            message = f"error: --dask {address}: {reason}\n"
            assert (2, "", message) == wide("sweep", "configs", "--dask", address)
    assert 2 == wide("sweep", "configs", "--dask", "")[0]


def test_a_cluster_needs_its_certificates(wide, write, monkeypatch, tmp_path):
    """A `tls://` address without them is a mistake that says what to set, and what is wrong."""
    write("iris")
    err = wide.refused("sweep", "configs", "--dask", "tls://127.0.0.1:1")
    assert "--dask tls://127.0.0.1:1: no certificates are configured; set DASK_DIS" in err
    import dask

    nothing = str(tmp_path / "nothing.pem")
    names = ("ca-file", "client.cert", "client.key")
    with dask.config.set({f"distributed.comm.tls.{name}": nothing for name in names}):
        assert "the certificates cannot be used: [Errno 2] No such file" in wide.refused(
            "sweep", "configs", "--dask", "tls://127.0.0.1:1"
        )


def test_a_scheduler_that_does_not_answer(wide, write, monkeypatch, tmp_path):
    """Exit 1, and nothing is written, nor said to be saved; also where Dask needs another package
    for this kind of address.
    """
    from nnrun.sweeps.workers import dask_tasks as dask_client

    monkeypatch.setattr(dask_client, "_CONNECT_SECONDS", 0.5)
    write("iris")
    words = ("sweep", "configs", "--dask", "tcp://127.0.0.1:1")
    message = f"no Dask scheduler answers at {words[-1]}; to continue:\n  nnrun {' '.join(words)}"
    assert (1, "", f"error: {message}\n") == wide(*words)
    code, _, err = wide("sweep", "configs", "--dask", "ucx://127.0.0.1:1")
    assert 1 == code
    assert err.startswith("error: no Dask scheduler can be reached at ucx://127.0.0.1:1: ")
    assert ["configs"] == os.listdir(tmp_path)


def test_waiting_for_a_scheduler_is_said(wide, write, monkeypatch):
    """Before it turns out that none answers; with --quiet, that alone is."""
    from nnrun.sweeps.workers import dask_tasks as dask_client

    class Silent(BaseRequestHandler):
        def handle(self):
            self.request.recv(1 << 16)
            said.wait(PATIENCE_SECONDS)

    said = Event()
    note = Work.warn
    monkeypatch.setattr(Work, "warn", lambda *given: (note(*given), said.set()))
    monkeypatch.setattr(dask_client, "_NOTE_SECONDS", 0.0)
    write("iris")
    for quiet in ([], ["--quiet"]):
        said.clear()
        with ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
            Thread(target=server.serve_forever).start()
            address = f"tcp://127.0.0.1:{server.server_address[1]}"
            code, _, err = wide("sweep", "configs", "--dask", address, *quiet)
            server.shutdown()
        waiting = [] if quiet else [f"waiting for the Dask scheduler at {address}"]
        failed = f"error: no Dask scheduler answers at {address}; to continue:"
        assert (1, [*waiting, failed]) == (code, err.splitlines()[:-1])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda asked: b"", "no Dask scheduler answers at {}"),
        (lambda asked: b"SSH-2.0-OpenSSH_9.2", "what answers at {} is no Dask scheduler"),
        (lambda asked: asked, "what answers at {} is no Dask scheduler"),
    ],
    ids=["silence", "another protocol", "an echo"],
)
def test_a_server_that_is_no_scheduler(wide, write, monkeypatch, tmp_path, answer, sentence):
    """Exit 1 with one sentence, in a limited time, and nothing is written."""
    from nnrun.sweeps.workers import dask_tasks as dask_client

    class Answering(BaseRequestHandler):
        def handle(self):
            while asked := self.request.recv(1 << 16):
                self.request.sendall(answer(asked))

    monkeypatch.setattr(dask_client, "_CONNECT_SECONDS", 0.5)
    write("iris")
    with ThreadingTCPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever).start()
        address = f"tcp://127.0.0.1:{server.server_address[1]}"
        code, out, err = wide("sweep", "configs", "--dask", address)
        server.shutdown()
    assert (1, "") == (code, out)
    assert err.startswith(f"error: {sentence.format(address)}; to continue:\n")
    assert ["configs"] == os.listdir(tmp_path)


def test_an_error_after_work_has_begun(wide, write, monkeypatch):
    """It says that what was finished is saved."""

    def fail(*_):
        raise NnrunError("no worker is left")

    monkeypatch.setattr(Sweep, "run", fail)
    write("iris")
    message = "no worker is left; what was finished is saved; to continue:\n  nnrun sweep configs"
    assert (1, "", f"error: {message}\n") == wide("sweep", "configs")


@pytest.fixture
def closed(monkeypatch):
    """Makes the results folder one that another user may only read: root may write anywhere."""
    mkdir, access = Path.mkdir, os.access

    def is_in_results(path):
        return Path("results").absolute() in (here := Path(path).absolute(), *here.parents)

    def refusing(path, *arguments, **options):
        if is_in_results(path) and not path.is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        mkdir(path, *arguments, **options)

    def asked(path, mode, **options):
        return not (is_in_results(path) and mode & os.W_OK) and access(path, mode, **options)

    def close():
        Path("results").mkdir(exist_ok=True)
        monkeypatch.setattr(Path, "mkdir", refusing)
        monkeypatch.setattr(os, "access", asked)

    return close


def test_a_results_folder_that_may_not_be_written_ends_it(wide, write, closed):
    """At the first run, before any is trained; nothing was finished, and nothing else is said."""
    write("iris")
    closed()
    code, out, err = wide("sweep", "configs", "--seeds", 9, "-j", 1)
    reason = os.strerror(errno.EACCES)
    assert (1, "") == (code, out)
    assert [
        f"failed: iris seed=3: its folder cannot be made: {reason}",
        f"error: no results can be written: {reason}; to continue:",
        "  nnrun sweep configs --seeds 9 --jobs 1",
    ] == err.splitlines()


def test_what_a_closed_results_folder_has_is_saved(wide, write, closed):
    """It says so where some runs are complete."""
    write("iris")
    wide("sweep", "configs", "--seeds", 2, "-q")
    closed()
    code, _, err = wide("sweep", "configs", "--seeds", 9, "-j", 1)
    saved = f"no more results can be written: {os.strerror(errno.EACCES)}; what was finished is"
    assert 1 == code
    assert 1 == err.count("failed: ")
    assert saved in err


def test_a_run_folder_that_may_not_be_entered_fails_alone(wide, write, monkeypatch):
    """The others have their board, and the reason stands where the report would."""
    file = write("iris")
    folder = Path("results/iris", prepare(load_config(file)).run_id).absolute()
    folder.mkdir(parents=True)
    reason = os.strerror(errno.EACCES)
    mkdir, stat = Path.mkdir, os.stat

    def denied(path):
        if folder in Path(os.fsdecode(path)).absolute().parents:
            raise PermissionError(errno.EACCES, reason, str(path))

    def refusing(path, *arguments, **options):
        denied(path / "any")
        mkdir(path, *arguments, **options)

    def looking(path, *arguments, **options):
        if not isinstance(path, int):
            denied(path)
        return stat(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refusing)
    monkeypatch.setattr(os, "stat", looking)
    code, out, err = wide("sweep", "configs", "--seeds", 3, "-j", 1)
    assert 1 == code
    assert "Result:   iris, test accuracy" in out
    assert "wrote results/leaderboard-iris" in err
    assert err.endswith(
        f"error: of 3 runs, 1 failed\n  iris seed=3: its folder cannot be made: {reason}\n"
    )


@pytest.mark.parametrize(
    ("number", "code", "jobs"),
    # In one process, signals are those of `nnrun train`.
    [(signal.SIGINT, 130, 1), (signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 2)],
)
def test_a_signal_ends_it_in_time(shell, write, tmp_path, number, code, jobs):
    """Within 5 seconds, with its code and the command that goes on, and without a child."""
    write("iris", lasting(100_000_000))
    process = shell.start("sweep", "configs", "--seeds", 4, "-j", jobs)
    training(tmp_path, jobs)
    # As Ctrl-C on a terminal does, which reaches the workers as well.
    os.killpg(process.pid, number)
    _, err = ended(process)
    assert code == process.returncode
    assert [] == in_session(process.pid)
    go_on = f"nnrun sweep configs --seeds 4 --jobs {jobs}"
    done = f"0 of 4 runs, {jobs} saved half-way"
    assert err.endswith(f"interrupted after {done}\nto continue:\n  {go_on}\n")
    assert jobs == len(list(tmp_path.glob("results/iris/*/checkpoint.safetensors")))
    reports = tmp_path.glob("results/iris/*/report.json")
    assert ["interrupted"] * jobs == [json.loads(path.read_text())["status"] for path in reports]


def test_an_interrupted_sweep_calls_no_run_complete_that_is_not(shell, write, tmp_path):
    """It says how many it got to; some of those have diverged, and later ones may be complete."""
    write("long", lasting(100_000_000)), write("wild", WILD)
    process = shell.start("sweep", "configs", "-j", 2)
    training(tmp_path)
    until(lambda: [*tmp_path.glob("results/wild/*/report.json")])
    os.killpg(process.pid, signal.SIGINT)
    _, err = ended(process)
    assert re.search(r"2 runs: 1 trained in .*, 1 diverged, 1 left\n", err)
    assert "interrupted after 1 of 2 runs, 1 saved half-way\nof 2 runs, 1 diverged\n" in err


def test_a_sweep_that_stops_early_may_have_less_left_than_it_knows(wide, write):
    """It has not looked at the runs further on, which may be complete."""
    write("wild", WILD)
    words = ("sweep", "configs", "seed=0,1,2", "-j", 1, "--fail-fast")
    wide(*words[:2], "seed=2")
    _, _, err = wide(*words)
    assert re.search(r"3 runs: 1 trained in .*, 1 diverged, up to 2 left\n", err)
    _, _, err = wide(*words)
    assert re.search(r" 1 trained in .*, 1 complete already, 2 diverged, up to 1 left\n", err)
    assert "3 runs: 0 trained in " in wide(*words)[2]


def test_a_second_signal_ends_it_at_once(shell, write, tmp_path):
    """As safe as the first: the same command finishes, and no child is left."""
    write("iris", lasting(10_000))
    words = ("sweep", "configs", "--seeds", 4, "-j", 2)
    process = shell.start(*words)
    until(lambda: len(list(tmp_path.glob("results/iris/*"))) >= 2)
    # Together they are handled one after the other, before the first can take effect.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    ended(process, seconds=2)
    assert process.returncode in (130, 143)
    until(lambda: not in_session(process.pid))
    assert 0 == shell.run(*words)[0]
    assert 4 == len(weights_of(tmp_path / "results"))


def test_a_second_signal_leaves_the_terminal_as_it_was(write, tmp_path):
    """The cursor that the live view hides is shown again."""
    write("iris", lasting(100_000_000))
    process, ours = on_terminal(tmp_path, "sweep", "configs", "--seeds", "2", "-j", "1")
    text = printed(ours, "iris seed=")
    # Together they are handled one after the other, before the first can take effect.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    text += read_all(ours)
    assert process.wait() in (130, 143)
    assert text.rindex("\x1b[?25l") < text.rindex("\x1b[?25h")


def test_a_signal_removes_the_bar_of_a_run(write, tmp_path):
    """What it prints would stand below a bar that moves no more."""
    write("iris", lasting(100_000_000))
    process, ours = on_terminal(tmp_path, "train", "configs/iris.yaml")
    text = printed(ours, " left")
    process.send_signal(signal.SIGINT)
    text += read_all(ours)
    assert 130 == process.wait()
    assert "\r\x1b[2Kstopping here and saving" in text


def on_terminal(folder, *words):
    """The command as a process whose stderr is a terminal, and the other end of that."""
    ours, theirs = pty.openpty()
    process = nnrun(
        *words,
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    return process, ours


def read_all(descriptor):
    """What a terminal is shown until its other end is closed."""
    text = b""
    try:
        while chunk := os.read(descriptor, 65536):
            text += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(descriptor)
    return text.decode()


def test_a_terminal_sees_the_whole_and_each_run(write, tmp_path):
    """A bar with counts, and a line for each run in progress; it is gone at the end."""
    write("iris", lasting(20_000))
    process, ours = on_terminal(tmp_path, "sweep", "configs", "--seeds", "3", "-j", "2")
    shown = read_all(ours)
    assert 0 == process.wait()
    assert re.search(r"iris seed=3 .*━.* \d+% +[\d,]+/s +loss 0\.\d+[^\n]* \d s left", shown)
    assert re.search(r"[12]/3 runs, \d+ s left", shown)
    assert "[1/3]" not in shown
    assert "3 runs: 3 trained in " in shown


# No experiment has the name of a file that nnrun writes in the results folder.


@pytest.fixture
def written(wide, write, tmp_path):
    """The names of all files that a sweep has written beside experiments."""
    write("iris", IRIS + "published: {test_accuracy: 0.0}\n")
    write("boston", BOSTON)
    assert 0 == wide("sweep", "configs", "--iterations", 2, "--replication")[0]
    names = sorted(place.name for place in (tmp_path / "results").iterdir() if place.is_file())
    assert 5 == len(names)
    return names


def test_each_is_refused_at_its_place(written, wide, write, tmp_path):
    """In the config, in the name of the file and in an argument, in any case of letters."""
    before = sorted((tmp_path / "results").rglob("*"))
    for name in [*written, *map(str.swapcase, written)]:
        write("named", f"{IRIS}name: {name}\n", "other")
        write(name, IRIS, "stems")
        calls = [
            *((command, "other/named.yaml") for command in ("check", "train", "sweep", "search")),
            *((command, f"stems/{name}.yaml") for command in ("check", "train", "sweep")),
            *((command, "configs/iris.yaml", f"name={name}") for command in ("train", "sweep")),
        ]
        places = {
            "other/named.yaml": f"other/named.yaml:7:7: name: '{name}'",
            f"stems/{name}.yaml": f"stems/{name}.yaml:2:1: name: the file's name is not one",
            "configs/iris.yaml": f"argument 'name={name}': name: '{name}'",
        }
        for words in calls:
            code, out, err = wide(*words)
            assert (2, "") == (code, out), (words, err)
            assert places[words[1]] in err
            assert "no name of nnrun's own files" in err
    assert before == sorted((tmp_path / "results").rglob("*"))


def test_no_other_name_is_written_beside_experiments(tmp_path):
    """A file with a name that an experiment may have is a mistake of nnrun's own."""
    with pytest.raises(AssertionError, match="no experiment may have"):
        Store(tmp_path, lambda _: "").write({"board.json": b"{}"})
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "name", ["leaderboard", "leaderboard-2", "my.leaderboard.json", "board.md"]
)
def test_names_like_them_are_free(wide, write, name):
    """Those that nnrun writes to no file are trained."""
    write(name)
    assert 0 == wide("train", f"configs/{name}.yaml", "--iterations", 1)[0]
    assert 0 == wide("sweep", "configs", "--iterations", 1)[0]
