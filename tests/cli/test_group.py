"""The group of commands, `python -m nnrun`, and mistakes in configs by their place."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from nnrun import __version__
from nnrun.cli import COMMANDS, cli
from nnrun.errors import DisagreementError, InterruptionError, NnrunError, UsageError

# `nnrun` itself: quick help, hints for slips, and errors as exit codes.

CONFIG = """
dataset: {path: rows.csv, columns: {target: y}, test_size: 0}
network: {sizes: [3, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 2000}
"""
# What no command needs that looks at runs, or at one config.
NEVER = ("asyncio", "multiprocessing", "psutil", "scipy", "sklearn", "jinja2", "markdown_it")
# What training on numbers, with a network that has a function of its own, does not need.
TRAINING = (
    "nnrun.config.hints",
    "nnrun.engines.tape",
    "nnrun.reports.html",
    "nnrun.runs.catalog.index",
    "nnrun.sweeps.board",
    "nnrun.sweeps.sweep",
    "nnrun.training.watch",
    "numpy.polynomial",
    "sqlite3",
)
# Of stored runs, records are shown as they are.
STORED = (*NEVER, "concurrent", "email", "llvmlite", "numpy", "pydantic", "secrets", "tempfile")


def modules(folder, *words):
    """The modules that a command has imported when it ends."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        f"sys.argv = ['nnrun', *{words!r}]\n"
        "from nnrun.__main__ import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder
    )
    return done.stdout, {*done.stderr.splitlines()[-1].split()}


@pytest.fixture(scope="module")
def imports(tmp_path_factory):
    """A folder with a config, its data, rows to predict, and the modules that training took."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "rows.csv").write_text(
        "a,b,y\n" + "".join(f"{n},{n % 3},{n % 5}\n" for n in range(20))
    )
    (folder / "new.csv").write_text("a,b\n1,2\n")
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder, modules(folder, "train", "tiny.yaml")[1]


@pytest.mark.parametrize("words", [(), ("--help",)])
def test_help_imports_no_package_at_all(words):
    """`nnrun` alone and with --help answers as soon as Python does, with the list of commands."""
    shown, imported = modules(None, *words)
    assert "  datasets  Show what data there is.\n" in shown
    assert set() == {"click", "enum", "functools", "re", "signal", "typing", "numpy"} & imported


def test_training_imports_what_it_needs_alone(imports):
    """Blocks of a sweep, other runs, engines and settings that it does not use are not among it;
    nor are the libraries of reports, and scikit-learn.
    """
    assert set() == {*NEVER, *TRAINING} & imports[1]


def test_training_on_data_that_ship_with_nnrun_imports_no_reader_of_tables(tmp_path):
    """Nor what reads images."""
    (tmp_path / "iris.yaml").write_text(
        "dataset: {name: iris}\nnetwork: {sizes: [3], activations: [softmax]}\n"
        "loss: cross_entropy\ntraining: {learning_rate: 0.01, iterations: 10}\n"
    )
    unused = {*TRAINING, "nnrun.data.readers.table", "nnrun.data.readers.tables"}
    assert set() == unused & modules(tmp_path, "train", "iris.yaml")[1]


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        (("ls",), (*STORED, "yaml")),
        (("show", "latest"), (*STORED, "nnrun.config.yaml", "yaml")),
        (("check", "tiny.yaml"), (*NEVER, "llvmlite", "nnrun.sweeps.sweep", "nnrun.sweeps.board")),
        (("predict", "latest", "new.csv"), (*NEVER, "llvmlite", "nnrun.engines", "nnrun.training")),
    ],
    ids=lambda value: value[0],
)
def test_commands_import_what_they_need_alone(imports, words, unused):
    """Importing the rest takes longer than what most commands do."""
    assert set() == {*unused} & modules(imports[0], *words)[1]


def test_blas_gets_one_thread_before_numpy_is_loaded():
    """One thread means one order of sums; what a user has set stays."""
    program = (
        "import os, sys; os.environ['OMP_NUM_THREADS'] = '7'; sys.argv = ['nnrun', '--version']\n"
        "from nnrun.cli import main\n"
        "try: main()\n"
        "finally: print([os.environ[f'{name}_NUM_THREADS'] for name in ('OPENBLAS', 'OMP', 'MKL')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert f"nnrun, version {__version__}\n['1', '7', '1']\n" == done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_explains_itself(lab, name):
    """The table's module holds the command, and its help says what it does and how it is used."""
    done = lab.ok(name, "--help")
    assert done.out.startswith(f"Usage: nnrun {name} [OPTIONS]")
    assert COMMANDS[name][1] in lab("--help").out


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("trian", "did you mean 'train'?"),
        ("docs", "did you mean 'help'?"),
        ("xyz", "there are train, check,"),
    ],
)
def test_an_unknown_command_gets_a_hint(lab, word, hint):
    """A slip or another program's word is met with the command that was meant, anything else with
    what there is.
    """
    done = lab(word)
    assert 2 == done.code
    assert f"'{word}' is not a command; {hint}" in done.err
    assert "" == done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sweep", "a.yaml", "--seeds", "many"), "'many' is not a whole number."),
        (("report", "--margin", "small"), "'small' is not a number."),
    ],
)
def test_a_value_that_is_no_number_is_refused_in_plain_words(lab, words, said):
    """click calls numbers with bounds ranges."""
    assert said in lab(*words).err


def failing(monkeypatch, error):
    """Lets `nnrun datasets` fail."""

    def fail(*_):
        raise error

    from nnrun.cli import datasets

    monkeypatch.setattr(datasets, "datasets_overview", fail)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (NnrunError("it went wrong"), 1, "error: it went wrong\n"),
        (UsageError("it makes no sense"), 2, "error: it makes no sense\n"),
        (DisagreementError("1 is not 2"), 3, "error: 1 is not 2\n"),
        (InterruptionError("stopped", 15), 143, "stopped\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), 1, "error: a: No space left on "),
        (MemoryError(), 1, "error: there is not enough memory\n"),
    ],
)
def test_errors_become_a_message_and_an_exit_code(lab, monkeypatch, error, code, message):
    """The contract's exit codes; the message goes to stderr, without a traceback."""
    failing(monkeypatch, error)
    done = lab("datasets")
    assert code == done.code
    assert done.err.startswith(message)
    assert "Traceback" not in done.err


def test_a_bug_is_one_line_and_debug_shows_where(lab, monkeypatch):
    """An unexpected error asks to be reported; --debug or NNRUN_DEBUG show its traceback."""
    failing(monkeypatch, ZeroDivisionError("division by zero"))
    done = lab("datasets")
    assert 1 == done.code
    assert 1 == done.err.count("\n")
    assert "internal error: ZeroDivisionError: division by zero" in done.err
    assert "--debug shows the traceback" in done.err
    for debugged in (
        lab("datasets", "--debug"),
        lab("--debug", "datasets"),
        lab("datasets", NNRUN_DEBUG="1"),
    ):
        assert 1 == debugged.code
        assert "Traceback (most recent call last)" in debugged.err
    assert "Traceback" not in lab("datasets", NNRUN_DEBUG="0").err


def test_errors_are_data_too_where_data_is_wanted(lab, monkeypatch):
    """With --json, stdout holds the error as one JSON document."""
    failing(monkeypatch, OSError(errno.EIO, "Input/output error"))
    monkeypatch.setattr("nnrun.cli.datasets._data", lambda *_: 1 / 0)
    done = lab("datasets", "--json")
    assert 1 == done.code
    assert "internal error: ZeroDivisionError" in done.json["error"]


@pytest.mark.parametrize(
    "words", [("--bogus", "--json"), ("--json", "--iterations"), ("--json", "--quiet=1")]
)
def test_options_that_cannot_be_read_are_data_too(lab, words):
    """Where one is wrong, none is set; a command without --json prints no data."""
    done = lab("train", "a.yaml", *words)
    assert 2 == done.code
    assert f"error: {done.json['error']}" == done.err.splitlines()[-1]
    assert "" == lab("schema", "--bogus", "--json").out


@pytest.fixture
def printed():
    """What a command that prints into a descriptor leaves: its exit code, and stderr."""
    # Python itself writes text later where it is not told otherwise.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    def run(command, stdout):
        words = [sys.executable, "-m", "nnrun", *command.split()]
        done = subprocess.run(
            words, stdout=stdout, stderr=subprocess.PIPE, env=environment, text=True, check=False
        )
        return done.returncode, done.stderr

    return run


@pytest.mark.parametrize("command", ["schema", "--help", "datasets"])
def test_a_closed_pipe_ends_quietly(command, printed):
    """`nnrun … | head` is no error: nothing on stderr, exit code 0."""
    reading, writing = os.pipe()
    os.close(reading)
    assert (0, "") == printed(command, writing)
    os.close(writing)


@pytest.mark.parametrize("command", ["--help", "datasets"])
def test_a_full_disk_is_an_error(command, printed):
    """Text that could not be written is said to be missing, in one line."""
    with open("/dev/full", "w") as full:
        assert (1, "error: stdout: No space left on device\n") == printed(command, full)


def test_an_error_is_said_once_where_its_json_cannot_be_written(printed):
    """Its text is on stderr, with the exit code of the error and not of the full disk."""
    with open("/dev/full", "w") as full:
        code, errors = printed("show nosuch --json", full)
    assert 2 == code
    assert errors.startswith("error: ")
    assert 1 == len(errors.splitlines())


def test_the_group_is_a_click_group():
    """Shell completion and documentation tools see ordinary click commands."""
    context = click.Context(cli)
    assert list(COMMANDS) == cli.list_commands(context)
    assert all(isinstance(cli.get_command(context, name), click.Command) for name in COMMANDS)


@pytest.mark.parametrize(
    "words",
    [["ls", "--foo"], ["trian"], ["train"], ["sweep", "x.yaml", "-j", "x"], ["ls", "--top"]],
)
def test_every_error_begins_alike(lab, words):
    """A mistake in how a command is called begins with `error:`, as all other errors do."""
    done = lab(*words)
    starts = [line for line in done.err.splitlines() if line.lower().startswith("error")]
    assert 2 == done.code
    assert 1 == len(starts)
    assert starts[0].startswith("error: ")


# `python -m nnrun` is `nnrun`, also in what it imports.

# Of the standard library, of what nnrun needs, of what it can use, and parts of nnrun itself.
PLANTED = ["__future__", "json", "typing", "hmac", "click", "numpy", "yaml", "pydantic", "rich"]
PLANTED += [
    "scipy",
    "sklearn",
    "pandas",
    "platformdirs",
    "llvmlite",
    "psutil",
    "sitecustomize",
    "cli",
]


@pytest.mark.parametrize("start", [["-m", "nnrun"], ["-P", "-m", "nnrun"]])
def test_nothing_is_imported_from_the_working_folder(start: list[str], tmp_path: Path) -> None:
    """Modules that lie there do not run, whatever their name; nor in the workers of a sweep."""
    for name in PLANTED:
        text = f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')"
        (tmp_path / f"{name}.py").write_text(text)
    config = """
        dataset: {name: iris}
        network: {sizes: [3], activations: [softmax]}
        loss: cross_entropy
        training: {learning_rate: 0.1, iterations: 20000, engine: compiled}
        """
    (tmp_path / "tiny.yaml").write_text(config)
    command = ["sweep", "tiny.yaml", "--seeds", "2", "-j", "2", "-q"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *start, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (0, b"") == (done.returncode, done.stderr)
    assert not (tmp_path / "ran").exists()


# Mistakes in configs by their place: exit code 2, and nothing written.

GOOD = """\
name: good
dataset:
  name: digits
  features: [{binarize: 8}]
network:
  layers:
    - {type: conv2d, channels: 2, kernel: [3, 3], activation: tanh}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training:
  optimizer: sgd
  learning_rate: 1e-2
  iterations: 5
seed: 010
"""

# Of keys, of layers and of data: what stands in GOOD, what stands there instead, where the message
# points (at the first place of this in the new text), words of the message. `tests/config` and
# `tests/runs/preparation` have all other mistakes.
MISTAKES = {
    "unknown key": ("seed:", "sead:", "sead", "did you mean 'seed'?"),
    "a name that is a path": ("name: good", "name: ../good", "../good", "name"),
    "a kernel larger than its input": ("kernel: [3, 3]", "kernel: 9", "9", "8"),
    "units that are no classes": ("units: 10", "units: 9", "9,", "10 classes"),
    "a scaled class": ("  features:", "  target: standard\n  features:", "standard", "class"),
    "a split that leaves nothing": (
        "  features:",
        "  test_size: 5000\n  features:",
        "5000",
        "rows",
    ),
}


def place(text: str, needle: str) -> str:
    before = text[: text.index(needle)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_the_config_without_mistakes_is_valid(lab):
    """What the mistakes are planted in is right, `010` being ten and never eight."""
    Path("good.yaml").write_text(GOOD)
    done = lab.ok("check", "good.yaml", "--json")
    assert done.json["configs"][0]["run_id"].startswith("s10-")


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("command", ["train", "check"])
def test_a_mistake_has_its_place_and_changes_nothing(lab, command, mistake):
    """The message starts with file:line:column, the exit code is 2, no results folder is made."""
    old, new, needle, words = MISTAKES[mistake]
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    Path("bad.yaml").write_text(text)
    done = lab(command, "bad.yaml")
    assert 2 == done.code
    assert f"bad.yaml:{place(text, needle)}: " in done.err
    assert words in done.err
    assert not Path("results").exists()
    assert "" == done.out


@pytest.mark.parametrize("command", ["check", "sweep"])
def test_an_empty_argument_is_not_the_current_folder(lab, command):
    """An unset variable of the shell in place of a path starts nothing."""
    Path("mine.yaml").write_text(GOOD)
    message = lab.refused(command, "")
    assert "error: a path is empty; '.' is the current folder" == message.splitlines()[-1]


@pytest.mark.parametrize("command", ["train", "check", "sweep"])
def test_wrong_cells_are_reported_with_the_line_that_names_their_file(lab, command):
    """First the place in the config, then every place in the data."""
    Path("houses.csv").write_text("rooms,price\n1,2\nx,3\n,4\n5,6\n")
    block = "{path: houses.csv, columns: {target: price}, task: regression}"
    text = f"network: {{sizes: [1], activations: [linear]}}\ndataset: {block}\n"
    text += "loss: mean_squared\ntraining: {learning_rate: 0.1, iterations: 5}\n"
    Path("houses.yaml").write_text(text)
    message = lab.refused(command, "houses.yaml")
    head, _, _, *cells = message.splitlines()
    where = place(text, "houses.csv")
    assert f"houses.yaml:{where}: dataset.path: this data set cannot be used:" == head
    data = Path("houses.csv").resolve()
    assert [f"{data}:3:rooms: 'x'", f"{data}:4:rooms: the cell is blank"] == [
        cells[0].partition(" is not a number")[0],
        cells[1].partition("; ")[0],
    ]
    assert not Path("results").exists()


def test_problems_are_data_with_json(lab):
    """With --json each problem has message, path and place."""
    text = GOOD.replace("tanh", "tahn")
    Path("bad.yaml").write_text(text)
    done = lab("train", "bad.yaml", "seed=x", "--json")
    assert 2 == done.code
    content = done.json
    first, second = content["problems"]
    assert f"bad.yaml:{place(text, 'tahn')}" == f"{first['file']}:{first['line']}:{first['column']}"
    assert "network.layers[0].activation" == first["path"]
    assert ("seed=x", None) == (second["argument"], second["line"])
    assert content["error"] in done.err
