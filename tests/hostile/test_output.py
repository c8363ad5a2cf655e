"""Output: hostile names and texts, floods, and sizes that are counted before they are made."""

from __future__ import annotations

import cProfile
import csv
import json
import pstats
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

import nnrun.sweeps.planning.variants
from nnrun.characters import cell, csv_line, escaped
from nnrun.cli.group import run
from nnrun.cli.train_many import MOST_RUNS
from nnrun.config import load
from nnrun.config.load import load_config
from nnrun.errors import MOST_SHOWN, ConfigError, UsageError
from nnrun.reports.markup import escape
from tests.data.tables import CategorySettings, read_csv
from tests.lab import Lab, write

# What comes out cannot steer a terminal, run in a spreadsheet, or pose as something else.
#
# The texts come in as descriptions, labels, columns, arguments and names of files.

CONTROLS = [chr(point) for point in (*range(0x20), *range(0x7F, 0xA0)) if chr(point) not in "\n\t"]
BIDI = list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
STEERING = re.compile("[" + "".join(map(re.escape, [*CONTROLS, *BIDI])) + "]")
HOSTILE = "a\x7fb\x85c\x9b31md\u202ee\u2066f\u200fg"
FORMULAS = ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "＝1", " =1"]

CONFIG = """\
dataset: {{path: x.csv, columns: {{target: {target}}}, task: regression}}
description: {description}
network: {{sizes: [1], activations: [linear]}}
loss: mean_squared
training: {{learning_rate: 0.1, iterations: 10, engine: numpy}}
"""


@pytest.fixture
def hostile_config(folder: Path) -> Path:
    """A config and a table in which every free text is hostile."""
    target = f"={HOSTILE}"
    (folder / "x.csv").write_text(f"{target},<b>&lt;{HOSTILE}\n" + "1,2\n2,3\n3,5\n" * 5)
    values = {"target": json.dumps(target), "description": json.dumps(HOSTILE)}
    (folder / "a.yaml").write_text(CONFIG.format(**values))
    return folder / "a.yaml"


def test_nothing_that_is_printed_steers_a_terminal(hostile_config: Path, lab: Lab) -> None:
    """On stdout and on stderr, as tables, as JSON and as CSV."""
    commands = [
        ("check", "a.yaml"),
        ("check", "a.yaml", "--json"),
        ("train", "a.yaml"),
        ("train", "a.yaml", "--json"),
        ("sweep", "a.yaml", "--seeds", "2"),
        ("sweep", "a.yaml", "--seeds", "2", "--json"),
        ("sweep", "a.yaml", "description=\u202ea\u2066b", "--dry-run"),
        ("ls",),
        ("ls", "--json"),
        ("ls", "--csv"),
        ("ls", "--md"),
        ("predict", "latest", "x.csv"),
        ("predict", "latest", "x.csv", "--score", "--json"),
    ]
    for words in commands:
        answer = lab(*words)
        assert 0 == answer.code, answer
        assert [] == STEERING.findall(answer.said), words
        if "--json" in words:
            assert isinstance(json.loads(answer.out), dict | list)


def test_nothing_that_is_written_steers_a_terminal(
    hostile_config: Path, lab: Lab, folder: Path
) -> None:
    """In every file of the results that people open; and the data say what they said."""
    lab.ok("sweep", "a.yaml", "--seeds", "2")
    lab.ok("report", "-o", "results/report.html")
    files = [path for path in folder.glob("results/**/*.*") if path.suffix != ".safetensors"]
    assert {".yaml", ".json", ".csv", ".md", ".html"} == {
        path.suffix for path in files if path.is_file()
    }
    for path in files:
        assert [] == STEERING.findall(path.read_text(encoding="utf-8")), path
    (report, _) = folder.glob("results/a/*/report.json")
    assert HOSTILE == json.loads(report.read_text())["description"]


@pytest.mark.parametrize(
    "words",
    [
        (f"{HOSTILE}",),
        ("check", f"{HOSTILE}.yaml"),
        ("check", "a.yaml", f"{HOSTILE}=1"),
        ("check", "a.yaml", f"description='{HOSTILE}' x"),
        ("check", "a.yaml", f"training.{HOSTILE}=1"),
        ("check", "a.yaml", f"loss={HOSTILE}"),
        ("check", f"--{HOSTILE}"),
        ("check", "a=1", HOSTILE),
        ("train", "a.yaml", "--iterations", HOSTILE),
        ("train", "a.yaml", f"{HOSTILE}.yaml"),
        ("ls", "--results", "a.yaml"),
        ("ls", "--where", HOSTILE),
        ("predict", HOSTILE, "x.csv"),
        ("sweep", "a.yaml", "-j", HOSTILE),
        ("sweep", "a.yaml", "--dask", HOSTILE, "-j", "2"),
        ("sweep", "a.yaml", f"name={HOSTILE}"),
    ],
    ids=range(16),
)
@pytest.mark.parametrize("switch", [(), ("--json",), ("--debug",)], ids=["", "json", "debug"])
def test_no_message_steers_a_terminal(
    words: tuple[str, ...],
    switch: tuple[str, ...],
    hostile_config: Path,
    lab: Lab,
) -> None:
    """Neither nnrun's own messages nor those of the library that reads the command line."""
    answer = lab(*words, *(switch if len(words) > 1 else ()))
    assert 2 == answer.code, answer
    assert [] == STEERING.findall(answer.said)
    if switch == ("--json",) and len(words) > 1 and not words[1].startswith("--"):
        assert {"problems", "more_problems"} <= json.loads(answer.out).keys()


def test_warnings_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those about a cache whose folder has a name."""
    monkeypatch.setattr("nnrun.cli.group.cli", lambda: None)
    monkeypatch.setattr("nnrun.cli.group.gc", Mock())  # the tests' garbage is still collected
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    run()
    shown = warnings.formatwarning(UserWarning(HOSTILE), UserWarning, "", 1)
    assert f"warning: {escaped(HOSTILE)}\n" == shown


@pytest.mark.parametrize("character", [*CONTROLS, *BIDI, "\u2028", "\ufeff", "\U000e0001"])
def test_what_cannot_be_seen_is_written_out(character: str) -> None:
    """As Python would write it, so that it can be searched for."""
    assert f"a{ascii(character)[1:-1]}b" == escaped(f"a{character}b")
    assert "über 日本 🙂\n\t" == escaped("über 日本 🙂\n\t")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    """It is shown as text, as if one had typed an apostrophe before it."""
    assert "'" == cell(text)[0]
    assert "\t" not in cell(text)
    assert "\r" not in cell(text)


@pytest.mark.parametrize("value", [-1.5, -3, None, True, "a=1", "", "iris", "x -1", "{}"])
def test_other_cells_stay_as_they_are(value: object) -> None:
    """Numbers above all, which may well begin with a minus sign."""
    assert value == cell(value)


def test_a_leaderboard_has_no_formulas(hostile_config: Path, lab: Lab, folder: Path) -> None:
    """Though a column of the data is called like one."""
    lab.ok("sweep", "a.yaml", "--seeds", "2")
    with (folder / "results/leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [f"'={escaped(HOSTILE)}"] == [row["target"] for row in rows]
    for row in rows:
        float(row["train_mean"])


def test_predictions_have_no_formulas(folder: Path, lab: Lab) -> None:
    """Nor anything that steers a terminal; labels that are numbers stay as they are."""
    labels = [f"={HOSTILE}", "-1", "@x"]
    rows = [f"{int(k % 3 == 0)},{int(k % 3 == 1)},{labels[k % 3]}\n" for k in range(30)]
    (folder / "x.csv").write_text("a,b,label\n" + "".join(rows))
    block = "{path: x.csv, columns: {target: label}, task: classification}"
    text = CONFIG.format(target="label", description="none").splitlines()
    text[0], text[2], text[3] = (
        f"dataset: {block}", "network: {sizes: [3], activations: [softmax]}", "loss: cross_entropy",
    )  # fmt: skip
    (folder / "a.yaml").write_text("\n".join(text))
    lab.ok("train", "a.yaml", "training.iterations=300")
    answer = lab("predict", "a", "x.csv")
    assert 0 == answer.code
    assert not STEERING.search(answer.out)
    header, *found = csv.reader(answer.out.splitlines())
    assert {"prediction", f"p_{escaped(labels[0])}", "p_-1", "p_@x"} == {*header}
    assert {f"'={escaped(HOSTILE)}", "-1", "'@x"} == {row[0] for row in found}
    assert not any(cell.startswith("=") for row in found for cell in row)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://evil.example/x", r"http\://evil.example/x"),
        ("see HTTPS://evil.example", r"see HTTPS\://evil.example"),
        ("ftp://evil.example", r"ftp\://evil.example"),
        ("www.evil.example", r"www\.evil.example"),
        ("&lt;b&gt; &#60;", r"\&lt;b\&gt; \&\#60;"),
        ("<script>", r"\<script\>"),
        ("- a list", r"\- a list"),
        ("+ a list", r"\+ a list"),
        ("1. a list", r"1\. a list"),
        ("12) a list", r"12\) a list"),
        ("---", r"\---"),
        ("===", r"\==="),
        ("# a heading", r"\# a heading"),
        ("> a quotation", r"\> a quotation"),
        ("[x](http://y)", r"\[x\](http\://y)"),
        ("-0.5", "-0.5"),
        ("1.5", "1.5"),
        ("a - b", "a - b"),
        ("\u202eabc", " abc"),
    ],
)
def test_markdown_shows_what_was_written(text: str, shown: str) -> None:
    """No link, no entity, no list: Markdown's own escapes stand before what would be one."""
    assert shown == escape(text)


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
def test_no_cell_is_several_to_a_reader_with_another_separator(separator: str) -> None:
    """A reader splits outside of quotes alone; None and nothing are empty cells, no blank line."""
    row = [f"a{separator}b", " c", 'd"e', "f\ng", 1.5, None, ""]
    line = csv_line(row)
    assert ["" if value is None else str(value) for value in row] == next(csv.reader([line]))
    unquoted = re.sub(r'"(?:[^"]|"")*"', "", line)
    assert separator == "," or separator not in unquoted
    assert '""\n' == csv_line([""])


def test_predictions_quote_what_others_split(folder: Path, lab: Lab) -> None:
    """Labels and what is carried; a script writes the bytes of `nnrun predict`."""
    (folder / "x.csv").write_text("a,id,y\n" + "1,p|q,u;v\n2,r,w|x\n" * 9)
    config = CONFIG.format(target="y", description="x").replace("sizes: [1]", "sizes: [2]")
    config = config.replace("regression", "classification").replace("mean_squared", "cross_entropy")
    config = config.replace("linear", "softmax").replace("target: y", "target: y, features: [a]")
    (folder / "a.yaml").write_text(config)
    lab.ok("train", "a.yaml")
    predicted = lab("predict", "latest", "x.csv", "--id", "id").out
    lab.ok("export", "latest", "-o", "m.py")
    command = [sys.executable, "m.py", "x.csv"]
    script = subprocess.run(command, capture_output=True, text=True, check=True)
    assert lab("predict", "latest", "x.csv").out == script.stdout
    for text in (predicted, script.stdout):
        assert '"' in text
        assert [] == re.findall("[;|]", re.sub('"[^"]*"', "", text))


# Whatever is given in masses: a screenful is said, the rest is counted, and time grows in step.

DATASET = "dataset: {name: iris}\n"
NETWORK = "network: {sizes: [3], activations: [softmax]}\n"
REST = "loss: cross_entropy\ntraining: {learning_rate: 0.1, iterations: 10}\n"


def listed(item: str, count: int) -> str:
    return "[" + ", ".join([item] * count) + "]"


def numbered(form: str, count: int) -> str:
    return ", ".join(form.format(number) for number in range(count))


# What stands in a config, by how many; each is wrong in every place.
CONFIGS: dict[str, Callable[[int], str]] = {
    "sizes": lambda n: DATASET + f"network: {{sizes: {listed('x', n)}, activations: [relu]}}\n",
    "activations": lambda n: DATASET + f"network: {{sizes: [1], activations: {listed('x', n)}}}\n",
    "layers": lambda n: DATASET + f"network: {{layers: {listed('{type: bogus}', n)}}}\n",
    "words for layers": lambda n: DATASET + f"network: {{layers: {listed('dense', n)}}}\n",
    "features": lambda n: f"dataset: {{name: iris, features: {listed('x', n)}}}\n" + NETWORK,
    "seeds": lambda n: DATASET + NETWORK + f"sweep: {{seeds: {listed('x', n)}}}\n",
    "one seed again": lambda n: DATASET + NETWORK + f"sweep: {{seeds: {listed('1', n + 1)}}}\n",
    "keys": lambda n: DATASET + NETWORK + "".join(f"key{i}: 1\n" for i in range(n)),
    "one key again": lambda n: DATASET + NETWORK + "seed: 1\n" * (n + 1),
    "keys of a block": lambda n: DATASET + NETWORK + f"published: {{{numbered('k{}: 1', n)}}}\n",
    "tags": lambda n: DATASET + NETWORK + f"description: {listed('!!python/x 1', n)}\n",
    "tags and values": lambda n: (
        DATASET + f"network: {{sizes: {listed('!!int x', n)}}}\n" + NETWORK
    ),
    "values of a grid": lambda n: (
        DATASET + NETWORK + f"sweep: {{grid: {{training.batch_size: {listed('x', n)}}}}}\n"
    ),
}
ARGUMENTS: dict[str, Callable[[int], list[str]]] = {
    "no assignments": lambda n: [f"word{i}" for i in range(n)],
    "unknown keys": lambda n: [f"training.x{i}=1" for i in range(n)],
    "layers that are not there": lambda n: [f"network.layers.{i}.units=1" for i in range(1, n + 1)],
    "values": lambda n: [f"network.sizes=[{numbered('x{}', n)}]"],
    "values through others": lambda n: [f"dataset.name.a{i}=1" for i in range(n)],
}


def refusal(path: Path, content: str, arguments: list[str]) -> ConfigError:
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path, arguments)
    return caught.value


def calls(work: Callable[[], object]) -> int:
    """How many calls of functions the work takes, which no other load of the machine changes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def check_refusals(refuse: Callable[[int], ConfigError], *, counted: bool) -> None:
    """What is shown of many problems, and that twice as many take twice as long."""
    error = refuse(400)
    lines = [line for line in str(error).splitlines() if not line.startswith("    ")]
    assert MOST_SHOWN + 1 == len(lines)
    more = len(error.problems) - MOST_SHOWN
    assert f"and {more:,} more problems" == lines[-1]
    assert not counted or 400 <= len(error.problems)
    assert len(str(error)) < 20_000
    few, many = calls(lambda: refuse(500)), calls(lambda: refuse(1000))
    assert many < 2.2 * few


@pytest.mark.parametrize("kind", CONFIGS)
def test_many_mistakes_in_a_config(kind: str, tmp_path: Path) -> None:
    """At most 20 are shown, in the order of the file, and the others are counted."""
    # Of the values of a grid, as many as is worth are looked at before a sweep plans.
    counted = kind not in ("values of a grid", "tags")
    check_refusals(
        lambda n: refusal(tmp_path / "a.yaml", CONFIGS[kind](n) + REST, []), counted=counted
    )


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_many_mistakes_in_arguments(kind: str, tmp_path: Path) -> None:
    """Likewise, in the order of the arguments."""
    config = DATASET + NETWORK + REST
    check_refusals(lambda n: refusal(tmp_path / "a.yaml", config, ARGUMENTS[kind](n)), counted=True)


@pytest.mark.parametrize(
    "argument", ["a" * 100_000 + "=1", "a=1," * 30_000 + "[", "x" * 100_000, "[1]" * 30_000 + "=1"]
)
def test_a_long_argument_is_cut_short(argument: str, tmp_path: Path) -> None:
    """What is quoted of an argument can be read, however long it is."""
    error = refusal(tmp_path / "a.yaml", DATASET + NETWORK + REST, [argument])
    assert len(str(error)) < 5_000
    assert "[…]" in str(error)


def test_a_key_of_many_steps_is_refused(tmp_path: Path) -> None:
    """No config is as deep as that, so nothing is built up for it."""
    error = refusal(tmp_path / "a.yaml", DATASET + NETWORK + REST, [".".join("a" * 5000) + "=1"])
    assert "a key of 5,000 steps; a config has at most 40" in str(error)


def header(*names: str) -> str:
    return ",".join(names) + "\n" + ",".join("1" for _ in names) + "\n"


def columns(n: int) -> list[str]:
    return [f"c{i}" for i in range(n)]


# A CSV of this many columns, and what is asked of it.
TABLES: dict[str, Callable[[int], tuple[str, dict[str, object]]]] = {
    "columns of one name": lambda n: (header("y", *columns(n), *columns(n)), {}),
    "columns without a name": lambda n: (header("y", *[""] * n), {}),
    "columns that are not there": lambda n: (header("y", "c"), {"features": columns(n)}),
    "columns that are dropped": lambda n: (
        header("y", *columns(n)),
        {"features": columns(n), "drop": columns(n)},
    ),
    "columns given twice": lambda n: (header("y", *columns(n)), {"drop": [*columns(n)] * 2}),
    "cells that are no numbers": lambda n: (
        header("y", *columns(n)).replace("1,", "x,").replace(",1", ",x"),
        {},
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_many_mistakes_in_a_csv(kind: str, tmp_path: Path) -> None:
    """A wide table is refused like a narrow one: in a screenful, in time that grows in step."""

    def refuse(n: int) -> str:
        text, asked = TABLES[kind](n)
        path = tmp_path / "a.csv"
        path.write_text(text)
        with pytest.raises(UsageError) as caught:
            read_csv(path, "y", task="regression", **asked)  # type: ignore[arg-type]
        return str(caught.value)

    lines = refuse(1000).splitlines()
    assert MOST_SHOWN + 1 == len(lines)
    assert "more" in lines[-1]
    assert calls(lambda: refuse(2000)) < 2.2 * calls(lambda: refuse(1000))


def test_a_wide_csv_is_read_in_step(tmp_path: Path) -> None:
    """100,000 columns are no mistake; reading them takes as long as reading as many cells."""

    def read(n: int) -> tuple[int, ...]:
        path = tmp_path / "a.csv"
        path.write_text(header("y", *columns(n)))
        categories = CategorySettings(columns(n // 2))
        return read_csv(path, "y", task="regression", categories=categories).x.shape

    assert (1, 20_000) == read(20_000)
    assert calls(lambda: read(4000)) < 2.2 * calls(lambda: read(2000))


# A sweep is counted before it is planned: what has too many runs is refused at once.

SMALL_CONFIG = DATASET + NETWORK + REST
THOUSAND = "range(1,1001)"
REFUSED = {
    "keys": (
        "",
        [
            f"training.iterations={THOUSAND}",
            f"training.batch_size={THOUSAND}",
            f"network.sizes.0={THOUSAND}",
        ],
        "1,000,000,000",
    ),
    "seeds": ("", ["seed=range(0,1000000)"], "1,000,000"),
    "--seeds": ("", ["--seeds", "1000000"], "1,000,000"),
    "keys and seeds": ("", [f"training.batch_size={THOUSAND}", "--seeds", "101"], "101,000"),
    "the config's seeds": ("sweep: {seeds: 1000000}", [], "1,000,000"),
    "the config's grid": (
        "sweep: {grid: {training.batch_size: [1, 2, 3], network.sizes.0: [3, 4, 5, 6]}}",
        ["seed=range(0,10000)"],
        "120,000",
    ),
}


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was prepared while a test ran."""
    seen: list[object] = []
    monkeypatch.setattr(
        nnrun.sweeps.planning.variants, "prepare", lambda experiment, *_: seen.append(experiment)
    )
    return seen


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The configs that were validated while a test ran."""
    seen: list[str] = []
    validate: Callable[..., object] = load._validate

    def counted(data: dict[str, object]) -> object:
        seen.append(str(data.get("name")))
        return validate(data)

    monkeypatch.setattr(load, "_validate", counted)
    return seen


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["", "dry"])
def test_too_many_runs_are_refused_at_once(
    kind: str, dry: list[str], lab: Lab, planned: list[object], loads: list[str]
) -> None:
    """With their number and the option that allows them, before any run is looked at."""
    own, arguments, figure = REFUSED[kind]
    write("a.yaml", SMALL_CONFIG + own)
    words = ["sweep", "a.yaml", *arguments, *dry]
    done = lab(*words)
    allowed = f"--max-runs {figure.replace(',', '')} allows as many"
    message = f"this sweep would have {figure} runs, and may have {MOST_RUNS:,}; {allowed}"
    assert (2, f"error: {message}\n") == (done.code, done.err)
    assert [] == planned
    assert len(loads) < 20
    assert not Path("results").exists()


def test_all_configs_count(lab: Lab, planned: list[object]) -> None:
    """Each may have few enough runs, and all together too many."""
    for name in ("a", "b", "c"):
        write(f"{name}.yaml", SMALL_CONFIG)
    words = ["sweep", ".", "--seeds", "4", "--max-runs", "11", "--dry-run"]
    done = lab(*words)
    assert "this sweep would have 12 runs, and may have 11" in done.err
    assert [] == planned


def test_as_many_as_are_allowed(lab: Lab) -> None:
    """--max-runs is what it says, in both directions."""
    write("a.yaml", SMALL_CONFIG)
    words = ["sweep", "a.yaml", "--dry-run", "--seeds", "200000"]
    done = lab(*words, "--max-runs", "200000", "--force")
    assert (0, "") == (done.code, done.err)
    assert "200,000 runs" in done.out


def test_many_arguments_with_a_mistake(lab: Lab, loads: list[str]) -> None:
    """Of what is wrong from the start, a part of the values is tried and not every one."""
    write("a.yaml", SMALL_CONFIG)
    words = [f"training.x{number}=1,2" for number in range(15)]
    done = lab("sweep", "a.yaml", *words)
    assert 2 == done.code
    assert len(loads) <= 101
